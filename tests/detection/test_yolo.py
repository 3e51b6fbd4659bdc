"""The detector that ships, on the photographs in the ultralytics package, and which weights are taken."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mot_reid.boxes import iou
from mot_reid.config import DetectorConfig
from mot_reid.detection import yolo
from mot_reid.detection.onnx_yolo import Suppression
from mot_reid.detection.yolo import YoloDetector, find_detector, import_ultralytics, resolve_classes

NAMES = {0: "person", 1: "bicycle", 2: "car"}


@pytest.fixture(scope="module")
def detector() -> YoloDetector:
    return YoloDetector()


@pytest.fixture(scope="module")
def photographs() -> list[np.ndarray]:
    assets = Path(import_ultralytics().__path__[0]) / "assets"
    return [cv2.imread(str(assets / name)) for name in ("bus.jpg", "zidane.jpg")]


def test_people_are_found(detector: YoloDetector, photographs: list[np.ndarray]) -> None:
    bus, men = detector.detect(photographs)
    # Read off the pictures by eye, to within a few pixels: three at the bus, and the two men.
    standing = np.array([[48, 398, 245, 903], [222, 405, 345, 860], [668, 390, 810, 880]], np.float32)
    assert (iou(standing, bus.xyxy[bus.scores > 0.4]).max(axis=1) > 0.7).all()
    shown = np.array([[120, 200, 1130, 715], [740, 45, 1130, 715]], np.float32)
    assert (iou(shown, men.xyxy[men.scores > 0.4]).max(axis=1) > 0.7).all()
    assert set(bus.classes.tolist()) == {0}


def test_a_batch_equals_one_by_one(detector: YoloDetector, photographs: list[np.ndarray]) -> None:
    small = [cv2.resize(photograph, (480, 640)) for photograph in photographs]
    together = detector.detect(small)
    alone = [detector.detect([frame])[0] for frame in small]
    for a, b in zip(together, alone, strict=True):
        assert len(a) == len(b)
        np.testing.assert_allclose(a.xyxy, b.xyxy, atol=0.5)
        np.testing.assert_allclose(a.scores, b.scores, atol=0.01)
    assert detector.detect([]) == []


def test_half_precision_finds_the_same_people_in_a_batch(photographs: list[np.ndarray]) -> None:
    """As on CUDA, but on the CPU, where Ultralytics computes in half precision only if one insists."""
    frames = [cv2.resize(photograph, (480, 640)) for photograph in photographs]
    detector = YoloDetector(DetectorConfig(runtime="torch", image_size=320))
    single = detector.detect(frames)
    network = detector._backend._model.predictor.model  # type: ignore[attr-defined]
    network.backend.model.half()
    network.backend.fp16 = True
    half = detector.detect(frames)
    assert network.fp16
    assert [len(found) for found in half] == [len(found) for found in single]
    for a, b in zip(half, single, strict=True):
        np.testing.assert_allclose(a.xyxy, b.xyxy, atol=1.5)
        np.testing.assert_allclose(a.scores, b.scores, atol=0.005)
        assert not np.array_equal(a.xyxy, b.xyxy)


@pytest.mark.parametrize(("name", "batch_size"), [("person.pt", 8), ("person.engine", 1), ("person.onnx", 1)])
def test_only_checkpoints_take_several_frames_on_an_accelerator(
    name: str, batch_size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stub(yolo._UltralyticsYolo):
        def __init__(self, path: Path, device: str, trust: bool | None) -> None:
            self.name, self.class_names = device, {0: "person"}

        def __call__(self, frames: Sequence[np.ndarray], size: int, keep: Suppression) -> list[np.ndarray]:
            return [np.zeros((0, 6), np.float32) for _ in frames]

    monkeypatch.setattr(yolo, "_UltralyticsYolo", Stub)
    (tmp_path / name).touch()
    detector = YoloDetector(DetectorConfig(weights=str(tmp_path / name)), "cuda:0")
    assert (detector.batch_size, detector.calls_at_once) == (batch_size, 1)


def test_an_empty_frame_has_nobody(detector: YoloDetector) -> None:
    (nothing,) = detector.detect([np.full((480, 640, 3), 114, np.uint8)])
    assert len(nothing) == 0


def test_the_score_is_a_floor(photographs: list[np.ndarray]) -> None:
    (strict,) = YoloDetector(DetectorConfig(score=0.75)).detect(photographs[:1])
    (lenient,) = YoloDetector(DetectorConfig(score=0.05)).detect(photographs[:1])
    assert strict.scores.min() >= 0.75
    assert len(lenient) > len(strict)


def test_classes_by_name_and_number() -> None:
    assert resolve_classes(("person", "2"), NAMES) == [0, 2]
    assert resolve_classes((), NAMES) is None
    with pytest.raises(ValueError, match="class 'persn' is not one of the detector's 3; did you mean person"):
        resolve_classes(("persn",), NAMES)
    with pytest.raises(
        ValueError, match="class '7' is not one of the detector's 3; known: person, bicycle, car"
    ):
        resolve_classes(("7",), NAMES)
    with pytest.raises(ValueError, match="class '²' is not one of the detector's 3"):
        resolve_classes(("²",), NAMES)


def test_what_is_no_detector_is_named(tmp_path: Path) -> None:
    for name, words in (
        ("broken.pt", "cannot be loaded: not a PyTorch"),
        ("broken.onnx", "ONNX Runtime cannot"),
        ("text.txt", r"not a detector; expected \.safetensors, \.pt, "),
    ):
        (tmp_path / name).write_bytes(b"not a network")
        with pytest.raises(ValueError, match=f"{name}: {words}") as raised:
            YoloDetector(DetectorConfig(weights=str(tmp_path / name)))
        assert "\n" not in str(raised.value)
    embedder = tmp_path / "embedder.pth"  # of a name that Ultralytics does not take
    torch.save({"state_dict": {"a": torch.zeros(3)}}, embedder)
    with pytest.raises(ValueError, match=r"embedder\.pth: Ultralytics cannot load") as raised:
        YoloDetector(DetectorConfig(weights=str(embedder)))
    assert "mot_reid-" not in str(raised.value).replace(str(embedder), "")


def test_ultralytics_models_are_fetched_once_where_there_is_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ultralytics.utils import downloads

    def offline(*_: object, **__: object) -> None:
        raise ConnectionError("Download failure: no\nnetwork")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(yolo, "_MAY_FETCH", True)
    monkeypatch.setattr(downloads, "safe_download", offline)
    with pytest.raises(FileNotFoundError) as raised:
        find_detector("yolo11x.pt")
    assert str(raised.value) == (
        "weights not found: yolo11x.pt, and Ultralytics cannot fetch them (Download failure: no network); "
        f"{DetectorConfig().weights} is shipped and needs no network"
    )
    fetched: list[str] = []

    def online(url: str, file: Path, **_: object) -> None:
        fetched.append(url)
        Path(file).write_bytes(b"weights")

    monkeypatch.setattr(downloads, "safe_download", online)
    assert find_detector("yolo11x.pt") == find_detector("yolo11x.pt")
    assert [url.rpartition("/")[2] for url in fetched] == ["yolo11x.pt"]
    monkeypatch.setattr(yolo, "_MAY_FETCH", False)
    with pytest.raises(FileNotFoundError, match=r"yolo11l\.pt \(YOLO_OFFLINE is set; shipped: person_"):
        find_detector("yolo11l.pt")
    for nobodys in ("mine.pt", str(tmp_path / "yolo11x.pt")):
        with pytest.raises(FileNotFoundError, match="nothing is downloaded"):
            find_detector(nobodys)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("yolov8n", "Ultralytics' own models are named as in yolov8n.pt"),
        ("bytetrack.yaml", "bytetrack.yaml is a known method: --preset or config="),
    ],
)
def test_a_name_that_is_nearly_right_is_told(name: str, told: str) -> None:
    with pytest.raises(FileNotFoundError) as error:
        find_detector(name)
    assert str(error.value).endswith(told)
    assert "person_yolo11n.pt" in str(error.value)
    assert "mgn_" not in str(error.value)  # an embedder's weights are no detector's


def test_it_is_silent_and_offline(tmp_path: Path) -> None:
    """In a process with an empty home: no word, no connection, and nothing written but our cache."""
    code = (
        "import socket, numpy as np\n"
        "def refuse(*args, **options): raise SystemExit(f'tried to connect: {args}')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from mot_reid.detection.yolo import YoloDetector\n"
        "YoloDetector().detect([np.zeros((64, 64, 3), np.uint8)])\n"
    )
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("YOLO_", "XDG_"))
    }
    environment |= {"HOME": str(tmp_path), "MPLCONFIGDIR": str(tmp_path / ".cache")}
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert {path.name for path in tmp_path.iterdir()} <= {".cache"}


def test_ultralytics_has_nothing_to_warn_of(
    photographs: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would, at each frame, in a user's own program: the command line shows no warnings of it."""
    from ultralytics import cfg
    from ultralytics.utils import LOGGER

    warnings: list[str] = []
    monkeypatch.setattr(LOGGER, "warning", lambda text, *_: warnings.append(str(text)))
    YoloDetector(DetectorConfig(runtime="torch", image_size=64)).detect(photographs[:1])
    assert warnings == []
    precision = yolo._half_precision()  # asked for on CUDA
    cfg.check_dict_alignment(cfg.DEFAULT_CFG_DICT, dict(precision))
    assert warnings == []
    assert precision in ({"quantize": 16}, {"half": True})


def test_ultralytics_leaves_torch_its_threads(torch_threads: int, photographs: list[np.ndarray]) -> None:
    import torch

    detector = YoloDetector(DetectorConfig(runtime="torch", image_size=64))
    detector.detect(photographs[:1])
    assert torch.get_num_threads() == torch_threads
