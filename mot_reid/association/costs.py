"""Cost terms: what a pair of a tracklet and a detection costs. A stage adds its terms up."""

import numpy as np

from mot_reid import kernels
from mot_reid.association.candidates import near_reach
from mot_reid.association.state import FrameState, Pairs
from mot_reid.kernels.constants import LEAST_SIDE
from mot_reid.typing import Floats

__all__ = ["appearance_cost", "fused_cost", "iou_cost", "lost_age_cost", "near_cost"]


# Logarithm of the ratio of heights that no object's box reaches between two looks: half as tall again.
_LARGEST_RATIO = 0.4


def iou_cost(frame: FrameState, pairs: Pairs) -> Floats:
    """Gives 1 - overlap ``(K,)``."""
    return 1 - pairs.overlaps


def fused_cost(frame: FrameState, pairs: Pairs) -> Floats:
    """Gives the cost ``(K,)`` in [0, 1] of overlap and appearance together.

    ``(1 - w) (1 - overlap) + w min(1, d / gate)``, with ``d`` the distance of appearance and ``w`` its
    weight; where the appearance of one of the two is not known, the overlap speaks alone.
    """
    if frame.appearance is None:
        return iou_cost(frame, pairs)
    settings = frame.settings
    gate = max(settings.confident.appearance_gate, 1e-9)
    return kernels.fused_costs(pairs.overlaps, pairs.distances, settings.confident.appearance_weight, gate)


def lost_age_cost(frame: FrameState, pairs: Pairs) -> Floats:
    """Gives what the time since a track was last seen adds to its pairs' costs ``(K,)``.

    Where a lost track and one in view are candidates for the same detection, the longer loss is the weaker.
    """
    settings = frame.settings
    a_second = settings.confident.lost_cost / max(settings.lifecycle.lost_time, frame.interval)
    return kernels.lost_costs(frame.ages, pairs.tracks, frame.elapsed, a_second)


def near_cost(frame: FrameState, pairs: Pairs) -> Floats:
    """Gives what it costs to lie apart ``(K,)``: distance and difference of height, 1 at the most of either.

    The distance counts as a share of how far an object can be off its expected place (`near_reach`).
    """
    expected = frame.tracklets.states.position[pairs.tracks]
    measured = frame.measured[pairs.detections]
    heights = np.maximum(expected[:, 3], LEAST_SIDE), np.maximum(measured[:, 3], LEAST_SIDE)
    offset = expected[:, :2] - measured[:, :2]
    away = np.hypot(offset[:, 0], offset[:, 1]) / np.sqrt(heights[0] * heights[1]) / near_reach(frame)
    costs: Floats = np.hypot(away, np.log(heights[0] / heights[1]) / _LARGEST_RATIO)
    return costs


def appearance_cost(frame: FrameState, pairs: Pairs) -> Floats:
    """Gives half the distance of appearance ``(K,)``: in [0, 1]."""
    return pairs.distances.astype(np.float64) / 2
