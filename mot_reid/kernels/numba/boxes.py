"""Where boxes lie, and how they overlap, in loops."""

import math

import numpy as np
from numba import types

from mot_reid.kernels.constants import FEW, FURTHEST_CELL, LEAST_SIZE, SPREAD, STRIPES
from mot_reid.kernels.numba.compiling import (
    BOXES,
    CLASSES,
    F4,
    F8,
    FLOATS,
    FOUND,
    PICTURED,
    ROWS,
    WEIGHTS,
    compiled,
    taken,
)

__all__ = [
    "centres",
    "corners",
    "covered_in_front",
    "fullest_stripe",
    "most_shared",
    "mutual_best",
    "similar_pairs",
    "smoothed",
    "velocities",
]


@compiled(types.Array(F8, 2, "C"), BOXES)
def corners(boxes):
    xyxy = np.empty(boxes.shape)
    for n in range(len(boxes)):
        for side in range(2):
            half = boxes[n, 2 + side] / 2
            xyxy[n, side] = boxes[n, side] - half
            xyxy[n, 2 + side] = boxes[n, side] + half
    return xyxy


@compiled(types.Array(F8, 2, "C"), BOXES, ROWS, BOXES, ROWS, FLOATS)
def smoothed(measured, index, predicted, chosen, shares):
    xyxy = np.empty((len(index), 4))
    for k in range(len(index)):
        for side in range(2):
            a, b = measured[index[k]], predicted[chosen[k]]
            place, length = shares[side], shares[2 + side]
            centre = (1 - place) * a[side] + place * b[side]
            half = ((1 - length) * a[2 + side] + length * b[2 + side]) / 2
            xyxy[k, side], xyxy[k, 2 + side] = centre - half, centre + half
    return xyxy


@compiled(types.Array(F4, 2, "C"), taken(F8, 3), ROWS)
def velocities(values, chosen):
    found = np.empty((len(chosen), 2), np.float32)
    for k in range(len(chosen)):
        found[k, 0], found[k, 1] = values[1, 0, chosen[k]], values[1, 1, chosen[k]]
    return found


@compiled(types.Array(F8, 2, "C"), BOXES)
def centres(xyxy):
    boxes = np.empty(xyxy.shape)
    for n in range(len(xyxy)):
        for side in range(2):
            boxes[n, side] = (xyxy[n, side] + xyxy[n, 2 + side]) / 2
            boxes[n, 2 + side] = xyxy[n, 2 + side] - xyxy[n, side]
    return boxes


def _order(a, b):
    """The order in which to go through ``b``, as `_reach` takes it: as they come, or by their left edges."""
    return np.argsort(b[:, 0], kind="stable") if len(a) * len(b) > FEW else np.arange(len(b))


@compiled()
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


@compiled()
def _bisect(ascending, value, after_equals):
    low, high = 0, len(ascending)
    while low < high:
        middle = (low + high) // 2
        if ascending[middle] < value or (after_equals and ascending[middle] == value):
            low = middle + 1
        else:
            high = middle
    return low


@compiled()
def _in_order(b, order):
    """The boxes' edges in this order, each of the four in one piece: ``(4, B)``."""
    edges = np.empty((4, len(b)))
    for k in range(len(b)):
        for side in range(4):
            edges[side, k] = b[order[k], side]
    return edges


@compiled()
def _meeting(a, m, edges, first, last, found):
    """Puts the boxes from ``first`` to ``last`` that overlap box ``m`` into ``found``; says how many.

    No branch, for none could be foreseen: every number is written, and stays if it counts.
    """
    left, top, right, bottom = a[m, 0], a[m, 1], a[m, 2], a[m, 3]
    count = 0
    for k in range(first, last):
        found[count] = k
        beside = (edges[0, k] < right) & (edges[2, k] > left)
        count += beside & (edges[1, k] < bottom) & (edges[3, k] > top)
    return count


@compiled()
def _iou(a, m, b, n):
    width = max(min(a[m, 2], b[n, 2]) - max(a[m, 0], b[n, 0]), 0.0)
    height = max(min(a[m, 3], b[n, 3]) - max(a[m, 1], b[n, 1]), 0.0)
    union = (a[m, 2] - a[m, 0]) * (a[m, 3] - a[m, 1]) + (b[n, 2] - b[n, 0]) * (b[n, 3] - b[n, 1])
    return width * height / max(union - width * height, LEAST_SIZE)


