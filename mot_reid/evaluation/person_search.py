"""How well people are found in a gallery: retrieval, and the answer "nobody"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mot_reid.typing import Floats, Mask

__all__ = ["SearchScores", "open_set_rates", "reliability", "score_search"]


@dataclass(frozen=True)
class SearchScores:
    """Retrieval metrics, shares in 0..1.

    Attributes:
        mean_average_precision: mAP.
        cmc: share of queries with a right one among the first 1, 5, 10.
        inverse_negative_penalty: mINP (Ye et al. 2021, arXiv 2001.04193): how early the last right one comes.
        queries: with a right one to be found.
    """

    mean_average_precision: float
    cmc: tuple[float, float, float]
    inverse_negative_penalty: float
    queries: int


def score_search(scores: Floats, right: Mask, allowed: Mask) -> SearchScores:
    """Scores rankings.

    Args:
        scores: ``(Q, N)``, higher is more alike.
        right: ``(Q, N)`` whether a record shows the query's person.
        allowed: ``(Q, N)`` whether it counts for that query: not itself, not the same person's in the same
            camera (Market-1501's protocol).

    Raises:
        ValueError: no query has anything to find.
    """
    averages, penalties, firsts = [], [], []
    for row in range(len(scores)):
        kept = np.flatnonzero(allowed[row])
        hits = right[row, kept[np.argsort(-scores[row, kept], kind="stable")]]
        places = np.flatnonzero(hits) + 1
        if not places.size:
            continue
        averages.append(float((np.arange(1, len(places) + 1) / places).mean()))
        penalties.append(len(places) / float(places[-1]))
        firsts.append(int(places[0]))
    if not firsts:
        raise ValueError("queries: none of them has anybody to be found")
    first = np.array(firsts)
    cmc = tuple(float((first <= rank).mean()) for rank in (1, 5, 10))
    return SearchScores(
        float(np.mean(averages)), (cmc[0], cmc[1], cmc[2]), float(np.mean(penalties)), len(firsts)
    )


def open_set_rates(present: Floats, absent: Floats, false_rates: tuple[float, ...]) -> list[float]:
    """Share of queries whose person is there that are answered rightly, at rates of false answers.

    Args:
        present: ``(P,)`` best score of each query whose person is there; minus infinity where the best hit is
            somebody else.
        absent: ``(A,)`` best score of each query whose person is not there.
        false_rates: shares of ``absent`` that may be answered.
    """
    ordered = np.sort(absent)[::-1]
    rates = []
    for rate in false_rates:
        allowed = int(np.floor(rate * len(ordered) + 1e-9))
        threshold = ordered[allowed] if allowed < len(ordered) else -np.inf
        rates.append(float((present > threshold).mean()))
    return rates


def reliability(
    probability: Floats, right: Mask, bins: int = 10
) -> tuple[list[tuple[float, float, int]], float]:
    """What probabilities promise and what came.

    Args:
        probability: ``(P,)`` said.
        right: ``(P,)`` whether it was so.
        bins: of equal width.

    Returns:
        For each bin that is not empty its mean probability, the share that was right, and how many; and the
        mean absolute difference of the two, each pair counting the same (expected calibration error).
    """
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    rows, total = [], 0.0
    for number in range(bins):
        own = place == number
        if own.any():
            said, came, count = float(probability[own].mean()), float(right[own].mean()), int(own.sum())
            rows.append((said, came, count))
            total += abs(said - came) * count
    return rows, total / max(len(probability), 1)
