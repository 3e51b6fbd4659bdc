"""The numbers that both twins of a kernel go by."""

import numpy as np

__all__ = [
    "FEW",
    "FURTHEST_CELL",
    "LEAST_NORM",
    "LEAST_SCORE",
    "LEAST_SIDE",
    "LEAST_SIZE",
    "LEAST_SQUARE",
    "LEAST_TOUCHES",
    "MOST_INNOVATION",
    "OUTWARDS",
    "PRIOR_TRACKS",
    "ROUNDING",
    "SAME_PIXEL",
    "SPREAD",
    "STRIPES",
    "Status",
]


class Status:
    """Where a tracklet stands. A removed one has no row any more.

    Plain numbers: to compare an array with a member of an enumeration takes ten times as long.
    """

    TENTATIVE = 0  # seen too few times to be reported
    CONFIRMED = 1  # seen in the last frame
    LOST = 2  # confirmed once, not seen now


# Widths and heights below this many pixels do not shrink the noise further.
LEAST_SIDE = 1.0
# Scores below this do not raise the noise of a measurement further.
LEAST_SCORE = 0.1
# Innovations count for no more than this share of a box's side: the few largest shall not speak for all.
MOST_INNOVATION = 0.3
# No box and no union of boxes is smaller, and nothing is divided by less.
LEAST_SIZE = 1e-12
# Up to so many pairs, it takes less time to look at all of them than to sort.
FEW = 10_000
# Squared lengths of embeddings below this are taken for nothing but rounding.
LEAST_SQUARE = 1e-6
# Products of unit rows are off by less than this, in whatever order they are summed.
ROUNDING = 1e-5
# The mean embedding counts this many tracks more than there are, with embeddings of zero: the mean of one
# track alone is its own embedding, and would leave nothing to tell it by.
PRIOR_TRACKS = 2
# Opposite embeddings can cancel out: lengths below this have no direction.
LEAST_NORM = 1e-6
# Cells of the picture further out than this are one; no picture reaches there.
FURTHEST_CELL = 2.0**31
# Stripes of different octaves are numbered so far apart, modulo so many; two that share a number do no harm.
SPREAD, STRIPES = 1009, 4096
# Boxes end at the same pixel where the picture cuts them off; nobody's own path does that so often.
LEAST_TOUCHES = 5
SAME_PIXEL = 1.0
# The left and the upper edge count downwards; turned round, all four edges are largest values.
OUTWARDS = np.array([-1.0, -1.0, 1.0, 1.0])
