"""What a pair of a track and a detection costs, and which pairs are possible at all."""

import numpy as np
from numpy.typing import NDArray

from mot_reid.association.pairs import overlapping, paired_iou
from mot_reid.config import AssociationConfig

__all__ = ["covered_in_front", "fused_costs", "similar_boxes", "unambiguous"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# No box is smaller, and nothing is divided by less.
_LEAST_SIZE = 1e-12


def similar_boxes(a: Array, b: Array) -> Array:
    """IoU times squared IoU of heights ``(K,)``, of boxes ``(K, 4)`` and ``(K, 4)``, pair by pair.

    Somebody's height in the picture changes less from frame to frame than the place, and of two people side
    by side the one further back stands higher and smaller. Yang et al. 2024, arXiv 2308.00783, section 3.2,
    multiply by it once; squared it did better on MOT17.
    """
    top, bottom = np.maximum(a[:, 1], b[:, 1]), np.minimum(a[:, 3], b[:, 3])
    shared = np.maximum(bottom - top, 0)
    heights = a[:, 3] - a[:, 1] + (b[:, 3] - b[:, 1])
    vertical: Array = shared / np.maximum(heights - shared, _LEAST_SIZE)
    vertical *= vertical
    vertical *= paired_iou(a, b)
    return vertical


def fused_costs(
    overlaps: Array, distances: NDArray[np.floating], known: Mask, config: AssociationConfig
) -> Array:
    """Costs ``(K,)`` in [0, 1] of pairs by overlap and appearance together.

    ``(1 - w) (1 - IoU) + w min(1, d / gate)``, with ``d`` the distance of appearance and ``w`` its weight;
    where a track has no embedding yet, the overlap speaks alone.

    Args:
        overlaps: ``(K,)`` IoU.
        distances: ``(K,)`` of appearance.
        known: ``(K,)`` pairs whose track has an embedding.
        config: the weight and the gate.
    """
    dissimilarity = np.minimum(distances / max(config.appearance_gate, 1e-9), 1)
    weight = config.appearance_weight * known
    return (1 - weight) * (1 - overlaps) + weight * dissimilarity


def unambiguous(distances: NDArray[np.floating], allowed: Mask, margin: float) -> Mask:
    """The allowed pairs ``(R, C)`` that beat every rival of their row and of their column by ``margin``."""
    guarded = np.where(allowed, distances, np.inf)
    clear = allowed.copy()
    for axis in (0, 1):
        if guarded.shape[axis] > 1:
            best, runner_up = np.take(np.partition(guarded, 1, axis=axis), [0, 1], axis=axis).swapaxes(
                0, axis
            )
            with np.errstate(invalid="ignore"):  # inf - inf: no pair is allowed there
                is_clear = (runner_up - best >= margin) if margin else np.ones_like(best, bool)
            clear &= (guarded == np.expand_dims(best, axis)) & np.expand_dims(is_clear, axis)
    return clear


def covered_in_front(xyxy: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.floating]:
    """The largest share ``(N,)`` of each box that one of ``others`` ``(M, 4)`` in front of it hides.

    In a picture of people on a floor, the box that reaches further down is the one in front.
    """
    rows, columns = overlapping(xyxy, others)
    in_front = xyxy[rows, 3] < others[columns, 3]
    rows, columns = rows[in_front], columns[in_front]
    covered = np.zeros(len(xyxy), xyxy.dtype)
    if not len(rows):
        return covered
    a, b = xyxy[rows], others[columns]
    shared = np.minimum(a[:, 2:], b[:, 2:])
    shared -= np.maximum(a[:, :2], b[:, :2])
    np.maximum(shared, 0, out=shared)
    shared /= np.maximum(a[:, 2:] - a[:, :2], _LEAST_SIZE)
    np.maximum.at(covered, rows, shared[:, 0] * shared[:, 1])
    return covered
