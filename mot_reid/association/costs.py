"""What a pair of a track and a detection costs, and which pairs are possible at all."""

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.config import AssociationConfig

__all__ = ["fused_costs", "unambiguous"]

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
