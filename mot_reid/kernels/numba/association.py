"""Which tracklet can be which detection, what a pair costs, and who goes, in loops."""

import math

import numpy as np
from numba import types

from mot_reid.kernels.constants import LEAST_SIDE, Status
from mot_reid.kernels.numba.compiling import (
    B1,
    BOXES,
    CLASSES,
    F4,
    F8,
    FLOATS,
    FOUND,
    I8,
    MASKS,
    ROWS,
    SINGLES,
    compiled,
    taken,
)

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

_FLAGS, _COUNTS, _REALS = types.Array(B1, 1, "A"), types.Array(I8, 1, "A"), types.Array(F8, 1, "A")
_SEEN = types.Tuple(
    (
        *(_FLAGS, _COUNTS, types.Array(types.int8, 1, "A"), types.Array(F8, 2, "A"), _REALS),
        *(types.Array(F4, 1, "A"), _FLAGS, _REALS, _COUNTS),
    )
)

# numba takes numbers from outside, not classes.
_TENTATIVE, _CONFIRMED, _LOST = Status.TENTATIVE, Status.CONFIRMED, Status.LOST


@compiled(types.Array(F8, 1, "C"), FLOATS, ROWS, F8, F8)
def lost_costs(ages, rows, since, a_second):
    costs = np.empty(len(rows))
    for k in range(len(rows)):
        costs[k] = max(ages[rows[k]] - since, 0.0) * a_second
    return costs


@compiled(types.UniTuple(F8, 2), FLOATS)
def powers(levels):
    squares, cubes = 0.0, 0.0
    for level in levels:
        square = level * level
        squares += square
        cubes += square * level
    return squares, cubes


@compiled(FOUND, taken(types.int8, 1), FLOATS, CLASSES, MASKS, F8, types.UniTuple(I8, 2))
def confirmable(status, last_seen, hits, activated, time, least):
    enough, count = np.empty(len(status), np.intp), 0
    for n in range(len(status)):
        waits = status[n] == _TENTATIVE and last_seen[n] == time
        if waits and hits[n] >= (least[0] if activated[n] else least[1]):
            enough[count] = n
            count += 1
    return enough[:count]


@compiled(types.Array(B1, 1, "C"), types.Array(types.int8, 1, "A"), FLOATS, MASKS, F8, F8, F8)
def retire(status, last_seen, has_embedding, time, longest, longest_of_known):
    stays = np.ones(len(status), np.bool_)
    for n in range(len(status)):
        age = time - last_seen[n]
        if age > 0:
            if status[n] == _CONFIRMED:
                status[n] = _LOST
            too_old = age > (longest_of_known if has_embedding[n] else longest)
            stays[n] = status[n] != _TENTATIVE and not too_old
    return stays


@compiled(
    types.Array(B1, 2, "C"),
    *(BOXES, BOXES, CLASSES, CLASSES, FLOATS, F8),
)
def within_reach(tracks, boxes, classes_a, classes_b, edges, reach):
    near = np.zeros((len(tracks), len(boxes)), np.bool_)
    for m in range(len(tracks)):
        height = max(tracks[m, 3], LEAST_SIDE)
        x = min(max(tracks[m, 0], edges[0]), edges[2])
        y = min(max(tracks[m, 1], edges[1]), edges[3])
        for n in range(len(boxes)):
            if classes_a[m] == classes_b[n]:
                near[m, n] = math.hypot(x - boxes[n, 0], y - boxes[n, 1]) <= reach * height
    return near


@compiled()
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


@compiled(types.Array(F8, 1, "C"), ROWS, ROWS, FLOATS)
def leads(rows, columns, costs):
    found = np.empty(len(rows))
    if len(rows):
        by_row, by_column = _two_least(rows, costs), _two_least(columns, costs)
        for k in range(len(rows)):
            m, n = rows[k], columns[k]
            found[k] = min(by_row[1, m] - by_row[0, m], by_column[1, n] - by_column[0, n])
    return found


@compiled(
    types.Tuple((FOUND, FOUND, types.Array(F8, 1, "C"))),
    ROWS,
    ROWS,
    FLOATS,
    MASKS,
    MASKS,
    F8,
    taken(types.int8, 1),
    F8,
)
def candidates(rows, columns, overlaps, tracks, detections, least, status, least_of_lost):
    some, others, shared = np.empty(len(rows), np.intp), np.empty(len(rows), np.intp), np.empty(len(rows))
    alike, lower, count = least == least_of_lost, min(least, least_of_lost), 0
    for k in range(len(rows)):
        if not (overlaps[k] > lower and tracks[rows[k]] and detections[columns[k]]):
            continue
        if alike or overlaps[k] > (least_of_lost if status[rows[k]] == _LOST else least):
            some[count], others[count], shared[count] = rows[k], columns[k], overlaps[k]
            count += 1
    return some[:count], others[:count], shared[:count]


