import numpy as np
import pytest

from mot_reid.evaluation.comparison import Comparison, compare
from mot_reid.evaluation.motchallenge import BoxRows
from mot_reid.evaluation.sequences import PROTOCOLS

MOT15, MOT17, MOT20 = (PROTOCOLS[name].distractors for name in ("mot15", "mot17", "mot20"))
Row = tuple[int, int, float]  # frame, id, place: boxes of 10 x 10 that begin at x = place


def boxes(*rows: Row, classes: list[int] | None = None, counted: list[bool] | None = None) -> BoxRows:
    table = np.array(rows, float).reshape(-1, 3)
    zeros = np.zeros(len(rows))
    return BoxRows(
        frames=table[:, 0].astype(np.int64),
        ids=table[:, 1].astype(np.int64),
        xyxy=np.stack([table[:, 2], zeros, table[:, 2] + 10, zeros + 10], 1),
        counted=np.array([True] * len(rows) if counted is None else counted, bool),
        classes=np.array([1] * len(rows) if classes is None else classes, np.int64),
    )


def ids(comparison: Comparison) -> tuple[list[list[int]], list[list[int]]]:
    return [frame.tolist() for frame in comparison.gt_ids], [frame.tolist() for frame in comparison.track_ids]


def test_the_overlap_of_what_is_there() -> None:
    result = compare(boxes((1, 7, 0), (1, 9, 100)), boxes((1, 30, 5), (1, 20, 100)), range(1, 2), MOT17)
    assert ids(result) == ([[0, 1]], [[1, 0]])  # numbered in the order of their ids
    np.testing.assert_allclose(result.similarity[0], [[5 / 15, 0], [0, 1]])
    assert (result.num_frames, result.num_gt_ids, result.num_track_ids) == (1, 2, 2)
    assert (result.num_gt, result.num_tracks) == (2, 2)


@pytest.mark.parametrize("kind", [2, 7, 8, 12])
def test_what_matches_a_distractor_leaves(kind: int) -> None:
    truth = boxes((1, 1, 0), (1, 2, 100), classes=[1, kind])
    result = compare(truth, boxes((1, 1, 0), (1, 2, 101)), range(1, 2), MOT17)
    assert ids(result) == ([[0]], [[0]])
    np.testing.assert_array_equal(result.similarity[0], [[1]])


def test_what_hardly_touches_a_distractor_stays() -> None:
    truth = boxes((1, 2, 100), classes=[8])
    assert ids(compare(truth, boxes((1, 1, 104)), range(1, 2), MOT17)) == ([[]], [[0]])  # IoU 0.43
    assert ids(compare(truth, boxes((1, 1, 100 + 10 / 3)), range(1, 2), MOT17)) == ([[]], [[]])  # IoU 0.5


def test_only_one_result_leaves_with_a_distractor() -> None:
    truth = boxes((1, 2, 100), classes=[8])
    result = compare(truth, boxes((1, 1, 102), (1, 2, 101)), range(1, 2), MOT17)
    assert result.num_tracks == 1
    assert result.similarity[0].shape == (0, 1)


def test_a_pedestrian_beside_a_distractor_keeps_its_result() -> None:
    # The result at 1 overlaps both alike; the best matching as a whole leaves it to the pedestrian.
    truth = boxes((1, 1, 0), (1, 2, 2), classes=[1, 8])
    result = compare(truth, boxes((1, 5, 1), (1, 6, 3)), range(1, 2), MOT17)
    assert ids(result) == ([[0]], [[0]])
    np.testing.assert_allclose(result.similarity[0], [[9 / 11]])


@pytest.mark.parametrize("kind", [3, 4, 5, 6, 9, 10, 11, 13])
def test_other_classes_leave_but_what_matches_them_stays(kind: int) -> None:
    truth = boxes((1, 1, 0), classes=[kind])
    assert ids(compare(truth, boxes((1, 1, 0)), range(1, 2), MOT17)) == ([[]], [[0]])


def test_class_6_is_a_distractor_in_mot20_only() -> None:
    truth = boxes((1, 1, 0), classes=[6])
    assert compare(truth, boxes((1, 1, 0)), range(1, 2), MOT20).num_tracks == 0
    assert compare(truth, boxes((1, 1, 0)), range(1, 2), MOT17).num_tracks == 1


def test_a_pedestrian_that_does_not_count_leaves_and_its_result_is_wrong() -> None:
    truth = boxes((1, 1, 0), (1, 2, 100), counted=[False, True])
    result = compare(truth, boxes((1, 1, 0), (1, 2, 100)), range(1, 2), MOT17)
    assert ids(result) == ([[0]], [[0, 1]])
    np.testing.assert_array_equal(result.similarity[0], [[0, 1]])


def test_a_distractor_removes_whether_it_counts_or_not() -> None:
    truth = boxes((1, 1, 0), classes=[8], counted=[False])
    assert compare(truth, boxes((1, 1, 0)), range(1, 2), MOT17).num_tracks == 0


def test_mot15_knows_no_distractors() -> None:
    truth = boxes((1, 1, 0), (1, 2, 100), counted=[True, False])
    result = compare(truth, boxes((1, 1, 0), (1, 2, 100)), range(1, 2), MOT15)
    assert ids(result) == ([[0]], [[0, 1]])


def test_empty_frames() -> None:
    truth = boxes((2, 1, 0), (3, 1, 0), (6, 1, 0))
    results = boxes((3, 4, 0), (4, 4, 0))
    result = compare(truth, results, range(1, 6), MOT17)
    assert ids(result) == ([[], [0], [0], [], []], [[], [], [0], [0], []])
    assert [part.shape for part in result.similarity] == [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]


@pytest.mark.parametrize("distractors", [MOT15, MOT17])
def test_nothing_at_all(distractors: frozenset[int]) -> None:
    result = compare(BoxRows.empty(), BoxRows.empty(), range(1, 4), distractors)
    assert ids(result) == ([[], [], []], [[], [], []])
    assert (result.num_gt_ids, result.num_track_ids, result.num_gt, result.num_tracks) == (0, 0, 0, 0)
    assert compare(BoxRows.empty(), BoxRows.empty(), range(1, 1), distractors).num_frames == 0


def test_only_the_chosen_frames() -> None:
    truth = boxes(*((frame, frame, 0) for frame in range(1, 11)))
    results = boxes(*((frame, 10 + frame, 0) for frame in range(1, 11)))
    result = compare(truth, results, range(7, 10), MOT17)
    assert ids(result) == ([[0], [1], [2]], [[0], [1], [2]])
