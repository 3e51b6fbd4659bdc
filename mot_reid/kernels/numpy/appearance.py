"""Distances of appearance and averages of embeddings, in NumPy."""

import numpy as np
from numpy.typing import NDArray

from mot_reid.kernels.constants import LEAST_NORM, LEAST_SIDE, LEAST_SQUARE, ROUNDING
from mot_reid.kernels.numpy.association import remembered
from mot_reid.typing import Floats, Floats32, Indices, Ints, Mask

__all__ = [
    "appearance_distances",
    "blend",
    "centred",
    "clear_views",
    "look_alike",
    "margins",
    "nearest_other",
    "pair_distances",
    "remember",
    "strangers",
]


def pair_distances(
    tracks: Floats32,
    detections: Floats32,
    rows: Indices,
    columns: Indices,
    along_tracks: Floats32,
    along_detections: Floats32,
    rest: float,
) -> Floats32:
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
    products = np.vecdot(tracks.take(rows, axis=0), detections.take(columns, axis=0))
    return _centred(products, along_tracks[rows], along_detections[columns], rest)


def appearance_distances(
    tracks: Floats32,
    detections: Floats32,
    rows: Indices,
    columns: Indices,
    places: Indices,
    remembered: Mask,
    known: Mask,
    along_tracks: Floats32,
    along_detections: Floats32,
    rest: float,
) -> Floats32:
    """The same of tracklets ``rows`` and detections ``columns`` ``(K,)``; nan where one has no embedding.

    Args:
        tracks: ``(T, D)``.
        detections: ``(E, D)``.
        rows: of tracklets.
        columns: of detections.
        places: ``(M,)`` the row in ``detections`` of each known detection.
        remembered: ``(T,)`` which tracklets have an embedding.
        known: ``(M,)`` which detections have one.
        along_tracks: as in `pair_distances`.
        along_detections: likewise.
        rest: likewise.
    """
    given = along_tracks, along_detections, rest
    both = known[columns]
    both &= remembered[rows]
    if np.count_nonzero(both) == len(both):
        return pair_distances(tracks, detections, rows, places[columns], *given)
    distances = np.full(len(rows), np.nan, np.float32)
    distances[both] = pair_distances(tracks, detections, rows[both], places[columns[both]], *given)
    return distances


def strangers(distances: Floats32, overlaps: NDArray[np.floating], gate: float, least: float) -> Mask:
    """Which pairs ``(K,)`` are ``gate`` apart or more in appearance, and overlap by less than ``least``."""
    found: Mask = distances >= gate
    found &= overlaps < least
    return found


def centred(products: Floats32, along_a: Floats32, along_b: Floats32, rest: float) -> Floats32:
    """The same ``(R, C)`` of each with each.

    Args:
        products: ``(R, C)``, overwritten.
        along_a: of the rows' embeddings with u ``(R,)``.
        along_b: of the columns' ``(C,)``.
        rest: of u with itself.
    """
    return _centred(products, along_a[:, None], along_b, rest)


def _centred(products: Floats32, along_a: Floats32, along_b: Floats32, rest: float) -> Floats32:
    """1 - cosine of a - u and b - u, from ``a b``, ``a u``, ``b u`` and ``u u``; overwrites ``products``."""
    products -= along_a
    products -= along_b - rest
    products /= np.sqrt(np.maximum(1 + rest - 2 * along_a, LEAST_SQUARE))
    products /= np.sqrt(np.maximum(1 + rest - 2 * along_b, LEAST_SQUARE))
    return np.subtract(1, products, out=products)


def blend(
    table: Floats32, rows: Indices, embeddings: Floats32, places: Indices, old_shares: Floats32
) -> None:
    """Moves rows of a table ``(N, D)`` towards new embeddings ``(M, D)``, at unit length, in place.

    Args:
        table: of unit rows.
        rows: ``(K,)``, each at most once.
        embeddings: unit rows.
        places: ``(K,)`` the row in ``embeddings`` of each.
        old_shares: ``(K,)`` how much of the old ones stays.
    """
    new, old_share = embeddings.take(places, axis=0), old_shares[:, None]
    blended = table.take(rows, axis=0)
    blended *= old_share
    new *= 1 - old_share
    blended += new
    norms = np.sqrt(np.vecdot(blended, blended))[:, None]
    if norms.min(initial=1) <= LEAST_NORM:  # opposite vectors can cancel out; the new one stands then
        blended = np.where(norms > LEAST_NORM, blended, embeddings[places])
        norms = np.where(norms > LEAST_NORM, norms, 1)
    blended /= norms
    table[rows] = blended


