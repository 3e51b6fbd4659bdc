"""What a pair of a track and a detection costs."""

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.config import AssociationConfig

__all__ = ["fused_costs"]

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
