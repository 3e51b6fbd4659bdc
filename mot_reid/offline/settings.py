"""Settings of what is done to finished tracks."""

from __future__ import annotations

from dataclasses import dataclass

from mot_reid.config import Settings, setting

__all__ = ["OfflineConfig"]


@dataclass(frozen=True)
class OfflineConfig(Settings):
    """Settings of the offline part. Times are in seconds, so that they fit any frame rate."""

    grow_score: float = setting(
        0.4, "free detections from this score on lengthen a track back in time; 1 for none", low=0, high=1
    )
    grow_iou: float = setting(0.5, "least overlap of such a detection with the track", low=0, high=1)
    doubt_time: float = setting(
        0.35, "a track unseen for longer is cut and linked anew if that is plausible, seconds", low=0
    )
    doubt_bonus: float = setting(2.0, "how much more two parts of one track may cost to be linked", low=0)
    link_time: float = setting(3.0, "longest time out of sight that tracks are linked over, seconds", low=0)
    link_cost: float = setting(1.5, "tracks that cost this much or more are not linked", low=0)
    fill_time: float = setting(1.0, "longest time out of sight that is interpolated, seconds", low=0)
    smooth_position: float = setting(0.1, "standard deviation of the window for centres, seconds", low=0)
    smooth_size: float = setting(0.2, "standard deviation of the window for sizes, seconds", low=0)
    min_rows: int = setting(1, "tracks seen in fewer frames are removed", low=1)
