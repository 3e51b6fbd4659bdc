/* Preloaded into a program: refuses every way out of this machine, and writes each try to the file $REFUSED. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void note(const char *what, const char *where) {
    const char *path = getenv("REFUSED");
    int file = path ? open(path, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;
    char line[400];
    int length = snprintf(line, sizeof line, "%s %s\n", what, where ? where : "?");
    if (file >= 0) {
        if (write(file, line, length) < 0) abort();
        close(file);
    }
}

/* Whether an address is of another machine; notes it. */
static int outside(const char *what, const struct sockaddr *address) {
    char text[INET6_ADDRSTRLEN] = "?";
    if (!address) return 0;
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)address;
        if ((ntohl(four->sin_addr.s_addr) >> 24) == 127) return 0;
        inet_ntop(AF_INET, &four->sin_addr, text, sizeof text);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
        if (IN6_IS_ADDR_LOOPBACK(&six->sin6_addr)) return 0;
        inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof text);
    } else {
        return 0;
    }
    note(what, text);
    errno = ENETUNREACH;
    return 1;
}

int connect(int socket, const struct sockaddr *address, socklen_t length) {
    int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
    return outside("connect", address) ? -1 : real(socket, address, length);
}

ssize_t sendto(int socket, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length) {
    ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "sendto");
    return outside("sendto", to) ? -1 : real(socket, data, size, flags, to, length);
}

ssize_t sendmsg(int socket, const struct msghdr *message, int flags) {
    ssize_t (*real)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
    return outside("sendmsg", message->msg_name) ? -1 : real(socket, message, flags);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        dlsym(RTLD_NEXT, "getaddrinfo");
    unsigned char number[sizeof(struct in6_addr)];
    int numeric = node && (inet_pton(AF_INET, node, number) == 1 || inet_pton(AF_INET6, node, number) == 1);
    if (node && !numeric && strcmp(node, "localhost")) {
        note("look up", node);
        return EAI_AGAIN;
    }
    return real(node, service, hints, found);
}

struct hostent *gethostbyname(const char *name) {
    note("look up", name);
    h_errno = TRY_AGAIN;
    return NULL;
}
