import gc
import http.server
import logging
import shutil
import threading
import wave
import weakref
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from mot_reid.structures import Tracks
from mot_reid.video import sources
from mot_reid.video.sources import SourceError, SourceInfo, open_source
from mot_reid.video.video_sink import VideoSink


def read_until_error(path: Path | str) -> tuple[list[int], str]:
    """Numbers of the frames read, and the message of the error that ended it."""
    numbers = []
    with open_source(path) as source:
        try:
            numbers.extend(frame.number for frame in source)
        except SourceError as error:
            return numbers, str(error)
    return numbers, ""


def test_info_and_frames(video: Path, clips: Any) -> None:
    with open_source(video) as source:
        assert source.info == SourceInfo("clip", "video", 64, 48, 25.0, 20)
        frames = list(source)
    assert [frame.number for frame in frames] == list(range(1, 21))
    assert [clips.number_of(frame.image) for frame in frames] == list(range(1, 21))
    assert frames[0].image.shape == (48, 64, 3)
    assert frames[0].image.dtype == np.uint8
    assert [frame.time for frame in frames] == pytest.approx([n / 25 for n in range(20)])
    assert {frame.wall_clock for frame in frames} == {None}


def test_frames_that_share_a_time_stamp_count_for_the_rate(tmp_path: Path, clips: Any) -> None:
    write_loud(tmp_path / "a.mpg", clips)
    with open_source(tmp_path / "a.mpg") as source:
        assert source.info.fps == 25
        assert [frame.number for frame in source] == list(range(1, 41))


_B_FRAMES = {
    "libx264": {"bf": "3", "b_strategy": "0", "sc_threshold": "0"},
    "mpeg2video": {"bf": "2", "qmax": "2"},
}


def write_loud(path: Path, clips: Any, pause: int = 0, codec: str = "libx264", **options: str) -> None:
    """Forty frames with B-frames and sound; ``pause`` frames late from the 21st on."""
    with av.open(str(path), "w", options=options) as loud:
        sound = loud.add_stream("mp2", 48000, layout="stereo")
        stream = loud.add_stream(codec, 25, options=_B_FRAMES.get(codec, {}))
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, "yuv420p", 10
        stream.codec_context.time_base = Fraction(1, 25)
        for number in range(1, 41):
            hiss = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 1920), np.int16), "s16", "stereo")
            hiss.sample_rate = 48000
            loud.mux(sound.encode(hiss))
            picture = av.VideoFrame.from_ndarray(clips.shade(number), "bgr24")
            picture.pts = number - 1 + pause * (number > 20)
            loud.mux(stream.encode(picture))
        loud.mux(sound.encode(None))
        loud.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("name", "pause", "options"),
    [
        ("loud.mp4", 0, {}),  # what the decoder holds at the end comes too, whichever stream is the first
        ("fragment.mp4", 0, {"movflags": "frag_keyframe+empty_moov"}),  # its pictures lie before its sound
        ("padded.ts", 5, {"muxrate": "3M"}),
        ("disc.m2ts", 5, {}),
    ],
)
def test_sound_costs_no_frame(
    name: str, pause: int, options: dict[str, str], tmp_path: Path, clips: Any
) -> None:
    write_loud(tmp_path / name, clips, pause, **options)
    with open_source(tmp_path / name) as source:
        assert [frame.number for frame in source] == list(range(1, 41))
        assert source.notes == ()


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.ts", "libx264", {}),
        ("b.ts", "libx264", {"muxrate": "8M"}),  # where FFmpeg gives up looking for a packet, and goes on
        ("c.m2ts", "libx264", {}),
        ("d.mpg", "mpeg2video", {}),
        ("e.wmv", "wmv2", {}),
    ],
)
@pytest.mark.parametrize("how", ["zeroed", "overwritten", "cut out"])
def test_numbers_behind_a_hole_in_mixed_streams_are_true(
    tmp_path: Path, name: str, codec: str, options: dict[str, str], how: str, clips: Any
) -> None:
    path = tmp_path / name
    write_loud(path, clips, codec=codec, **options)
    with open_source(path) as source:
        levels = {frame.number: frame.image.mean() for frame in source}
    data = bytearray(path.read_bytes())
    begin, size = int(0.35 * len(data)), int(0.2 * len(data))
    new = {"zeroed": bytes(size), "overwritten": np.random.default_rng(1).bytes(size), "cut out": b""}[how]
    data[begin : begin + size] = new
    path.write_bytes(data)
    with open_source(path) as source:
        frames = {frame.number: frame.image.mean() for frame in source}
    wrong = [number for number, level in frames.items() if abs(level - levels[number]) > 1.5]
    assert len(wrong) <= 1  # the one that is torn
    assert max(frames) == 40
    assert source.damaged == 40 - len(frames) >= 5


