"""What a pair of a track and a detection costs, and which pairs are possible at all."""

import numpy as np
from numpy.typing import NDArray

from mot_reid.boxes import areas, covered_fraction, height_iou, intersections, iou
from mot_reid.config import AssociationConfig

__all__ = [
    "appearance_distances",
    "covered_in_front",
    "fused_costs",
    "occluded_fraction",
    "similar_boxes",
    "unambiguous",
]

Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Squared lengths below this are taken for nothing but rounding.
_LEAST_SQUARE = np.float32(1e-6)


def similar_boxes(a: Matrix, b: Matrix) -> Matrix:
    """IoU times squared IoU of heights ``(A, B)``, for boxes ``(A, 4)`` and ``(B, 4)``.

    Somebody's height in the picture changes less from frame to frame than the place, and of two people side
    by side the one further back stands higher and smaller. Yang et al. 2024, arXiv 2308.00783, section 3.2,
    multiply by it once; squared it did better on MOT17.
    """
    vertical = height_iou(a, b)
    vertical *= vertical
    vertical *= iou(a, b)
    return vertical


def appearance_distances(
    a: NDArray[np.float32], b: NDArray[np.float32], usual: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Cosine distances ``(A, B)`` in [0, 2] of rows ``(A, D)`` and ``(B, D)`` after ``usual`` is taken off.

    What all people in a video share (light, camera, background) brings all embeddings together, more with
    one embedder than with another. Without it strangers lie about 1 apart whatever the embedder and the
    video, so that one gate serves all. (Centring by the mean of the domain: Sun et al. 2017, arXiv
    1612.01939, section 3, in its first moment only.)

    Args:
        a: embeddings, L2-normalised.
        b: likewise.
        usual: ``(D,)`` what the people of this video have in common.
    """
    # (a - u)(b - u) = ab - au - bu + uu: the embeddings themselves need not be copied.
    rest, along_a, along_b = np.float32(usual @ usual), a @ usual, b @ usual
    products: NDArray[np.float32] = a @ b.T
    products -= along_a[:, None]
    products += rest - along_b
    products *= _inverse_lengths(along_a, rest)[:, None]
    products *= _inverse_lengths(along_b, rest)
    return np.subtract(1, products, out=products)


def _inverse_lengths(along: NDArray[np.float32], rest: np.float32) -> NDArray[np.float32]:
    """1 / |a - u| of unit rows, from ``a u`` ``(N,)`` and ``u u``."""
    inverse: NDArray[np.float32] = 1 / np.sqrt(np.maximum(1 - 2 * along + rest, _LEAST_SQUARE))
    return inverse


def fused_costs(
    overlaps: Matrix, appearance: NDArray[np.floating] | None, known: Mask, config: AssociationConfig
) -> Matrix:
    """Costs ``(T, D)`` in [0, 1] of pairs by overlap and appearance together.

    ``(1 - w) (1 - IoU) + w min(1, d / gate)``, with ``d`` the cosine distance and ``w`` the weight of
    appearance; where a track has no embedding yet, the overlap speaks alone.

    Args:
        overlaps: ``(T, D)`` IoU.
        appearance: ``(T, D)`` cosine distances, or None where nothing has an embedding.
        known: ``(T,)`` tracks that have an embedding.
        config: the weight and the gate.
    """
    costs: Matrix = 1 - overlaps
    if appearance is None:
        return costs
    weight = np.where(known, config.appearance_weight, 0.0)[:, None]
    dissimilarity = np.minimum(appearance / max(config.appearance_gate, 1e-9), 1)
    return (1 - weight) * costs + weight * dissimilarity


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


def occluded_fraction(xyxy: NDArray[np.floating]) -> NDArray[np.floating]:
    """The largest share ``(N,)`` of each box covered by one box in front of it.

    In a picture of people on a floor, the box that reaches further down is the one in front.
    """
    if len(xyxy) < 2:
        return np.zeros(len(xyxy))
    in_front = xyxy[None, :, 3] > xyxy[:, None, 3]
    covered = np.where(in_front, intersections(xyxy, xyxy), 0) / areas(xyxy)[:, None]
    return covered.max(axis=1)


def covered_in_front(xyxy: Matrix, others: Matrix) -> Matrix:
    """The largest share ``(N,)`` of each box that one of ``others`` ``(M, 4)`` in front of it hides."""
    covered = np.where(others[None, :, 3] > xyxy[:, None, 3], covered_fraction(xyxy, others), 0)
    return covered.max(axis=1, initial=0)
