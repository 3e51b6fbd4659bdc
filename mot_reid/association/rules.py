"""What methods do differently outside of their stages."""

from dataclasses import dataclass

__all__ = ["Rules"]


@dataclass(frozen=True)
class Rules:
    """How scores are read, and how tracks start, move and are reported. The defaults are our own method's.

    Attributes:
        plain_scores: thresholds of scores are scores, not shares of what this detector's usually are.
        score_noise: a detection with a lower score says less about the place.
        duplicate_iou: a new track may not overlap a followed one by more (IoU); with 0.4 people side by side
            are missed.
        filter_share: share of the filter's box in the one that is reported, the rest is the detection's; None
            for what the innovations tell: an exact detector is believed, a noisy one smoothed.
    """

    plain_scores: bool = False
    score_noise: bool = True
    duplicate_iou: float = 0.5
    filter_share: float | None = None
