"""By how much a pair beats its rivals: both twins by the definition."""

import importlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays


@pytest.fixture(params=["numpy", "numba"], scope="module")
def module(request: pytest.FixtureRequest) -> Any:
    if request.param == "numba":
        pytest.importorskip("numba", reason="numba is not installed")
    return importlib.import_module(f"mot_reid.kernels.{request.param}.appearance")


def test_margins_by_hand(module: Any) -> None:
    distances = np.array([[0.10, 0.50], [0.12, 0.20]], np.float32)
    everything = np.ones((2, 2), bool)
    np.testing.assert_allclose(
        module.margins(distances, everything), [[0.02, -0.4], [-0.02, -0.08]], atol=1e-6
    )
    # Without its rival in the column, the second row's best stands out; whom nobody rivals margins by far.
    allowed = np.array([[False, True], [True, True]])
    expected = [[-np.inf, -0.3], [0.08, -0.08]]
    np.testing.assert_allclose(module.margins(distances, allowed), expected, atol=1e-6)
    assert module.margins(distances[:1, :1], everything[:1, :1]).tolist() == [[np.inf]]


@given(
    st.tuples(st.integers(0, 5), st.integers(0, 5)).flatmap(
        lambda s: st.tuples(arrays(np.float32, s, elements=st.floats(0, 2, width=32)), arrays(bool, s))
    ),
)
def test_margins_equal_the_definition(module: Any, case: tuple[np.ndarray, np.ndarray]) -> None:
    distances, allowed = case
    found = module.margins(distances, allowed)
    for r, c in np.ndindex(distances.shape):
        rivals = [distances[r, k] for k in range(distances.shape[1]) if k != c and allowed[r, k]]
        rivals += [distances[k, c] for k in range(distances.shape[0]) if k != r and allowed[k, c]]
        expected = min([rival - distances[r, c] for rival in rivals], default=np.inf)
        assert found[r, c] == (expected if allowed[r, c] else -np.inf)
