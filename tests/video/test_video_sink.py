import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from mot_reid.structures import Tracks
from mot_reid.video import VideoSink, open_source, video_file
from mot_reid.video.sound import Sound

NONE = Tracks.empty()


def read(path: Path) -> list[np.ndarray]:
    with open_source(path) as source:
        return [frame.image for frame in source]


@pytest.mark.parametrize("size", [(48, 64), (47, 63), (1, 1), (33, 64)])
def test_picture_comes_back(tmp_path: Path, clips: Any, size: tuple[int, int]) -> None:
    path = tmp_path / "out.mp4"
    images = [np.full((*size, 3), (40 + 5 * n, 90, 200 - 5 * n), np.uint8) for n in range(30)]
    with VideoSink(path, fps=25, crf=10) as sink:
        for number, image in enumerate(images, start=1):
            sink.write(number, image, NONE)
    returned = read(path)
    assert len(returned) == 30
    for image, back in zip(images, returned, strict=True):
        assert back.shape == (size[0] + size[0] % 2, size[1] + size[1] % 2, 3)
        assert np.abs(back[: size[0], : size[1]].astype(int) - image).max() < 8


def test_file_is_h264_that_browsers_play(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "out.mp4", fps=30000 / 1001) as sink:
        for number in range(65):
            sink.write(number, np.zeros((48, 64, 3), np.uint8), NONE)
    content = (tmp_path / "out.mp4").read_bytes()
    assert content.count(b"moof") == 3  # a fragment a second
    assert content.find(b"moov") < content.find(b"moof")
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == Fraction(30000, 1001)


def test_low_rate_and_single_frame(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "out.mp4", fps=Fraction(1, 2)) as sink:
        sink.write(1, np.zeros((48, 64, 3), np.uint8), NONE)
    assert len(read(tmp_path / "out.mp4")) == 1


def test_size_is_fixed_by_the_first_picture(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "out.mp4", fps=25) as sink:
        sink.write(1, np.zeros((48, 64, 3), np.uint8), NONE)
        with pytest.raises(ValueError, match=r"frame 2 is 64x50, but .*out\.mp4 has 64x48"):
            sink.write(2, np.zeros((50, 64, 3), np.uint8), NONE)
        sink.write(3, np.zeros((48, 64, 3), np.uint8), NONE)
    assert len(read(tmp_path / "out.mp4")) == 2


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (None, "expected the picture of frame 1, got None"),
        (np.zeros((4, 4), np.uint8), r"expected \(H, W, 3\) uint8, got \(4, 4\) uint8"),
        (np.zeros((4, 4, 3)), r"got \(4, 4, 3\) float64"),
    ],
)
def test_bad_image_is_refused(tmp_path: Path, image: Any, message: str) -> None:
    with VideoSink(tmp_path / "out.mp4", fps=25) as sink, pytest.raises(ValueError, match=message):
        sink.write(1, image, NONE)
    assert not (tmp_path / "out.mp4").exists()  # no picture, no file


@pytest.mark.parametrize("arguments", [{"fps": 0}, {"fps": -1}, {"fps": 25, "crf": 52}])
def test_bad_settings_are_refused(tmp_path: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"(fps|crf): expected"):
        VideoSink(tmp_path / "out.mp4", **arguments)
    assert not (tmp_path / "out.mp4").exists()


def test_closed_sink_takes_no_more(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "out.mp4", fps=25)
    sink.write(1, np.zeros((48, 64, 3), np.uint8), NONE)
    sink.close()
    sink.close()
    with pytest.raises(ValueError, match="the video is closed"):
        sink.write(2, np.zeros((48, 64, 3), np.uint8), NONE)
    assert len(read(tmp_path / "out.mp4")) == 1


def test_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere/out\.mp4"):
        VideoSink(tmp_path / "nowhere" / "out.mp4", fps=25)


