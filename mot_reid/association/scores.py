"""How high the detector's scores usually are: every detector has its own idea of 0.6."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.config import AssociationConfig
from mot_reid.typing import Floats, Mask

__all__ = ["UsualScore", "activation_shares"]

# What is believed before anything is seen, and how much: as much as 30 objects at that score in one frame.
_PRIOR_SCORE = 0.8
_PRIOR_WEIGHT = 20.0
# How fast the past is forgotten, a frame; half of it in 70 frames.
_DECAY = 0.99
# A flood of poor detections must not pass for a modest detector.
_LEAST = 0.5
# A detector whose best scores stay below the first is a little modest, below the second it is a modest one.
_FULL, _MODEST = 0.6, 0.5
# What the best score of a frame is as a rule: a modest detector's is stretched to it.
_BEST = 0.9
# How fast a frame's best score counts: as one of so many detections. As many in the first frame are believed
# at once; once they are, no frame counts for more than this share.
_CONVINCED_BY, _FASTEST = 30.0, 0.2


class UsualScore(NamedTuple):
    """A running mean of the scores, each weighted by its square, so that false positives hardly count.

    Objects in plain view dominate it whatever the detector calls them; thresholds taken as shares of it mean
    the same for a detector that gives them 0.95 as for one that gives them 0.7. One whose scores never come
    near that, such as a thermal or an open-vocabulary one, is modest: its scores are stretched first, from
    the lowest that it gives to the best. The best is told by each frame's, so that a crowd of poor
    detections beside a good one stretches nothing; and what a detector has once shown it can do is not
    forgotten when the scene empties.

    Attributes:
        weight: of all scores so far, the older the less.
        total: of the scores, weighted.
        height: a running mean of the frames' best scores that starts from nothing.
        unseen: the share that a start from the prior would still have in it.
        proved: the highest that `height` has been.
        lowest: of all scores.
    """

    weight: float = 0.0
    total: float = 0.0
    height: float = 0.0
    unseen: float = 1.0
    proved: float = 0.0
    lowest: float = 1.0

    @property
    def is_plain(self) -> bool:
        """Whether `levels` gives the scores as they are, now and ever after."""
        return self.proved >= _FULL

    @property
    def best(self) -> float:
        """What the best score of a frame is, as far as this detector has shown."""
        return max(self.height + self.unseen * _PRIOR_SCORE, self.proved)

    @property
    def value(self) -> float:
        """What is usual, on the scale of `levels`."""
        mean = (self.total + _PRIOR_WEIGHT * _PRIOR_SCORE) / (self.weight + _PRIOR_WEIGHT)
        return max(mean, _LEAST)

    def levels(self, scores: NDArray[np.floating]) -> Floats:
        """Gives the scores ``(N,)`` on the scale that detectors share: themselves for all but modest ones."""
        levels: Floats = scores.astype(np.float64, copy=False)
        best = self.best
        if best >= _FULL:
            return levels
        lowest = min(self.lowest, best / 2)  # where all scores are alike they are the best, not the lowest
        stretched = np.clip((levels - lowest) * (_BEST / max(best - lowest, 1e-9)), 0.0, 1.0)
        modest = min((_FULL - best) / (_FULL - _MODEST), 1.0)
        return levels + modest * (stretched - levels)

    def with_lowest(self, scores: NDArray[np.floating]) -> "UsualScore":
        """Gives the same once it is known that the detector gives these scores ``(N,)``, clutter and all."""
        if self.is_plain:
            return self
        lowest = float(scores.min(initial=self.lowest))
        return self if lowest == self.lowest else self._replace(lowest=lowest)

    def after(self, scores: NDArray[np.floating], frames: float = 1.0) -> "UsualScore":
        """Gives the same once the scores ``(N,)`` of one frame are taken in, so many usual frames later."""
        decay = _DECAY if frames == 1 else _DECAY**frames
        height, unseen, proved = self.height, self.unseen, self.proved
        levels: Floats = scores.astype(np.float64, copy=False)
        if not self.is_plain:
            share = min(len(scores) / _CONVINCED_BY, max(_FASTEST, unseen))
            best = float(scores.max()) if len(scores) else 0.0
            height += share * (best - height)
            unseen, proved = (1 - share) * unseen, max(proved, height)
            levels = UsualScore(self.weight, self.total, height, unseen, proved, self.lowest).levels(scores)
        squares, cubes = kernels.powers(levels)
        weight, total = decay * self.weight + squares, decay * self.total + cubes
        return UsualScore(weight, total, height, unseen, proved, self.lowest)


def activation_shares(
    at_edge: Mask, appearance_known: bool, config: AssociationConfig
) -> Floats | np.float64:
    """Gives the share of the usual score that each detection ``(M,)`` needs to start a track soon.

    Where appearance is known, what turns up in the middle of the picture is revived by it; what is left there
    and looks like nothing known needs a higher score than what comes in at the edge.

    Args:
        at_edge: ``(M,)`` which lie at the picture's edge.
        appearance_known: whether there is anything whose appearance a detection could have.
        config: the two shares.

    Returns:
        ``(M,)``, or one number for all.
    """
    settings = config.tentative
    if not appearance_known:
        return np.float64(settings.activation_share)
    return np.where(at_edge, settings.activation_share, settings.activation_share_inside)
