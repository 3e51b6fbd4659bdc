"""The checks that people run on detectors and embedders of their own."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from mot_reid import Detections, Detector, Embedder
from mot_reid.appearance.base import as_embedder
from mot_reid.appearance.embedder import NetworkEmbedder
from mot_reid.detection.base import as_detector
from mot_reid.gallery.fingerprint import embedder_fingerprint
from mot_reid.testing import check_detector, check_embedder


class Bright:
    """A detector of nothing but what the protocol asks for: a box where the frame is brightest."""

    class_names: ClassVar = {0: "person"}

    def detect(self, frames: Sequence[np.ndarray]) -> list[Detections]:
        return [self.one(frame) for frame in frames]

    def one(self, frame: np.ndarray) -> Detections:
        y, x = np.unravel_index(frame.sum(axis=2).argmax(), frame.shape[:2])
        return Detections([[x - 2.0, y - 4.0, x + 2.0, y + 4.0]], [0.9])


class Mean:
    """An embedder of nothing but what the protocol asks for."""

    def embed(self, frame: np.ndarray, xyxy: np.ndarray) -> np.ndarray:
        rows = np.array([self.one(frame, box) for box in xyxy.clip(0).astype(int)], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def one(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        return frame[box[1] : box[3], box[0] : box[2]].reshape(-1, 3).mean(axis=0)


def test_detectors_and_embedders_that_are_right_pass() -> None:
    check_detector(Bright())
    check_embedder(Mean())


def test_the_shipped_embedder_passes() -> None:
    check_embedder(NetworkEmbedder())


def test_the_shipped_detector_passes_on_people() -> None:
    from mot_reid.detection.yolo import YoloDetector

    check_detector(YoloDetector())


def test_what_is_left_out_gets_the_defaults() -> None:
    detector, embedder = as_detector(Bright()), as_embedder(Mean())
    assert (detector.name, detector.batch_size, detector.calls_at_once) == ("Bright", 1, 1)
    assert (embedder.name, embedder.frames_at_once, embedder.calls_at_once) == ("Mean", 1, 1)
    frame, boxes = np.full((9, 9, 3), 7, np.uint8), np.array([[0, 0, 4, 4]], np.float32)
    rows = embedder.embed_batch([frame, frame], [boxes, boxes[:0]])
    assert [len(part) for part in rows] == [1, 0]


def test_an_embedder_keeps_the_fingerprint_by_which_galleries_tell_it_apart() -> None:
    class Trained(Mean):
        fingerprint = "second training"

    assert embedder_fingerprint(as_embedder(Trained())) == ("Trained", "second training")


def test_a_subclass_of_the_protocol_inherits_the_rest() -> None:
    class Mine(Mean, Embedder):
        name = "mine"

    class Theirs(Bright, Detector):
        name, batch_size = "theirs", 4

    mine, theirs = Mine(), Theirs()
    assert as_embedder(mine) is mine
    assert as_detector(theirs) is theirs
    check_embedder(mine)
    check_detector(theirs)


def wrong_detector(**members: Any) -> object:
    return type("Wrong", (Bright,), members)()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"detect": lambda self, frames: Detections.empty()}, "expected a list, one Detections for each"),
        ({"detect": lambda self, frames: [Detections.empty()]}, "expected 0 Detections, got 1"),
        ({"detect": lambda self, frames: [[] for _ in frames]}, "expected Detections, got list"),
        ({"one": lambda self, frame: Detections([[0, 0, 9, 9]], [0.5], [3])}, "gives class"),
        ({"one": lambda self, frame: Detections([[0, 0, 0.5, 1]])}, "expected pixels, not shares of 1"),
        ({"one": lambda self, frame: Detections([[900, 0, 999, 9]])}, "far outside the frame of 320x240"),
        ({"one": lambda self, frame: frame.fill(0) or Detections.empty()}, "changes the frames"),
        ({"one": lambda self, frame: 1 / 0}, "fails on 240x320x3: ZeroDivisionError"),
        ({"class_names": {"person": 0}}, "expected whole numbers as keys"),
        ({"batch_size": 0}, "batch_size: expected a whole number from 1, got 0"),
    ],
)
def test_what_is_wrong_with_a_detector_is_said_in_one_line(members: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message) as caught:
        check_detector(wrong_detector(**members))
    assert "\n" not in str(caught.value)


def test_scores_and_classes_are_compared_and_the_order_is_not() -> None:
    """In a batch of frames a detector may differ by rounding, which turns the order of equal scores."""

    def detector(change: Callable[[np.ndarray, np.ndarray], tuple[Any, Any]]) -> object:
        def detect(self: Bright, frames: Sequence[np.ndarray]) -> list[Detections]:
            boxes = np.array([[0, 0, 20, 40], [60, 9, 80, 50], [9, 80, 30, 120]], np.float32)
            scores, classes = np.array([0.5, 0.5 + 1e-6, 0.9]), np.zeros(3, int)
            if len(frames) > 1:
                scores, classes = change(scores, classes)
            order = np.argsort(-scores)
            return [Detections(boxes[order], scores[order], classes[order]) for _ in frames]

        return wrong_detector(detect=detect, class_names={0: "person", 1: "car"})

    check_detector(detector(lambda scores, classes: (scores[[1, 0, 2]], classes)))
    for change in (lambda s, c: (s[[0, 2, 1]], c), lambda s, c: (s, 1 - c)):
        with pytest.raises(AssertionError, match="in a batch of frames it gives other detections"):
            check_detector(detector(change))


def test_a_detector_that_gives_each_call_something_else_is_told() -> None:
    rng = np.random.default_rng(0)

    def one(self: Bright, frame: np.ndarray) -> Detections:
        x, y = rng.uniform(0, 50, 2)
        return Detections([[x, y, x + 30, y + 60]])

    with pytest.raises(AssertionError, match="in a batch of frames it gives other detections"):
        check_detector(wrong_detector(one=one))


@pytest.mark.parametrize("what", [object(), type("Half", (), {"detect": print})()])
def test_what_is_no_detector_at_all_is_told(what: object) -> None:
    with pytest.raises(AssertionError, match="expected weights or an object with"):
        check_detector(what)
    with pytest.raises(AssertionError, match="expected weights or an object with embed"):
        check_embedder(what)


def _ones(xyxy: Any) -> Any:
    return np.ones((len(xyxy), 1), np.float32)


def _crops(frame: Any, xyxy: Any) -> Any:
    """Boxes that begin left of the frame count from its right side, and hold nothing."""
    boxes = xyxy.astype(int).tolist()
    return _ones([np.max(frame[y1:y2, x1:x2]) for x1, y1, x2, y2 in boxes])


@pytest.mark.parametrize(
    ("embed", "message"),
    [
        (lambda self, frame, xyxy: np.ones((len(xyxy), 4), np.float32), "rows of length 1"),
        (lambda self, frame, xyxy: np.ones((1, 4), np.float32) / 2, r"expected shape \(4, D\)"),
        (lambda self, frame, xyxy: [[1.0]] * len(xyxy), "expected a numpy array, got list"),
        (lambda self, frame, xyxy: np.ones((len(xyxy), 1), int), "expected float32, got int64"),
        (lambda self, frame, xyxy: np.eye(4, dtype=np.float32)[: len(xyxy)], "another one than beside"),
        (lambda self, frame, xyxy: frame[9, 9], "expected shape"),
        (lambda self, frame, xyxy: _crops(frame, xyxy), "embed fails on 4 boxes: ValueError"),
        (lambda self, frame, xyxy: _ones(xyxy.__imul__(2)), "changes the boxes that it is given"),
    ],
)
def test_what_is_wrong_with_an_embedder_is_said_in_one_line(embed: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message) as caught:
        check_embedder(type("Wrong", (), {"embed": embed})())
    assert "\n" not in str(caught.value)
