from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from mot_reid.association import assignment
from mot_reid.association.assignment import assign, assign_pairs

SHAPES = st.tuples(st.integers(0, 4), st.integers(0, 4))


def best_by_trying(costs: np.ndarray, allowed: np.ndarray, limit: float) -> float:
    """The least sum of (cost - limit) over all partial one-to-one assignments."""
    rows, columns = costs.shape
    best = 0.0
    padded = list(range(columns)) + [-1] * rows
    for choice in set(permutations(padded, rows)):
        pairs = [(r, c) for r, c in enumerate(choice) if c >= 0]
        if all(allowed[p] for p in pairs):
            best = min(best, sum(costs[p] - limit for p in pairs))
    return best


@given(SHAPES.flatmap(lambda s: st.tuples(arrays(float, s, elements=st.floats(0, 2)), arrays(bool, s))))
def test_finds_the_best_of_all_assignments(case: tuple[np.ndarray, np.ndarray]) -> None:
    costs, allowed = case
    rows, columns = assign(costs, allowed, limit=1.0)
    assert len(set(rows)) == len(rows)
    assert len(set(columns)) == len(columns)
    assert allowed[rows, columns].all()
    assert (costs[rows, columns] < 1).all()
    assert np.isclose((costs[rows, columns] - 1).sum(), best_by_trying(costs, allowed, 1.0))


def test_a_good_pair_is_not_given_up_for_two_poor_ones() -> None:
    costs = np.array([[0.0, 0.9], [0.9, 5.0]])
    rows, columns = assign(costs, costs < 1, limit=1.0)
    assert (rows.tolist(), columns.tolist()) == ([0], [0])


def test_rows_come_back_in_order() -> None:
    rows, columns = assign(np.array([[1.0, 0.1], [0.1, 1.0]]), np.ones((2, 2), bool), limit=2.0)
    assert (rows.tolist(), columns.tolist()) == ([0, 1], [1, 0])


@given(st.integers(0, 10_000), st.integers(1, 25), st.integers(1, 25), st.integers(1, 6), st.booleans())
def test_the_reduction_gains_as_much_as_the_solver(
    seed: int, rows: int, columns: int, each: int, ties: bool
) -> None:
    """Sparse pairs, with and without equal costs; the sure ones settled first, however few they are."""
    random = np.random.default_rng(seed)
    costs = random.integers(0, 6, (rows, columns)) / 4 if ties else random.uniform(0, 1.3, (rows, columns))
    allowed = random.random((rows, columns)) < each / columns
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "_MANY", 0)
        r, c = assign(costs, allowed, limit=1.0)
    assert len(set(r)) == len(r)
    assert len(set(c)) == len(c)
    assert (np.diff(r) > 0).all()
    assert allowed[r, c].all()
    gains = np.where(allowed, np.maximum(1 - costs, 0), 0)
    assert np.isclose((1 - costs[r, c]).sum(), gains[linear_sum_assignment(gains, maximize=True)].sum())


def test_a_crowd_gains_as_much_as_by_the_solver() -> None:
    random = np.random.default_rng(5)
    rows, columns = np.unique(random.integers(0, 400, (1200, 2)), axis=0).T
    costs = random.uniform(0, 1.2, len(rows))
    chosen = assign_pairs(rows, columns, costs, limit=1.0)
    gains = np.zeros((400, 400))
    gains[rows, columns] = np.maximum(1 - costs, 0)
    best = gains[linear_sum_assignment(gains, maximize=True)].sum()
    assert np.isclose((1 - costs[chosen]).sum(), best)


def test_no_pairs_no_assignment() -> None:
    none = np.zeros(0, np.intp)
    assert assign_pairs(none, none, np.zeros(0), limit=1.0).tolist() == []
