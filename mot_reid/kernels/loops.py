"""The kernels as loops for numba: each does what its namesake in ``plain`` says, and tests hold it to that.

Compiled when this file is imported, and kept in ``__pycache__`` beside it, or in the cache of the user where
that cannot be written: it takes seconds once, and a fraction of one from then on.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types

from mot_reid.kernels.plain import (
    FEW,
    LEAST_NORM,
    LEAST_SCORE,
    LEAST_SIDE,
    LEAST_SIZE,
    LEAST_SQUARE,
    LEAST_TOUCHES,
    PRIOR_PEOPLE,
    SAME_PIXEL,
    Status,
)

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
    "pair_distances",
    "possible",
    "predict",
    "retire",
    "similar_pairs",
    "smoothed",
    "update",
    "warp",
    "within_reach",
]


def _taken(dtype: Any, dimensions: int, layout: str = "A", aligned: bool = True) -> Any:
    """An argument that is read only: the user's own array may be one that cannot be written."""
    return types.Array(dtype, dimensions, layout, readonly=True, aligned=aligned)


# numba takes numbers from outside, not classes.
_TENTATIVE, _CONFIRMED, _LOST = Status.TENTATIVE, Status.CONFIRMED, Status.LOST

_f8, _f4, _i8, _b1 = types.float64, types.float32, types.int64, types.boolean
_boxes, _rows, _classes = _taken(_f8, 2), _taken(types.intp, 1), _taken(_i8, 1, aligned=False)
_floats, _singles, _vectors = _taken(_f8, 1), _taken(_f4, 1), _taken(_f4, 2, "C")
_masks = _taken(_b1, 1)
_found, _weights = types.Array(types.intp, 1, "C"), types.Array(_f4, 1, "C")


