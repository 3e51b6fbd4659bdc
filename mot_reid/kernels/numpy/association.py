"""Which tracklet can be which detection, what a pair costs, and who goes, in NumPy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mot_reid.kernels.constants import LEAST_SIDE, Status
from mot_reid.typing import Floats, Floats32, Indices, Ints, Mask

__all__ = [
    "candidates",
    "confirmable",
    "disputed",
    "fused_costs",
    "leads",
    "lost_costs",
    "mark_seen",
    "may_return",
    "missed_lately",
    "powers",
    "remembered",
    "reported",
    "retire",
    "within_reach",
]


def candidates(
    rows: Indices,
    columns: Indices,
    overlaps: Floats,
    tracks: Mask,
    detections: Mask,
    least: float,
    status: NDArray[np.int8],
    least_of_lost: float,
) -> tuple[Indices, Indices, Floats]:
    """Those of the pairs ``(P,)`` that are of some tracklets and some detections, and overlap by more.

    Args:
        rows: the tracklet of each pair.
        columns: its detection.
        overlaps: of the two.
        tracks: ``(T,)`` which tracklets.
        detections: ``(M,)`` which detections.
        least: overlap, which is not enough.
        status: ``(T,)`` of `Status`.
        least_of_lost: the same for lost tracklets.

    Returns:
        The tracklet, the detection and the overlap of each, all ``(K,)``.
    """
    if least_of_lost == least:
        chosen = overlaps > least
    else:
        chosen = overlaps > np.where(status[rows] == Status.LOST, least_of_lost, least)
    chosen &= tracks[rows]
    chosen &= detections[columns]
    return rows[chosen], columns[chosen], overlaps[chosen]


def fused_costs(overlaps: Floats, distances: Floats32, weight: float, gate: float) -> Floats:
    """``(1 - w) (1 - overlap) + w min(1, d / gate)`` ``(K,)``, with ``w`` 0 where a distance is nan."""
    known = ~np.isnan(distances)
    dissimilarity = np.minimum(np.where(known, distances, 0) / gate, 1)
    weights = weight * known
    return (1 - weights) * (1 - overlaps) + weights * dissimilarity


def lost_costs(ages: Floats, rows: Indices, since: float, a_second: float) -> Floats:
    """What it costs ``(K,)`` that tracklets were seen more than ``since`` seconds ago.

    Args:
        ages: ``(T,)`` seconds since each was seen.
        rows: ``(K,)`` which of them.
        since: seconds that cost nothing.
        a_second: what each second more costs.
    """
    costs: Floats = ages[rows]
    costs -= since
    np.maximum(costs, 0, out=costs)
    costs *= a_second
    return costs


def powers(levels: Floats) -> tuple[float, float]:
    """The sums of squares and of cubes of some scores ``(N,)``."""
    squares = levels * levels
    return float(levels.dot(levels)), float(squares.dot(levels))


def leads(rows: Indices, columns: Indices, costs: Floats) -> Floats:
    """How clear the best claims are: for each pair ``(P,)`` the lesser lead within its row and its column.

    The lead within a row is by how much its cheapest pair is cheaper than its second; infinite if it has one.

    Args:
        rows: ``(P,)`` the tracklet of each pair.
        columns: ``(P,)`` its detection.
        costs: ``(P,)`` what it costs.
    """
    return np.minimum(_lead(rows, costs), _lead(columns, costs))


def _lead(keys: Indices, costs: Floats) -> Floats:
    """For each pair the lead of the cheapest among those with its key ``(P,)``."""
    order = np.lexsort((costs, keys))
    sorted_keys, sorted_costs = keys[order], costs[order]
    follows = sorted_keys[1:] == sorted_keys[:-1]
    second = 1 + (follows & np.concatenate([[True], ~follows[:-1]])[: len(follows)]).nonzero()[0]
    lead = np.full(int(keys.max(initial=-1)) + 1, np.inf)
    lead[sorted_keys[second]] = sorted_costs[second] - sorted_costs[second - 1]
    return lead[keys]


def within_reach(
    tracks: Floats,
    boxes: Floats,
    classes_a: Ints,
    classes_b: Ints,
    edges: Floats,
    reach: float,
) -> Mask:
    """Which tracklets ``(T, 4)`` can be which boxes ``(C, 4)``, both centre x, centre y, width, height.

    Args:
        tracks: where the filter expects them.
        boxes: detected.
        classes_a: ``(T,)`` of the tracklets.
        classes_b: ``(C,)`` of the boxes.
        edges: ``(4,)`` of the picture, corners; beyond them nobody can be seen.
        reach: how far away it can be, heights.

    Returns:
        The pairs ``(T, C)`` that are near enough and of one class.
    """
    height = np.maximum(tracks[:, 3], LEAST_SIDE)
    expected = np.clip(tracks[:, :2], edges[:2], edges[2:])
    offset = expected[:, None] - boxes[:, :2]
    near: Mask = np.hypot(offset[..., 0], offset[..., 1]) <= reach * height[:, None]
    near &= classes_a[:, None] == classes_b
    return near


def confirmable(
    status: NDArray[np.int8],
    last_seen: Floats,
    hits: Ints,
    activated: Mask,
    time: float,
    least: tuple[int, int],
) -> Indices:
    """The tentative tracklets ``(K,)`` seen in this frame, and often enough.

    Args:
        status: ``(N,)`` of `Status`.
        last_seen: ``(N,)`` seconds.
        hits: ``(N,)`` detections so far.
        activated: ``(N,)`` whether one of those had the score that starts a track soon.
        time: of this frame.
        least: hits that are enough for the activated, and for others.
    """
    waiting = ((status == Status.TENTATIVE) & (last_seen == time)).nonzero()[0]
    if not waiting.size:
        return waiting
    return waiting[hits[waiting] >= np.where(activated[waiting], *least)]


def retire(
    status: NDArray[np.int8],
    last_seen: Floats,
    has_embedding: Mask,
    time: float,
    longest: float,
    longest_of_known: float,
) -> Mask:
    """Marks confirmed tracklets that were not seen as lost, in place, and says which rows stay ``(N,)``.

    Args:
        status: ``(N,)`` of `Status`.
        last_seen: ``(N,)`` seconds.
        has_embedding: ``(N,)`` whose appearance is known.
        time: of this frame.
        longest: that others may be lost, seconds.
        longest_of_known: that those may be.
    """
    ages = time - last_seen
    unseen = ages > 0
    status[unseen & (status == Status.CONFIRMED)] = Status.LOST
    too_old = ages > np.where(has_embedding, longest_of_known, longest)
    return ~(unseen & ((status == Status.TENTATIVE) | too_old))


def disputed(class_ids: Ints, votes: Floats, rows: Indices, classes: Ints, detections: Indices) -> bool:
    """Whether the class of any tracklet ``(K,)`` is not that of its detection ``(K,)``, or has been voted on.

    Args:
        class_ids: ``(N,)`` of all tracklets.
        votes: ``(N, 4)`` likewise.
        rows: of the tracklets.
        classes: ``(M,)`` of all detections.
        detections: of the tracklets.
    """
    return bool(
        np.count_nonzero(class_ids[rows] != classes[detections]) or np.count_nonzero(votes[:, 0][rows])
    )


def mark_seen(
    rows: Indices,
    detections: Indices,
    activating: Mask,
    scores: Floats32,
    at_edge: Mask,
    time: float,
    given_ids: int,
    columns: Sequence[NDArray[Any]],
) -> None:
    """Writes down, in place, that tracklets ``(K,)`` were seen as detections ``(K,)``.

    Args:
        rows: of the tracklets.
        detections: of this frame.
        activating: ``(M,)`` which detections start tracks soon; hits count from a tracklet's first such one.
        scores: ``(M,)`` of the detections.
        at_edge: ``(M,)`` which of them the picture's edge cuts off.
        time: of this frame.
        given_ids: how many ids were given out.
        columns: of all tracklets, whether one of theirs was such, hits, `Status`, how far the camera carried
            them since they were seen, ``(N, 2)`` pixels and ``(N,)`` heights, score, whether at the edge,
            when they were seen last, and how many ids were given out then.
    """
    activated, hits, status, drift, carried, score, cut_off, last_seen, newcomers = columns
    newly = rows[activating[detections] & ~activated[rows]]
    activated[newly], hits[newly] = True, 0
    hits[rows] += 1
    drift[rows], carried[rows] = 0, 0
    score[rows], cut_off[rows] = scores[detections], at_edge[detections]
    last_seen[rows], newcomers[rows] = time, given_ids
    lost = status[rows] == Status.LOST
    if np.count_nonzero(lost):
        status[rows[lost]] = Status.CONFIRMED


def remembered(
    rows: Indices,
    detections: Indices,
    views: tuple[NDArray[np.floating], Mask, Mask | None],
    columns: tuple[Mask, Ints],
    most_covered: float,
) -> tuple[Indices, Indices]:
    """Whose embedding ``(K,)`` takes in its detection's ``(K,)``: where the view is clear, or the first.

    Args:
        rows: of the tracklets.
        detections: theirs.
        views: of all detections ``(M,)``, how much of each is covered, whether its embedding could have been
            asked for, whether it was; None for nobody's.
        columns: of all tracklets ``(N,)``, whether they have an embedding, clear views since the last one
            whose embedding went in, of which there is one more now, written in place.
        most_covered: of a clear view.

    Returns:
        The rows of the tracklets, and their detections.
    """
    covered, embeddable, known = views
    has_embedding, unembedded = columns
    hidden = covered[detections] > most_covered
    usable = embeddable[detections] & ~(hidden & has_embedding[rows])
    unembedded[rows[usable]] += 1
    if known is None:
        return rows[:0], detections[:0]
    usable &= known[detections]
    return rows[usable], detections[usable]


def reported(track_of: Indices, status: NDArray[np.int8]) -> tuple[Indices, Indices]:
    """The detections with a confirmed tracklet, and the rows of these, both ``(K,)``.

    Args:
        track_of: ``(M,)`` the row of each detection, negative for none.
        status: ``(N,)`` of `Status`.
    """
    index = (track_of >= 0).nonzero()[0]
    chosen = track_of[index]
    confirmed = status[chosen] == Status.CONFIRMED
    return index[confirmed], chosen[confirmed]


def may_return(
    columns: tuple[NDArray[np.int8], Mask, Ints, Mask, Floats, Floats],
    count: int,
    since: float,
    time: float,
) -> tuple[Indices, Indices]:
    """Tracklets ``(Y,)`` that have begun lately and may be lost ones ``(L,)``; none or some of both.

    Of those that have begun, who is seen clearly in this frame, is followed and did not return before.

    Args:
        columns: of all tracklets ``(N,)``, `Status`, whether they have an embedding, clear views since the
            last one whose embedding went in, whether they returned, seconds at which they began and at which
            they were seen last.
        count: how many there were before this frame, the first rows: others cannot be lost.
        since: seconds from which on is lately.
        time: of this frame.
    """
    status, has_embedding, unembedded, returned, born, last_seen = columns
    lost = (status[:count] == Status.LOST).nonzero()[0]
    lost = lost[has_embedding[lost]]
    if not lost.size:
        return lost, lost
    young = (born > max(since, last_seen[lost].min())).nonzero()[0]
    fresh = has_embedding[young] & (unembedded[young] == 0) & ~returned[young]
    fresh &= (last_seen[young] == time) & (status[young] == Status.CONFIRMED)
    young = young[fresh]
    return young, lost if young.size else lost[:0]


def missed_lately(
    free: Mask,
    settled: Mask,
    ages: Floats,
    longest: float,
    hits: Ints,
    at_edge: Mask,
    first_hit: float,
    per_hit: float,
) -> Indices:
    """The tracklets ``(K,)`` that were not matched, and may be hidden.

    Args:
        free: ``(T,)`` which were not matched.
        settled: ``(T,)`` which were confirmed once.
        ages: ``(T,)`` seconds since each was seen.
        longest: seconds that they may be.
        hits: ``(N,)`` detections so far; the more, the longer.
        at_edge: ``(N,)`` who has left.
        first_hit: seconds that nobody need be known for.
        per_hit: seconds more for each detection.
    """
    missed = (free & settled & (ages <= longest)).nonzero()[0]
    if not missed.size:
        return missed
    known = ages[missed] - first_hit <= per_hit * hits[missed]
    return missed[known & ~at_edge[missed]]
