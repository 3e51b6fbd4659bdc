import math
import time
from itertools import pairwise
from pathlib import Path

import cv2
import pytest

from mot_reid.video import live
from mot_reid.video.frames import DEFAULT_FPS
from mot_reid.video.sources import SourceError, SourceInfo, open_source


@pytest.fixture
def webcam(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A webcam that shows the 20 frames of a file; the first goes to learn the size."""
    capture = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: capture(str(video)))


@pytest.mark.usefixtures("webcam")
def test_webcam_ends_at_stop() -> None:
    with open_source("3", start=2, stop=9, stride=3) as source:
        assert source.info == SourceInfo("webcam3", "webcam", 64, 48, 25.0, 3, live=True)
        frames = list(source)
    assert [frame.number for frame in frames] == [2, 5, 8]
    assert 0 <= frames[0].time < frames[1].time < frames[2].time
    assert abs(frames[-1].wall_clock - time.time()) < 10
    assert frames[0].image.shape == (48, 64, 3)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
@pytest.mark.usefixtures("webcam")
def test_a_driver_that_knows_no_rate(rate: float, monkeypatch: pytest.MonkeyPatch) -> None:
    class Capture:
        def __init__(self, capture: cv2.VideoCapture) -> None:
            self.read, self.release, self.isOpened = capture.read, capture.release, capture.isOpened

        def get(self, number: int) -> float:
            return rate

    opened = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: Capture(opened(index)))
    with open_source("0", stop=2) as source:
        assert source.info.fps == DEFAULT_FPS
        assert len(list(source)) == 2


@pytest.mark.usefixtures("webcam")
def test_webcam_that_goes_away() -> None:
    numbers = []
    with (
        open_source("0", reconnect=0) as source,
        pytest.raises(SourceError, match=r"^webcam 0: breaks off after frame 19"),
    ):
        numbers.extend(frame.number for frame in source)
    assert source.info.frame_count is None
    assert numbers == list(range(1, 20))


@pytest.mark.usefixtures("webcam")
def test_webcam_that_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FIRST_WAIT", 0.01)
    with open_source("0", stop=50) as source:
        frames = list(source)
    assert [frame.number for frame in frames] == list(range(1, 51))
    assert all(later.time > earlier.time for earlier, later in pairwise(frames))


@pytest.mark.usefixtures("webcam")
def test_closed_webcam_gives_no_more() -> None:
    source = open_source("0")
    iterator = iter(source)
    next(iterator)
    source.close()
    source.close()
    assert list(iterator) == []
