"""The kernels in NumPy: what each of them means, and what runs where numba is not installed."""

import numpy as np
from numpy.typing import NDArray

from mot_reid.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh
from mot_reid.kernels.assignment import assign_pairs

__all__ = [
    "along_usual",
    "assign_pairs",
    "at_edge",
    "blend",
    "carry",
    "centres",
    "corners",
    "covered_in_front",
    "extend",
    "fused_costs",
    "leads",
    "mutual_best",
    "overlapping",
    "pair_distances",
    "paired_iou",
    "possible",
    "predict",
    "retire",
    "similar_boxes",
    "similar_pairs",
    "smoothed",
    "update",
    "warp",
    "within_reach",
]

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]
Vectors = NDArray[np.float32]


class Status:
    """Where a tracklet stands. A removed one has no row any more.

    Plain numbers: to compare an array with a member of an enumeration takes ten times as long.
    """

    TENTATIVE = 0  # seen too few times to be reported
    CONFIRMED = 1  # seen in the last frame
    LOST = 2  # confirmed once, not seen now


# Widths and heights below this many pixels do not shrink the noise further.
LEAST_SIDE = 1.0
# Scores below this do not raise the noise of a measurement further.
LEAST_SCORE = 0.1
# No box and no union of boxes is smaller, and nothing is divided by less.
LEAST_SIZE = 1e-12
# Up to so many pairs, it takes less time to look at all of them than to sort.
FEW = 10_000
# Squared lengths of embeddings below this are taken for nothing but rounding.
LEAST_SQUARE = 1e-6
# The mean embedding counts this many people more than there are, of no looks at all: the mean of one person
# alone is that person's own looks, and would leave nothing to tell them by.
PRIOR_PEOPLE = 2
# Opposite embeddings can cancel out: lengths below this have no direction.
LEAST_NORM = 1e-6
# Boxes end at the same pixel where the picture cuts them off; nobody's own path does that so often.
LEAST_TOUCHES = 5
SAME_PIXEL = 1.0
# The left and the upper edge count downwards; turned round, all four edges are largest values.
OUTWARDS = np.array([-1.0, -1.0, 1.0, 1.0])


def predict(values: Array, position_variance: float, velocity_variance: float) -> None:
    """Moves Kalman states ``(5, 4, N)`` one frame on, in place; the variances are of a box with sides 1."""
    position, velocity, p_xx, p_xv, p_vv = values
    squares = squared_sides(position)
    position += velocity
    p_xx += p_xv
    p_xv += p_vv
    p_xx += p_xv
    p_xx += position_variance * squares
    p_vv += velocity_variance * squares


def update(values: Array, rows: Rows, measured: Array, scores: Array, position_variance: float) -> None:
    """Corrects the states ``rows`` ``(K,)`` by measurements ``(K, 4)`` with scores ``(K,)``, in place."""
    chosen = values.take(rows, axis=2)
    position, velocity, p_xx, p_xv, p_vv = chosen
    innovation_variance = position_variance * squared_sides(position)
    innovation_variance /= np.maximum(scores, LEAST_SCORE) ** 2
    innovation_variance += p_xx
    gain_x, gain_v = p_xx / innovation_variance, p_xv / innovation_variance
    innovation = measured.T - position
    position += gain_x * innovation
    velocity += gain_v * innovation
    p_vv -= gain_v * p_xv
    p_xv -= gain_x * p_xv
    p_xx -= gain_x * p_xx
    values[:, :, rows] = chosen


def warp(values: Array, affine: Array) -> None:
    """Carries all states as the camera moved, an affine ``(2, 3)``, in place."""
    linear = affine[:, :2]
    (a, b), (c, d) = linear.tolist()
    scale = abs(a * d - b * c)  # of areas
    values[:2, :2] = linear @ values[:2, :2]
    values[0, :2] += affine[:, 2:]
    values[:2, 2:] *= scale**0.5
    values[2:, :2] = linear**2 @ values[2:, :2]
    values[2:, 2:] *= scale