@compiled(types.Array(F8, 1, "C"), FLOATS, SINGLES, F8, F8)
def fused_costs(overlaps, distances, weight, gate):
    costs = np.empty(len(overlaps))
    for k in range(len(overlaps)):
        costs[k] = 1 - overlaps[k]
        if not math.isnan(distances[k]):
            dissimilarity = min(distances[k] / np.float32(gate), np.float32(1))
            costs[k] = (1 - weight) * costs[k] + weight * dissimilarity
    return costs


@compiled(B1, CLASSES, BOXES, ROWS, CLASSES, ROWS)
def disputed(class_ids, votes, rows, classes, detections):
    for k in range(len(rows)):
        if class_ids[rows[k]] != classes[detections[k]] or votes[rows[k], 0] > 0:
            return True
    return False


@compiled(types.void, ROWS, ROWS, MASKS, SINGLES, MASKS, F8, I8, _SEEN)
def mark_seen(rows, detections, activating, scores, at_edge, time, given_ids, columns):
    activated, hits, status, drift, carried, score, cut_off, last_seen, newcomers = columns
    for k in range(len(rows)):
        n, m = rows[k], detections[k]
        if activating[m] and not activated[n]:
            activated[n], hits[n] = True, 0
        hits[n] += 1
        drift[n, 0], drift[n, 1], carried[n] = 0.0, 0.0, 0.0
        score[n], cut_off[n] = scores[m], at_edge[m]
        last_seen[n], newcomers[n] = time, given_ids
        if status[n] == _LOST:
            status[n] = _CONFIRMED


def remembered(rows, detections, views, columns, most_covered):
    covered, embeddable, known = views
    if known is None:
        _remembered(rows, detections, covered, embeddable, embeddable, *columns, most_covered)
        return rows[:0], detections[:0]
    return _remembered(rows, detections, covered, embeddable, known, *columns, most_covered)


@compiled(types.Tuple((FOUND, FOUND)), ROWS, ROWS, FLOATS, MASKS, MASKS, MASKS, _COUNTS, F8)
def _remembered(rows, detections, covered, embeddable, known, has_embedding, unembedded, most_covered):
    whose, of, count = np.empty(len(rows), np.intp), np.empty(len(rows), np.intp), 0
    for k in range(len(rows)):
        n, m = rows[k], detections[k]
        if not embeddable[m] or (covered[m] > most_covered and has_embedding[n]):
            continue
        unembedded[n] += 1
        if known[m]:
            whose[count], of[count] = n, m
            count += 1
    return whose[:count], of[:count]


@compiled(types.Tuple((FOUND, FOUND)), ROWS, taken(types.int8, 1))
def reported(track_of, status):
    index, chosen, count = np.empty(len(track_of), np.intp), np.empty(len(track_of), np.intp), 0
    for m in range(len(track_of)):
        if track_of[m] >= 0 and status[track_of[m]] == _CONFIRMED:
            index[count], chosen[count] = m, track_of[m]
            count += 1
    return index[:count], chosen[:count]


@compiled(
    types.Tuple((FOUND, FOUND)),
    types.Tuple((types.Array(types.int8, 1, "A"), _FLAGS, _COUNTS, _FLAGS, _REALS, _REALS)),
    *(I8, F8, F8),
)
def may_return(columns, count, since, time):
    status, has_embedding, unembedded, returned, born, last_seen = columns
    lost, losses, earliest = np.empty(count, np.intp), 0, np.inf
    for n in range(count):
        if status[n] == _LOST and has_embedding[n]:
            lost[losses] = n
            losses += 1
            earliest = min(earliest, last_seen[n])
    young, found = np.empty(len(status), np.intp), 0
    for n in range(len(status)):
        lately = born[n] > since and born[n] > earliest
        fresh = lately and has_embedding[n] and unembedded[n] == 0 and not returned[n]
        if fresh and last_seen[n] == time and status[n] == _CONFIRMED:
            young[found] = n
            found += 1
    return young[:found], lost[: losses if found else 0]


@compiled(FOUND, MASKS, MASKS, FLOATS, F8, CLASSES, MASKS, F8, F8)
def missed_lately(free, settled, ages, longest, hits, at_edge, first_hit, per_hit):
    missed, count = np.empty(len(free), np.intp), 0
    for n in range(len(free)):
        missing = free[n] and settled[n] and ages[n] <= longest and not at_edge[n]
        if missing and ages[n] - first_hit <= per_hit * hits[n]:
            missed[count] = n
            count += 1
    return missed[:count]
