import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mot_reid.association.costs import covered_in_front, fused_costs, similar_boxes, unambiguous
from mot_reid.boxes import covered_fraction, iou
from mot_reid.config import AssociationConfig

# A filter may predict a box without an area.
CORNERS = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(-2, 20), st.integers(-2, 20))
BOXES = st.lists(CORNERS, max_size=8).map(
    lambda rows: np.array([(x, y, x + w, y + h) for x, y, w, h in rows], float).reshape(-1, 4)
)


def test_fused_cost_by_hand() -> None:
    config = AssociationConfig(appearance_weight=0.25, appearance_gate=0.4)
    overlaps, distances = np.array([0.8, 0.5, 0.5]), np.array([0.1, 0.8, 0.8])
    seen = fused_costs(overlaps, distances, np.array([True, True, False]), config)
    np.testing.assert_allclose(seen, [0.75 * 0.2 + 0.25 * 0.25, 0.75 * 0.5 + 0.25 * 1.0, 0.5])


def test_unambiguous_by_hand() -> None:
    distances = np.array([[0.10, 0.50], [0.12, 0.20]])
    everything = np.ones((2, 2), bool)
    assert unambiguous(distances, everything, 0.01).tolist() == [[True, False], [False, False]]
    assert not unambiguous(distances, everything, 0.05).any()
    # Without its rival in the column, the second row's best stands out.
    allowed = np.array([[False, True], [True, True]])
    assert unambiguous(distances, allowed, 0.05).tolist() == [[False, False], [True, False]]


@given(
    st.tuples(st.integers(0, 5), st.integers(0, 5)).flatmap(
        lambda s: st.tuples(arrays(np.float64, s, elements=st.floats(0, 2)), arrays(bool, s))
    ),
    st.floats(0.01, 0.5),
)
def test_unambiguous_equals_the_definition(case: tuple[np.ndarray, np.ndarray], margin: float) -> None:
    distances, allowed = case
    for r, c in np.ndindex(distances.shape):
        rivals = [distances[r, k] for k in range(distances.shape[1]) if k != c and allowed[r, k]]
        rivals += [distances[k, c] for k in range(distances.shape[0]) if k != r and allowed[k, c]]
        expected = allowed[r, c] and all(rival - distances[r, c] >= margin for rival in rivals)
        assert unambiguous(distances, allowed, margin)[r, c] == expected


def test_the_lower_box_stands_in_front() -> None:
    boxes = np.array([[0.0, 0, 10, 20], [5, 0, 15, 22], [100, 0, 110, 20]])
    np.testing.assert_allclose(covered_in_front(boxes, boxes), [0.5, 0, 0])
    assert covered_in_front(np.zeros((0, 4)), boxes).shape == (0,)


def test_height_counts_twice_beside_overlap() -> None:
    whole = np.array([[0.0, 0, 40, 100]] * 2)
    half_and_beside = np.array([[0.0, 0, 40, 50], [20.0, 0, 60, 100]])
    np.testing.assert_allclose(similar_boxes(whole, half_and_beside), [0.5 * 0.5**2, 1 / 3])


@given(BOXES, BOXES)
def test_similarity_of_pairs_equals_the_matrices(a: np.ndarray, b: np.ndarray) -> None:
    rows, columns = np.indices((len(a), len(b))).reshape(2, -1)
    upright = a * [0, 1, 0, 1] + [0, 0, 1, 0], b * [0, 1, 0, 1] + [0, 0, 1, 0]  # heights alone, at one place
    expected = iou(a, b) * iou(*upright) ** 2
    np.testing.assert_allclose(similar_boxes(a[rows], b[columns]), expected.ravel(), atol=1e-12)


def test_only_who_stands_in_front_hides() -> None:
    boxes = np.array([[0.0, 0, 40, 100]])
    front, back = [[0.0, 40, 40, 140]], [[0.0, -40, 40, 60]]
    np.testing.assert_allclose(covered_in_front(boxes, np.array(front)), [0.6])
    np.testing.assert_allclose(covered_in_front(boxes, np.array(back)), [0])
    np.testing.assert_allclose(covered_in_front(boxes, np.zeros((0, 4))), [0])


@given(BOXES, BOXES)
def test_cover_equals_the_matrix(boxes: np.ndarray, others: np.ndarray) -> None:
    in_front = others[None, :, 3] > boxes[:, None, 3]
    expected = np.where(in_front, covered_fraction(boxes, others), 0).max(axis=1, initial=0)
    np.testing.assert_allclose(covered_in_front(boxes, others), expected, atol=1e-12)
