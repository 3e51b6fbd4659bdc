"""Distances of appearance and averages of embeddings, in loops."""

import numpy as np
from numba import types

from mot_reid.kernels.constants import LEAST_NORM, LEAST_SIDE, LEAST_SQUARE, ROUNDING
from mot_reid.kernels.numba.compiling import (
    B1,
    BOXES,
    F4,
    F8,
    FLOATS,
    FOUND,
    I8,
    MASKS,
    ROWS,
    SINGLES,
    VECTORS,
    WEIGHTS,
    compiled,
    taken,
)

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

_FLAGS, _COUNTS = types.Array(B1, 1, "A"), types.Array(I8, 1, "A")
_REALS = taken(F8, 1)


@compiled(fast=True)
def _product(a, m, b, n):
    total = np.float32(0)
    for k in range(a.shape[1]):
        total += a[m, k] * b[n, k]
    return total


@compiled()
def _distance(product, along_a, along_b, rest):
    """1 - cosine of a - u and b - u, from ``a b``, ``a u``, ``b u`` and ``u u``."""
    one, two, least = np.float32(1), np.float32(2), np.float32(LEAST_SQUARE)
    product = product - along_a - (along_b - rest)
    product /= np.sqrt(max(one + rest - two * along_a, least))
    product /= np.sqrt(max(one + rest - two * along_b, least))
    return one - product


@compiled()
def _rank(least, key, distance):
    """Takes a distance in among the least and the second least ``(2, K)`` of its key."""
    if distance < least[0, key]:
        least[0, key], least[1, key] = distance, least[0, key]
    elif distance < least[1, key]:
        least[1, key] = distance


@compiled(types.Array(F4, 1, "C"), VECTORS, VECTORS, ROWS, ROWS, SINGLES, SINGLES, F4)
def pair_distances(tracks, detections, rows, columns, along_tracks, along_detections, rest):
    distances = np.empty(len(rows), np.float32)
    for k in range(len(rows)):
        m, n = rows[k], columns[k]
        product = _product(tracks, m, detections, n)
        distances[k] = _distance(product, along_tracks[m], along_detections[n], rest)
    return distances


@compiled(WEIGHTS, VECTORS, VECTORS, ROWS, ROWS, ROWS, MASKS, MASKS, SINGLES, SINGLES, F4)
def appearance_distances(
    tracks, detections, rows, columns, places, remembered, known, along_tracks, along_detections, rest
):
    distances = np.empty(len(rows), np.float32)
    for k in range(len(rows)):
        if remembered[rows[k]] and known[columns[k]]:
            m, n = rows[k], places[columns[k]]
            product = _product(tracks, m, detections, n)
            distances[k] = _distance(product, along_tracks[m], along_detections[n], rest)
        else:
            distances[k] = np.nan
    return distances


@compiled(types.Array(B1, 1, "C"), SINGLES, FLOATS, F8, F8)
def strangers(distances, overlaps, gate, least):
    found = np.empty(len(distances), np.bool_)
    for k in range(len(distances)):
        found[k] = distances[k] >= np.float32(gate) and overlaps[k] < least
    return found


@compiled()
def _blend(table, n, embeddings, m, old):
    new = np.float32(1) - old
    for d in range(table.shape[1]):
        table[n, d] = old * table[n, d] + new * embeddings[m, d]
    norm = np.sqrt(_product(table, n, table, n))
    if norm > np.float32(LEAST_NORM):
        for d in range(table.shape[1]):
            table[n, d] /= norm
    else:
        for d in range(table.shape[1]):
            table[n, d] = embeddings[m, d]


@compiled(types.void, types.Array(F4, 2, "C"), ROWS, VECTORS, ROWS, SINGLES)
def blend(table, rows, embeddings, places, old_shares):
    for k in range(len(rows)):
        _blend(table, rows[k], embeddings, places[k], old_shares[k])


