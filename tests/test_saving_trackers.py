"""A tracker that is copied or pickled between two frames goes on as the first one does."""

import copy
import pickle
import threading
from typing import Any

import numpy as np
import pytest

from mot_reid import Detections, Tracker
from mot_reid.association.tracklets import TrackletTable
from mot_reid.config import MotionConfig, load_config
from mot_reid.motion.kalman import initiate


class Finder:
    """A detector that always finds the same."""

    class_names = {0: "person"}  # noqa: RUF012

    def detect(self, frames: Any) -> list[Detections]:
        return [Detections([[10, 10, 30, 60]]) for _ in frames]


class Colours:
    """An embedder: the mean colour."""

    def embed(self, frame: np.ndarray, xyxy: np.ndarray) -> np.ndarray:
        rows = [frame[int(y1) : int(y2), int(x1) : int(x2)].mean((0, 1)) + 1 for x1, y1, x2, y2 in xyxy]
        return np.array(rows, np.float32) / np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float32)


def scene(count: int) -> list[tuple[np.ndarray, Detections]]:
    """Two who walk, one of them gone for a while, before a wall that shakes."""
    rng = np.random.default_rng(0)
    wall = rng.integers(60, 190, (130, 220, 3), dtype=np.uint8)
    frames = []
    for number in range(count):
        frame = np.roll(wall, number % 3, axis=1)
        boxes = [[5 + 2 * number, 20, 25 + 2 * number, 70], [190 - 2 * number, 60, 210 - 2 * number, 110]]
        for (x1, y1, x2, y2), colour in zip(boxes, ((0, 0, 250), (250, 0, 0)), strict=True):
            frame[y1:y2, x1:x2] = colour
        seen = boxes[:1] if 12 <= number < 20 else boxes
        frames.append((frame, Detections(seen, rng.uniform(0.6, 0.9, len(seen)))))
    return frames


@pytest.mark.parametrize(
    "saved", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["copy", "pickle"]
)
@pytest.mark.parametrize("after", [0, 1, 7, 15, 25])
def test_it_goes_on_as_before(saved: Any, after: int) -> None:
    config = load_config(None, ["association.embedding.share=1", "camera.width=64"])
    first = Tracker("none", Colours(), config=config, fps=25)
    frames = scene(30)
    for frame, detections in frames[:after]:
        first.update(frame, detections)
    second = saved(first)
    second.attach(embedder=Colours())
    for frame, detections in frames[after:]:
        tracks, others = first.update(frame, detections), second.update(frame, detections)
        for name in tracks.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(tracks, name), getattr(others, name))
    assert first.embedding_counts == second.embedding_counts
    assert set(second.stopwatch.seconds) == set(first.stopwatch.seconds)


@pytest.mark.parametrize("saved", [copy.deepcopy, lambda table: pickle.loads(pickle.dumps(table))])
def test_rows_written_after_a_copy_stay_when_others_come(saved: Any) -> None:
    table = TrackletTable()
    boxes = initiate(np.array([[5.0, 5, 4, 8]]), MotionConfig())
    for _ in range(2):
        table.append(boxes, np.zeros(1, np.int64), np.ones(1, np.float32), 1, 0.0)
    other = saved(table)
    other.rows["hits"][1] = 7
    other.append(boxes, np.zeros(1, np.int64), np.ones(1, np.float32), 2, 0.1)
    assert other.rows["hits"].tolist() == [1, 7, 1]
    assert other.states.values.shape == (5, 4, 3)
    assert table.rows["hits"].tolist() == [1, 1]


def test_copies_go_their_own_ways() -> None:
    first = Tracker("none", "none", "none")
    first.update(None, Detections([[0, 0, 9, 9]]))
    second = copy.deepcopy(first)
    for _ in range(3):
        second.update(None, Detections([[0, 0, 9, 9], [50, 0, 59, 9]]))
    assert second.update(None, Detections([[50, 0, 59, 9]])).ids.tolist() == [2]
    assert first.update(None, Detections([[0, 0, 9, 9]])).ids.tolist() == [1]


def test_models_that_were_given_are_given_again() -> None:
    frame = np.zeros((80, 80, 3), np.uint8)
    first = Tracker(Finder(), "none", "none")
    first.update(frame)
    assert copy.deepcopy(first).update(frame).ids.tolist() == [1]
    second = pickle.loads(pickle.dumps(first))
    with pytest.raises(
        ValueError, match=r"detector: this tracker was pickled without it; attach\(detector=\.\.\.\)"
    ):
        second.update(frame)
    second.attach(detector=Finder())
    assert second.update(frame).ids.tolist() == [1]


def test_a_pickle_holds_no_model_and_is_small() -> None:
    tracker = Tracker("none", Colours(), "none")
    assert b"Colours" not in pickle.dumps(tracker)
    assert len(pickle.dumps(tracker)) < 50_000


def test_a_tracker_is_saved_between_two_frames() -> None:
    entered, leave = threading.Event(), threading.Event()

    class Waiting(Finder):
        def detect(self, frames: Any) -> list[Detections]:
            entered.set()
            leave.wait(20)
            return super().detect(frames)

    tracker = Tracker(Waiting(), "none", "none")
    thread = threading.Thread(target=lambda: tracker.update(np.zeros((80, 80, 3), np.uint8)))
    thread.start()
    entered.wait(20)
    with pytest.raises(RuntimeError, match="another thread is in update"):
        pickle.dumps(tracker)
    leave.set()
    thread.join()
    pickle.dumps(tracker)


def test_objects_that_are_no_models_are_named_in_one_line() -> None:
    from torch import nn

    from mot_reid.detection.yolo import import_ultralytics

    yolo = import_ultralytics().YOLO("yolo11n.yaml")
    for given, words in (
        (yolo, "ultralytics's YOLO; its file is what is wanted"),
        (yolo.model, "DetectionModel"),
    ):
        with pytest.raises(TypeError, match=words) as raised:
            Tracker(detector=given)
        assert len(str(raised.value)) < 250
    with pytest.raises(TypeError, match="an object of type Sequential"):
        Tracker(embedder=nn.Sequential())  # type: ignore[arg-type]


def test_a_plain_copy_shares_no_state_either() -> None:
    tracker = Tracker(Finder(), Colours(), "none", fps=25)
    for frame, _ in scene(5):
        tracker.update(frame)
    twin = copy.copy(tracker)
    assert twin.detector is tracker.detector
    frame = scene(1)[0][0]
    before = twin.update(frame).ids.tolist()
    twin.reset()
    assert tracker.update(frame).ids.tolist() == before
