"""A camera's RTSP, over TCP and from a server that knows UDP alone: real connections to our own server."""

import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import suppress

import av
import numpy as np
import pytest

from mot_reid.video import open_source

FRAMES, RATE = 120, 10


class Handler(socketserver.StreamRequestHandler):
    """One client: DESCRIBE, SETUP, PLAY, and RTP packets made by FFmpeg."""

    server: "Server"

    def handle(self) -> None:
        with suppress(OSError):
            while line := self.rfile.readline().decode().strip():
                headers = [line]
                while header := self.rfile.readline().decode().strip():
                    headers.append(header)
                self.answer(line.split()[0], "\r\n".join(headers))

    def answer(self, verb: str, request: str) -> None:
        sequence = re.search(r"CSeq: *(\d+)", request, re.IGNORECASE)
        assert sequence is not None
        status, headers, body = "200 OK", "", ""
        if verb == "OPTIONS":
            headers = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        elif verb == "DESCRIBE":
            body = (
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
                "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track0\r\n"
            )
            headers = "Content-Type: application/sdp\r\n"
        elif verb == "SETUP":
            ports = re.search(r"client_port=(\d+)-(\d+)", request)
            self.server.asked.append("udp" if ports else "tcp")
            if ports:
                self.port: int | None = int(ports[1])
                headers = (
                    f"Transport: RTP/AVP;unicast;client_port={ports[1]}-{ports[2]};server_port=6970-6971\r\n"
                )
            elif self.server.udp_alone:
                status = "400 Bad Request"
            else:
                self.port = None
                headers = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
            headers += "Session: 1\r\n"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self.wfile.write(f"RTSP/1.0 {status}\r\nCSeq: {sequence[1]}\r\n{headers}{length}\r\n{body}".encode())
        if verb == "PLAY":
            self.play()

    def play(self) -> None:
        """Sends all frames as fast as they are made; their stamps are a camera's."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packets:
            packets.bind(("127.0.0.1", 0))
            packets.settimeout(0.02)
            with av.open(
                f"rtp://127.0.0.1:{packets.getsockname()[1]}?localrtcpport=0", "w", format="rtp"
            ) as out:
                stream = out.add_stream(
                    "libx264", RATE, options={"preset": "ultrafast", "tune": "zerolatency"}
                )
                stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, "yuv420p", 10
                for number in range(1, FRAMES + 1):
                    image = np.full((48, 64, 3), 2 * number, np.uint8)
                    out.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
                    self.forward(packets)

    def forward(self, packets: socket.socket) -> None:
        with suppress(TimeoutError):
            while True:
                packet = packets.recv(65536)
                if self.port is None:
                    self.wfile.write(b"$\x00" + len(packet).to_bytes(2, "big") + packet)
                else:
                    packets.sendto(packet, ("127.0.0.1", self.port))
                if packet[1] & 0x80:  # the frame's last
                    return


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, udp_alone: bool) -> None:
        self.udp_alone, self.asked = udp_alone, list[str]()
        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture(params=[False, True], ids=["tcp", "udp alone"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(request.param) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_frames_come_with_the_cameras_times(server: Server) -> None:
    with open_source(f"rtsp://127.0.0.1:{server.server_address[1]}/camera", stop=20, reconnect=0) as source:
        frames = list(source)
    assert server.asked == (["tcp", "udp"] if server.udp_alone else ["tcp"])
    assert [frame.number for frame in frames] == list(range(1, 21))
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    steps = np.diff([frame.time for frame in frames])  # of RTP the first frame has no stamp
    assert steps[1:] == pytest.approx(1 / RATE, abs=0.001)
    shades = [float(frame.image.mean()) for frame in frames]
    assert shades == pytest.approx([2 * n for n in range(1, 21)], abs=5)
