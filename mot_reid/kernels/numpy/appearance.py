"""Distances of appearance and averages of embeddings, in NumPy."""

import numpy as np
from numpy.typing import NDArray

from mot_reid.kernels.constants import LEAST_NORM, LEAST_SQUARE

__all__ = ["blend", "centred", "clear_views", "margins", "nearest_other", "pair_distances"]

Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]
Vectors = NDArray[np.float32]


def pair_distances(
    tracks: Vectors,
    detections: Vectors,
    rows: Rows,
    columns: Rows,
    along_tracks: Vectors,
    along_detections: Vectors,
    rest: float,
) -> Vectors:
    """Cosine distances ``(K,)`` of embeddings ``(T, D)`` and ``(M, D)`` less a vector u, pair by pair.

    Args:
        tracks: L2-normalised.
        detections: likewise.
        rows: of ``tracks`` ``(K,)``.
        columns: of ``detections`` ``(K,)``.
        along_tracks: products of ``tracks`` with u ``(T,)``.
        along_detections: of ``detections`` ``(M,)``.
        rest: of u with itself.
    """
    products = np.einsum("kd,kd->k", tracks[rows], detections[columns])
    return _centred(products, along_tracks[rows], along_detections[columns], rest)


def centred(products: Vectors, along_a: Vectors, along_b: Vectors, rest: float) -> Vectors:
    """The same ``(R, C)`` of each with each.

    Args:
        products: ``(R, C)``, overwritten.
        along_a: of the rows' embeddings with u ``(R,)``.
        along_b: of the columns' ``(C,)``.
        rest: of u with itself.
    """
    return _centred(products, along_a[:, None], along_b, rest)


def _centred(products: Vectors, along_a: Vectors, along_b: Vectors, rest: float) -> Vectors:
    """1 - cosine of a - u and b - u, from ``a b``, ``a u``, ``b u`` and ``u u``; overwrites ``products``."""
    products -= along_a
    products -= along_b - rest
    products /= np.sqrt(np.maximum(1 + rest - 2 * along_a, LEAST_SQUARE))
    products /= np.sqrt(np.maximum(1 + rest - 2 * along_b, LEAST_SQUARE))
    return np.subtract(1, products, out=products)


def blend(table: Vectors, rows: Rows, embeddings: Vectors, places: Rows, old_shares: Vectors) -> None:
    """Moves rows of a table ``(N, D)`` towards new embeddings ``(M, D)``, at unit length, in place.

    Args:
        table: of unit rows.
        rows: ``(K,)``, each at most once.
        embeddings: unit rows.
        places: ``(K,)`` the row in ``embeddings`` of each.
        old_shares: ``(K,)`` how much of the old ones stays.
    """
    embeddings, old_share = embeddings[places], old_shares[:, None]
    blended = table[rows]
    blended *= old_share
    blended += (1 - old_share) * embeddings
    norms = np.sqrt(np.einsum("kd,kd->k", blended, blended))[:, None]
    if norms.min(initial=1) <= LEAST_NORM:  # opposite vectors can cancel out; the new one stands then
        blended = np.where(norms > LEAST_NORM, blended, embeddings)
        norms = np.where(norms > LEAST_NORM, norms, 1)
    blended /= norms
    table[rows] = blended


def clear_views(
    known: Mask,
    free: Mask,
    at_edge: Mask,
    covered: NDArray[np.floating],
    most_covered: float,
    track_of: Rows,
    in_view: Mask,
) -> tuple[Rows, Rows]:
    """The detections that are clear views of tracks in view, and these tracks: both ``(K,)``.

    Args:
        known: ``(M,)`` whose embedding is known.
        free: ``(M,)`` which detections are nobody's.
        at_edge: ``(M,)`` which are cut off.
        covered: ``(M,)`` how much of each is.
        most_covered: of a clear view.
        track_of: ``(M,)`` the track of each that is somebody's.
        in_view: ``(T,)`` which tracks count.
    """
    columns = (known & ~(free | at_edge)).nonzero()[0]
    columns = columns[covered[columns] <= most_covered]
    own = track_of[columns]
    counts = in_view[own]
    return columns[counts], own[counts]


def margins(distances: Vectors, allowed: Mask) -> Vectors:
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


def nearest_other(
    products: Vectors, along: Vectors, own: Rows, in_view: Mask, square: float, rest: float
) -> Vectors:
    """Distances ``(K,)`` of views from the nearest track in view, as if each view's own track were not known.

    Whoever is part of the mean that is taken off is kept apart from the others by it; who returns is not.

    Args:
        products: ``(2 K + 1, T)`` of the views, of their own tracks and of the sum of all known tracks with
            each track.
        along: ``(K,)`` of the views with that sum.
        own: ``(K,)`` the track of each view.
        in_view: ``(T,)``, two or more.
        square: of the sum with itself.
        rest: by what the sum of all but one is divided for their mean.
    """
    count, others = len(own), in_view.nonzero()[0]
    each = np.arange(count)
    along = (along - products[each, own]) / np.float32(rest)
    squares = (np.float32(square) - 2 * products[-1, own] + products[count + each, own]) / np.float32(
        rest
    ) ** 2
    products = products[:, others]
    along_others = (products[-1] - products[count:-1]) / np.float32(rest)
    found = products[:count]
    found -= along[:, None] + along_others - squares[:, None]
    found /= np.sqrt(np.maximum(1 + squares - 2 * along, LEAST_SQUARE))[:, None]
    found /= np.sqrt(np.maximum(1 + squares[:, None] - 2 * along_others, LEAST_SQUARE))
    np.subtract(1, found, out=found)
    found[others == own[:, None]] = np.inf
    nearest: Vectors = found.min(axis=1)
    return nearest