def test_colours_are_bgr(tmp_path: Path, clips: Any) -> None:
    image = np.full((48, 64, 3), (200, 60, 30), np.uint8)
    with open_source(clips.write(tmp_path / "blue.mp4", [image] * 3)) as source:
        assert np.abs(next(iter(source)).image.astype(int) - image).max() < 12


def test_start_stop_stride_are_exact(video: Path, clips: Any) -> None:
    with open_source(video, start=4, stop=15, stride=5) as source:
        assert source.info.frame_count == 3
        frames = list(source)
    assert [frame.number for frame in frames] == [4, 9, 14]
    assert [frame.time for frame in frames] == pytest.approx([3 / 25, 8 / 25, 13 / 25])
    assert [clips.number_of(frame.image) for frame in frames] == [4, 9, 14]


def test_start_beyond_the_end(video: Path) -> None:
    with (
        open_source(video, start=21) as source,
        pytest.raises(SourceError, match="only 20 frames, start is 21"),
    ):
        list(source)


def test_breaking_off_early_is_safe(video: Path) -> None:
    source = open_source(video)
    iterator = iter(source)
    assert next(iterator).number == 1
    assert next(iter(source)).number == 2  # a source is read once, whoever asks
    source.close()
    source.close()
    assert list(iterator) == []
    assert list(source) == []