KILLED = """
import os, signal, sys
import numpy as np
from mot_reid.structures import Tracks
from mot_reid.video import MotSink, VideoSink

video, text = VideoSink(sys.argv[1] + "/tracks.mp4", fps=10), MotSink(sys.argv[1] + "/tracks.txt")
one = np.ones(1, np.int64)
tracks = Tracks(one, np.float32([[0, 0, 5, 5]]), np.ones(1, np.float32), one, one)
for number in range(1, 56):
    video.write(number, np.full((48, 64, 3), 4 * number, np.uint8), tracks)
    text.write(number, None, tracks)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_kill_leaves_a_readable_video(tmp_path: Path, tracks: Callable[..., Tracks]) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -9
    images = read(tmp_path / "tracks.mp4")
    assert len(images) >= 40  # all but the fragment of a second in the making, and what the encoder holds
    assert [round(image.mean() / 4) for image in images] == list(range(1, len(images) + 1))
    assert len((tmp_path / "tracks.txt").read_text().splitlines()) == 55


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


def film(path: Path, times: list[float | None], fps: float = 25, **options: Any) -> list[float]:
    with VideoSink(path, fps, **options) as sink:
        for number, time in enumerate(times, start=1):
            sink.write(number, np.full((48, 64, 3), number * 3 % 255, np.uint8), NONE, time)
    return times_of(path)


@pytest.mark.parametrize(
    ("times", "fps"),
    [
        ([n / 25 for n in range(30)], 25),
        ([n * 1001 / 24000 for n in range(30)], 24000 / 1001),
        ([n / 30 for n in range(30)] + [1 + n / 10 for n in range(20)], 30),  # a phone in the dark
        ([0, 0.033, 0.067, 0.117, 0.133, 0.134, 0.2], 30),  # a browser
        ([3600.0 * n for n in range(10)], 1 / 3600),
        ([86_400.0 * n for n in range(4)], 1 / 86_400),
        ([0, 0.3, 12.4, 12.7], 30),  # a live run whose frames came slowly
        ([n / 240 for n in range(50)], 240),
    ],
)
def test_times_are_kept(times: list[float], fps: float, tmp_path: Path) -> None:
    assert film(tmp_path / "out.mp4", times, fps) == pytest.approx(times, abs=0.002)


def test_the_first_picture_comes_at_0(tmp_path: Path) -> None:
    assert film(tmp_path / "out.mp4", [7.0, 7.5, 9.0]) == pytest.approx([0, 0.5, 2])


def test_without_times_the_rate_counts_from_there_on(tmp_path: Path) -> None:
    assert film(tmp_path / "a.mp4", [None] * 4, 10) == pytest.approx([0, 0.1, 0.2, 0.3])
    assert film(tmp_path / "b.mp4", [1.0, None, None], 10) == pytest.approx([0, 0.1, 0.2])


def test_times_that_stand_still_or_leap_are_borne(tmp_path: Path) -> None:
    found = film(tmp_path / "a.mp4", [0, 0, 0, 5, 4, 100_000, 100_001], 25)
    assert len(found) == 7
    assert all(later > earlier for earlier, later in itertools.pairwise(found))
    assert found[-1] - found[-2] == pytest.approx(1)


def test_a_slow_source_has_a_fragment_a_second_as_well(tmp_path: Path) -> None:
    film(tmp_path / "out.mp4", [n / 4 for n in range(20)], fps=30)
    assert (tmp_path / "out.mp4").read_bytes().count(b"moof") == 5


@pytest.mark.parametrize(("width", "height"), [(20_000, 60), (60, 16_386)])
def test_pictures_too_large_for_the_format_are_named(width: int, height: int, tmp_path: Path) -> None:
    with (
        VideoSink(tmp_path / "out.mp4", fps=25) as sink,
        pytest.raises(ValueError, match=rf"out\.mp4: H\.264 holds .* 16384 .* {width}x{height}"),
    ):
        sink.write(1, np.zeros((height, width, 3), np.uint8), NONE)
    assert not (tmp_path / "out.mp4").exists()


def with_sound(path: Path, codec: str, layout: str, rate: int = 48_000, seconds: int = 3) -> Path:
    """A film of 25 pictures a second whose tone is 440 Hz in its first second and 880 Hz from there on."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libvpx" if path.suffix == ".webm" else "mpeg4", 25)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream(codec, rate, layout=layout)
        for number in range(25 * seconds):
            image = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8), "rgb24")
            container.mux(pictures.encode(image))
        moments = np.arange(rate * seconds) / rate
        tone = (np.sin(2 * np.pi * np.where(moments < 1, 440, 880) * moments) * 8000).astype(np.int16)
        samples = tone.repeat(2 if layout == "stereo" else 1)[None]
        for start in range(0, samples.shape[1], 2048):
            piece = av.AudioFrame.from_ndarray(samples[:, start : start + 2048], "s16", layout)
            piece.sample_rate = rate
            container.mux(sound.encode(piece))
        container.mux(sound.encode(None))
        container.mux(pictures.encode(None))
    return path


