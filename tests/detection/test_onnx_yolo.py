"""The shipped export beside its checkpoint, and other people's exports."""

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_yolo import write_yolo

from mot_reid.config import DetectorConfig
from mot_reid.detection.onnx_yolo import OnnxYolo, Suppression
from mot_reid.detection.yolo import YoloDetector
from mot_reid.resources import export_of, shipped
from mot_reid.structures import Detections

EVERYTHING = Suppression(score=0.1, iou=0.7, classes=None, most=300)


def photograph(name: str) -> np.ndarray:
    package = find_spec("ultralytics")
    assert package is not None
    assert package.origin is not None
    return np.asarray(cv2.imread(str(Path(package.origin).parent / "assets" / name)))


def assert_same(ours: Detections, theirs: Detections) -> None:
    """Every box that is not at the edge of the score's floor has its like."""
    for a, b in ((ours, theirs), (theirs, ours)):
        sure = a[a.scores > 0.11]
        apart = np.abs(sure.xyxy[:, None] - b.xyxy[None]).max(axis=2)
        scores = np.abs(sure.scores[:, None] - b.scores[None])
        assert ((apart <= 0.5) & (scores <= 0.01)).any(axis=1).all()


@pytest.fixture(scope="module")
def runtimes() -> tuple[YoloDetector, YoloDetector]:
    return YoloDetector(), YoloDetector(DetectorConfig(runtime="torch"))


def test_what_ships_is_an_export_of_what_ships(runtimes: tuple[YoloDetector, YoloDetector]) -> None:
    weights = shipped("weights") / DetectorConfig().weights
    export = export_of(weights)
    assert export is not None
    assert max(weights.stat().st_size, export.stat().st_size) <= 6_000_000
    assert [detector.name for detector in runtimes] == [
        f"{weights.name} (onnxruntime cpu)",
        f"{weights.name} (ultralytics cpu)",
    ]
    assert [dict(detector.class_names) for detector in runtimes] == [{0: "person"}] * 2


@pytest.mark.parametrize("name", ["bus.jpg", "zidane.jpg"])
def test_both_runtimes_find_the_same_boxes(runtimes: tuple[YoloDetector, YoloDetector], name: str) -> None:
    frame = photograph(name)
    for shape in (frame.shape[1::-1], (333, 222), (640, 640)):  # scaled down, up and not at all
        picture = np.asarray(cv2.resize(frame, shape), np.uint8)
        (ours,), (theirs,) = (detector.detect([picture]) for detector in runtimes)
        assert len(ours)
        assert_same(ours, theirs)


@pytest.mark.data
@pytest.mark.parametrize("size", [640, 960])
def test_both_runtimes_find_the_same_boxes_on_mot17(data: Path, size: int) -> None:
    ours, theirs = (
        YoloDetector(DetectorConfig(runtime=runtime, image_size=size)) for runtime in ("onnxruntime", "torch")
    )
    for number in ("02", "04", "05", "09", "10", "11", "13"):
        frame = np.asarray(cv2.imread(str(data / f"mot17/train/MOT17-{number}/img1/000001.jpg")), np.uint8)
        (a,), (b,) = ours.detect([frame]), theirs.detect([frame])
        assert len(a) > 1
        assert_same(a, b)


