"""How well embeddings find people again: mAP and CMC by the protocol of Market-1501."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mot_reid.typing import Floats, Ints, Mask

__all__ = ["Ranking", "Retrieval", "rank_gallery", "score_retrieval"]

_JUNK = -1
_BLOCK = 256  # queries whose rankings are in memory at a time


class Ranking(NamedTuple):
    """The gallery in the order of likeness, for each query.

    Attributes:
        order: (Q, G) gallery rows, the most alike first.
        counts: (Q, G) in that order, whether the place counts: not junk, not of the query's person in the
            query's camera.
        hits: (Q, G) in that order, whether the place counts and shows the query's person.
    """

    order: Ints
    counts: Mask
    hits: Mask


class Retrieval(NamedTuple):
    """Retrieval metrics.

    Attributes:
        mean_average_precision: mAP in 0..1.
        cmc: (ranks,) share of queries with a true match among the first 1, 2, ... of the gallery.
        queries: how many queries had a true match to find; the others do not count.
        average_precisions: (Q,) of each query; nan for those.
    """

    mean_average_precision: float
    cmc: Floats
    queries: int
    average_precisions: Floats

    @property
    def rank1(self) -> float:
        """Share of queries whose best match is right."""
        return float(self.cmc[0])


def rank_gallery(
    similarity: NDArray[np.floating],
    query_identities: Ints,
    gallery_identities: Ints,
    query_cameras: Ints,
    gallery_cameras: Ints,
) -> Ranking:
    """Sort the gallery for each query (Zheng et al., "Scalable Person Re-identification", ICCV 2015).

    Gallery rows of the query's identity in the query's camera do not count, nor do rows of identity -1;
    rows of identity 0 (distractors) do. Ties rank in the gallery's order.

    Args:
        similarity: (Q, G), higher is more alike.
        query_identities: (Q,).
        gallery_identities: (G,).
        query_cameras: (Q,).
        gallery_cameras: (G,).

    Raises:
        ValueError: if the shapes disagree.
    """
    expected = (len(query_identities), len(gallery_identities))
    if similarity.shape != expected or (len(query_cameras), len(gallery_cameras)) != expected:
        raise ValueError(f"similarity must be {expected}, as the labels are long; got {similarity.shape}")
    order = np.argsort(-similarity, axis=1, kind="stable")
    found, cameras = gallery_identities[order], gallery_cameras[order]
    same = found == query_identities[:, None]
    counts = (found != _JUNK) & ~(same & (cameras == query_cameras[:, None]))
    return Ranking(order, counts, same & counts)


def score_retrieval(
    similarity: NDArray[np.floating],
    query_identities: Ints,
    gallery_identities: Ints,
    query_cameras: Ints,
    gallery_cameras: Ints,
    ranks: int = 10,
) -> Retrieval:
    """Score a similarity matrix: the average precision is the mean of the precisions at the true matches.

    Args:
        similarity: (Q, G), higher is more alike.
        query_identities: (Q,).
        gallery_identities: (G,).
        query_cameras: (Q,).
        gallery_cameras: (G,).
        ranks: length of the CMC curve.

    Raises:
        ValueError: if the shapes disagree, or no query has a true match in the gallery.
    """
    averages, firsts = [], []
    for start in range(0, max(1, len(similarity)), _BLOCK):
        rows = slice(start, start + _BLOCK)
        ranking = rank_gallery(
            similarity[rows], query_identities[rows], gallery_identities, query_cameras[rows], gallery_cameras
        )
        average, first = _score(ranking)
        averages.append(average)
        firsts.append(first)
    average, first = np.concatenate(averages), np.concatenate(firsts)
    answerable = first > 0
    if not answerable.any():
        raise ValueError("no query has a true match in another camera of the gallery")
    cmc = (first[answerable, None] <= np.arange(1, ranks + 1)).mean(axis=0)
    return Retrieval(float(average[answerable].mean()), cmc, int(answerable.sum()), average)


def _score(ranking: Ranking) -> tuple[Floats, Ints]:
    """(Q,) average precisions and places of the first hits, from 1; nan and 0 where there is none."""
    if not ranking.hits.shape[1]:
        return np.full(len(ranking.hits), np.nan), np.zeros(len(ranking.hits), np.int64)
    hits, position = ranking.hits, ranking.counts.cumsum(axis=1)
    precision = hits.cumsum(axis=1) / np.maximum(position, 1)
    total = hits.sum(axis=1)
    average = np.where(total > 0, (precision * hits).sum(axis=1) / np.maximum(total, 1), np.nan)
    first = np.take_along_axis(position, hits.argmax(axis=1)[:, None], axis=1)[:, 0]
    return average, np.where(total > 0, first, 0)