@compiled(
    types.Tuple((FOUND, FOUND)),
    *(types.Array(F4, 2, "C"), types.Tuple((_FLAGS, _COUNTS, _COUNTS)), ROWS, ROWS),
    *(types.Tuple((FLOATS, MASKS, MASKS)), VECTORS, ROWS, F8, types.Tuple((F8, F8, B1))),
)
def remember(table, columns, rows, detections, views, embeddings, places, most_covered, momentum):
    has_embedding, unembedded, embedded = columns
    covered, embeddable, known = views
    share, most, evenly = momentum
    whose, of, count = np.empty(len(rows), np.intp), np.empty(len(rows), np.intp), 0
    for k in range(len(rows)):
        n, m = rows[k], detections[k]
        if not embeddable[m] or (covered[m] > most_covered and has_embedding[n]):
            continue
        unembedded[n] += 1
        if not known[m]:
            continue
        old = np.float32(0)
        if has_embedding[n]:
            old = np.float32(share ** min(float(unembedded[n]), most))
            if evenly:
                old = min(old, np.float32(embedded[n] / (embedded[n] + 1)))
        _blend(table, n, embeddings, places[m], old)
        has_embedding[n], unembedded[n] = True, 0
        embedded[n] += 1
        whose[count], of[count] = n, m
        count += 1
    return whose[:count], of[:count]


@compiled()
def _lengths(along, rest):
    lengths = np.empty(len(along), np.float32)
    for n in range(len(along)):
        lengths[n] = np.sqrt(max(np.float32(1) + rest - np.float32(2) * along[n], np.float32(LEAST_SQUARE)))
    return lengths


@compiled(types.Array(F4, 2, "C"), types.Array(F4, 2, "C"), SINGLES, SINGLES, F4)
def centred(products, along_a, along_b, rest):
    lengths_a, lengths_b = _lengths(along_a, rest), _lengths(along_b, rest)
    for m in range(len(along_a)):
        for n in range(len(along_b)):
            product = products[m, n] - along_a[m] - (along_b[n] - rest)
            products[m, n] = np.float32(1) - product / lengths_a[m] / lengths_b[n]
    return products


@compiled(types.Tuple((FOUND, FOUND)), MASKS, MASKS, MASKS, FLOATS, F8, ROWS, MASKS)
def clear_views(known, free, at_edge, covered, most_covered, track_of, in_view):
    columns, own, count = np.empty(len(known), np.intp), np.empty(len(known), np.intp), 0
    for m in range(len(known)):
        clear = known[m] and not free[m] and not at_edge[m] and covered[m] <= most_covered
        if clear and in_view[track_of[m]]:
            columns[count], own[count] = m, track_of[m]
            count += 1
    return columns[:count], own[:count]


@compiled(types.Array(F4, 2, "C"), VECTORS, taken(B1, 2))
def margins(distances, allowed):
    infinite = np.float32(np.inf)
    of_rows = np.full((2, distances.shape[0]), infinite)  # the least of each and the second least
    of_columns = np.full((2, distances.shape[1]), infinite)
    for m in range(distances.shape[0]):
        for n in range(distances.shape[1]):
            if allowed[m, n]:
                _rank(of_rows, m, distances[m, n])
                _rank(of_columns, n, distances[m, n])
    lead = np.full(distances.shape, -infinite)
    for m in range(distances.shape[0]):
        for n in range(distances.shape[1]):
            if allowed[m, n]:
                own = distances[m, n]
                rival = of_rows[1 if own == of_rows[0, m] else 0, m]
                other = of_columns[1 if own == of_columns[0, n] else 0, n]
                lead[m, n] = min(rival, other) - own
    return lead


@compiled()
def _cosine(product, of_view, along_other, squared):
    """Of a view and a track, both less a mean, from their product and the view's length less that mean."""
    length = np.float32(1) + squared - np.float32(2) * along_other
    return product / of_view / np.sqrt(max(length, np.float32(LEAST_SQUARE)))


@compiled(fast=True)
def _along(a, m, mean):
    total = np.float32(0)
    for k in range(len(mean)):
        total += a[m, k] * mean[k]
    return total


@compiled(fast=True)
def _four_products(a, m, b, n):
    """Of a row with four rows, ``n`` and those behind it: half as long as one after the other."""
    first, second, third, fourth = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for k in range(a.shape[1]):
        first += a[m, k] * b[n, k]
        second += a[m, k] * b[n + 1, k]
        third += a[m, k] * b[n + 2, k]
        fourth += a[m, k] * b[n + 3, k]
    return first, second, third, fourth