def squared_sides(position: Array) -> Array:
    """Squares of each box's width, height, width, height, what variances are a fraction of: ``(4, N)``."""
    squares = np.empty_like(position)
    np.maximum(position[2:], LEAST_SIDE, out=squares[:2])
    squares[:2] *= squares[:2]
    squares[2:] = squares[:2]
    return squares


def corners(boxes: Array) -> Array:
    """Centre, width and height to corners: ``(N, 4)`` to ``(N, 4)``."""
    return cxcywh_to_xyxy(boxes)


def smoothed(measured: Array, index: Rows, predicted: Array, chosen: Rows, share: float) -> Array:
    """Corners ``(K, 4)`` of boxes between measured ones and those of the filter.

    Args:
        measured: ``(M, 4)`` centre x, centre y, width, height.
        index: ``(K,)`` which of them.
        predicted: ``(T, 4)`` likewise.
        chosen: ``(K,)`` which of them.
        share: of the filter's.
    """
    return cxcywh_to_xyxy((1 - share) * measured[index] + share * predicted[chosen])


def centres(xyxy: Array) -> Array:
    """Corners to centre, width and height: ``(N, 4)`` to ``(N, 4)``."""
    return xyxy_to_cxcywh(xyxy)


def carry(drift: Array, carried: Array, before: Array, values: Array) -> None:
    """Adds to how far the camera moved tracks, in place.

    Args:
        drift: ``(N, 2)`` since they were seen, pixels.
        carried: ``(N,)`` the longest that it was, heights of the box.
        before: ``(2, N)`` their centres before the camera moved.
        values: ``(5, 4, N)`` their states afterwards.
    """
    moved = drift.T
    moved += values[0, :2] - before
    carried[:] = np.maximum(carried, np.hypot(*moved) / np.maximum(values[0, 3], 1))


def similar_pairs(
    a: Array, b: Array, classes_a: NDArray[np.int64], classes_b: NDArray[np.int64]
) -> tuple[Rows, Rows, Array]:
    """The pairs of boxes ``(A, 4)`` and ``(B, 4)`` that share some area and are of one class.

    Returns:
        Row numbers in ``a``, ascending, and in ``b``, and how alike the boxes lie, each ``(K,)``.
    """
    rows, columns = overlapping(a, b)
    same_class = classes_a[rows] == classes_b[columns]
    if not same_class.all():
        rows, columns = rows[same_class], columns[same_class]
    return rows, columns, similar_boxes(a[rows], b[columns])


def covered_in_front(xyxy: Array, others: Array) -> Array:
    """The largest share ``(N,)`` of each box that one of ``others`` ``(M, 4)`` in front of it hides.

    In a picture of people on a floor, the box that reaches further down is the one in front.
    """
    rows, columns = overlapping(xyxy, others)
    in_front = xyxy[rows, 3] < others[columns, 3]
    rows, columns = rows[in_front], columns[in_front]
    covered = np.zeros(len(xyxy))
    if not len(rows):
        return covered
    a, b = xyxy[rows], others[columns]
    shared = np.minimum(a[:, 2:], b[:, 2:])
    shared -= np.maximum(a[:, :2], b[:, :2])
    np.maximum(shared, 0, out=shared)
    shared /= np.maximum(a[:, 2:] - a[:, :2], LEAST_SIZE)
    np.maximum.at(covered, rows, shared[:, 0] * shared[:, 1])
    return covered


