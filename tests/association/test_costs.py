import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mot_reid.association.costs import (
    appearance_distances,
    covered_in_front,
    fused_costs,
    occluded_fraction,
    similar_boxes,
    unambiguous,
)
from mot_reid.config import AssociationConfig


def test_cosine_by_hand() -> None:
    a = np.array([[1, 0], [0.6, 0.8]], np.float32)
    nothing = np.zeros(2, np.float32)
    seen = appearance_distances(a, np.array([[0, 1]], np.float32), nothing)
    np.testing.assert_allclose(seen, [[1], [0.2]], atol=1e-6)


def test_what_everybody_shares_does_not_count() -> None:
    """Strangers whose embeddings share one large component are as far apart as without it."""
    shared = np.array([0, 0, 0.8], np.float32)
    people = np.array([[0.6, 0, 0.8], [-0.6, 0, 0.8], [0, 0.6, 0.8]], np.float32)
    np.testing.assert_allclose(
        1 - people @ people.T, [[0, 0.72, 0.36], [0.72, 0, 0.36], [0.36, 0.36, 0]], atol=1e-6
    )
    expected = [[0, 2, 1], [2, 0, 1], [1, 1, 0]]
    np.testing.assert_allclose(appearance_distances(people, people, shared), expected, atol=1e-6)


def test_fused_cost_by_hand() -> None:
    config = AssociationConfig(appearance_weight=0.25, appearance_gate=0.4)
    overlaps = np.array([[0.8, 0.5]])
    appearance = np.array([[0.1, 0.8]])
    seen = fused_costs(overlaps, appearance, np.array([True]), config)
    np.testing.assert_allclose(seen, [[0.75 * 0.2 + 0.25 * 0.25, 0.75 * 0.5 + 0.25 * 1.0]])
    np.testing.assert_allclose(fused_costs(overlaps, appearance, np.array([False]), config), 1 - overlaps)
    np.testing.assert_allclose(fused_costs(overlaps, None, np.array([True]), config), 1 - overlaps)


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
    behind, front, apart = [0, 0, 10, 20], [5, 0, 15, 22], [100, 0, 110, 20]
    np.testing.assert_allclose(occluded_fraction(np.array([behind, front, apart], float)), [0.5, 0, 0])
    assert occluded_fraction(np.zeros((0, 4))).shape == (0,)


def test_height_counts_twice_beside_overlap() -> None:
    whole = np.array([[0.0, 0, 40, 100]])
    half, beside = [[0.0, 0, 40, 50]], [[20.0, 0, 60, 100]]
    np.testing.assert_allclose(similar_boxes(whole, np.array(half + beside)), [[0.5 * 0.5**2, 1 / 3]])


def test_only_who_stands_in_front_hides() -> None:
    boxes = np.array([[0.0, 0, 40, 100]])
    front, back = [[0.0, 40, 40, 140]], [[0.0, -40, 40, 60]]
    np.testing.assert_allclose(covered_in_front(boxes, np.array(front)), [0.6])
    np.testing.assert_allclose(covered_in_front(boxes, np.array(back)), [0])
    np.testing.assert_allclose(covered_in_front(boxes, np.zeros((0, 4))), [0])