@compiled()
def _products(a, rows, b):
    """Of rows of one table with all of another: where they lie, which for so few takes less than BLAS."""
    products = np.empty((len(rows), len(b)), np.float32)
    whole = len(b) - len(b) % 4
    for n in range(len(rows)):
        for k in range(0, whole, 4):
            four = _four_products(a, rows[n], b, k)
            products[n, k], products[n, k + 1], products[n, k + 2], products[n, k + 3] = four
        for k in range(whole, len(b)):
            products[n, k] = _product(a, rows[n], b, k)
    return products


@compiled(WEIGHTS, VECTORS, VECTORS, ROWS, ROWS, taken(F4, 1, "C"), F4)
def nearest_other(views, table, others, own, total, rest):
    """What a track has in common with the view's own one counts little, and is asked of few.

    It is between -1 and 1, of ``rest``: where even the best of that would not make a track the nearest,
    nobody needs to know it.
    """
    one, two, least = np.float32(1), np.float32(2), np.float32(LEAST_SQUARE)
    most = np.float32(1.001) / rest  # rows are of unit length but for rounding
    products, square = _products(table, others, views), np.float32(0)
    for value in total:
        square += value * value
    along_others = np.empty(len(others), np.float32)
    for n in range(len(others)):
        along_others[n] = _along(table, others[n], total)
    nearest = np.full(len(own), np.float32(np.inf))
    bounds = np.empty(len(others), np.float32)
    for k in range(len(own)):
        mine = np.searchsorted(others, own[k])
        along_view = (_along(views, k, total) - products[mine, k]) / rest
        length = _product(table, own[k], table, own[k])
        squared = (square - two * along_others[mine] + length) / (rest * rest)
        of_view = np.sqrt(max(one + squared - two * along_view, least))
        shift = squared - along_view
        for n in range(len(others)):
            along_other = along_others[n] / rest
            product = products[n, k] + shift - (along_other - most)
            along_other += most if product > 0 else -most
            bounds[n] = one - _cosine(product, of_view, along_other, squared)
        bounds[mine] = np.inf
        for _ in range(len(others)):
            n = np.argmin(bounds)
            if bounds[n] >= nearest[k]:
                break
            bounds[n] = np.inf
            along_other = (along_others[n] - _product(table, own[k], table, others[n])) / rest
            product = products[n, k] + shift - along_other
            nearest[k] = min(nearest[k], one - _cosine(product, of_view, along_other, squared))
    return nearest


@compiled(
    *(B1, VECTORS, taken(F4, 1, "C"), ROWS, ROWS, FLOATS),
    *(types.Tuple((_REALS, _REALS)), BOXES, types.UniTuple(F8, 2)),
)
def look_alike(embeddings, mean, young, lost, gates, times, places, motion):
    (born, last_seen), (now, speed) = times, motion
    rest = np.float32(0)
    for k in range(len(mean)):
        rest += mean[k] * mean[k]
    along, lengths = np.empty(len(lost)), np.empty(len(lost))
    since, x, y, furthest = np.empty(len(lost)), np.empty(len(lost)), np.empty(len(lost)), np.empty(len(lost))
    for b in range(len(lost)):
        n = lost[b]
        along[b] = _along(embeddings, n, mean)
        length = np.sqrt(max(1 + rest - 2 * along[b] - ROUNDING, LEAST_SQUARE))
        lengths[b] = length * (1 - gates[b])
        since[b], x[b], y[b] = last_seen[n], places[n, 0], places[n, 1]
        reach = max(places[n, 3], LEAST_SIDE) * (1 + speed * (now - since[b]))
        furthest[b] = reach * reach * (1 + ROUNDING)
    possible = np.empty(len(lost), np.intp)
    for a in range(len(young)):
        m = young[a]
        count, began, of_x, of_y = 0, born[m], places[m, 0], places[m, 1]
        for b in range(len(lost)):
            across, down = of_x - x[b], of_y - y[b]
            possible[count] = b
            count += (since[b] < began) & (across * across + down * down <= furthest[b])
        if not count:
            continue
        of_young = _along(embeddings, m, mean)
        length = np.sqrt(max(1 + rest - 2 * of_young - ROUNDING, LEAST_SQUARE))
        for k in range(count):
            b = possible[k]
            least = length * lengths[b] + of_young + along[b] - rest - ROUNDING
            if _product(embeddings, m, embeddings, lost[b]) >= least:
                return True
    return False