def heard(path: Path) -> tuple[np.ndarray, int]:
    """One channel of what a film lets hear, from its begin on, and its samples a second."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    rate = frames[0].sample_rate
    parts = [frame.to_ndarray()[0].astype(float) for frame in frames]
    return np.concatenate([np.zeros(round(float(frames[0].time) * rate)), *parts]), rate


def pitch(sound: np.ndarray, rate: int, begin: float, end: float) -> float:
    part = sound[round(begin * rate) : round(end * rate)]
    return float(np.fft.rfft(part * np.hanning(len(part))).__abs__().argmax() * rate / len(part))


@pytest.mark.parametrize(
    ("suffix", "codec", "layout", "rate", "kept"),
    [
        ("mp4", "aac", "stereo", 48_000, "aac"),
        ("webm", "libopus", "stereo", 48_000, "opus"),
        ("avi", "pcm_s16le", "mono", 8_000, "aac"),
        ("mov", "pcm_s16le", "mono", 44_100, "aac"),
        ("ts", "mp2", "mono", 32_000, "aac"),
        ("mkv", "ac3", "stereo", 48_000, "aac"),
    ],
)
def test_sound_is_copied_at_its_time(
    suffix: str, codec: str, layout: str, rate: int, kept: str, tmp_path: Path
) -> None:
    source = with_sound(tmp_path / f"in.{suffix}", codec, layout, rate)
    for start in (0.0, 0.8):
        path = tmp_path / f"out{start}.mp4"
        with open_source(source) as opened:
            film(path, [start + n / 25 for n in range(50)], sound=opened.sound())
            assert [frame.number for frame in opened] == list(range(1, 76))
            assert (opened.damaged, opened.notes) == (0, ())
        with av.open(str(path)) as container:
            assert [stream.codec_context.name for stream in container.streams] == ["h264", kept]
        sound, found = heard(path)
        assert len(sound) / found == pytest.approx(2.0, abs=0.3)
        change = 1.0 - start
        assert pitch(sound, found, 0.05, change - 0.05) == pytest.approx(440, abs=12)
        assert pitch(sound, found, change + 0.1, 1.8) == pytest.approx(880, abs=12)


def test_damaged_sound_costs_no_picture(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = with_sound(tmp_path / "in.avi", "pcm_s16le", "mono")

    class Torn(Sound):
        def _encode(self, *arguments: Any) -> Any:
            yield from itertools.islice(super()._encode(*arguments), 3)
            raise av.error.InvalidDataError(1, "damaged")

    assert len(film(tmp_path / "out.mp4", [n / 25 for n in range(50)], sound=Torn(str(source), 0.0))) == 50
    assert "its sound ends early" in caplog.text


def test_a_source_without_sound_makes_a_video_without(tmp_path: Path, video: Path) -> None:
    with open_source(video) as source:
        assert source.sound() is None
    assert len(film(tmp_path / "out.mp4", [0.0, 1.0], sound=Sound(str(video), 0.0))) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
@pytest.mark.parametrize("start", [1, 40])
def test_a_pipe_is_read_once(tmp_path: Path, start: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opened it a second time, for the sound say, would take parts away."""
    monkeypatch.setattr(video_file, "WORTH", 10)
    whole, pipe = with_sound(tmp_path / "in.mkv", "aac", "stereo"), tmp_path / "pipe.mkv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(whole.read_bytes()), daemon=True)
    writer.start()
    with open_source(whole, start) as source:
        numbers = [frame.number for frame in source]
    with open_source(pipe, start) as source:
        assert source.sound() is None
        assert [frame.number for frame in source] == numbers
    writer.join()
