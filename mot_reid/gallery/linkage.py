"""Average-linkage clustering in which pairs can be barred; arrays only.

Scipy's linkage cannot bar: it takes no infinite distance. Here infinite stays infinite: a merge is barred if
any pair of the two clusters is.
"""

from __future__ import annotations

import heapq

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from mot_reid.typing import Floats, Indices

__all__ = ["constrained_linkage", "group_distances", "group_pairs", "linked_clusters", "sparse_linkage"]


def constrained_linkage(distances: Floats, weights: Floats | None = None) -> Floats:
    """The merges of average linkage, by chains of nearest neighbours (Murtagh 1983).

    The distance of two clusters is the mean over all their pairs, by the product of the two weights, and
    infinite if one of them is. Average linkage is reducible, also with infinite distances, so the chain finds
    the same merges as always merging the nearest two.

    Args:
        distances: ``(N, N)`` symmetric; infinite where a pair may never be joined.
        weights: ``(N,)`` positive, how much each counts in means; 1 by default.

    Returns:
        ``(M, 3)``: a member of either cluster and the distance at which they merge, ascending; M < N where
        what is left is barred.
    """
    count = len(distances)
    between = distances.astype(np.float64, copy=True)
    np.fill_diagonal(between, np.inf)
    size = np.ones(count) if weights is None else weights.astype(np.float64, copy=True)
    alive = np.ones(count, bool)
    merges: list[tuple[int, int, float]] = []
    chain: list[int] = []
    while True:
        if not chain:
            left = np.flatnonzero(alive)
            if not left.size:
                break
            chain.append(int(left[0]))
        last = chain[-1]
        row = between[last]
        nearest = int(row.argmin())
        if len(chain) > 1 and row[chain[-2]] <= row[nearest]:
            nearest = chain[-2]  # of equally near ones the one before, or the chain would not end
        if not np.isfinite(row[nearest]):
            alive[last] = False  # barred from all that are left: it stays as it is
            chain.pop()
            between[:, last] = np.inf
            continue
        if len(chain) > 1 and nearest == chain[-2]:
            del chain[-2:]
            first, second = min(last, nearest), max(last, nearest)
            merges.append((first, second, float(row[nearest])))
            total = size[first] + size[second]
            joined = (size[first] * between[first] + size[second] * between[second]) / total
            joined[[first, second]] = np.inf
            between[first], between[:, first] = joined, joined
            between[second], between[:, second] = np.inf, np.inf
            size[first], alive[second] = total, False
            continue
        chain.append(nearest)
    found = np.array(merges, np.float64).reshape(-1, 3)
    return found[np.argsort(found[:, 2], kind="stable")]


def linked_clusters(merges: Floats, count: int, threshold: float) -> Indices:
    """The cluster ``(count,)`` of each after all merges up to a distance, numbered from 0 by first member."""
    kept = merges[merges[:, 2] <= threshold]
    pairs = kept[:, :2].astype(np.intp)
    graph = sparse.coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (count, count))
    _, labels = connected_components(graph, directed=False)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.intp)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def group_distances(distances: Floats, weights: Floats, labels: Indices) -> Floats:
    """Mean distances of groups, ``(G, G)``, as if each had been merged already; see `constrained_linkage`.

    Args:
        distances: ``(N, N)`` as there.
        weights: ``(N,)`` likewise.
        labels: ``(N,)`` the group of each, all of 0 to G - 1.
    """
    order = np.argsort(labels, kind="stable")
    first = np.flatnonzero(np.diff(labels[order], prepend=-1))
    if len(first) == len(labels):
        return distances
    scaled = (distances * weights[:, None] * weights)[np.ix_(order, order)]
    size = np.add.reduceat(weights[order], first)
    sums = np.add.reduceat(np.add.reduceat(scaled, first, axis=0), first, axis=1)
    return np.asarray(sums / (size[:, None] * size))


