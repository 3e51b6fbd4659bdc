import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mot_reid.association.costs import fused_costs, margins
from mot_reid.config import AssociationConfig


def test_fused_cost_by_hand() -> None:
    config = AssociationConfig(appearance_weight=0.25, appearance_gate=0.4)
    overlaps, distances = np.array([0.8, 0.5, 0.5]), np.array([0.1, 0.8, 0.8], np.float32)
    seen = fused_costs(overlaps, distances, np.array([True, True, False]), config)
    np.testing.assert_allclose(seen, [0.75 * 0.2 + 0.25 * 0.25, 0.75 * 0.5 + 0.25 * 1.0, 0.5], rtol=1e-6)


def test_leads_by_hand() -> None:
    distances = np.array([[0.10, 0.50], [0.12, 0.20]], np.float32)
    everything = np.ones((2, 2), bool)
    np.testing.assert_allclose(margins(distances, everything), [[0.02, -0.4], [-0.02, -0.08]], atol=1e-6)
    # Without its rival in the column, the second row's best stands out; whom nobody rivals margins by far.
    allowed = np.array([[False, True], [True, True]])
    expected = [[-np.inf, -0.3], [0.08, -0.08]]
    np.testing.assert_allclose(margins(distances, allowed), expected, atol=1e-6)
    assert margins(distances[:1, :1], everything[:1, :1]).tolist() == [[np.inf]]


@given(
    st.tuples(st.integers(0, 5), st.integers(0, 5)).flatmap(
        lambda s: st.tuples(arrays(np.float32, s, elements=st.floats(0, 2, width=32)), arrays(bool, s))
    ),
)
def test_leads_equal_the_definition(case: tuple[np.ndarray, np.ndarray]) -> None:
    distances, allowed = case
    found = margins(distances, allowed)
    for r, c in np.ndindex(distances.shape):
        rivals = [distances[r, k] for k in range(distances.shape[1]) if k != c and allowed[r, k]]
        rivals += [distances[k, c] for k in range(distances.shape[0]) if k != r and allowed[k, c]]
        expected = min([rival - distances[r, c] for rival in rivals], default=np.inf)
        assert found[r, c] == (expected if allowed[r, c] else -np.inf)