@pytest.mark.skipif(not hasattr(VideoStream, "set_display_rotation"), reason="needs a newer PyAV to write it")
@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotation_is_undone(tmp_path: Path, rotation: int, clips: Any) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:16, :16] = 255
    path = clips.write(tmp_path / "turned.mp4", [image] * 2, rotation=rotation)
    upright = np.rot90(image, rotation // 90)
    with open_source(path) as source:
        assert (source.info.height, source.info.width) == upright.shape[:2]
        for frame in source:
            assert np.abs(frame.image.astype(int) - upright).mean() < 8


@pytest.mark.parametrize(
    ("name", "options"), [("cut.mp4", {"movflags": "faststart"}), ("cut.mkv", {}), ("cut.avi", {})]
)
def test_video_that_breaks_off(tmp_path: Path, name: str, options: dict[str, str], clips: Any) -> None:
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    path = clips.write(tmp_path / name, [clips.shade(n) for n in range(1, 61)], codec, **options)
    assert read_until_error(path) == (list(range(1, 61)), "")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    numbers, message = read_until_error(path)
    assert 15 < len(numbers) < 50
    assert numbers == list(range(1, len(numbers) + 1))
    declared = "" if name.endswith("mkv") else " of 60 declared"
    assert message == f"{path}: breaks off after frame {numbers[-1]}{declared}"


@pytest.mark.parametrize(("suffix", "pixels"), [("gif", "rgb8"), ("apng", "rgb24")])
def test_a_picture_that_moves_and_is_cut_off_breaks_off(suffix: str, pixels: str, tmp_path: Path) -> None:
    path, random = tmp_path / f"wave.{suffix}", np.random.default_rng(0)
    with av.open(str(path), "w") as file:
        stream = file.add_stream(suffix, rate=10, width=64, height=48, pix_fmt=pixels)
        for _ in range(6):
            image = random.integers(0, 255, (48, 64, 3), dtype=np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        file.mux(stream.encode())
    content = path.read_bytes()
    path.write_bytes(content + b"what somebody put behind it")
    assert read_until_error(path) == ([1, 2, 3, 4, 5, 6], "")
    for left in (len(content) // 2, len(content) - 1):
        path.write_bytes(content[:left])
        numbers, message = read_until_error(path)
        assert message == f"{path}: breaks off after frame {numbers[-1]}"


def test_second_half_zeroed_breaks_off(video: Path) -> None:
    content = video.read_bytes()
    middle = len(content) * 2 // 3
    video.write_bytes(content[:middle] + bytes(len(content) - middle))
    numbers, message = read_until_error(video)
    assert 0 < len(numbers) < 17
    assert f"breaks off after frame {numbers[-1]} of 20 declared" in message


def test_stop_before_the_break_is_no_error(tmp_path: Path, video: Path) -> None:
    with video.open("r+b") as file:
        file.truncate(video.stat().st_size * 3 // 4)
    with open_source(video, stop=5) as source:
        assert [frame.number for frame in source] == [1, 2, 3, 4, 5]


def test_damage_in_the_middle_is_skipped(video: Path, caplog: pytest.LogCaptureFixture, clips: Any) -> None:
    with av.open(str(video)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    position, size = packets[7]
    content = bytearray(video.read_bytes())
    content[position : position + size] = bytes(size)
    video.write_bytes(content)
    with caplog.at_level(logging.WARNING), open_source(video) as source:
        frames = list(source)
    assert len(frames) == 19
    # Those behind the gap keep their numbers.
    assert frames[-1].number == clips.number_of(frames[-1].image) == 20
    assert "damaged frames skipped: 1" in caplog.text
    assert source.damaged == 1


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.avi", "mpeg4"), ("b.avi", "mjpeg"), ("c.mkv", "libx264"), ("d.mkv", "libx265"), ("e.mov", "mjpeg")],
)
@pytest.mark.parametrize("zeroed", [False, True])
def test_numbers_behind_a_hole_are_true(
    tmp_path: Path, name: str, codec: str, zeroed: bool, clips: Any
) -> None:
    images = [clips.shade(n, 96, 128) for n in range(1, 71)]
    path = clips.write(tmp_path / name, images, codec)
    with open_source(path) as source:
        levels = {frame.number: frame.image.mean() for frame in source}
    data = bytearray(path.read_bytes())
    for begin, end in ((0.25, 0.35), (0.6, 0.7)):
        place, size = int(begin * len(data)), int((end - begin) * len(data))
        data[place : place + size] = bytes(size) if zeroed else np.random.default_rng(1).bytes(size)
    path.write_bytes(data)
    with open_source(path) as source:
        frames = [(frame.number, frame.image.mean(), frame.time) for frame in source]
    wrong = [number for number, level, _ in frames if abs(level - levels[number]) > 1.5]
    assert len(wrong) <= 2  # a frame that is torn near its end decodes, with grey in a corner
    assert source.damaged >= 70 - len(frames) >= 6
    assert [time for _, _, time in frames] == pytest.approx([(n - 1) / 25 for n, _, _ in frames], abs=0.002)


def test_frames_cut_out_by_an_edit_list_are_not_missing(tmp_path: Path, video: Path) -> None:
    trimmed = tmp_path / "trimmed.mp4"
    with av.open(str(video)) as whole, av.open(str(trimmed), "w") as part:
        copy = part.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.dts is not None:
                packet.pts -= 8 * packet.duration  # frames 1 to 8 now lie before time 0
                packet.dts -= 8 * packet.duration
                packet.stream = copy
                part.mux(packet)
    numbers, message = read_until_error(trimmed)
    assert message == ""
    assert 10 < len(numbers) <= 20


def test_frames_of_another_size_are_fitted_into_the_first(tmp_path: Path, clips: Any) -> None:
    first = clips.write(tmp_path / "a.h264", [clips.shade(n) for n in range(5)])
    second = clips.write(tmp_path / "b.h264", [clips.shade(n, 96, 80) for n in range(5)])
    both = tmp_path / "both.h264"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    with open_source(both) as source:
        frames = list(source)
    assert [frame.number for frame in frames] == list(range(1, 11))
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    assert frames[-1].image[:, 0].max() < 20  # a border: the picture is taller than the first ones
    assert source.notes == ("from frame 6 on frames are 80x96; they are fitted into 64x48",)


@pytest.mark.parametrize("name", ["notes.mp4", "notes.txt", "notes.csv", "notes.srt"])
def test_text_is_not_a_video(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nthis is a subtitle\n" * 50)
    with pytest.raises(SourceError, match=f"{name}: not a video"):
        open_source(path)


def test_tracks_are_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "tracks.txt"  # FFmpeg takes such a file for a film of its letters
    path.write_text("1,1,10,20,30,40,1,-1,-1,-1\n" * 50)
    with pytest.raises(SourceError, match=r"tracks\.txt: not a video"):
        open_source(path)


def test_noise_is_not_a_video(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "noise.avi"
    path.write_bytes(np.random.default_rng(0).bytes(100_000))
    with pytest.raises(SourceError, match=r"noise\.avi: not"):
        open_source(path)
    assert capfd.readouterr().err == ""


def test_sound_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    with pytest.raises(SourceError, match=r"sound\.wav: not a video \(no video stream"):
        open_source(path)


def test_mp4_without_its_index(tmp_path: Path, clips: Any) -> None:
    path = clips.write(
        tmp_path / "torn.mp4", [clips.shade(n) for n in range(20)]
    )  # the index comes last here
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(SourceError, match=r"torn\.mp4: not a video, damaged, or cut off"):
        open_source(path)
    (tmp_path / "list.txt").write_text("a.mp4\nb.mp4\n")
    (tmp_path / "pixels.yuv").write_bytes(bytes(64 * 48 * 3))
    told = r"pixels\.yuv: not a video, damaged, .*; pixels alone do not tell their size: ffmpeg -f rawvideo"
    with pytest.raises(SourceError, match=told):
        open_source(tmp_path / "pixels.yuv")
    with pytest.raises(SourceError, match=r"list\.txt: not a video.*; mot-reid batch takes lists"):
        open_source(tmp_path / "list.txt")


def test_relative_name_with_a_colon(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(video.parent)
    shutil.copy(video, "http:cam.mp4")
    with open_source("http:cam.mp4") as source:
        assert (source.info.name, len(list(source))) == ("http-cam", 20)


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; a path with ``hang`` in it gets half of the file and then nothing more."""

    release = threading.Event()

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if "hang" not in self.path:
            super().do_GET()
            return
        content = (Path(self.directory) / "clip.mp4").read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) * 2 // 3])
        self.wfile.flush()
        self.release.wait(10)


@pytest.fixture
def server(video: Path) -> Iterator[str]:
    def handler(*args: object) -> _Handler:
        return _Handler(*args, directory=str(video.parent))  # type: ignore[arg-type]

    _Handler.release.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        _Handler.release.set()
        running.shutdown()
        thread.join()


def test_http_stream(server: str, clips: Any) -> None:
    with open_source(f"{server}/clip.mp4?token=secret") as source:
        assert source.info.kind == "stream"
        assert source.info.name == server.removeprefix("http://").replace(":", "-") + "-clip.mp4"
        assert [clips.number_of(frame.image) for frame in source] == list(range(1, 21))


def test_http_error_is_named(server: str) -> None:
    with pytest.raises(SourceError, match=r"/nothing\.mp4: .*404"):
        open_source(f"{server}/nothing.mp4")


def test_stream_that_falls_silent(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "STREAM_TIMEOUT", 0.5)
    numbers, message = read_until_error(f"{server}/hang.mp4")
    assert len(numbers) > 5
    assert message.endswith(f"breaks off after frame {numbers[-1]} of 20 declared: no data for 0.5 s")


def test_a_closed_video_is_gone_with_its_decoder_at_once(tmp_path: Path) -> None:
    """A camera that comes back opens a source again and again: none may wait for the garbage collector."""
    path = tmp_path / "short.mp4"
    with VideoSink(path, 25.0, 18) as sink:
        for frame in range(1, 21):
            sink.write(frame, np.full((64, 64, 3), 9 * frame, np.uint8), Tracks.empty())
    gc.disable()
    try:
        source = open_source(path)
        there = weakref.ref(source)
        for frame in source:
            if frame.number == 5:
                break
        source.close()
        del source, frame
        assert there() is None
    finally:
        gc.enable()
