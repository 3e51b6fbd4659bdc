"""How high the detector's scores usually are: every detector has its own idea of 0.6."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mot_reid.config import AssociationConfig

__all__ = ["UsualScore", "activation_shares"]

# What is believed before anything is seen, and how much: as much as 30 objects at that score in one frame.
_PRIOR_SCORE = 0.8
_PRIOR_WEIGHT = 20.0
# How fast the past is forgotten, a frame; half of it in 70 frames.
_DECAY = 0.99
# A flood of poor detections must not pass for a modest detector.
_LEAST = 0.5


@dataclass(frozen=True)
class UsualScore:
    """A running mean of the scores, each weighted by its square, so that false positives hardly count.

    Objects in plain view dominate it whatever the detector calls them; thresholds taken as shares of it mean
    the same for a detector that gives them 0.95 as for one that gives them 0.7.

    Attributes:
        weight: of all scores so far, the older the less.
        total: of the scores, weighted.
    """

    weight: float = 0.0
    total: float = 0.0

    @property
    def value(self) -> float:
        """What is usual."""
        return max((self.total + _PRIOR_WEIGHT * _PRIOR_SCORE) / (self.weight + _PRIOR_WEIGHT), _LEAST)

    def after(self, scores: NDArray[np.floating]) -> "UsualScore":
        """The same once the scores ``(N,)`` of one frame are taken in."""
        scores = scores.astype(np.float64)
        squares = scores * scores
        weight, total = float(scores @ scores), float(squares @ scores)
        return UsualScore(_DECAY * self.weight + weight, _DECAY * self.total + total)


def activation_shares(
    at_edge: NDArray[np.bool_], appearance_known: bool, config: AssociationConfig
) -> NDArray[np.float64]:
    """Gives the share of the usual score that each detection ``(M,)`` needs to start a track soon.

    Where appearance is known, what turns up in the middle of the picture is revived by it; what is left there
    and looks like nothing known needs a higher score than what comes in at the edge.

    Args:
        at_edge: ``(M,)`` which lie at the picture's edge.
        appearance_known: whether there is anything whose appearance a detection could have.
        config: the two shares.
    """
    return np.where(
        ~at_edge & appearance_known,
        config.tentative.activation_share_inside,
        config.tentative.activation_share,
    )
