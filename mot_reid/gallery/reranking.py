"""Re-ranking by k-reciprocal neighbours (Zhong et al., CVPR 2017, arXiv:1701.08398)."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from mot_reid.typing import Embeddings, Floats32, Indices

__all__ = ["jaccard_of_pairs", "nearest_points", "rerank"]

_PAIRS = 65_536  # pairs whose rows are in memory at a time
_BLOCK = 2048  # rows of distances in memory at a time
_RUN = 64  # columns of which the largest cosine is looked at first
_CELLS = 2**26  # cosines in memory at a time


def rerank(
    query: Embeddings,
    gallery: Embeddings,
    k1: int = 20,
    k2: int = 6,
    original_share: float = 0.3,
) -> Floats32:
    """Distances that also know whose neighbours the neighbours are.

    Two crops are near when their k-reciprocal neighbours, among queries and gallery alike, are the same. The
    symbols are the paper's; distances are squared Euclidean ones of unit vectors (eq. 1 with M = I). As in
    the authors' code, a crop is its own nearest neighbour and does not count towards k1; it does towards k2.

    Args:
        query: ``(Q, D)``, L2-normalised.
        gallery: ``(G, D)``, L2-normalised.
        k1: neighbours that may be reciprocal.
        k2: neighbours over which features are averaged (eq. 11); 1 for none.
        original_share: lambda, the original distance's share of the final one (eq. 12).

    Returns:
        ``(Q, G)`` distances, lower is more alike.

    Raises:
        ValueError: a parameter is out of range, or the embeddings do not fit each other.
    """
    if query.ndim != 2 or gallery.ndim != 2 or query.shape[1] != gallery.shape[1]:
        raise ValueError(f"query and gallery must be (Q, D) and (G, D); got {query.shape}, {gallery.shape}")
    if k1 < 1 or k2 < 1 or not 0 <= original_share <= 1:
        raise ValueError(
            f"k1 and k2 must be positive and original_share in 0..1; got {k1}, {k2}, {original_share}"
        )
    points = np.concatenate((query, gallery)).astype(np.float32, copy=False)
    ranked = _nearest(points, min(max(k1 + 1, k2), len(points)))
    features = _expand(_encode(points, ranked, k1), ranked[:, :k2])
    jaccard = _jaccard_distances(features[: len(query)], features[len(query) :])
    return (1 - original_share) * jaccard + original_share * _distances(query, gallery)


def jaccard_of_pairs(
    points: Embeddings, ranked: Indices, rows: Indices, columns: Indices, k1: int = 10, k2: int = 3
) -> Floats32:
    """Jaccard distances (eq. 10) of some pairs only, for sets too large for a matrix of all.

    Args:
        points: ``(N, D)``, L2-normalised.
        ranked: ``(N, K)`` nearest points of each, itself first (`nearest_points`); K > ``k1`` where N allows.
        rows: ``(P,)`` one of each pair.
        columns: ``(P,)`` the other.
        k1: see `rerank`.
        k2: see `rerank`.
    """
    features = _expand(_encode(points, ranked, k1), ranked[:, :k2])
    sums = np.asarray(features.sum(axis=1)).ravel()
    found = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _PAIRS):
        own = slice(start, start + _PAIRS)
        shared = features[rows[own]].minimum(features[columns[own]]).sum(axis=1)
        minima = np.asarray(shared).ravel()
        found[own] = 1 - minima / (sums[rows[own]] + sums[columns[own]] - minima)
    return found


def nearest_points(points: Embeddings, count: int) -> Indices:
    """``(N, count)`` nearest points of each, itself first; of equally near ones any.

    Exact. The largest of each 64 cosines are looked at first: the ``count`` largest of all lie in the
    ``count`` runs whose largest are largest, and only those are sorted. What is left is the matrix product.
    """
    total = len(points)
    count = min(count, total)
    ranked = np.empty((total, count), np.intp)
    runs = -(-total // _RUN)
    height = max(1, min(_BLOCK, _CELLS // (runs * _RUN)))
    cosines = np.full((height, runs * _RUN), -np.inf, np.float32)
    for start in range(0, total, height):
        block = np.arange(start, min(start + height, total))
        likeness = cosines[: len(block)]
        np.matmul(points[block], points.T, out=likeness[:, :total])
        likeness[np.arange(len(block)), block] = np.inf
        by_run = likeness.reshape(len(block), runs, _RUN)
        best = _largest(by_run.max(axis=2), count)
        values = np.take_along_axis(by_run, best[:, :, None], axis=1).reshape(len(block), -1)
        columns = (best[:, :, None] * _RUN + np.arange(_RUN)).reshape(len(block), -1)
        kept = _largest(values, count)
        order = np.argsort(-np.take_along_axis(values, kept, axis=1), axis=1, kind="stable")
        ranked[block] = np.take_along_axis(columns, np.take_along_axis(kept, order, axis=1), axis=1)
    return ranked


def _largest(values: Floats32, count: int) -> Indices:
    """``(N, count)`` columns of the largest values of each row, in no order; all if there are fewer."""
    width = values.shape[1]
    if width <= count:
        return np.broadcast_to(np.arange(width), values.shape)
    return np.argpartition(values, width - count, axis=1)[:, width - count :]


def _distances(x: Embeddings, y: Embeddings) -> Floats32:
    """Squared Euclidean distances of unit vectors."""
    return np.maximum(2 - 2 * (x @ y.T), 0)


def _nearest(points: Embeddings, count: int) -> Indices:
    """(N, count) nearest points of each, itself first; of equally near ones the earlier."""
    ranked = np.empty((len(points), count), np.intp)
    for start in range(0, len(points), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(points)))
        distances = _distances(points[block], points)
        distances[np.arange(len(block)), block] = -1
        ranked[block] = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return ranked


def _reciprocal(ranked: Indices, k: int) -> sparse.csr_array:
    """(N, N) of 0 and 1: row p holds R(p, k), the k-reciprocal neighbours (eq. 3), and p itself."""
    near = ranked[:, : k + 1]
    count = len(ranked)
    rows = np.repeat(np.arange(count), near.shape[1])
    neighbours = sparse.csr_array((np.ones(near.size, np.float32), (rows, near.ravel())), (count, count))
    return sparse.csr_array(neighbours.multiply(neighbours.T))


def _encode(points: Embeddings, ranked: Indices, k1: int) -> sparse.csr_array:
    """(N, N): row p is V_p (eq. 7) on R*(p, k1), which takes in its members' neighbours (eq. 4)."""
    whole, half = _reciprocal(ranked, k1), _reciprocal(ranked, round(k1 / 2))
    shared = sparse.csr_array(whole @ half.T)  # |R(p, k1) and R(q, k1 / 2)|
    close = sparse.csr_array(whole.multiply(shared)).tocoo()  # only for q in R(p, k1)
    sizes = np.diff(half.indptr)
    kept = close.data >= 2 / 3 * sizes[close.col]
    joined = sparse.csr_array(
        (np.ones(kept.sum(), np.float32), (close.row[kept], close.col[kept])), whole.shape
    )
    expanded = (whole + joined @ half).tocoo()
    near = np.einsum("nd,nd->n", points[expanded.row], points[expanded.col])
    weights = np.exp(-np.maximum(2 - 2 * near, 0))
    return sparse.csr_array((weights, (expanded.row, expanded.col)), whole.shape)


def _expand(features: sparse.csr_array, near: Indices) -> sparse.csr_array:
    """Local query expansion: each feature becomes the mean of its nearest crops' (eq. 11)."""
    count, k2 = near.shape
    rows = np.repeat(np.arange(count), k2)
    mean = sparse.csr_array((np.full(near.size, 1 / k2, np.float32), (rows, near.ravel())), features.shape)
    return sparse.csr_array(mean @ features)


def _jaccard_distances(query: sparse.csr_array, gallery: sparse.csr_array) -> Floats32:
    """(Q, G) of 1 - sum of minima / sum of maxima of two rows (eq. 10)."""
    columns = gallery.tocsc()
    query_sums, gallery_sums = query.sum(axis=1), gallery.sum(axis=1)
    distances = np.empty((query.shape[0], gallery.shape[0]), np.float32)
    for row in range(len(distances)):
        entries = slice(query.indptr[row], query.indptr[row + 1])
        found = columns[:, query.indices[entries]]
        values = np.repeat(query.data[entries], np.diff(found.indptr))
        minima = np.bincount(found.indices, np.minimum(found.data, values), minlength=distances.shape[1])
        distances[row] = 1 - minima / (query_sums[row] + gallery_sums - minima)
    return distances
