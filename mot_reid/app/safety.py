"""What keeps the server to itself: who may ask, from where, how much, and what the browser may do."""

from __future__ import annotations

import hmac
import ipaddress
from urllib.parse import parse_qs, quote, unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LARGEST_BODY", "Guard", "is_loopback"]

LARGEST_BODY = 16 << 20  # bytes; pictures that are searched for are the largest
COOKIE = "mot_reid_token"

_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and no other can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """Answers what must not reach the application.

    A request must name this machine (or the host that is served), so that a page elsewhere cannot reach it by
    a name of its own; one that changes something must come from our own page or from no page at all; with a
    token it must bring it, as a cookie, a header ``Authorization: Bearer``, or once in the address.

    Args:
        app: the application.
        hosts: names that a request may give, without port; empty for any.
        token: what a request must bring; empty for nothing.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = frozenset(), token: str = "") -> None:
        self._app, self._hosts, self._token = app, hosts, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request pass, or answers it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _answer(guarded, *refusal)
            return
        if self._token and self._enters_with(scope, headers):
            cookie = f"{COOKIE}={quote(self._token, safe='')}; HttpOnly; SameSite=Strict; Path=/"
            await _answer(guarded, 303, "", [(b"location", b"/"), (b"set-cookie", cookie.encode())])
            return
        await self._app(scope, receive, guarded)

    def _refusal(self, scope: Scope, headers: dict[bytes, str]) -> tuple[int, str] | None:
        host = headers.get(b"host", "")
        name = host[: host.rfind("]") + 1] if host.startswith("[") else host.partition(":")[0]
        if self._hosts and name.lower() not in self._hosts:
            return 421, "this server does not answer for that host"
        if self._token and not self._may_enter(scope, headers):
            return 401, "a token is needed: open the address that `mot-reid serve` has printed"
        if scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            origin = headers.get(b"origin", "")
            if headers.get(b"sec-fetch-site", "same-origin") not in ("same-origin", "none"):
                return 403, "the request comes from another page"
            if origin and origin.partition("://")[2] != host:
                return 403, "the request comes from another page"
        try:
            length = int(headers.get(b"content-length", "0"))
        except ValueError:
            return 400, "content-length is no number"
        if length > LARGEST_BODY:
            return 413, f"at most {LARGEST_BODY} bytes"
        return None

    def _enters_with(self, scope: Scope, headers: dict[bytes, str]) -> bool:
        return scope["path"] == "/" and "token" in parse_qs(scope["query_string"].decode("latin-1"))

    def _may_enter(self, scope: Scope, headers: dict[bytes, str]) -> bool:
        offered = [headers.get(b"authorization", "").removeprefix("Bearer ").encode("latin-1")]
        if scope["path"] == "/":
            tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
            offered += [token.encode() for token in tokens]
        for entry in headers.get(b"cookie", "").split(";"):  # others on this machine may be of any form
            name, _, value = entry.strip().partition("=")
            if name == COOKIE:
                offered.append(unquote(value).encode())
        return any(hmac.compare_digest(entry, self._token.encode()) for entry in offered)


async def _answer(
    send: Send, status: int, text: str, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    body = text.encode()
    kinds = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*kinds, *(headers or [])]})
    await send({"type": "http.response.body", "body": body})
