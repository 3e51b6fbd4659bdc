"""How far to trust an id that came back by appearance."""

import numpy as np

from mot_reid.typing import Floats32

__all__ = ["revival_confidence"]

_BIAS, _PER_DISTANCE, _PER_MARGIN = 0.9, -1.9, 2.0
_NO_RIVAL = 1.0  # strangers lie about 1 apart: who has no rival beats at best an imagined one by that


def revival_confidence(distances: Floats32, margins: Floats32) -> Floats32:
    """Gives how likely tracks that appearance brought back are those that were lost, ``(K,)``.

    Logistic regression over the returns of PETS09-S2L1 and ADL-Rundle-6 with two detectors and embedders, at
    full and half frame rate, forwards and backwards; right means that the ground truth's person is the one
    whom the track covered last. Each video and embedder counts the same. The returns are few and depend on
    each other: `benchmarks/README.md` says how far the result carries to a video it has not seen.

    Args:
        distances: ``(K,)`` of appearance, see `mot_reid.association.appearance`.
        margins: ``(K,)`` by how much that beats the best rival, infinite where there is none.

    Returns:
        Values in [0, 1].
    """
    logits = _BIAS + _PER_DISTANCE * distances + _PER_MARGIN * np.minimum(margins, _NO_RIVAL)
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)