def mutual_best(a: Array, b: Array, least: float) -> tuple[Rows, Rows]:
    """The boxes ``(A, 4)`` and ``(B, 4)`` that overlap each other most: rows of both, each ``(K,)``.

    Args:
        a: boxes.
        b: boxes.
        least: pairs with this IoU or less do not count.
    """
    rows, columns = overlapping(a, b)
    overlaps = paired_iou(a[rows], b[columns])
    best_of_rows, best_of_columns = np.zeros(len(a)), np.zeros(len(b))
    np.maximum.at(best_of_rows, rows, overlaps)
    np.maximum.at(best_of_columns, columns, overlaps)
    mutual = (overlaps == best_of_rows[rows]) & (overlaps == best_of_columns[columns])
    mutual &= overlaps > least
    return rows[mutual], columns[mutual]


def overlapping(a: Array, b: Array) -> tuple[Rows, Rows]:
    """The pairs of boxes ``(A, 4)`` and ``(B, 4)`` that share some area.

    A box without an area, as a filter may predict, may come in where its edges lie.

    Returns:
        Row numbers in ``a``, ascending, and in ``b``, both ``(K,)``.
    """
    if len(a) * len(b) > FEW:
        return _swept(a, b)
    left, top, right, bottom = a.T[:, :, None]
    meet = left < b[:, 2]
    meet &= right > b[:, 0]
    meet &= top < b[:, 3]
    meet &= bottom > b[:, 1]
    return meet.nonzero()


