import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.boxes import covered_fraction, intersections, iou
from mot_reid.kernels.numpy import boxes as kernels

# Whole numbers, so that many boxes touch without an area in common.
CORNERS = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 9), st.integers(1, 9))
BOXES = st.lists(CORNERS, max_size=12).map(
    lambda rows: np.array([(x, y, x + w, y + h) for x, y, w, h in rows], float).reshape(-1, 4)
)
# A filter may predict a box without an area.
PREDICTED_CORNERS = st.tuples(
    st.integers(0, 30), st.integers(0, 30), st.integers(-2, 20), st.integers(-2, 20)
)
PREDICTED = st.lists(PREDICTED_CORNERS, max_size=8).map(
    lambda rows: np.array([(x, y, x + w, y + h) for x, y, w, h in rows], float).reshape(-1, 4)
)


@pytest.mark.parametrize("few", [0, 10_000])
@given(a=BOXES, b=BOXES)
def test_equals_the_matrix_of_overlaps(few: int, a: np.ndarray, b: np.ndarray) -> None:
    """Both ways, the sweep and the look at all pairs, find exactly the pairs of the dense matrix."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "FEW", few)
        rows, columns = kernels.overlapping(a, b)
    assert (np.diff(rows) >= 0).all()
    expected = np.argwhere(intersections(a, b) > 0)
    np.testing.assert_array_equal(sorted(zip(rows, columns, strict=True)), expected.reshape(-1, 2).tolist())


def test_a_wide_box_does_not_hide_the_narrow_ones_behind_it() -> None:
    random = np.random.default_rng(1)
    corners = random.uniform(0, 1000, (300, 2))
    boxes = np.hstack([corners, corners + random.exponential(40, (300, 2))])
    rows, columns = kernels.overlapping(boxes, boxes[::-1])
    expected = np.argwhere(intersections(boxes, boxes[::-1]) > 0)
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [tuple(pair) for pair in expected]


def test_the_lower_box_stands_in_front() -> None:
    boxes = np.array([[0.0, 0, 10, 20], [5, 0, 15, 22], [100, 0, 110, 20]])
    np.testing.assert_allclose(kernels.covered_in_front(boxes, boxes), [0.5, 0, 0])
    assert kernels.covered_in_front(np.zeros((0, 4)), boxes).shape == (0,)


def test_height_counts_twice_beside_overlap() -> None:
    whole = np.array([[0.0, 0, 40, 100]] * 2)
    half_and_beside = np.array([[0.0, 0, 40, 50], [20.0, 0, 60, 100]])
    np.testing.assert_allclose(kernels.similar_boxes(whole, half_and_beside), [0.5 * 0.5**2, 1 / 3])


@given(PREDICTED, PREDICTED)
def test_similarity_of_pairs_equals_the_matrices(a: np.ndarray, b: np.ndarray) -> None:
    rows, columns = np.indices((len(a), len(b))).reshape(2, -1)
    upright = a * [0, 1, 0, 1] + [0, 0, 1, 0], b * [0, 1, 0, 1] + [0, 0, 1, 0]  # heights alone, at one place
    expected = iou(a, b) * iou(*upright) ** 2
    np.testing.assert_allclose(kernels.similar_boxes(a[rows], b[columns]), expected.ravel(), atol=1e-12)


def test_only_who_stands_in_front_hides() -> None:
    boxes = np.array([[0.0, 0, 40, 100]])
    front, back = [[0.0, 40, 40, 140]], [[0.0, -40, 40, 60]]
    np.testing.assert_allclose(kernels.covered_in_front(boxes, np.array(front)), [0.6])
    np.testing.assert_allclose(kernels.covered_in_front(boxes, np.array(back)), [0])
    np.testing.assert_allclose(kernels.covered_in_front(boxes, np.zeros((0, 4))), [0])


@given(PREDICTED, PREDICTED)
def test_cover_equals_the_matrix(boxes: np.ndarray, others: np.ndarray) -> None:
    in_front = others[None, :, 3] > boxes[:, None, 3]
    expected = np.where(in_front, covered_fraction(boxes, others), 0).max(axis=1, initial=0)
    np.testing.assert_allclose(kernels.covered_in_front(boxes, others), expected, atol=1e-12)
