"""Both ways to assign pairs gain as much as SciPy's solver alone: SciPy after a reduction, and loops."""

import importlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from mot_reid.kernels.numpy import assignment


@pytest.fixture(params=["numpy", "numba"], scope="module")
def module(request: pytest.FixtureRequest) -> Any:
    if request.param == "numba":
        pytest.importorskip("numba", reason="numba is not installed")
    return importlib.import_module(f"mot_reid.kernels.{request.param}")


@given(st.integers(0, 10_000), st.integers(1, 25), st.integers(1, 25), st.integers(1, 25), st.booleans())
def test_gains_as_much_as_the_solver(
    module: Any, seed: int, rows: int, columns: int, each: int, ties: bool
) -> None:
    """Sparse pairs and dense ones, with and without equal costs."""
    random = np.random.default_rng(seed)
    costs = random.integers(0, 6, (rows, columns)) / 4 if ties else random.uniform(0, 1.3, (rows, columns))
    r, c = (random.random((rows, columns)) < each / columns).nonzero()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "_MANY", 0)  # the sure ones settled first, however few they are
        chosen = module.assign_pairs(r, c, costs[r, c], 1.0)
    gains = np.zeros((rows, columns))
    gains[r, c] = np.maximum(1 - costs[r, c], 0)
    check(r[chosen], c[chosen], gains)
    assert (np.diff(chosen) > 0).all()


def test_a_crowd(module: Any) -> None:
    random = np.random.default_rng(5)
    rows, columns = np.unique(random.integers(0, 400, (1200, 2)), axis=0).T
    costs = random.uniform(0, 1.2, len(rows))
    chosen = module.assign_pairs(rows, columns, costs, 1.0)
    gains = np.zeros((400, 400))
    gains[rows, columns] = np.maximum(1 - costs, 0)
    check(rows[chosen], columns[chosen], gains)


def check(rows: np.ndarray, columns: np.ndarray, gains: np.ndarray) -> None:
    assert len(set(rows.tolist())) == len(rows)
    assert len(set(columns.tolist())) == len(columns)
    assert (gains[rows, columns] > 0).all()
    assert np.isclose(gains[rows, columns].sum(), gains[linear_sum_assignment(gains, maximize=True)].sum())


def test_no_pairs_no_assignment(module: Any) -> None:
    none = np.zeros(0, np.intp)
    assert module.assign_pairs(none, none, np.zeros(0), 1.0).tolist() == []
