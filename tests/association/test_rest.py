"""A detector that rests: a frame that nobody looked at is not one in which nobody is."""

import numpy as np
import pytest

from mot_reid import Detections, Tracker, load_config
from mot_reid.association.associator import Associator
from mot_reid.association.rhythm import DetectorRhythm


def walker(f: int, first: float = 50) -> Detections:
    return Detections([[first + 2 * f, 100, first + 45 + 2 * f, 220]], [0.9])


def test_tracks_go_on_where_nobody_looks() -> None:
    tracker = Associator(fps=25)
    for f in range(20):
        tracker.step(walker(f))
    for f in range(20, 25):
        seen = tracker.step(None)
        assert (seen.ids.tolist(), seen.detection_index.tolist()) == ([1], [-1])
        np.testing.assert_allclose(seen.xyxy[0], walker(f).xyxy[0], atol=1.5)
    again = tracker.step(walker(25))
    assert (again.ids.tolist(), again.detection_index.tolist(), again.age.tolist()) == ([1], [0], [25])


@pytest.mark.parametrize("every", [2, 3, 5])
def test_who_comes_later_is_confirmed_by_two_looks(every: int) -> None:
    tracker, rows = Associator(fps=25), []
    for f in range(60):
        looks = f % every == 0
        seen = tracker.step((walker(f) if f >= 10 else Detections.empty()) if looks else None)
        rows.append(seen.ids.tolist())
    looks_at = [f for f in range(10, 60) if f % every == 0]
    assert rows[looks_at[0]] == []
    assert rows[looks_at[1] :] == [[1]] * (60 - looks_at[1])


@pytest.mark.parametrize("cascade", ["default", "deepsort"])
def test_who_leaves_through_the_lower_edge_keeps_a_box_with_an_area(cascade: str) -> None:
    tracker = Associator(load_config(cascade).association if cascade != "default" else None, fps=25)
    for top in (180, 240, 300, 360, 420):
        tracker.step(Detections([[100, top, 220, 480]], [0.9]))
    for _ in range(20):
        xyxy = tracker.step(None).xyxy
        assert (xyxy[:, :2] < xyxy[:, 2:]).all()


def test_who_is_missed_in_a_look_is_not_reported_until_the_next() -> None:
    tracker = Associator(fps=25)
    for f in range(10):
        tracker.step(walker(f))
    assert len(tracker.step(Detections.empty())) == 0
    assert len(tracker.step(None)) == 0
    assert tracker.step(walker(12)).ids.tolist() == [1]


def test_a_single_false_positive_gets_no_id_though_the_detector_rests() -> None:
    tracker = Associator(fps=25)
    for f in range(40):
        boxes = walker(f).xyxy if f != 20 else np.vstack([walker(f).xyxy, [[400, 100, 440, 220]]])
        seen = tracker.step(Detections(boxes) if f % 2 == 0 else None)
        assert seen.ids.tolist() == [1]


def test_nobody_is_reported_for_ever_without_a_look() -> None:
    tracker = Associator(fps=25)
    tracker.step(walker(0))
    lengths = [len(tracker.step(None)) for _ in range(100)]
    assert lengths == [1] * 50 + [0] * 50  # lifecycle.lost_time: two seconds


def test_the_camera_moves_where_nobody_looks() -> None:
    tracker = Associator(fps=25)
    tracker.step(walker(0))
    pan = np.array([[1.0, 0, 100], [0, 1, 0]])
    np.testing.assert_allclose(tracker.step(None, pan).xyxy[0], [150, 100, 195, 220])


@pytest.mark.parametrize("every", [1, 2, 3])
def test_empty_detections_between_regular_looks_are_no_looks(every: int) -> None:
    """Whoever hands in nothing where the detector did not run gets tracks, too, once its rhythm shows."""
    tracker, rows = Associator(fps=25), 0
    for f in range(200):
        seen = tracker.step(walker(f) if f >= 10 and f % every == 0 else Detections.empty())
        rows += len(seen.seen)
    assert rows >= 190 // every - 5


def test_a_rhythm_shows_in_equal_gaps_and_ends_with_a_shorter_one() -> None:
    rhythm = DetectorRhythm()
    counts = [1, 0, 0, 1, 0, 0, 1, 0, 0, 1]
    assert all(rhythm.looked(count) for count in counts)
    told = [rhythm.looked(count) for count in [0, 0, 1, 0, 0, 0, 0]]
    assert told == [False, False, True, False, False, True, True]
    assert [rhythm.looked(count) for count in [2, 1, 0, 0]] == [True] * 4


def test_gaps_that_differ_are_no_rhythm() -> None:
    rhythm = DetectorRhythm()
    assert all(rhythm.looked(count) for count in [1, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0])


class Counting:
    """A detector of one walker, that knows how often it was asked."""

    class_names = {0: "person"}  # noqa: RUF012

    def __init__(self) -> None:
        self.frames: list[int] = []

    def detect(self, frames: list[np.ndarray]) -> list[Detections]:
        self.frames += [int(frame[0, 0, 0]) for frame in frames]
        return [walker(int(frame[0, 0, 0])) for frame in frames]


def test_the_tracker_asks_its_detector_at_every_nth_frame() -> None:
    from mot_reid import load_config

    detector, config = Counting(), load_config(None, ["detector.every=3", "camera.motion=none"])
    tracker = Tracker(detector, "none", config=config)
    frames = [np.full((240, 320, 3), f, np.uint8) for f in range(12)]
    rows = [tracker.update(frame).detection_index.tolist() for frame in frames]
    assert detector.frames == [0, 3, 6, 9]
    assert rows == [[0], [-1], [-1]] * 4
    assert tracker.update(frames[0], looked=False).detection_index.tolist() == [-1]
    assert detector.frames == [0, 3, 6, 9]


def test_without_a_detector_no_detections_are_no_look() -> None:
    tracker = Tracker("none", "none", "none", fps=25)
    for f in range(5):
        tracker.update(None, walker(f))
    assert tracker.update(None).ids.tolist() == [1]
    assert len(tracker.update(None, Detections.empty())) == 0
