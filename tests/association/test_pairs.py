import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.association import pairs
from mot_reid.boxes import intersections

# Whole numbers, so that many boxes touch without an area in common.
CORNERS = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 9), st.integers(1, 9))
BOXES = st.lists(CORNERS, max_size=12).map(
    lambda rows: np.array([(x, y, x + w, y + h) for x, y, w, h in rows], float).reshape(-1, 4)
)


@pytest.mark.parametrize("few", [0, 10_000])
@given(a=BOXES, b=BOXES)
def test_equals_the_matrix_of_overlaps(few: int, a: np.ndarray, b: np.ndarray) -> None:
    """Both ways, the sweep and the look at all pairs, find exactly the pairs of the dense matrix."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "_FEW", few)
        rows, columns = pairs.overlapping(a, b)
    assert (np.diff(rows) >= 0).all()
    expected = np.argwhere(intersections(a, b) > 0)
    np.testing.assert_array_equal(sorted(zip(rows, columns, strict=True)), expected.reshape(-1, 2).tolist())


def test_a_wide_box_does_not_hide_the_narrow_ones_behind_it() -> None:
    random = np.random.default_rng(1)
    corners = random.uniform(0, 1000, (300, 2))
    boxes = np.hstack([corners, corners + random.exponential(40, (300, 2))])
    rows, columns = pairs.overlapping(boxes, boxes[::-1])
    expected = np.argwhere(intersections(boxes, boxes[::-1]) > 0)
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [tuple(pair) for pair in expected]
