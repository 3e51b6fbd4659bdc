"""From the many embeddings of one track to the few that stand for it; arrays only."""

from __future__ import annotations

import numpy as np

from mot_reid.typing import Boxes, Embeddings, Floats, Floats32, Indices

__all__ = ["medoids", "spread_choice", "view_quality", "weighted_mean"]


_LEAST_QUALITY = 1e-3
_USUAL_HEIGHT = 96.0
"""Pixels from which on a larger box tells an embedder hardly more (their inputs are 192 to 384 high)."""


def view_quality(
    xyxy: Boxes,
    scores: Floats32,
    covered: Floats,
    id_confidence: Floats32,
    size: tuple[int, int] | None,
) -> Floats:
    """How well each box shows its person, ``(N,)`` in (0, 1].

    The product of the detector's score, the share that no nearer box hides (squared: what hides somebody is
    somebody else), the height up to 96 pixels, the share that lies in the picture (squared) and the id's
    confidence.

    Args:
        xyxy: boxes ``(N, 4)``, pixels.
        scores: ``(N,)`` in [0, 1].
        covered: ``(N,)`` share of each box that is hidden by a nearer one.
        id_confidence: ``(N,)`` in [0, 1].
        size: height and width of the picture, pixels; None where nobody knows.
    """
    boxes = xyxy.astype(np.float64)
    height = boxes[:, 3] - boxes[:, 1]
    quality = scores * (1 - np.clip(covered, 0, 1)) ** 2 * np.minimum(height / _USUAL_HEIGHT, 1)
    if size is not None:
        limits = np.array([size[1], size[0], size[1], size[0]], np.float64)
        inside = np.clip(boxes, 0, limits)
        area = (boxes[:, 2] - boxes[:, 0]) * height
        visible = (inside[:, 2] - inside[:, 0]) * (inside[:, 3] - inside[:, 1]) / area
        quality = quality * visible**2
    return np.maximum(quality * id_confidence, _LEAST_QUALITY)


def weighted_mean(embeddings: Embeddings, weights: Floats) -> Embeddings:
    """The mean ``(D,)`` of unit rows ``(N, D)`` by positive weights ``(N,)``, at length 1.

    Rows that cancel each other out leave no direction: then the heaviest row stands for all.
    """
    mean = weights.astype(np.float64) @ embeddings
    length = float(np.linalg.norm(mean))
    if length < 1e-9 * float(weights.sum()):
        return embeddings[int(weights.argmax())].astype(np.float32)
    return (mean / length).astype(np.float32)


def medoids(embeddings: Embeddings, weights: Floats, most: int = 5, apart: float = 0.15) -> Indices:
    """The rows that show one person's different looks: front, back, with and without a bag.

    The first is the row nearest to the weighted mean; each next one is the row that lies furthest from those
    chosen, its weight's share of the largest counting, as long as that is at least ``apart`` (farthest-point
    sampling, Gonzalez 1985); at last each gives way to the row nearest to the mean of those it stands for.

    Args:
        embeddings: ``(N, D)`` unit rows, N > 0.
        weights: ``(N,)`` positive, how much each can be trusted.
        most: largest number of medoids.
        apart: least cosine distance between two.

    Returns:
        Row numbers ``(K,)``, those that stand for most weight first; 1 <= K <= ``most``.
    """
    trust = weights / weights.max()
    first = int((embeddings @ weighted_mean(embeddings, weights)).argmax())
    chosen = [first]
    nearest = 1 - embeddings @ embeddings[first]
    while len(chosen) < most:
        gain = np.where(nearest >= apart, nearest * np.sqrt(trust), -1.0)
        best = int(gain.argmax())
        if gain[best] < 0:
            break
        chosen.append(best)
        nearest = np.minimum(nearest, 1 - embeddings @ embeddings[best])
    owner = (embeddings @ embeddings[chosen].T).argmax(axis=1)
    standing, mass = [], []
    for place in range(len(chosen)):
        own = np.flatnonzero(owner == place)
        if not own.size:  # two equal rows: the other stands for all of them
            continue
        centre = weighted_mean(embeddings[own], weights[own])
        standing.append(int(own[(embeddings[own] @ centre).argmax()]))
        mass.append(float(weights[own].sum()))
    return np.array(standing, np.intp)[np.argsort(-np.array(mass), kind="stable")]


def spread_choice(times: Floats, quality: Floats, most: int) -> Indices:
    """Which of the views ``(N,)`` to keep: the best of each of ``most`` equal spans of time, in order.

    Args:
        times: ``(N,)`` seconds.
        quality: ``(N,)`` higher is better.
        most: how many at the most.
    """
    if len(times) <= most:
        return np.argsort(times, kind="stable")
    start, end = float(times.min()), float(times.max())
    length = max(end - start, 1e-9)
    span = np.minimum(((times - start) / length * most).astype(np.intp), most - 1)
    order = np.lexsort((-quality, span))
    firsts = order[np.flatnonzero(np.diff(span[order], prepend=-1))]
    if len(firsts) < most:  # empty spans leave room for the best of the rest
        rest = np.setdiff1d(np.argsort(-quality, kind="stable"), firsts, assume_unique=True)
        rest = rest[np.argsort(-quality[rest], kind="stable")]
        firsts = np.concatenate([firsts, rest[: most - len(firsts)]])
    return firsts[np.argsort(times[firsts], kind="stable")]
