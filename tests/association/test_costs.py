import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mot_reid.association.costs import fused_costs, unambiguous
from mot_reid.config import AssociationConfig


def test_fused_cost_by_hand() -> None:
    config = AssociationConfig(appearance_weight=0.25, appearance_gate=0.4)
    overlaps, distances = np.array([0.8, 0.5, 0.5]), np.array([0.1, 0.8, 0.8], np.float32)
    seen = fused_costs(overlaps, distances, np.array([True, True, False]), config)
    np.testing.assert_allclose(seen, [0.75 * 0.2 + 0.25 * 0.25, 0.75 * 0.5 + 0.25 * 1.0, 0.5], rtol=1e-6)


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
