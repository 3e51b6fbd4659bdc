"""A scene to track."""

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from mot_reid.structures import Tracks
from mot_reid.video.video_sink import VideoSink


@dataclass
class Scene:
    """Two coloured boxes that walk past each other, 60 frames of 160x120, and their detections."""

    frames: Sequence[np.ndarray]
    video: Path
    detections: Path

    def __len__(self) -> int:
        return len(self.frames)

    def folder(self, path: Path) -> Path:
        """The frames as pictures in a folder."""
        path.mkdir()
        for number, frame in enumerate(self.frames, start=1):
            cv2.imwrite(str(path / f"{number:06d}.png"), frame)
        return path


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("scene")
    background = np.random.default_rng(0).integers(90, 110, (120, 160, 3), dtype=np.uint8)
    frames, rows = [], []
    for number in range(1, 61):
        frame = background.copy()
        for x, y, colour in ((2 * number, 20, (0, 0, 255)), (130 - 2 * number, 60, (255, 0, 0))):
            frame[y : y + 40, max(x, 0) : x + 16] = colour
            rows.append(f"{number},-1,{x},{y},16,40,0.9,-1,-1,-1\n")
        frames.append(frame)
    with VideoSink(folder / "walk.mp4", 25) as sink:
        for number, frame in enumerate(frames, start=1):
            sink.write(number, frame, Tracks.empty())
    (folder / "det.txt").write_text("".join(rows))
    return Scene(frames, folder / "walk.mp4", folder / "det.txt")


@pytest.fixture
def hear_ctrl_c() -> Callable[[], None]:
    """For `subprocess.Popen`: what nohup started ignores some signals, and so would its children."""

    def hear() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    return hear
