"""Small sequences with pictures, and models that are small stand-ins and count."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from mot_reid import Config, Detections, load_config
from mot_reid.detection.yolo import import_ultralytics
from mot_reid.evaluation import stages
from mot_reid.evaluation.cache import ArrayCache
from mot_reid.evaluation.sequences import PROTOCOLS
from mot_reid.evaluation.sequences import Sequence as MotSequence


def sequence_in(folder: Path, length: int) -> MotSequence:
    return MotSequence(
        folder.name, folder, folder / "gt/gt.txt", length, 30.0, "train", PROTOCOLS["mot17"], "all"
    )


def write_frames(folder: Path, images: Sequence[np.ndarray]) -> None:
    (folder / "img1").mkdir(parents=True)
    for number, image in enumerate(images, start=1):
        cv2.imwrite(str(folder / f"img1/{number:06d}.jpg"), image)


class Spots:
    """Finds the same two boxes everywhere, one of them weak, and the frame's own; counts frames."""

    class_names = {0: "person"}  # noqa: RUF012
    name = "spots"

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, frames: Sequence[np.ndarray]) -> list[Detections]:
        self.calls += 1
        level = float(frames[0].mean())
        return [Detections([[5, 5, 20, 40], [30, 5, 45, 40], [0, 0, 9, level]], [0.9, 0.12, 0.05])]


class Colours:
    name = "colours"

    def __init__(self) -> None:
        self.calls = 0

    def embed(self, frame: np.ndarray, xyxy: np.ndarray) -> np.ndarray:
        self.calls += 1
        rows = frame[0, 0] + xyxy[:, :3]
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> MotSequence:
    """A camera that pans over a photograph with people."""
    folder = tmp_path_factory.mktemp("real") / "STREET-01"
    photograph = cv2.imread(str(Path(import_ultralytics().__path__[0]) / "assets" / "bus.jpg"))
    small = cv2.resize(photograph, (405, 540))
    write_frames(folder, [small[4 * k : 4 * k + 480, 3 * k : 3 * k + 360] for k in range(8)])
    (folder / "gmc.txt").write_text("".join(f"{k} 1 0 -3 0 1 -4\n" for k in range(8)))
    return sequence_in(folder, 8)


@pytest.fixture
def small(tmp_path: Path) -> MotSequence:
    """Four tiny frames, detections of two kinds, and camera motion."""
    folder = tmp_path / "data" / "TINY-02"
    rng = np.random.default_rng(0)
    write_frames(folder, [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(4)])
    (folder / "det").mkdir()
    rows = "".join(f"{number},-1,{number},5,20,30,0.8\n" for number in range(1, 6))
    (folder / "det/frcnn.txt").write_text(rows)
    (folder / "det/dpm.txt").write_text(rows.replace("0.8", "1.5"))
    (folder / "gmc.txt").write_text("".join(f"{k} 1 0 {k} 0 1 0\n" for k in range(5)))
    return sequence_in(folder, 4)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> tuple[Spots, Colours]:
    spots, colours = Spots(), Colours()
    monkeypatch.setattr(stages, "_load_detector", lambda *key: spots)
    monkeypatch.setattr(stages, "_load_embedder", lambda *key: colours)
    return spots, colours


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "d.pt").write_bytes(b"detector")
    (tmp_path / "e.onnx").write_bytes(b"embedder")
    overrides = [f"detector.weights={tmp_path / 'd.pt'}", f"embedder.weights={tmp_path / 'e.onnx'}"]
    return load_config(overrides=["device=cpu", *overrides])


@pytest.fixture
def cache(tmp_path: Path) -> ArrayCache:
    return ArrayCache(tmp_path / "cache")
