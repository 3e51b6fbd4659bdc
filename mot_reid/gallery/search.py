"""Which records show the person of a query; arrays only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from mot_reid.gallery.calibration import Calibration, estimated_prior
from mot_reid.gallery.evidence import neighbours
from mot_reid.gallery.reranking import jaccard_of_pairs, nearest_points
from mot_reid.gallery.settings import IdentifySettings
from mot_reid.typing import Embeddings, Floats, Indices, Mask

__all__ = ["SearchSettings", "hit_evidence", "liked", "likeness", "same_person", "strangers_scales"]


@dataclass(frozen=True)
class SearchSettings:
    """How a search goes.

    Attributes:
        shortlist: records that are looked at closely where there are more than `whole`, at least; the most
            alike by their means.
        per_hit: so many for each hit that is wanted.
        mean_share: share of the mean embedding in the likeness, the rest is the nearest medoid's.
        whole: records up to which all are looked at.
        rerank: rank by k-reciprocal neighbours too.
        rerank_from: records looked at from which on that is done.
        expected: records of the person that are expected in a gallery, before one has looked.
        expectation: how much that counts, beside 1 for what is seen then.
    """

    shortlist: int = 300
    per_hit: int = 10
    mean_share: float = 0.5
    whole: int = 2000
    rerank: bool = True
    rerank_from: int = 50
    expected: float = 1.0
    expectation: float = 0.1


def likeness(
    queries: Embeddings, means: Embeddings, medoids: Embeddings, owners: Indices, mean_share: float
) -> Floats:
    """How alike records are to what several pictures of one person show, ``(R,)``.

    Args:
        queries: ``(Q, D)`` unit rows, all of one person.
        means: ``(R, D)`` of records.
        medoids: ``(M, D)`` of records.
        owners: ``(M,)`` the record of each medoid.
        mean_share: see `SearchSettings`.
    """
    by_mean = (queries @ means.T).mean(axis=0).astype(np.float64)
    each = queries @ medoids.T
    best = np.full((len(queries), len(means)), -np.inf)
    for row in range(len(queries)):
        np.maximum.at(best[row], owners, each[row])
    by_medoid = np.where(np.isfinite(best), best, by_mean).mean(axis=0)
    return mean_share * by_mean + (1 - mean_share) * by_medoid


def strangers_scales(cosines: Floats, within: Mask, calibration: Calibration) -> Floats:
    """What likenesses with a query are multiplied by, ``(R,)`` (`Calibration.strangers_scale`).

    Nearly all records show strangers, and who is dressed as many are is like more of them: it takes more to
    be him. Speaker verification measures by the query's own impostors likewise (T-norm, Auckenthaler et al.
    2000, Digital Signal Processing 10).

    Args:
        cosines: ``(R,)`` of the query with all records that could be found.
        within: ``(R,)`` which are of the query's camera: strangers of one camera are more alike.
        calibration: of the embedder.
    """
    scales = np.ones(len(cosines))
    for kind in (within, ~within):
        known = np.zeros(np.count_nonzero(kind), bool)
        scales[kind] = calibration.strangers_scale(cosines[kind], known, len(known))
    return scales


def hit_evidence(
    query: Embeddings, records: Embeddings, alike: Floats, expected: float, calibration: Calibration
) -> Floats:
    """Log-likelihood ratios ``(R,)`` that records show the person of a query, by neighbours in common.

    As probabilities they want all records: among the most alike ones alone a stranger has no other neighbours
    than the query, so that they only say who comes before whom.

    Args:
        query: ``(D,)`` unit row, normalised as the others are.
        records: ``(R, D)`` means of all that could be found, or of the most alike ones.
        alike: ``(R,)`` their `likeness`, scaled (`strangers_scales`).
        expected: how many of them show the person, by cosines alone.
        calibration: of the embedder.
    """
    chosen = IdentifySettings()
    points = np.concatenate([query[None], records])
    k1 = neighbours(expected, chosen.k1)
    ranked = nearest_points(points, k1 + 1)
    columns = np.arange(1, len(points))
    jaccard = jaccard_of_pairs(points, ranked, np.zeros_like(columns), columns, k1, min(chosen.k2, k1))
    return calibration.evidence_of_hits(alike, jaccard)


def same_person(evidence: Floats, total: int, settings: SearchSettings) -> tuple[Floats, float]:
    """The probability that records show the person of a query, and that no record of the gallery does.

    How many records show the person is not known beforehand: the share is estimated from how alike the
    records are. One is expected, which counts a tenth as much as what is seen. Where nobody is much alike the
    share falls, and all become unlikely.

    Args:
        evidence: ``(R,)`` log-likelihood ratios of the most alike records.
        total: how many records could be found.
        settings: see there.

    Returns:
        ``(R,)`` probabilities, and the one that the person is not in the gallery.
    """
    total = max(total, len(evidence), 1)
    start = min(settings.expected / total, 0.3)
    # The expectation weighs by the gallery's size, so that a large one does not drown it.
    prior = estimated_prior(evidence, start, strength=settings.expectation * total, total=total)
    found = expit(evidence + logit(min(max(prior, 1e-12), 0.9)))
    absent = float(np.exp(np.log1p(-np.minimum(found, 1 - 1e-12)).sum()))
    return found, absent


def liked(
    queries: Embeddings,
    confirmed: Embeddings,
    refused: Embeddings,
    confirm: float = 0.75,
    refuse: float = 0.25,
) -> Embeddings:
    """A query refined by hits that were confirmed or refused (Rocchio 1971), as one unit row ``(1, D)``.

    Args:
        queries: ``(Q, D)``.
        confirmed: ``(C, D)`` mean embeddings of hits that show the person.
        refused: ``(F, D)`` of hits that do not.
        confirm: weight of the confirmed ones' mean.
        refuse: weight of the refused ones'.
    """
    centre = queries.mean(axis=0, dtype=np.float64)
    if len(confirmed):
        centre = centre + confirm * confirmed.mean(axis=0, dtype=np.float64)
    if len(refused):
        centre = centre - refuse * refused.mean(axis=0, dtype=np.float64)
    return (centre / max(float(np.linalg.norm(centre)), 1e-12)).astype(np.float32)[None]
