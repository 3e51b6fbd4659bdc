"""The reliability diagram."""

import numpy as np

from mot_reid.evaluation.reliability_picture import draw_reliability


def test_a_bin_lies_where_it_was_said_and_came() -> None:
    below, above = (draw_reliability([(0.5, came, 100)], "x") for came in (0.2, 0.8))
    rows = [
        np.flatnonzero((picture == (196, 120, 40)).all(axis=2).any(axis=1)).mean()
        for picture in (below, above)
    ]
    assert rows[0] - rows[1] == 0.6 * 420
    empty = draw_reliability([], "x")
    assert not (empty == (196, 120, 40)).all(axis=2).any()