def _swept(a: Array, b: Array) -> tuple[Rows, Rows]:
    """Sweeps from left to right: of ``b`` sorted by its left edges, a stretch can reach each of ``a``."""
    order = b[:, 0].argsort(kind="stable")
    b = b[order]
    first = np.searchsorted(np.maximum.accumulate(b[:, 2]), a[:, 0], side="right")
    last = np.searchsorted(b[:, 0], a[:, 2], side="left")
    counts = np.maximum(last - first, 0)
    rows = np.repeat(np.arange(len(a)), counts)
    columns = np.arange(len(rows)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    meet = a[:, 1].take(rows) < b[:, 3].take(columns)
    meet &= a[:, 3].take(rows) > b[:, 1].take(columns)
    meet &= a[:, 0].take(rows) < b[:, 2].take(columns)
    return rows[meet], order[columns[meet]]


def similar_boxes(a: Array, b: Array) -> Array:
    """IoU times squared IoU of heights ``(K,)``, of boxes ``(K, 4)`` and ``(K, 4)``, pair by pair.

    Somebody's height in the picture changes less from frame to frame than the place, and of two people side
    by side the one further back stands higher and smaller. Yang et al. 2024, arXiv 2308.00783, section 3.2,
    multiply by it once; squared it did better on MOT17.
    """
    top, bottom = np.maximum(a[:, 1], b[:, 1]), np.minimum(a[:, 3], b[:, 3])
    shared = np.maximum(bottom - top, 0)
    heights = a[:, 3] - a[:, 1] + (b[:, 3] - b[:, 1])
    vertical: Array = shared / np.maximum(heights - shared, LEAST_SIZE)
    vertical *= vertical
    vertical *= paired_iou(a, b)
    return vertical


def paired_iou(a: Array, b: Array) -> Array:
    """Intersection over union ``(K,)`` of boxes ``(K, 4)`` and ``(K, 4)``, pair by pair."""
    shared = np.minimum(a[:, 2:], b[:, 2:])
    shared -= np.maximum(a[:, :2], b[:, :2])
    np.maximum(shared, 0, out=shared)
    sides_a, sides_b = a[:, 2:] - a[:, :2], b[:, 2:] - b[:, :2]
    overlap: Array = shared[:, 0] * shared[:, 1]
    union = sides_a[:, 0] * sides_a[:, 1]
    union += sides_b[:, 0] * sides_b[:, 1]
    union -= overlap
    overlap /= np.maximum(union, LEAST_SIZE)
    return overlap


def possible(
    rows: Rows, columns: Rows, alike: Mask, tracks: Mask, detections: Mask, detection_of: Rows, track_of: Rows
) -> Rows:
    """Numbers ``(K,)`` of the pairs that can be made.

    Args:
        rows: ``(P,)`` the tracklet of each pair.
        columns: ``(P,)`` its detection.
        alike: ``(P,)`` pairs that are alike enough.
        tracks: ``(T,)`` tracklets that may be matched.
        detections: ``(M,)`` detections that may be.
        detection_of: ``(T,)`` the detection that each has already, or -1.
        track_of: ``(M,)`` the tracklet that each has already, or -1.
    """
    tracks, detections = tracks & (detection_of < 0), detections & (track_of < 0)
    pairs: Rows = (alike & tracks[rows] & detections[columns]).nonzero()[0]
    return pairs


def fused_costs(overlaps: Array, distances: Vectors, known: Mask, weight: float, gate: float) -> Array:
    """``(1 - w) (1 - overlap) + w min(1, d / gate)`` ``(K,)``, with ``w`` 0 where looks are not known."""
    dissimilarity = np.minimum(distances / gate, 1)
    weights = weight * known
    return (1 - weights) * (1 - overlaps) + weights * dissimilarity


def retire(
    status: NDArray[np.int8],
    ages: NDArray[np.int64],
    has_embedding: Mask,
    longest: int,
    longest_of_known: int,
) -> Mask:
    """Marks confirmed tracklets that were not seen as lost, in place, and says which rows stay ``(N,)``.

    Args:
        status: ``(N,)`` of `Status`.
        ages: ``(N,)`` frames since each was seen.
        has_embedding: ``(N,)`` who is known by looks.
        longest: that others may be lost, frames.
        longest_of_known: that those may be.
    """
    unseen = ages > 0
    status[unseen & (status == Status.CONFIRMED)] = Status.LOST
    too_old = ages > np.where(has_embedding, longest_of_known, longest)
    return ~(unseen & ((status == Status.TENTATIVE) | too_old))


def along_usual(tracks: Vectors, detections: Vectors, known: Mask) -> tuple[Vectors, Vectors, float]:
    """What embeddings have of the usual look u: the mean of the tracks', short while they are few.

    Args:
        tracks: ``(T, D)``.
        detections: ``(M, D)``.
        known: ``(T,)`` the tracks that have one.

    Returns:
        Products with u of the tracks ``(T,)``, of the detections ``(M,)`` and of u itself.
    """
    usual = known.astype(np.float32) @ tracks / np.float32(np.count_nonzero(known) + PRIOR_PEOPLE)
    return tracks @ usual, detections @ usual, float(usual @ usual)


def leads(rows: Rows, columns: Rows, costs: Array) -> Array:
    """How clear the best claims are: for each pair ``(P,)`` the lesser lead within its row and its column.

    The lead within a row is by how much its cheapest pair is cheaper than its second; infinite if it has one.

    Args:
        rows: ``(P,)`` the tracklet of each pair.
        columns: ``(P,)`` its detection.
        costs: ``(P,)`` what it costs.
    """
    return np.minimum(_lead(rows, costs), _lead(columns, costs))


def _lead(keys: Rows, costs: Array) -> Array:
    """For each pair the lead of the cheapest among those with its key ``(P,)``."""
    order = np.lexsort((costs, keys))
    sorted_keys, sorted_costs = keys[order], costs[order]
    follows = sorted_keys[1:] == sorted_keys[:-1]
    second = 1 + (follows & np.concatenate([[True], ~follows[:-1]])[: len(follows)]).nonzero()[0]
    lead = np.full(int(keys.max(initial=-1)) + 1, np.inf)
    lead[sorted_keys[second]] = sorted_costs[second] - sorted_costs[second - 1]
    return lead[keys]


def within_reach(
    tracks: Array,
    boxes: Array,
    ages: NDArray[np.int64],
    classes_a: NDArray[np.int64],
    classes_b: NDArray[np.int64],
    edges: Array,
    speed: float,
    furthest: float,
    size_ratio: float,
) -> Mask:
    """Which tracklets ``(T, 4)`` can be which boxes ``(C, 4)``, both centre x, centre y, width, height.

    Args:
        tracks: where the filter expects them.
        boxes: detected.
        ages: ``(T,)`` frames since each was seen.
        classes_a: ``(T,)`` of the tracklets.
        classes_b: ``(C,)`` of the boxes.
        edges: ``(4,)`` of the picture, corners; beyond them nobody can be seen.
        speed: heights a frame by which the reach grows, from one height on.
        furthest: that it can be, heights.
        size_ratio: between the heights of one person, at most.

    Returns:
        The pairs ``(T, C)`` near enough for the time that has passed, alike in height and of one class.
    """
    height = np.maximum(tracks[:, 3], LEAST_SIDE)
    expected = np.clip(tracks[:, :2], edges[:2], edges[2:])
    offset = expected[:, None] - boxes[:, :2]
    reach = height * np.minimum(1 + speed * ages, furthest)
    ratio = boxes[:, 3] / height[:, None]
    alike: Mask = (ratio <= size_ratio) & (ratio >= 1 / size_ratio)
    alike &= classes_a[:, None] == classes_b
    alike &= np.hypot(offset[..., 0], offset[..., 1]) <= reach[:, None]
    return alike


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
    return centred(products, along_tracks[rows], along_detections[columns], rest)


def centred(products: Vectors, along_a: Vectors, along_b: Vectors, rest: float) -> Vectors:
    """1 - cosine of a - u and b - u, from ``a b``, ``a u``, ``b u`` and ``u u``; overwrites ``products``."""
    products -= along_a
    products -= along_b - rest
    products /= np.sqrt(np.maximum(1 + rest - 2 * along_a, LEAST_SQUARE))
    products /= np.sqrt(np.maximum(1 + rest - 2 * along_b, LEAST_SQUARE))
    return np.subtract(1, products, out=products)


def blend(table: Vectors, rows: Rows, embeddings: Vectors, old_shares: Vectors) -> None:
    """Moves rows of a table ``(N, D)`` towards new embeddings ``(K, D)``, at unit length, in place.

    Args:
        table: of unit rows.
        rows: ``(K,)``, each at most once.
        embeddings: unit rows.
        old_shares: ``(K,)`` how much of the old ones stays.
    """
    old_share = old_shares[:, None]
    blended = table[rows]
    blended *= old_share
    blended += (1 - old_share) * embeddings
    norms = np.sqrt(np.einsum("kd,kd->k", blended, blended))[:, None]
    if norms.min(initial=1) <= LEAST_NORM:  # opposite vectors can cancel out; the new one stands then
        blended = np.where(norms > LEAST_NORM, blended, embeddings)
        norms = np.where(norms > LEAST_NORM, norms, 1)
    blended /= norms
    table[rows] = blended


def extend(furthest: Array, touches: NDArray[np.int64], edges: Array, xyxy: Array) -> None:
    """Takes in where boxes ``(N, 4)`` end, in place.

    Args:
        furthest: ``(4,)`` that boxes ever reached, times `OUTWARDS`.
        touches: ``(4,)`` how many boxes ended there.
        edges: ``(4,)`` of the picture, infinite until enough boxes ended there.
        xyxy: one frame's.
    """
    ends = xyxy * OUTWARDS
    reached = np.maximum(furthest, ends.max(axis=0))
    touches[reached > furthest + SAME_PIXEL] = 0
    touches += (ends >= reached - SAME_PIXEL).sum(axis=0)
    furthest[:] = reached
    edges[:] = np.where(touches >= LEAST_TOUCHES, reached, np.inf) * OUTWARDS


def at_edge(edges: Array, xyxy: Array, margin: float) -> Mask:
    """Which boxes ``(N, 4)`` end nearer to ``edges`` ``(4,)`` than ``margin`` of their widths, or beyond."""
    near = margin * (xyxy[:, 2] - xyxy[:, 0])[:, None]
    return ((edges - xyxy) * OUTWARDS < near).any(axis=1)
