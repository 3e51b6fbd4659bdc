"""Looks far apart in time: who no longer overlaps himself is known by where he can have come to."""

import numpy as np
import pytest

from mot_reid import Detections
from mot_reid.association.associator import Associator

HEIGHT = 100
STILL = np.eye(2, 3)


def followed(tracker: Associator, lefts: np.ndarray, *, height: float = HEIGHT) -> list[list[int]]:
    """The ids of people 40 wide in each frame, sorted from the left; ``lefts`` ``(F, N)``."""
    found = []
    for row in lefts:
        boxes = np.array([[x, 0, x + 40, height] for x in row])
        tracks = tracker.step(Detections(boxes), STILL)
        found.append(tracks.ids[np.argsort(tracks.xyxy[:, 0])].tolist())
    return found


def walking(step: float, count: int = 6) -> np.ndarray:
    return np.arange(count)[:, None] * step + np.array([0.0, 800.0])


@pytest.mark.parametrize(("fps", "step"), [(1, 150), (2, 80), (4, 45)])
def test_somebody_whose_boxes_do_not_overlap_keeps_his_id(fps: float, step: float) -> None:
    assert followed(Associator(fps=fps), walking(step)) == [[1, 2]] * 6


def test_nobody_goes_that_far_in_a_moment() -> None:
    ids = followed(Associator(fps=30), walking(80, 3))
    assert ids == [[1, 2], [], []]


def test_nobody_goes_further_than_he_can() -> None:
    tracker = Associator(fps=2)
    followed(tracker, np.array([[0.0]] * 4))
    assert followed(tracker, np.array([[101.0]] * 2)) == [[], [2]]


def test_new_ones_start_where_looks_are_far_apart() -> None:
    tracker = Associator(fps=2)
    followed(tracker, np.array([[0.0]] * 4))
    assert followed(tracker, np.array([[0.0, 500.0], [0.0, 560.0], [0.0, 620.0]])) == [[1], [1, 2], [1, 2]]


def test_a_box_of_another_height_is_somebody_else() -> None:
    tracker = Associator(fps=2)
    followed(tracker, np.array([[0.0]] * 4))
    assert followed(tracker, np.array([[50.0]]), height=160) == [[]]


def test_a_stranger_is_not_taken_for_who_was_near() -> None:
    looks = np.eye(8, dtype=np.float32)
    tracker = Associator(fps=2)
    for _ in range(4):
        two = Detections(np.array([[0, 0, 40, 100], [600, 0, 640, 100]]), np.ones(2), embeddings=looks[:2])
        assert tracker.step(two, STILL).ids.tolist() == [1, 2]
    stranger = Detections(np.array([[60, 0, 100, 100]]), embeddings=looks[2:3])
    assert tracker.step(stranger, STILL).ids.tolist() == []