def group_pairs(
    rows: Indices, columns: Indices, distances: Floats, weights: Floats, labels: Indices, missing: float
) -> tuple[Indices, Indices, Floats]:
    """The same of near pairs only: pairs of groups, the smaller first, and their mean distances.

    Args:
        rows: ``(E,)`` see `sparse_linkage`.
        columns: ``(E,)`` likewise.
        distances: ``(E,)`` likewise.
        weights: ``(N,)`` how much each counts.
        labels: ``(N,)`` as above.
        missing: the distance that pairs of records are taken to have of which nothing is said.
    """
    groups = int(labels.max(initial=-1)) + 1
    if groups == len(labels):
        return rows, columns, distances
    first, second = np.minimum(labels[rows], labels[columns]), np.maximum(labels[rows], labels[columns])
    apart = first != second
    keys, inverse = np.unique(first[apart] * groups + second[apart], return_inverse=True)
    gain = (weights[rows] * weights[columns] * (distances - missing))[apart]
    size = np.bincount(labels, weights, groups)
    one, other = keys // max(groups, 1), keys % max(groups, 1)
    mean = missing + np.bincount(inverse, gain, len(keys)) / (size[one] * size[other])
    return one.astype(np.intp), other.astype(np.intp), mean


def sparse_linkage(
    rows: Indices,
    columns: Indices,
    distances: Floats,
    count: int,
    threshold: float,
    missing: float,
    barred: dict[int, set[int]],
    weights: Floats | None = None,
) -> Floats:
    """As `constrained_linkage`, from the near pairs only, up to a threshold.

    Args:
        rows: ``(E,)`` one of each near pair; each pair once.
        columns: ``(E,)`` the other.
        distances: ``(E,)`` finite.
        count: N.
        threshold: merges above it are not looked for.
        missing: the distance that all other pairs are taken to have.
        barred: which may never be joined, for each that has such; both ways.
        weights: ``(N,)`` as above.

    Returns:
        ``(M, 3)`` as above.
    """
    size = [1.0] * count if weights is None else weights.tolist()
    rows, columns, distances = _joinable(rows, columns, distances, count, threshold)
    # For each pair of clusters: sum over their near pairs of weight times (distance - missing).
    gain: list[dict[int, float]] = [{} for _ in range(count)]
    for first, second, distance in zip(rows.tolist(), columns.tolist(), distances.tolist(), strict=True):
        if second not in barred.get(first, ()):
            value = size[first] * size[second] * (distance - missing)
            gain[first][second] = gain[second][first] = value
    bars: list[set[int] | None] = [barred.get(place) for place in range(count)]
    stamp = [0] * count
    heap: list[tuple[float, int, int, int, int]] = []

    def push(first: int, second: int) -> None:
        mean = missing + gain[first][second] / (size[first] * size[second])
        if mean <= threshold:
            low, high = min(first, second), max(first, second)
            heapq.heappush(heap, (mean, low, high, stamp[low], stamp[high]))

    for first in range(count):
        for second in gain[first]:
            if second > first:
                push(first, second)
    merges = []
    while heap:
        mean, first, second, early, late = heapq.heappop(heap)
        if stamp[first] != early or stamp[second] != late:
            continue
        merges.append((first, second, mean))
        mine, theirs = gain[first], gain[second]
        gain[second] = {}
        mine.pop(second, None)
        theirs.pop(first, None)
        for other, value in theirs.items():
            mine[other] = mine.get(other, 0.0) + value
            gain[other].pop(second, None)
        new_bars = bars[second]
        if new_bars:
            own = set() if bars[first] is None else bars[first]
            bars[first] = own = set(own or ()) | new_bars
            for other in new_bars:
                towards = bars[other]
                bars[other] = (set() if towards is None else towards - {second}) | {first}
            bars[second] = None
        mine_bars = bars[first]
        for other in list(mine):
            if mine_bars and other in mine_bars:
                del mine[other]
                gain[other].pop(first, None)
        stamp[first] += 1
        stamp[second] = -1
        size[first] += size[second]
        for other in mine:
            gain[other][first] = mine[other]
            push(first, other)
    return np.array(merges, np.float64).reshape(-1, 3)


def _joinable(
    rows: Indices, columns: Indices, distances: Floats, count: int, threshold: float
) -> tuple[Indices, Indices, Floats]:
    """The pairs that can come to lie in one cluster.

    A mean is no smaller than the least of what it is a mean of: clusters merge only if a pair of them is
    near, so that whatever no chain of near pairs joins can be left out from the start.
    """
    near = distances <= threshold
    graph = sparse.coo_array((np.ones(near.sum()), (rows[near], columns[near])), (count, count))
    _, component = connected_components(graph, directed=False)
    kept = component[rows] == component[columns]
    return rows[kept], columns[kept], distances[kept]
