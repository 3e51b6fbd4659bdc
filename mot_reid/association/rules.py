"""What methods do differently outside of their stages."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mot_reid.config import MotionConfig
from mot_reid.motion import aspect, kalman
from mot_reid.typing import Floats, Indices

__all__ = ["Filter", "Rules"]


class Filter(Protocol):
    """A Kalman filter of boxes: the module `mot_reid.motion.kalman` or `mot_reid.motion.aspect`."""

    def initiate(self, measurements: Floats, config: MotionConfig) -> kalman.KalmanStates:
        """Gives the states of tracks that start at ``(N, 4)`` centre x, centre y, width, height."""
        ...

    def predict(self, states: kalman.KalmanStates, config: MotionConfig, frames: float = 1.0) -> None:
        """Moves all states on by so many frames, in place."""
        ...

    def update(
        self,
        states: kalman.KalmanStates,
        rows: Indices,
        measurements: Floats,
        config: MotionConfig,
        scores: NDArray[np.floating] | None = None,
        certainty: Floats | None = None,
    ) -> None:
        """Corrects some states by what was measured, in place."""
        ...

    def coast(
        self, states: kalman.KalmanStates, status: NDArray[np.int8], ages: Floats, longest: float
    ) -> None:
        """Makes boxes that were not seen go on as this filter has it, in place, before `predict`."""
        ...


@dataclass(frozen=True)
class Rules:
    """How scores are read, and how tracks start, move and are reported. The defaults are our own method's.

    Attributes:
        plain_scores: thresholds of scores are scores, not shares of what this detector's usually are.
        score_noise: a detection with a lower score says less about the place.
        duplicate_iou: a new track may not overlap a followed one by more (IoU); with 0.4 people side by side
            are missed.
        aspect_ratio: the Kalman filter is DeepSORT's, of aspect ratio and height.
        confirms_first: tracks that start in the first frame are confirmed at once.
        gallery: how many embeddings a track keeps one by one; with 0 they are blended in a moving average.
        filter_share: share of the filter's box in the one that is reported, the rest is the detection's; None
            for what the innovations tell: an exact detector is believed, a noisy one smoothed.
        whole_boxes: boxes that the picture's left or right edge cuts off are made whole before anything else.
    """

    plain_scores: bool = False
    score_noise: bool = True
    duplicate_iou: float = 0.5
    filter_share: float | None = None
    aspect_ratio: bool = False
    confirms_first: bool = True
    gallery: int = 0
    whole_boxes: bool = True

    @property
    def motion(self) -> Filter:
        """The Kalman filter."""
        return aspect if self.aspect_ratio else kalman
