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
    link_time: float = setting(
        3.0, "longest time out of sight that tracks are linked over, seconds; 0 for none", low=0
    )
    link_cost: float = setting(1.25, "tracks that cost this much or more are not linked", low=0)
    fill_time: float = setting(1.5, "longest time out of sight that is interpolated, seconds", low=0)
    smooth_position: float = setting(0.15, "standard deviation of the window for centres, seconds", low=0)
    smooth_size: float = setting(0.15, "standard deviation of the window for sizes, seconds", low=0)
