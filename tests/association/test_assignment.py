from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mot_reid.association.assignment import assign

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