def remember(
    table: Floats32,
    columns: tuple[Mask, Ints, Ints],
    rows: Indices,
    detections: Indices,
    views: tuple[NDArray[np.floating], Mask, Mask],
    embeddings: Floats32,
    places: Indices,
    most_covered: float,
    momentum: tuple[float, float, bool],
) -> tuple[Indices, Indices]:
    """Blends the embeddings of detections ``(K,)`` into those of tracklets, in place.

    That is where the view is clear, and the first view in any case.

    Args:
        table: ``(N, D)`` of all tracklets.
        columns: of all tracklets ``(N,)``, whether they have an embedding, clear views since the last one
            whose embedding went in, and those whose embedding did; written into.
        rows: of the tracklets.
        detections: theirs.
        views: of all detections ``(M,)``, how much of each is covered, whether its embedding could have been
            asked for, whether it was.
        embeddings: ``(E, D)``.
        places: ``(M,)`` the row in ``embeddings`` of each known detection.
        most_covered: of a clear view.
        momentum: share of the old in the average; for how many views one embedding stands at the most;
            whether the first ones count alike.

    Returns:
        The rows of those whose embedding went in, and their detections.
    """
    has_embedding, unembedded, embedded = columns
    rows, detections = remembered(rows, detections, views, (has_embedding, unembedded), most_covered)
    share, most, evenly = momentum
    counted = np.minimum(unembedded[rows], most)
    old = (share**counted).astype(np.float32)
    views_before = embedded[rows]
    if evenly:
        old = np.minimum(old, (views_before / (views_before + 1)).astype(np.float32))
    old *= has_embedding[rows]
    blend(table, rows, embeddings, places[detections], old)
    has_embedding[rows] = True
    unembedded[rows], embedded[rows] = 0, views_before + 1
    return rows, detections


def clear_views(
    known: Mask,
    free: Mask,
    at_edge: Mask,
    covered: NDArray[np.floating],
    most_covered: float,
    track_of: Indices,
    in_view: Mask,
) -> tuple[Indices, Indices]:
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


def margins(distances: Floats32, allowed: Mask) -> Floats32:
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
    views: Floats32, table: Floats32, others: Indices, own: Indices, total: Floats32, rest: float
) -> Floats32:
    """Distances ``(K,)`` of views from the nearest track in view, as if each view's own track were not known.

    Whoever is part of the mean that is taken off is kept apart from the others by it; who returns is not.

    Args:
        views: ``(K, D)`` unit rows.
        table: ``(N, D)`` likewise, of all tracklets.
        others: ``(V,)`` the rows of those in view, two or more, ascending.
        own: ``(K,)`` the row of each view's own track, one of these.
        total: the sum ``(D,)`` of the known ones' embeddings.
        rest: by what the sum of all but one is divided for their mean.
    """
    looks, square = table.take(others, axis=0), np.float32(total @ total)
    # BLAS takes half the time where the few columns lie as it wants them.
    products = looks @ np.ascontiguousarray(views.T)
    along, along_looks, own = views @ total, looks @ total, others.searchsorted(own)
    each, by = np.arange(len(own)), np.float32(rest)
    along_others = looks @ np.ascontiguousarray(looks[own].T)
    squares = (square - 2 * along_looks[own] + along_others[own, each]) / by**2
    along = (along - products[own, each]) / by
    np.subtract(along_looks[:, None], along_others, out=along_others)
    along_others /= by
    found = products
    found -= along_others + (along - squares)
    found /= np.sqrt(np.maximum(1 + squares - 2 * along, LEAST_SQUARE))
    found /= np.sqrt(np.maximum(1 + squares - 2 * along_others, LEAST_SQUARE))
    np.subtract(1, found, out=found)
    found[own, each] = np.inf
    nearest: Floats32 = found.min(axis=0)
    return nearest


def look_alike(
    embeddings: Floats32,
    mean: Floats32,
    young: Indices,
    lost: Indices,
    gates: Floats,
    times: tuple[Floats, Floats],
    places: Floats,
    motion: tuple[float, float],
) -> bool:
    """Whether one that has begun may be one that was lost before; False only if surely none is.

    Args:
        embeddings: ``(N, D)`` unit rows of all tracklets.
        mean: u ``(D,)``, what all share.
        young: ``(Y,)`` those that have begun.
        lost: ``(L,)`` the others.
        gates: the largest distance ``(L,)`` of each, less than 1.
        times: of all ``(N,)``, seconds at which they began, and at which they were seen last.
        places: of all ``(N, 4)``, centre x, centre y, width, height, pixels.
        motion: seconds of now, and how many heights a second the lost can have gone, once one height away.
    """
    (born, last_seen), (now, speed) = times, motion
    seen, (x, y, _, heights) = last_seen[lost], places.take(lost, axis=0).T
    reach = np.maximum(heights, LEAST_SIDE) * (1 + speed * (now - seen))
    across, down = places[young, 0, None] - x, places[young, 1, None] - y
    possible = across * across + down * down <= reach * reach * (1 + ROUNDING)
    possible &= seen < born[young, None]
    if not np.count_nonzero(possible):
        return False
    ahead, behind = embeddings.take(young, axis=0), embeddings.take(lost, axis=0)
    rest = mean @ mean
    along, along_lost = (ahead @ mean)[:, None], behind @ mean
    lengths = np.sqrt(np.maximum(1 + rest - 2 * along - ROUNDING, LEAST_SQUARE))
    lengths_lost = np.sqrt(np.maximum(1 + rest - 2 * along_lost - ROUNDING, LEAST_SQUARE))
    least = lengths * (lengths_lost * (1 - gates)) + (along + (along_lost - rest - ROUNDING))
    possible &= ahead @ behind.T >= least
    return bool(np.count_nonzero(possible))
