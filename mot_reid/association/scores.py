"""How high the detector's scores usually are: every detector has its own idea of 0.6."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["UsualScore"]

# What is believed before anything is seen, and how much: as much as 30 people at that score in one frame.
_PRIOR_SCORE = 0.8
_PRIOR_WEIGHT = 20.0
# How fast the past is forgotten, a frame; half of it in 70 frames.
_DECAY = 0.99
# A flood of poor detections must not pass for a modest detector.
_LEAST = 0.5


class UsualScore:
    """A running mean of the scores, each weighted by its square, so that false positives hardly count.

    People in plain view dominate it whatever the detector calls them; thresholds taken as shares of it mean
    the same for a detector that gives them 0.95 as for one that gives them 0.7.
    """

    def __init__(self) -> None:
        self._weight = 0.0
        self._sum = 0.0

    def preview(self, scores: NDArray[np.floating]) -> float:
        """The usual score once these ``(N,)`` of one frame are taken in; changes nothing."""
        weight, total = self._with(scores)
        return max((total + _PRIOR_WEIGHT * _PRIOR_SCORE) / (weight + _PRIOR_WEIGHT), _LEAST)

    def update(self, scores: NDArray[np.floating]) -> None:
        """Takes one frame's scores ``(N,)`` in."""
        self._weight, self._sum = self._with(scores)

    def _with(self, scores: NDArray[np.floating]) -> tuple[float, float]:
        scores = scores.astype(np.float64)
        squares = scores * scores
        return _DECAY * self._weight + float(scores @ scores), _DECAY * self._sum + float(squares @ scores)
