"""Who may be who: the pairs of tracklets and detections that are possible at all."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.association.frame import NOBODY, Frame
from mot_reid.association.tracklets import Status, TrackletTable
from mot_reid.association.view import View
from mot_reid.config import AssociationConfig

__all__ = ["at_frame_rate", "overlap_claims", "revivable", "within_reach"]

Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]


def at_frame_rate(config: AssociationConfig, fps: float | None) -> AssociationConfig:
    """The settings for a video of ``fps`` frames a second: where seconds end sooner than frames, they count.

    None where nobody knows the rate: nothing changes.
    """
    if fps is None:
        return config
    return replace(
        config,
        hidden_age=min(config.hidden_age, round(config.hidden_time * fps)),
        max_age=min(config.max_age, round(config.max_time * fps)),
        revive_age=min(config.revive_age, round(config.revive_time * fps)),
    )


def overlap_claims(
    table: TrackletTable, frame: Frame, confident: Mask, config: AssociationConfig
) -> tuple[Indices, NDArray[np.float64]]:
    """The pairs of confident detections ``(M,)`` with all but tentative tracklets that overlap enough.

    Returns:
        Their numbers ``(K,)``, and what age adds to the cost of each: where a lost track and one in view
        claim the same detection, the longer loss is the weaker claim.
    """
    longest = max(config.max_age, 1)
    tracks = (table.rows["status"] != Status.TENTATIVE) & (frame.ages <= longest)
    pairs = frame.possible(tracks, confident, frame.overlaps > config.min_iou)
    missed = (frame.ages[frame.rows[pairs]] - 1).astype(np.float64)
    return pairs, config.age_cost / longest * missed


def revivable(table: TrackletTable, frame: Frame, config: AssociationConfig) -> Mask:
    """The tracklets ``(T,)`` without a detection, of known looks, that have not been gone for too long."""
    tracks: Mask = (table.rows["status"] != Status.TENTATIVE) & table.rows["has_embedding"]
    tracks &= (frame.detection_of == NOBODY) & (frame.ages <= config.revive_age)
    return tracks


def within_reach(
    table: TrackletTable,
    frame: Frame,
    view: View,
    tracklets: Indices,
    columns: Indices,
    config: AssociationConfig,
) -> Mask:
    """Which of ``(T,)`` tracklets and ``(C,)`` detections are near enough for the time that has passed.

    Returns:
        The pairs ``(T, C)`` that are also alike in height and of one class.
    """
    classes = table.rows["class_id"][tracklets], frame.detections.classes[columns]
    return kernels.within_reach(
        table.states.position[tracklets],
        frame.measured[columns],
        frame.ages[tracklets],
        *classes,
        view.xyxy,
        config.revive_speed,
        config.revive_reach,
        config.revive_size_ratio,
    )
