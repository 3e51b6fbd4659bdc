"""What is left over between where boxes were expected and where they were measured, and what it tells.

A filter that takes in what it measures at the right gain leaves innovations that know nothing of each
other. If one follows the other to the same side, the filter lags behind: the detector is more exact than it
believes, or the objects turn faster. If they go to and fro, it runs after the detector's noise. (Mehra
1970, On the identification of variances and adaptive Kalman filtering, IEEE Transactions on Automatic
Control 15.)
"""

import math

import numpy as np

from mot_reid import kernels
from mot_reid.motion.kalman import KalmanStates
from mot_reid.typing import Floats, Indices, Mask

__all__ = ["Innovations"]


# How much of what was learnt is left one pair of innovations later: some thousand pairs count.
_DECAY = 0.999
# What is believed before anything is seen, and the sum of squares for which it stands: as many as a hundred
# innovations of 4.5 % of a box have. Where they are smaller than that all in all, they do not matter.
_PRIOR, _PRIOR_SQUARES = 0.19, 0.2
# The share of the filter's box in the one that is reported is 1 less so many times the autocorrelation:
# half of what would make innovations white, at the gain of a filter with an even noise of places and
# measurements.
_PER_CORRELATION = 4 / 3
# Beyond 1 the filter is believed more than it believes itself.
_LARGEST_SHARE = 1.5


class Innovations:
    """The autocorrelation of the innovations of a video, by coordinate, as shares of the boxes' sides."""

    def __init__(self) -> None:
        self._moments = np.zeros((2, 4))

    def take(self, states: KalmanStates, rows: Indices, measured: Floats, last: Floats, again: Mask) -> None:
        """Takes in what was measured before the filter does.

        Args:
            states: of all T tracklets, where they are expected.
            rows: ``(K,)`` which of them were measured.
            measured: ``(K, 4)`` centre x, centre y, width, height.
            last: ``(T, 4)`` the innovation of each, as it was; written into.
            again: ``(K,)`` which were measured in the last look, too, and have settled.
        """
        products, count = kernels.innovate(states.position, rows, measured, last, again)
        self._moments = self._moments * _DECAY**count + products

    @property
    def filter_shares(self) -> Floats:
        """The filter's share ``(4,)`` of what to report of centre x, centre y, width and height."""
        shares = [1 - _PER_CORRELATION * correlation for correlation in self._correlations()]
        return np.array([0.0 if share < 0 else min(share, _LARGEST_SHARE) for share in shares])

    @property
    def exponents(self) -> Floats:
        """With which power of time objects get off their expected place ``(4,)``, in [0, 1], by coordinate.

        The Hurst exponent H of a motion whose steps have the autocorrelation ``2 ** (2 H - 1) - 1``: 1/2
        where they know nothing of each other, 1 where each goes on as the last one did, less than 1/2 where
        they go to and fro. (Mandelbrot and Van Ness 1968, Fractional Brownian motions, fractional noises and
        applications, SIAM Review 10.)
        """
        return np.array([(1 + math.log2(max(1 + one, 0.5))) / 2 for one in self._correlations()])

    def _correlations(self) -> list[float]:  # of four numbers: NumPy would take three times as long
        return [
            (product + _PRIOR * _PRIOR_SQUARES) / (square + _PRIOR_SQUARES)
            for product, square in zip(*self._moments.tolist(), strict=True)
        ]