@compiled()
def _similarity(a, m, b, n):
    shared = max(min(a[m, 3], b[n, 3]) - max(a[m, 1], b[n, 1]), 0.0)
    heights = a[m, 3] - a[m, 1] + (b[n, 3] - b[n, 1])
    vertical = shared / max(heights - shared, LEAST_SIZE)
    return vertical * vertical * _iou(a, m, b, n)


@compiled(types.Tuple((FOUND, FOUND, types.Array(F8, 1, "C"))), BOXES, BOXES, ROWS)
def _similar_pairs(a, b, order):
    (first, last), edges = _reach(a, b, order), _in_order(b, order)
    room = (last - first).sum()
    rows, columns, similar = np.empty(room, np.intp), np.empty(room, np.intp), np.empty(room)
    meeting, count = np.empty(len(b), np.intp), 0
    for m in range(len(a)):
        for k in meeting[: _meeting(a, m, edges, first[m], last[m], meeting)]:
            n = order[k]
            rows[count], columns[count] = m, n
            similar[count] = _similarity(a, m, b, n)
            count += 1
    return rows[:count], columns[:count], similar[:count]


def similar_pairs(a, b):
    return _similar_pairs(a, b, _order(a, b))


@compiled(types.Array(F8, 1, "C"), BOXES, BOXES, ROWS)
def _covered_in_front(xyxy, others, order):
    (first, last), edges = _reach(xyxy, others, order), _in_order(others, order)
    covered, meeting = np.zeros(len(xyxy)), np.empty(len(others), np.intp)
    for m in range(len(xyxy)):
        width = max(xyxy[m, 2] - xyxy[m, 0], LEAST_SIZE)
        height = max(xyxy[m, 3] - xyxy[m, 1], LEAST_SIZE)
        for k in meeting[: _meeting(xyxy, m, edges, first[m], last[m], meeting)]:
            n = order[k]
            if xyxy[m, 3] < others[n, 3]:
                wide = max(min(xyxy[m, 2], others[n, 2]) - max(xyxy[m, 0], others[n, 0]), 0.0)
                high = max(min(xyxy[m, 3], others[n, 3]) - max(xyxy[m, 1], others[n, 1]), 0.0)
                covered[m] = max(covered[m], wide / width * (high / height))
    return covered


def covered_in_front(xyxy, others):
    return _covered_in_front(xyxy, others, _order(xyxy, others))


@compiled(types.intp, BOXES)
def fullest_stripe(xyxy):
    counts = np.zeros(STRIPES, np.intp)
    for n in range(len(xyxy)):
        width = xyxy[n, 2] - xyxy[n, 0]
        octave = math.frexp(math.sqrt(width * (xyxy[n, 3] - xyxy[n, 1])))[1]
        place = math.floor((xyxy[n, 0] + width / 2) * math.ldexp(1.0, -octave))
        cell = int(max(min(place, FURTHEST_CELL), -FURTHEST_CELL))
        counts[(cell + octave * SPREAD) % STRIPES] += 1
    return counts.max()


@compiled(types.Tuple((FOUND, FOUND)), BOXES, BOXES, ROWS, F8)
def _mutual_best(a, b, order, least):
    (first, last), edges = _reach(a, b, order), _in_order(b, order)
    best_of_rows, best_of_columns = np.zeros(len(a)), np.zeros(len(b))
    meeting = np.empty(len(b), np.intp)
    for m in range(len(a)):
        for k in meeting[: _meeting(a, m, edges, first[m], last[m], meeting)]:
            n = order[k]
            overlap = _iou(a, m, b, n)
            best_of_rows[m] = max(best_of_rows[m], overlap)
            best_of_columns[n] = max(best_of_columns[n], overlap)
    room = (last - first).sum()
    rows, columns = np.empty(room, np.intp), np.empty(room, np.intp)
    count = 0
    for m in range(len(a)):
        if best_of_rows[m] <= least:
            continue
        for k in meeting[: _meeting(a, m, edges, first[m], last[m], meeting)]:
            n = order[k]
            overlap = _iou(a, m, b, n)
            if overlap == best_of_rows[m] and overlap == best_of_columns[n]:
                rows[count], columns[count] = m, n
                count += 1
    return rows[:count], columns[:count]


def mutual_best(a, b, least):
    return _mutual_best(a, b, _order(a, b), least)


@compiled(WEIGHTS, PICTURED, CLASSES, ROWS, ROWS)
def most_shared(xyxy, classes, some, others):
    most = np.zeros(len(some), np.float32)
    for k in range(len(some)):
        a = xyxy[some[k]]
        for other in others:
            b = xyxy[other]
            width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            if width > 0 and height > 0 and classes[some[k]] == classes[other]:
                shared = width * height
                union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
                most[k] = max(most[k], shared / union)
    return most
