"""Live sources that hang up, fall silent, or change: real connections to a server of our own."""

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mot_reid.video import live, open_source, sources
from mot_reid.video.frames import SourceError

SMALL, LARGE = (48, 64), (96, 128)
Send = Callable[..., None]


def jpeg(value: int, size: tuple[int, int] = SMALL) -> bytes:
    return cv2.imencode(".jpg", np.full((*size, 3), value, np.uint8))[1].tobytes()


class Camera:
    """A server whose connections do what ``behave(number of the connection, handler)`` does."""

    def __init__(self, behave: Callable[[int, Any], None]) -> None:
        self.calls = 0
        camera = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                camera.calls += 1
                with suppress(OSError):
                    behave(camera.calls, self)
                self.close_connection = True

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/camera"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[int, Any], None]], Camera]]:
    monkeypatch.setattr(live, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(sources, "STREAM_TIMEOUT", 0.7)
    made: list[Camera] = []

    def make(behave: Callable[[int, Any], None]) -> Camera:
        made.append(Camera(behave))
        return made[-1]

    yield make
    for one in made:
        one.close()


def pictures(handler: Any, images: list[bytes], pause: float = 0.004) -> None:
    """An MJPEG camera's answer."""
    handler.send_response(200)
    handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=f")
    handler.end_headers()
    for image in images:
        head = b"--f\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(image)
        handler.wfile.write(head + image + b"\r\n")
        time.sleep(pause)


def test_a_camera_that_hangs_up_is_called_again(camera: Any, caplog: pytest.LogCaptureFixture) -> None:
    one = camera(lambda _, handler: pictures(handler, [jpeg(90)] * 20))
    with open_source(one.url, stop=50) as source:
        assert source.info.live
        assert source.info.frame_count == 50
        frames = list(source)
    assert [frame.number for frame in frames] == list(range(1, 51))
    assert one.calls == 3
    assert all(later.time > earlier.time for earlier, later in pairwise(frames))
    assert abs(frames[-1].wall_clock - time.time()) < 10
    assert "opened again (attempt 1)" in caplog.text


def test_time_goes_on_while_nobody_answers(camera: Any) -> None:
    def behave(call: int, handler: Any) -> None:
        if call == 1:
            pictures(handler, [jpeg(90)] * 10)
        elif call < 5:
            handler.send_error(503)
        else:
            pictures(handler, [jpeg(90)] * 10)

    one = camera(behave)
    with open_source(one.url, stop=15) as source:
        frames = list(source)
    steps = np.diff([frame.time for frame in frames])
    assert one.calls == 5
    assert steps.argmax() in (8, 9)
    assert steps.max() > 0.02 + 0.04 + 0.08 + 0.16


def test_sizes_that_change_within_and_between_connections(camera: Any) -> None:
    def behave(call: int, handler: Any) -> None:
        pictures(handler, [jpeg(90)] * 5 + [jpeg(200, LARGE)] * 5 if call == 1 else [jpeg(150, (64, 32))] * 5)

    with open_source(camera(behave).url, stop=13) as source:
        frames = list(source)
        notes = source.notes
    assert {frame.image.shape for frame in frames} == {(*SMALL, 3)}
    assert [round(frame.image[24, 32].mean() / 10) for frame in frames] == [9] * 5 + [20] * 5 + [15] * 3
    assert frames[-1].image[24, 2].mean() < 5  # a tall picture has black borders
    assert any("they are fitted into 64x48" in note for note in notes)


def test_a_camera_that_falls_silent_is_called_again(camera: Any) -> None:
    def behave(call: int, handler: Any) -> None:
        pictures(handler, [jpeg(90)] * 10)
        if call == 1:
            time.sleep(1.5)

    one = camera(behave)
    with open_source(one.url, stop=15) as source:
        assert [frame.number for frame in source] == list(range(1, 16))
    assert one.calls == 2


@pytest.mark.parametrize(("attempts", "calls"), [(0, 1), (3, 4)])
def test_there_is_an_end_to_trying(camera: Any, attempts: int, calls: int) -> None:
    def behave(call: int, handler: Any) -> None:
        if call == 1:
            pictures(handler, [jpeg(90)] * 10)
        else:
            handler.send_error(404)

    one = camera(behave)
    numbers = []
    with open_source(one.url, reconnect=attempts) as source:
        with pytest.raises(SourceError, match=r"/camera: breaks off after frame 10: ") as caught:
            numbers.extend(frame.number for frame in source)
        assert list(source) == []
    assert numbers == list(range(1, 11))
    assert one.calls == calls
    assert (f"{attempts} attempts to open it again failed" in str(caught.value)) == bool(attempts)


@pytest.mark.parametrize(
    ("suffix", "codec"), [("ts", "libx264"), ("webm", "libvpx"), ("mkv", "libx264"), ("flv", "libx264")]
)
def test_a_recording_without_a_length_that_ends_is_no_error(
    camera: Any, suffix: str, codec: str, tmp_path: Path, clips: Any
) -> None:
    options = {"live": "1"} if suffix in ("webm", "mkv") else {}
    path = clips.write(tmp_path / f"a.{suffix}", [clips.shade(n) for n in range(1, 31)], codec, **options)
    content = path.read_bytes()

    def behave(_: int, handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(content)

    one = camera(behave)
    with open_source(one.url) as source:
        numbers = [frame.number for frame in source]
    assert numbers == list(range(1, 31))
    assert one.calls == 1


def test_stopping_ends_the_waiting(camera: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FIRST_WAIT", 30.0)
    one = camera(lambda _, handler: pictures(handler, [jpeg(90)] * 5))
    with open_source(one.url) as source:
        begin = time.monotonic()
        threading.Timer(0.3, source.stop).start()
        assert len(list(source)) == 5
    assert time.monotonic() - begin < 10


def test_a_source_closed_while_it_connects_closes_the_new_connection(
    camera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = camera(lambda _, handler: pictures(handler, [jpeg(90)] * 5))
    with open_source(one.url) as source:
        connect, closed = source._connect, []

        def connect_slowly() -> Any:
            made = connect()
            close = made.close
            monkeypatch.setattr(made, "close", lambda: closed.append(close()))
            source.close()  # as from another thread
            return made

        monkeypatch.setattr(source, "_connect", connect_slowly)
        assert len(list(source)) == 5
        assert len(closed) == 1
    assert source.reconnections == 0


def test_a_file_on_a_server_is_opened_once(camera: Any, video: Path) -> None:
    content = video.read_bytes()

    def behave(_: int, handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    one = camera(behave)
    with open_source(one.url, start=3, stop=11, stride=4) as source:
        assert not source.info.live
        assert source.info.frame_count == 3
        assert [frame.number for frame in source] == [3, 7, 11]
    assert one.calls == 1