def test_neither_torch_nor_ultralytics_is_needed() -> None:
    code = (
        "import sys, numpy as np\n"
        "from mot_reid.detection.yolo import YoloDetector\n"
        "YoloDetector().detect([np.zeros((64, 64, 3), np.uint8)])\n"
        "assert not {'torch', 'torchvision', 'ultralytics'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


ANCHORS = np.array([[[32, 33], [32, 33], [20, 20], [40, 40], [0.9, 0.8], [0.1, 0.3]]], np.float32)
FINISHED = np.array([[[22, 12, 42, 52, 0.9, 0], [22, 12, 42, 52, 0.6, 1], [0, 0, 9, 9, 0.01, 0]]], np.float32)


def test_an_export_of_fixed_size_and_one_that_suppresses_by_itself(tmp_path: Path) -> None:
    """A frame of 128x128 in an input of 64x64: boxes are twice as large."""
    names = "{0: 'person', 1: 'dog'}"
    frame = np.zeros((128, 128, 3), np.uint8)
    plain = OnnxYolo(write_yolo(tmp_path / "a.onnx", ANCHORS, (64, 64), names=names))
    (rows,) = plain([frame], 640, EVERYTHING)
    np.testing.assert_allclose(rows, [[44, 24, 84, 104, 0.9, 0]], atol=1e-5)
    finished = OnnxYolo(write_yolo(tmp_path / "b.onnx", FINISHED, (64, 64), names=names))
    (rows,) = finished([frame], 640, EVERYTHING)
    np.testing.assert_allclose(rows, [[44, 24, 84, 104, 0.9, 0], [44, 24, 84, 104, 0.6, 1]], atol=1e-5)
    assert finished.class_names == ast.literal_eval(names)
    for size in (64, 640):  # its own, and the default, which nobody asked for
        dogs = YoloDetector(
            DetectorConfig(weights=str(tmp_path / "b.onnx"), classes=("dog",), image_size=size)
        )
        assert dogs.detect([frame])[0].classes.tolist() == [1]
    with pytest.raises(ValueError, match=r"b\.onnx: detector\.image_size is 96, but .* 64 x 64 pixels only"):
        YoloDetector(DetectorConfig(weights=str(tmp_path / "b.onnx"), image_size=96))


def test_exports_that_do_not_fit_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    for metadata, message in (
        ({}, "its metadata name no classes"),
        ({"names": "[person]"}, "its metadata name no classes"),
        ({"names": "{0: 'person'}", "task": "segment"}, r"not a detector \(task segment\)"),
        ({"names": "{0: 'person'}"}, r"cannot detect: expected an output \(1, 5, anchors\)"),
    ):
        write_yolo(path, ANCHORS, ("h", "w"), **metadata)
        with pytest.raises(ValueError, match=message):
            YoloDetector(DetectorConfig(weights=str(path), classes=()))
    with pytest.raises(ValueError, match="torch cannot run an ONNX export"):
        YoloDetector(DetectorConfig(weights=str(path), runtime="torch"))
    with pytest.raises(ValueError, match=r"detector.runtime 'tensorrt' is not known; known: auto, torch"):
        YoloDetector(DetectorConfig(runtime="tensorrt"))


@pytest.mark.parametrize("stride", ["[8, 16]", "0", "x", "-32"])
def test_a_stride_that_is_none_is_named(tmp_path: Path, stride: str) -> None:
    sides = ("height", "width")
    path = write_yolo(tmp_path / "a.onnx", np.zeros((1, 5, 9)), sides, names="{0: 'person'}", stride=stride)
    with pytest.raises(ValueError, match=r"a\.onnx: its metadata's stride: expected a whole number from 1"):
        OnnxYolo(path)


def test_inputs_are_multiples_of_a_larger_stride(tmp_path: Path) -> None:
    path = write_yolo(
        tmp_path / "p6.onnx", np.zeros((1, 5, 9)), ("h", "w"), names="{0: 'person'}", stride="64"
    )
    network, seen = OnnxYolo(path), list[tuple[int, ...]]()

    class Watched:
        def run(self, names: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            seen.extend(blob.shape for blob in feed.values())
            return [np.zeros((1, 5, 9))]

    network._session = Watched()
    network([np.zeros((200, 200, 3), np.uint8), np.zeros((100, 200, 3), np.uint8)], 672, EVERYTHING)
    assert seen == [(1, 3, 704, 704), (1, 3, 384, 704)]


@pytest.mark.parametrize("sides", [(64, "width"), ("height", 64)])
def test_an_export_may_fix_one_side(tmp_path: Path, sides: tuple[object, object]) -> None:
    output = np.zeros((1, 5, 9))
    height, width = (64 if side == 64 else 128 for side in sides)
    output[0, :, 0] = (width / 2, height / 2, 10, 20, 0.9)
    path = write_yolo(tmp_path / "a.onnx", output, sides, names="{0: 'person'}")
    detector = OnnxYolo(path)
    for frame in (np.zeros((120, 160, 3), np.uint8), np.zeros((160, 120, 3), np.uint8)):
        (rows,) = detector([frame], 128, EVERYTHING)
        centre = (rows[0, :2] + rows[0, 2:4]) / 2
        np.testing.assert_allclose(centre, (frame.shape[1] / 2, frame.shape[0] / 2), atol=1)
