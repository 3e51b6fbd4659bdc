"""How much speaks for pairs of records being one person; arrays only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from mot_reid.gallery.calibration import Calibration, estimated_prior
from mot_reid.gallery.normalisation import camera_statistics, normalised
from mot_reid.gallery.reranking import jaccard_of_pairs, nearest_points
from mot_reid.gallery.settings import IdentifySettings
from mot_reid.gallery.travel import learned_travel
from mot_reid.typing import Embeddings, Floats, Indices, Mask

__all__ = ["Evidence", "kind_scales", "neighbours", "pair_evidence", "with_cameras", "with_travel"]


@dataclass(frozen=True, eq=False)
class Evidence:
    """How much speaks for pairs of records being one person.

    Attributes:
        rows: ``(E,)`` one record of each pair.
        columns: ``(E,)`` the other, larger.
        values: ``(E,)`` log-likelihood ratios.
        prior: share of all pairs that are expected to be one person.
        complete: whether all pairs are there, in the order of ``numpy.triu_indices(N, 1)``.
        link: slope and offset of `Calibration.links` that fit it.
    """

    rows: Indices
    columns: Indices
    values: Floats
    prior: float
    complete: bool
    link: tuple[float, float] = (1.0, 0.0)

    def chance(self, mean: Any) -> Floats:
        """The probability that two groups are one person, by the mean evidence of their pairs."""
        slope, offset = self.link
        return np.asarray(expit(slope * (np.asarray(mean) + logit(self.prior)) + offset))

    def least(self, chance: float) -> float:
        """The mean evidence at which that probability is ``chance``."""
        slope, offset = self.link
        return float((logit(chance) - offset) / slope - logit(self.prior))


_OF_OTHERS = 1.6  # neighbours that may be reciprocal, of the other records that a person has
_OF_ALL = 30.0  # pairs of one camera, or of two, at which their own share counts as much as that of all
_SAMPLE = 200_000  # most pairs by which the spread of strangers is judged
_APART = 1 - 1e-6  # Jaccard distance of two that share no neighbour, as numbers have it


def pair_evidence(
    embeddings: Embeddings,
    cameras: NDArray[np.object_],
    barred: Indices,
    calibration: Calibration,
    settings: IdentifySettings,
) -> Evidence:
    """What the looks of records say of pairs.

    Args:
        embeddings: ``(N, D)`` mean embeddings, unit rows.
        cameras: ``(N,)`` names.
        barred: ``(P, 2)`` pairs that cannot be one person; they do not count for the prior.
        calibration: of the embedder.
        settings: see there.
    """
    count = len(embeddings)
    points = embeddings
    if settings.normalise:
        points = normalised(embeddings, cameras, camera_statistics(embeddings, cameras))
    ranked = nearest_points(points, max(settings.neighbours, settings.k1) + 1)
    complete = count <= settings.dense
    if complete:
        rows, columns = np.triu_indices(count, 1)
    else:
        first = np.repeat(np.arange(count), ranked.shape[1] - 1)
        pairs = np.sort(np.column_stack([first, ranked[:, 1:].ravel()]), axis=1)
        keys = np.unique(pairs[:, 0] * count + pairs[:, 1])
        rows, columns = keys // count, keys % count
    free = _free(rows, columns, count, barred)
    total = max(count * (count - 1) // 2 - len(barred), 1)

    def prior_of(values: Floats) -> float:
        # Pairs that are not among the nearest are two people, near enough.
        share = np.count_nonzero(free) / total
        return min(max(estimated_prior(values[free], min(0.2, 2.0 / max(count, 2))) * share, 1e-9), 0.5)

    cosines, link = _cosines(points, rows, columns), calibration.links[:2]
    if settings.normalise:
        code = np.unique(cameras.astype(str), return_inverse=True)[1]
        within = (code[rows] == code[columns]).astype(np.intp)
        cosines *= kind_scales(points, cameras, barred, calibration)[within]
    values = calibration.evidence(cosines)
    if settings.rerank and count >= settings.rerank_from:
        k1 = neighbours(prior_of(values) * (count - 1), settings.k1)
        jaccard = jaccard_of_pairs(points, ranked, rows, columns, k1, min(settings.k2, k1))
        values, link = calibration.evidence(cosines, jaccard), calibration.links[2:]
        if 0 < calibration.tracklets < count:
            # A stranger is among the k nearest of N with a chance of k / N: sharing neighbours says as much
            # more.
            values = values + np.where(jaccard < _APART, np.log(count / calibration.tracklets), 0.0)
    return Evidence(rows, columns, values, prior_of(values), complete, link)


def kind_scales(
    points: Embeddings, cameras: NDArray[np.object_], barred: Indices, calibration: Calibration
) -> Floats:
    """What cosines are multiplied by (`Calibration.strangers_scale`), of two cameras and within one ``(2,)``.

    Strangers of one camera are more alike, and differ more in it, than those of two: each kind has its own.

    Args:
        points: ``(N, D)`` normalised embeddings, unit rows.
        cameras: ``(N,)`` names.
        barred: ``(P, 2)`` pairs that are two people for sure.
        calibration: of the embedder.
    """
    count, code = len(points), np.unique(cameras.astype(str), return_inverse=True)[1]
    if count * (count - 1) // 2 <= _SAMPLE:
        first, second = np.triu_indices(count, 1)
    else:
        drawn = np.random.default_rng(0).integers(0, count, (2, _SAMPLE))
        first, second = np.sort(drawn[:, drawn[0] != drawn[1]], axis=0)
    cosines, apart = _cosines(points, first, second), ~_free(first, second, count, barred)
    within = code[first] == code[second]
    return np.array(
        [calibration.strangers_scale(cosines[kind], apart[kind], count) for kind in (~within, within)]
    )


def neighbours(others: float, most: int) -> int:
    """How many neighbours may be reciprocal: somewhat more than a record has others of its person.

    With many more, people of whom there are two records have mostly strangers for neighbours, who share them.

    Args:
        others: records of its person that are expected, by cosines alone.
        most: at the most.
    """
    return min(max(int(_OF_OTHERS * others), 2), most)


def with_cameras(evidence: Evidence, cameras: NDArray[np.object_], barred: Indices) -> Evidence:
    """The evidence of looks, and of whether one camera saw both records or two did.

    In a shop everybody is seen by the next camera and hardly anybody by the same one again, elsewhere it is
    the other way round: the share of pairs that are one person is estimated of both kinds for itself, and of
    a kind with few pairs drawn towards that of all.

    Args:
        evidence: of looks.
        cameras: ``(N,)`` names.
        barred: ``(P, 2)`` pairs that are two people.
    """
    count, values = len(cameras), evidence.values.copy()
    code = np.unique(cameras.astype(str), return_inverse=True)[1]
    free = _free(evidence.rows, evidence.columns, count, barred)
    within = code[evidence.rows] == code[evidence.columns]
    barred_within = code[barred[:, 0]] == code[barred[:, 1]]
    sizes = np.bincount(code)
    inside = int((sizes * (sizes - 1) // 2).sum())
    outside = count * (count - 1) // 2 - inside
    kinds = (within, inside - int(barred_within.sum())), (~within, outside - int((~barred_within).sum()))
    for kind, total in kinds:
        known = free & kind
        if known.any():
            share = np.count_nonzero(known) / max(total, 1)
            start = min(evidence.prior / share, 0.5)
            prior = share * estimated_prior(evidence.values[known], start, strength=_OF_ALL)
            values[kind] += logit(min(max(prior, 1e-9), 0.5)) - logit(evidence.prior)
    return replace(evidence, values=values)


def with_travel(
    evidence: Evidence, cameras: NDArray[np.object_], begin: Floats, end: Floats, barred: Indices
) -> Evidence:
    """The evidence of looks and of the time between two records (`mot_reid.gallery.travel.learned_travel`).

    Args:
        evidence: of looks.
        cameras: ``(N,)`` names.
        begin: ``(N,)`` seconds on one clock, NaN where it is not known.
        end: ``(N,)`` likewise.
        barred: ``(P, 2)`` pairs that are two people.
    """
    free = _free(evidence.rows, evidence.columns, len(cameras), barred)
    free &= np.isfinite(begin[evidence.rows]) & np.isfinite(begin[evidence.columns])
    if not free.any():
        return evidence
    values = evidence.values.copy()
    likely = expit(values[free] + logit(evidence.prior))
    values[free] += learned_travel(cameras, begin, end, evidence.rows[free], evidence.columns[free], likely)
    return replace(evidence, values=values)


def _free(rows: Indices, columns: Indices, count: int, barred: Indices) -> Mask:
    return ~np.isin(rows * count + columns, barred[:, 0] * count + barred[:, 1])


def _cosines(points: Embeddings, rows: Indices, columns: Indices, block: int = 1_024) -> Floats:
    found = np.empty(len(rows), np.float64)  # in blocks that stay in the cache, not in fresh memory
    for start in range(0, len(rows), block):
        own = slice(start, start + block)
        found[own] = np.einsum("nd,nd->n", points[rows[own]], points[columns[own]])
    return found
