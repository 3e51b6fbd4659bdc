import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from mot_reid.structures import Tracks
from mot_reid.video import VideoSink, open_source

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
