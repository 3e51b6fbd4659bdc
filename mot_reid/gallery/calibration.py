"""From how alike two tracklets are to the probability that they show one person; arrays only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from scipy.special import expit, logit

from mot_reid.typing import Floats, Mask

__all__ = ["Calibration", "estimated_prior", "fit_logistic", "hit_features"]


_RIDGE = 1e-6
_PAIRS = 30.0
_ROUNDS = 5  # after which a deviation hardly changes
_PEOPLE = 50.0  # people of a gallery at which its own spread counts as much as that of the data fitted on
_NUMBERS = {"cosine": 2, "linked": 4, "found": 4, "strangers": 2, "links": 4}


@dataclass(frozen=True)
class Calibration:
    """How much likelier than two people one person makes a similarity: log-likelihood ratios, linear in it.

    Attributes:
        embedder: name of the embedder it is for.
        fingerprint: of its weights.
        cosine: slope and offset for normalised cosines alone.
        linked: slopes for normalised cosine, k-reciprocal Jaccard distance and the root of one less it, and
            offset: of pairs of which few are one person, also where many people are in one camera only.
        found: the same of hits of a search, between cameras, with their likeness
            (`mot_reid.gallery.search.likeness`), measured by the query's strangers, for the cosine; None in
            files of before.
        links: slope and offset, by ``cosine`` and by ``linked``, that make of the mean evidence of two
            groups, with the prior's logit, the logit of their being one person: many pairs say more than one.
        strangers: mean and deviation of what ``cosine`` makes of pairs of two people; None likewise.
        people: held-out people it was fitted on.
        tracklets: how many of theirs.
        data: what they are.
    """

    embedder: str
    fingerprint: str
    cosine: tuple[float, float]
    linked: tuple[float, float, float, float]
    people: int = 0
    tracklets: int = 0
    data: str = ""
    found: tuple[float, float, float, float] | None = None
    strangers: tuple[float, float] | None = None
    links: tuple[float, float, float, float] = (1.0, 0.0, 1.0, 0.0)

    def evidence(self, cosine: Any, jaccard: Any = None) -> Floats:
        """Log-likelihood ratios of pairs from their normalised cosines, and Jaccard distances if known."""
        if jaccard is None:
            return np.asarray(self.cosine[0] * np.asarray(cosine, np.float64) + self.cosine[1])
        return np.asarray(hit_features(cosine, jaccard) @ np.array(self.linked))

    def evidence_of_hits(self, alike: Any, jaccard: Any) -> Floats:
        """As `evidence`, fitted where a search is: among many records of which few are the person's."""
        if self.found is None:
            return self.evidence(alike, jaccard)
        return np.asarray(hit_features(alike, jaccard) @ np.array(self.found))

    def for_gallery(self, cosines: Any) -> Calibration:
        """The calibration for a gallery of which pairs of two people are known: who is seen beside whom.

        In a small group, or one that dresses alike, strangers are more alike, and differ more in it, than the
        people it was fitted on. Both kinds of pairs are taken to be normally distributed with one deviation,
        so that the ratio's slope is the distance of their means over the variance; mean and variance of the
        strangers are those of the gallery as far as it has such pairs (`_PAIRS` count as much as the data
        that it was fitted on). Only ``cosine`` changes: the rest is for galleries that are large.

        Args:
            cosines: ``(B,)`` normalised cosines of pairs that are two people.
        """
        count = len(np.asarray(cosines))
        if self.strangers is None or not count:
            return self
        values = self.evidence(cosines)
        mean, deviation = self.strangers
        share = count / (count + _PAIRS)
        here = (1 - share) * mean + share * float(values.mean())
        variance = (1 - share) * deviation**2 + share * float(((values - here) ** 2).mean())
        alike = -mean  # of one person's pairs: as far on the other side of even odds
        slope = max(alike - here, 0.0) / (alike - mean) * deviation**2 / max(variance, 1e-9)
        slope = min(slope, 1.0)
        first, offset = self.cosine
        return replace(self, cosine=(slope * first, slope * (offset - (alike + here) / 2)))

    def strangers_scale(self, cosines: Any, known: Any, records: int) -> float:
        """What a gallery's cosines are multiplied by, so that strangers differ as much as those fitted on.

        Where cameras, light and clothes are others, strangers may spread wider, and the most alike of them
        would pass for one person. Nearly all pairs of a gallery are strangers, so their deviation is
        estimated as the prior is (`estimated_prior`), by expectation and maximisation without any label:
        a pair counts for as much as it is likely to be two people. Records of one person deviate together,
        so that what counts is how many people there are; few of them draw it towards that of the data that
        it was fitted on (`_PEOPLE`).

        Args:
            cosines: ``(P,)`` normalised cosines of pairs.
            known: ``(P,)`` which of these are two people for sure.
            records: how many there are.
        """
        values, free = np.asarray(cosines, np.float64), ~np.asarray(known, bool)
        if self.strangers is None or not self.cosine[0] > 0 or not len(values):
            return 1.0
        fitted, scale = self.strangers[1] / self.cosine[0], 1.0
        weights = np.ones(len(values))
        for _ in range(_ROUNDS):
            evidence = self.evidence(scale * values[free])
            prior = estimated_prior(evidence, min(0.2, 2.0 / max(records, 2)))
            weights[free] = expit(-evidence - logit(prior))
            total = max(float(weights.sum()), 1e-12)  # there may be no stranger at all
            mean = float(weights @ values) / total
            variance = float(weights @ (values - mean) ** 2) / total
            people = min(records / (1 + prior * (records - 1)), total)
            variance = (people * variance + _PEOPLE * fitted**2) / (people + _PEOPLE)
            scale = fitted / float(np.sqrt(variance))
        return scale

    def to_json(self) -> str:
        """For a file."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, place: str) -> Calibration:
        """Reads what `to_json` gave.

        Raises:
            ValueError: it is not that; the message names ``place``.
        """
        try:
            values = json.loads(text)
            if len(values.get("linked") or ()) == 3:  # files of before have no root
                values["linked"].insert(2, 0.0)
            numbers: dict[str, Any] = {
                name: _numbers(values.get(name), count) for name, count in _NUMBERS.items()
            }
            numbers = {name: found for name, found in numbers.items() if found is not None}
            if not {"cosine", "linked"} <= numbers.keys():
                raise ValueError("expected cosine and linked")
            rest = {item.name: values[item.name] for item in fields(cls) if item.name not in _NUMBERS}
            return cls(**numbers, **rest)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{place}: not a calibration ({error})") from None


def _numbers(values: Any, count: int) -> tuple[float, ...] | None:
    if values is None:
        return None
    numbers = tuple(map(float, values))
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ValueError(f"expected {count} numbers, got {values!r}")
    return numbers


def hit_features(cosine: Any, jaccard: Any) -> Floats:
    """What `Calibration.linked` and `Calibration.found` are linear in, ``(P, 4)``."""
    near = np.asarray(jaccard, np.float64)
    columns = (np.asarray(cosine, np.float64), near, np.sqrt(np.clip(1 - near, 0, 1)), np.ones_like(near))
    return np.column_stack(columns)


def fit_logistic(features: Floats, same: Mask, share: float = 0.5) -> Floats:
    """Logistic regression of whether pairs show one person, free of how many pairs of each kind there were.

    The pairs of one person weigh ``share`` of all. What comes out is the log-likelihood ratio, fitted best
    where it decides if that is the share of pairs that are one person.

    Args:
        features: ``(P, F)``.
        same: ``(P,)``.
        share: see above.

    Returns:
        ``(F + 1,)`` slopes and offset.

    Raises:
        ValueError: only one kind of pairs is there.
    """
    from scipy.optimize import minimize  # takes a moment to load, and who searches fits nothing

    if same.all() or not same.any():
        raise ValueError("pairs: expected some of one person and some of two")
    table = np.column_stack([features, np.ones(len(features))])
    weights = np.where(same, share / same.sum(), (1 - share) / (~same).sum())
    odds = float(logit(share))

    def loss(values: Floats) -> tuple[float, Floats]:
        found = table @ values + odds
        cost = np.where(same, np.logaddexp(0, -found), np.logaddexp(0, found))
        slopes = np.append(values[:-1], 0)
        gradient = table.T @ (weights * (expit(found) - same)) + 2 * _RIDGE * slopes
        return float((weights * cost).sum() + _RIDGE * (slopes**2).sum()), gradient

    result = minimize(loss, np.zeros(table.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-8})
    return np.asarray(result.x, np.float64)


def estimated_prior(
    evidence: Floats, start: float = 0.02, strength: float = 1.0, total: int | None = None
) -> float:
    """The share of pairs that show one person, from their log-likelihood ratios alone.

    Expectation and maximisation (Saerens et al. 2002, Neural Computation 14): no label is needed. The prior
    itself has a beta distribution around ``start``, worth ``strength`` pairs, so that a few pairs do not make
    it 0 or 1.

    Args:
        evidence: ``(P,)``.
        start: expected share.
        strength: how many pairs that expectation is worth.
        total: of how many pairs those are the likeliest, where the others are two people for sure.
    """
    share, count = start, len(evidence) if total is None else max(total, len(evidence))
    for _ in range(200):
        found = (float(expit(evidence + logit(share)).sum()) + strength * start) / (count + strength)
        found = min(max(found, 1e-9), 1 - 1e-9)
        if abs(found - share) < 1e-9:
            break
        share = found
    return share
