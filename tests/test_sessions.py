from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from mot_reid.appearance.embedder import NetworkEmbedder
from mot_reid.config import DetectorConfig, EmbedderConfig
from mot_reid.detection.yolo import YoloDetector
from mot_reid.resources import shipped
from mot_reid.sessions import open_session
from mot_reid.typing import Image

WEIGHTS = shipped("weights")
DETECTORS = ["person_yolo11n.pt", "person_rtmdet_nano.safetensors"]


@pytest.fixture(scope="module", autouse=True)
def openvino() -> None:
    pytest.importorskip("openvino")


def street() -> Image:
    package = find_spec("ultralytics")
    assert package is not None
    assert package.origin is not None
    return np.asarray(cv2.imread(str(Path(package.origin).parent / "assets" / "bus.jpg")), np.uint8)


@pytest.mark.parametrize("weights", DETECTORS)
@pytest.mark.parametrize("threads", [0, 1])
def test_openvino_finds_the_same_people(weights: str, threads: int) -> None:
    frame = street()
    path = str(WEIGHTS / weights)
    there = YoloDetector(DetectorConfig(path), threads=threads)
    here = YoloDetector(DetectorConfig(path, runtime="openvino"), threads=threads)
    assert (there.name, here.name) == (f"{weights} (onnxruntime cpu)", f"{weights} (openvino cpu)")
    (a,), (b,) = there.detect([frame]), here.detect([frame])
    a, b = a[a.scores > 0.5], b[b.scores > 0.5]
    assert len(a) == len(b) > 1
    apart = np.abs(a.xyxy[:, None] - b.xyxy).max(axis=2)
    assert (apart.min(axis=1) < 6).all()  # bfloat16 has three digits
    assert (np.abs(a.scores - b.scores[apart.argmin(axis=1)]) < 0.06).all()


def test_openvino_sees_the_same_looks() -> None:
    frame = street()
    boxes = np.array([[50, 400, 240, 900], [220, 400, 350, 860], [670, 380, 810, 880]], np.float32)
    there, here = (NetworkEmbedder(EmbedderConfig(runtime=name)) for name in ("onnxruntime", "openvino"))
    assert here.name.endswith("(openvino cpu)")
    cosines = there.embed(frame, boxes) @ here.embed(frame, boxes).T
    assert (np.diagonal(cosines) > 0.99).all()


def test_passes_at_once_do_not_mix() -> None:
    session = open_session(WEIGHTS / "person_rtmdet_nano.onnx", threads=1, openvino=True)
    name = session.get_inputs()[0].name
    noise = np.random.default_rng(0)
    pictures = [noise.normal(size=(1, 3, 64, 96)).astype(np.float32) for _ in range(8)]
    alone = [session.run(None, {name: picture})[0] for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda picture: session.run(None, {name: picture})[0], pictures * 4))
    for number, output in enumerate(together):
        np.testing.assert_array_equal(output, alone[number % 8])


def test_what_openvino_cannot_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"detector\.runtime: openvino runs on the CPU; use device cpu"):
        YoloDetector(DetectorConfig(runtime="openvino"), "cuda")
    bare = tmp_path / "person.safetensors"
    bare.write_bytes((WEIGHTS / "person_rtmdet_nano.safetensors").read_bytes())
    with pytest.raises(ValueError, match=r"person\.safetensors: no export of exactly these weights"):
        YoloDetector(DetectorConfig(str(bare), runtime="openvino"))
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"damaged\.onnx: ONNX Runtime cannot load it"):
        YoloDetector(DetectorConfig(str(damaged), runtime="openvino"))
