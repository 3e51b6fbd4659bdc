"""What a pair of a track and a detection costs, and which pairs are possible at all."""

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.config import AssociationConfig

__all__ = ["fused_costs", "margins"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def fused_costs(
    overlaps: Array, distances: NDArray[np.float32], known: Mask, config: AssociationConfig
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
    gate = max(config.appearance_gate, 1e-9)
    return kernels.fused_costs(overlaps, distances, known, config.appearance_weight, gate)


def margins(distances: NDArray[np.float32], allowed: Mask) -> NDArray[np.float32]:
    """By how much each allowed pair ``(R, C)`` beats the best rival of its row and of its column.

    Returns:
        ``(R, C)``: negative where a rival is better, infinite where there is none, -inf where not allowed.
    """
    guarded = np.where(allowed, distances, np.float32(np.inf))
    lead = np.where(allowed, np.float32(np.inf), np.float32(-np.inf))
    for axis in (0, 1):
        if guarded.shape[axis] > 1:
            best, runner_up = (
                np.expand_dims(row, axis)
                for row in np.take(np.partition(guarded, 1, axis=axis), [0, 1], axis=axis).swapaxes(0, axis)
            )
            rival = np.where(guarded == best, runner_up, best)
            np.subtract(rival, guarded, out=rival, where=allowed)
            np.minimum(lead, rival, out=lead, where=allowed)
    return lead