def _compiled(*signature: Any, fast: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compiles for one signature, the result's type first; no signature: for whoever calls it in here."""
    options: dict[str, Any] = {"error_model": "numpy"}
    if fast:  # sums may be taken in any order
        options["fastmath"] = {"reassoc", "nsz", "contract"}
    if not signature:
        return njit(inline="never", **options)
    result, *arguments = signature

    def compile_it(function: Callable[..., Any]) -> Any:
        try:
            return njit(result(*arguments), cache=True, **options)(function)
        except Exception:  # nowhere to keep it, or what was kept there is damaged
            return njit(result(*arguments), **options)(function)

    return compile_it


@_compiled(types.void, types.Array(_f8, 3, "A"), _f8, _f8)
def predict(values, position_variance, velocity_variance):
    for n in range(values.shape[2]):
        for side in range(2):
            length = max(values[0, 2 + side, n], LEAST_SIDE)
            square = length * length
            for axis in (side, 2 + side):
                values[0, axis, n] += values[1, axis, n]
                values[2, axis, n] += values[3, axis, n]
                values[3, axis, n] += values[4, axis, n]
                values[2, axis, n] += values[3, axis, n]
                values[2, axis, n] += position_variance * square
                values[4, axis, n] += velocity_variance * square


@_compiled(types.void, types.Array(_f8, 3, "A"), _rows, _boxes, _floats, _f8)
def update(values, rows, measured, scores, position_variance):
    for k in range(len(rows)):
        n = rows[k]
        score = max(scores[k], LEAST_SCORE)
        for side in range(2):
            length = max(values[0, 2 + side, n], LEAST_SIDE)
            noise = position_variance * (length * length) / (score * score)
            for axis in (side, 2 + side):
                p_xx, p_xv = values[2, axis, n], values[3, axis, n]
                variance = noise + p_xx
                gain_x, gain_v = p_xx / variance, p_xv / variance
                innovation = measured[k, axis] - values[0, axis, n]
                values[0, axis, n] += gain_x * innovation
                values[1, axis, n] += gain_v * innovation
                values[4, axis, n] -= gain_v * p_xv
                values[3, axis, n] -= gain_x * p_xv
                values[2, axis, n] -= gain_x * p_xx


@_compiled(types.void, types.Array(_f8, 3, "A"), _boxes)
def warp(values, affine):
    a, b, c, d = affine[0, 0], affine[0, 1], affine[1, 0], affine[1, 1]
    scale = abs(a * d - b * c)
    length = math.sqrt(scale)
    for n in range(values.shape[2]):
        for k in range(2):
            x, y = values[k, 0, n], values[k, 1, n]
            values[k, 0, n] = a * x + b * y
            values[k, 1, n] = c * x + d * y
            values[k, 2, n] *= length
            values[k, 3, n] *= length
        values[0, 0, n] += affine[0, 2]
        values[0, 1, n] += affine[1, 2]
        for k in range(2, 5):
            x, y = values[k, 0, n], values[k, 1, n]
            values[k, 0, n] = a * a * x + b * b * y
            values[k, 1, n] = c * c * x + d * d * y
            values[k, 2, n] *= scale
            values[k, 3, n] *= scale


@_compiled(types.Array(_f8, 2, "C"), _boxes)
def corners(boxes):
    xyxy = np.empty(boxes.shape)
    for n in range(len(boxes)):
        for side in range(2):
            half = boxes[n, 2 + side] / 2
            xyxy[n, side] = boxes[n, side] - half
            xyxy[n, 2 + side] = boxes[n, side] + half
    return xyxy


@_compiled(types.Array(_f8, 2, "C"), _boxes, _rows, _boxes, _rows, _f8)
def smoothed(measured, index, predicted, chosen, share):
    xyxy = np.empty((len(index), 4))
    for k in range(len(index)):
        for side in range(2):
            a, b = measured[index[k]], predicted[chosen[k]]
            centre = (1 - share) * a[side] + share * b[side]
            half = ((1 - share) * a[2 + side] + share * b[2 + side]) / 2
            xyxy[k, side], xyxy[k, 2 + side] = centre - half, centre + half
    return xyxy


@_compiled(types.Array(_f8, 2, "C"), _boxes)
def centres(xyxy):
    boxes = np.empty(xyxy.shape)
    for n in range(len(xyxy)):
        for side in range(2):
            boxes[n, side] = (xyxy[n, side] + xyxy[n, 2 + side]) / 2
            boxes[n, 2 + side] = xyxy[n, 2 + side] - xyxy[n, side]
    return boxes


@_compiled(types.void, types.Array(_f8, 2, "A"), types.Array(_f8, 1, "A"), _boxes, _taken(_f8, 3))
def carry(drift, carried, before, values):
    for n in range(len(drift)):
        for axis in range(2):
            drift[n, axis] += values[0, axis, n] - before[axis, n]
        length = math.hypot(drift[n, 0], drift[n, 1])
        carried[n] = max(carried[n], length / max(values[0, 3, n], 1.0))


def _order(a, b):
    """The order in which to go through ``b``, as `_reach` takes it: as they come, or by their left edges."""
    return np.argsort(b[:, 0], kind="stable") if len(a) * len(b) > FEW else np.arange(len(b))


@_compiled()
def _reach(a, b, order):
    """Of ``b``, in ``order``, only the boxes from ``first`` to ``last`` can overlap each box of ``a``."""
    first, last = np.zeros(len(a), np.intp), np.empty(len(a), np.intp)
    if len(a) * len(b) <= FEW:
        last[:] = len(b)
        return first, last
    left, right = np.empty(len(b)), np.empty(len(b))
    furthest = -np.inf
    for k in range(len(b)):
        furthest = max(furthest, b[order[k], 2])
        left[k], right[k] = b[order[k], 0], furthest
    for m in range(len(a)):
        first[m] = _bisect(right, a[m, 0], True)
        last[m] = max(_bisect(left, a[m, 2], False), first[m])
    return first, last


@_compiled()
def _bisect(ascending, value, after_equals):
    low, high = 0, len(ascending)
    while low < high:
        middle = (low + high) // 2
        if ascending[middle] < value or (after_equals and ascending[middle] == value):
            low = middle + 1
        else:
            high = middle
    return low


@_compiled()
def _in_order(b, order):
    """The boxes' edges in this order, each of the four in one piece: ``(4, B)``."""
    edges = np.empty((4, len(b)))
    for k in range(len(b)):
        for side in range(4):
            edges[side, k] = b[order[k], side]
    return edges


@_compiled()
def _overlap(a, m, edges, k):
    if not (edges[0, k] < a[m, 2] and edges[2, k] > a[m, 0]):
        return False
    return edges[1, k] < a[m, 3] and edges[3, k] > a[m, 1]


@_compiled()
def _iou(a, m, b, n):
    width = max(min(a[m, 2], b[n, 2]) - max(a[m, 0], b[n, 0]), 0.0)
    height = max(min(a[m, 3], b[n, 3]) - max(a[m, 1], b[n, 1]), 0.0)
    union = (a[m, 2] - a[m, 0]) * (a[m, 3] - a[m, 1]) + (b[n, 2] - b[n, 0]) * (b[n, 3] - b[n, 1])
    return width * height / max(union - width * height, LEAST_SIZE)


@_compiled()
def _similarity(a, m, b, n):
    shared = max(min(a[m, 3], b[n, 3]) - max(a[m, 1], b[n, 1]), 0.0)
    heights = a[m, 3] - a[m, 1] + (b[n, 3] - b[n, 1])
    vertical = shared / max(heights - shared, LEAST_SIZE)
    return vertical * vertical * _iou(a, m, b, n)


@_compiled(types.Tuple((_found, _found, types.Array(_f8, 1, "C"))), _boxes, _boxes, _rows, _classes, _classes)
def _similar_pairs(a, b, order, classes_a, classes_b):
    (first, last), edges = _reach(a, b, order), _in_order(b, order)
    room = (last - first).sum()
    rows, columns, similar = np.empty(room, np.intp), np.empty(room, np.intp), np.empty(room)
    count = 0
    for m in range(len(a)):
        for k in range(first[m], last[m]):
            n = order[k]
            if _overlap(a, m, edges, k) and classes_a[m] == classes_b[n]:
                rows[count], columns[count] = m, n
                similar[count] = _similarity(a, m, b, n)
                count += 1
    return rows[:count], columns[:count], similar[:count]


def similar_pairs(a, b, classes_a, classes_b):
    return _similar_pairs(a, b, _order(a, b), classes_a, classes_b)


@_compiled(types.Array(_f8, 1, "C"), _boxes, _boxes, _rows)
def _covered_in_front(xyxy, others, order):
    (first, last), edges = _reach(xyxy, others, order), _in_order(others, order)
    covered = np.zeros(len(xyxy))
    for m in range(len(xyxy)):
        width = max(xyxy[m, 2] - xyxy[m, 0], LEAST_SIZE)
        height = max(xyxy[m, 3] - xyxy[m, 1], LEAST_SIZE)
        for k in range(first[m], last[m]):
            n = order[k]
            if _overlap(xyxy, m, edges, k) and xyxy[m, 3] < others[n, 3]:
                wide = max(min(xyxy[m, 2], others[n, 2]) - max(xyxy[m, 0], others[n, 0]), 0.0)
                high = max(min(xyxy[m, 3], others[n, 3]) - max(xyxy[m, 1], others[n, 1]), 0.0)
                covered[m] = max(covered[m], wide / width * (high / height))
    return covered


def covered_in_front(xyxy, others):
    return _covered_in_front(xyxy, others, _order(xyxy, others))


@_compiled(types.Tuple((_found, _found)), _boxes, _boxes, _rows, _f8)
def _mutual_best(a, b, order, least):
    (first, last), edges = _reach(a, b, order), _in_order(b, order)
    best_of_rows, best_of_columns = np.zeros(len(a)), np.zeros(len(b))
    for m in range(len(a)):
        for k in range(first[m], last[m]):
            n = order[k]
            if _overlap(a, m, edges, k):
                overlap = _iou(a, m, b, n)
                best_of_rows[m] = max(best_of_rows[m], overlap)
                best_of_columns[n] = max(best_of_columns[n], overlap)
    room = (last - first).sum()
    rows, columns = np.empty(room, np.intp), np.empty(room, np.intp)
    count = 0
    for m in range(len(a)):
        if best_of_rows[m] <= least:
            continue
        for k in range(first[m], last[m]):
            n = order[k]
            if not _overlap(a, m, edges, k):
                continue
            overlap = _iou(a, m, b, n)
            if overlap == best_of_rows[m] and overlap == best_of_columns[n]:
                rows[count], columns[count] = m, n
                count += 1
    return rows[:count], columns[:count]


def mutual_best(a, b, least):
    return _mutual_best(a, b, _order(a, b), least)


@_compiled(types.Array(_b1, 1, "C"), types.Array(types.int8, 1, "A"), _taken(_i8, 1), _masks, _i8, _i8)
def retire(status, ages, has_embedding, longest, longest_of_known):
    stays = np.ones(len(status), np.bool_)
    for n in range(len(status)):
        if ages[n] > 0:
            if status[n] == _CONFIRMED:
                status[n] = _LOST
            too_old = ages[n] > (longest_of_known if has_embedding[n] else longest)
            stays[n] = status[n] != _TENTATIVE and not too_old
    return stays


@_compiled(
    types.Array(_b1, 2, "C"),
    *(_boxes, _boxes, _taken(_i8, 1), _classes, _classes, _floats),
    *(_f8, _f8, _f8),
)
def within_reach(tracks, boxes, ages, classes_a, classes_b, edges, speed, furthest, size_ratio):
    alike = np.zeros((len(tracks), len(boxes)), np.bool_)
    for m in range(len(tracks)):
        height = max(tracks[m, 3], LEAST_SIDE)
        x = min(max(tracks[m, 0], edges[0]), edges[2])
        y = min(max(tracks[m, 1], edges[1]), edges[3])
        reach = height * min(1 + speed * ages[m], furthest)
        for n in range(len(boxes)):
            ratio = boxes[n, 3] / height
            if classes_a[m] == classes_b[n] and 1 / size_ratio <= ratio <= size_ratio:
                alike[m, n] = math.hypot(x - boxes[n, 0], y - boxes[n, 1]) <= reach
    return alike


@_compiled()
def _two_least(keys, costs):
    """The least and the second least cost of each key: ``(2, K)``, infinite where there is none."""
    least = np.full((2, keys.max() + 1), np.inf)
    for k in range(len(keys)):
        key, cost = keys[k], costs[k]
        if cost < least[0, key]:
            least[0, key], least[1, key] = cost, least[0, key]
        elif cost < least[1, key]:
            least[1, key] = cost
    return least


@_compiled(types.Array(_f8, 1, "C"), _rows, _rows, _floats)
def leads(rows, columns, costs):
    found = np.empty(len(rows))
    if len(rows):
        by_row, by_column = _two_least(rows, costs), _two_least(columns, costs)
        for k in range(len(rows)):
            m, n = rows[k], columns[k]
            found[k] = min(by_row[1, m] - by_row[0, m], by_column[1, n] - by_column[0, n])
    return found


@_compiled(_found, _rows, _rows, _masks, _masks, _masks, _rows, _rows)
def possible(rows, columns, alike, tracks, detections, detection_of, track_of):
    pairs = np.empty(len(rows), np.intp)
    count = 0
    for k in range(len(rows)):
        m, n = rows[k], columns[k]
        if alike[k] and tracks[m] and detections[n] and detection_of[m] < 0 and track_of[n] < 0:
            pairs[count] = k
            count += 1
    return pairs[:count]


@_compiled(types.Array(_f8, 1, "C"), _floats, _singles, _masks, _f8, _f8)
def fused_costs(overlaps, distances, known, weight, gate):
    costs = np.empty(len(overlaps))
    for k in range(len(overlaps)):
        share = weight if known[k] else 0.0
        costs[k] = (1 - share) * (1 - overlaps[k]) + share * min(
            distances[k] / np.float32(gate), np.float32(1)
        )
    return costs


@_compiled(fast=True)
def _product(a, m, b, n):
    total = np.float32(0)
    for k in range(a.shape[1]):
        total += a[m, k] * b[n, k]
    return total


@_compiled(types.Tuple((_weights, _weights, _f8)), _vectors, _vectors, _masks)
def along_usual(tracks, detections, known):
    usual = np.zeros((1, tracks.shape[1]), np.float32)
    people = PRIOR_PEOPLE
    for n in range(len(tracks)):
        if known[n]:
            people += 1
            for d in range(tracks.shape[1]):
                usual[0, d] += tracks[n, d]
    for d in range(tracks.shape[1]):
        usual[0, d] /= np.float32(people)
    along_tracks, along_detections = np.empty(len(tracks), np.float32), np.empty(len(detections), np.float32)
    for n in range(len(tracks)):
        along_tracks[n] = _product(tracks, n, usual, 0)
    for n in range(len(detections)):
        along_detections[n] = _product(detections, n, usual, 0)
    return along_tracks, along_detections, _product(usual, 0, usual, 0)


@_compiled(types.Array(_f4, 1, "C"), _vectors, _vectors, _rows, _rows, _singles, _singles, _f4)
def pair_distances(tracks, detections, rows, columns, along_tracks, along_detections, rest):
    distances = np.empty(len(rows), np.float32)
    one, two, least = np.float32(1), np.float32(2), np.float32(LEAST_SQUARE)
    for k in range(len(rows)):
        m, n = rows[k], columns[k]
        along_a, along_b = along_tracks[m], along_detections[n]
        product = _product(tracks, m, detections, n) - along_a - (along_b - rest)
        product /= np.sqrt(max(one + rest - two * along_a, least))
        product /= np.sqrt(max(one + rest - two * along_b, least))
        distances[k] = one - product
    return distances


@_compiled(types.void, types.Array(_f4, 2, "C"), _rows, _vectors, _singles)
def blend(table, rows, embeddings, old_shares):
    for k in range(len(rows)):
        n, old = rows[k], old_shares[k]
        new = np.float32(1) - old
        for d in range(table.shape[1]):
            table[n, d] = old * table[n, d] + new * embeddings[k, d]
        norm = np.sqrt(_product(table, n, table, n))
        if norm > np.float32(LEAST_NORM):
            for d in range(table.shape[1]):
                table[n, d] /= norm
        else:
            for d in range(table.shape[1]):
                table[n, d] = embeddings[k, d]


@_compiled(types.void, types.Array(_f8, 1, "A"), types.Array(_i8, 1, "A"), types.Array(_f8, 1, "A"), _boxes)
def extend(furthest, touches, edges, xyxy):
    for side in range(4):
        sign = -1.0 if side < 2 else 1.0
        reached = furthest[side]
        for n in range(len(xyxy)):
            reached = max(reached, sign * xyxy[n, side])
        if reached > furthest[side] + SAME_PIXEL:
            touches[side] = 0
        for n in range(len(xyxy)):
            touches[side] += sign * xyxy[n, side] >= reached - SAME_PIXEL
        furthest[side] = reached
        edges[side] = sign * (reached if touches[side] >= LEAST_TOUCHES else np.inf)


@_compiled(types.Array(_b1, 1, "C"), _floats, _boxes, _f8)
def at_edge(edges, xyxy, margin):
    near_edge = np.zeros(len(xyxy), np.bool_)
    for n in range(len(xyxy)):
        near = margin * (xyxy[n, 2] - xyxy[n, 0])
        for side in range(4):
            sign = -1.0 if side < 2 else 1.0
            near_edge[n] |= (edges[side] - xyxy[n, side]) * sign < near
    return near_edge


@_compiled(_found, _rows, _rows, _floats, _f8)
def assign_pairs(rows, columns, costs, limit):
    """The Hungarian method on pairs: row by row the shortest augmenting path (Jonker and Volgenant 1987).

    To go without a column costs a row nothing and each pair less than nothing. A path ends at a column that
    nobody has, or at a row that goes without from then on.
    """
    height, width = 0, 0
    for k in range(len(rows)):
        height, width = max(height, rows[k] + 1), max(width, columns[k] + 1)
    starts = np.zeros(height + 1, np.intp)  # of each row's pairs
    for k in range(len(rows)):
        starts[rows[k] + 1] += 1
    for row in range(height):
        starts[row + 1] += starts[row]
    row_price, column_price = np.zeros(height), np.zeros(width)
    pair_of, owner = np.full(height, -1), np.full(width, -1)  # of rows, of columns
    length, through = (
        np.full(width, np.inf),
        np.empty(width, np.intp),
    )  # of the path to each column; its last pair
    settled, reached = np.zeros(width, np.bool_), np.empty(width, np.intp)
    for new in range(height):
        row, so_far, count = new, 0.0, 0
        loser, loss = new, np.inf
        while True:
            if so_far - row_price[row] < loss:
                loser, loss = row, so_far - row_price[row]
            for k in range(starts[row], starts[row + 1]):
                column, cost = columns[k], costs[k] - limit
                if cost >= 0 or settled[column]:
                    continue
                if length[column] == np.inf:
                    reached[count] = column
                    count += 1
                distance = so_far + cost - row_price[row] - column_price[column]
                if distance < length[column]:
                    length[column], through[column] = distance, k
            nearest = -1
            for k in range(count):
                column = reached[k]
                if not settled[column] and (nearest < 0 or length[column] < length[nearest]):
                    nearest = column
            if nearest < 0 or loss <= length[nearest]:
                so_far, nearest = loss, -1
                break
            so_far = length[nearest]
            if owner[nearest] < 0:
                break
            settled[nearest] = True
            row = owner[nearest]
        row_price[new] += so_far
        for k in range(count):
            column = reached[k]
            if settled[column]:
                row_price[owner[column]] += so_far - length[column]
                column_price[column] -= so_far - length[column]
            length[column], settled[column] = np.inf, False
        if nearest < 0 and loser != new:
            nearest, pair_of[loser] = columns[pair_of[loser]], -1
        while nearest >= 0:
            k = through[nearest]
            row = rows[k]
            owner[nearest] = row
            before, pair_of[row] = pair_of[row], k
            nearest = columns[before] if row != new else -1
    return pair_of[pair_of >= 0]
