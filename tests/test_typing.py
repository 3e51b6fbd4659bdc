"""Programs that are right pass ``mypy --strict``, with detectors and embedders of their own too."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

PROGRAM = """
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

import mot_reid
from mot_reid import Detections, Gallery, Tracker
from mot_reid.analytics import Analytics, Observations, Scene


class Bright:
    class_names = {0: "spot"}

    def detect(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        return [Detections.empty() for _ in frames]


class Renamed:
    @property
    def class_names(self) -> dict[int, str]:
        return {0: "spot"}

    def detect(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        return [Detections.empty() for _ in frames]


class Mean:
    def embed(self, frame: NDArray[np.uint8], xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.ones((len(xyxy), 1), np.float32)


tracker = Tracker(Bright(), Mean())
tracker.attach(Renamed(), Mean())
for _, tracks in mot_reid.track("street.mp4", detector=Renamed(), embedder=Mean()):
    print(tracks.ids)
for frame, tracks in mot_reid.track("street.mp4"):
    print(frame.number, frame.time + 1.0, frame.image.shape)
rows = Observations.from_arrays([1, 2], [0.0, 0.04], [7, 7], [[0, 0, 9, 9], [1, 0, 10, 9]])
print(Analytics(Scene()).update(rows))
video = cv2.VideoCapture("street.mp4")
with Gallery("shop", tracker.embedder).recorder("door") as recorder:
    while (read := video.read())[0]:
        tracks = tracker.update(read[1], time=tracker.time + 0.04)
        recorder.update(tracks, read[1], 1, tracker.time, tracker.last_embeddings)
print(mot_reid.track("street.mp4", "out", detector=Bright()).frames, len(Gallery("shop", Mean())))
"""


def test_programs_of_users_pass_mypy_strict(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(program)]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
