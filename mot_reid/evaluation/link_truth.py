"""Which links of a clustering are right, and how likely that is by the evidence; on known people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from mot_reid.gallery.evidence import Evidence
from mot_reid.gallery.linkage import constrained_linkage
from mot_reid.typing import Floats, Indices, Ints, Mask

__all__ = ["KnownPairs", "fit_links", "right_links"]


@dataclass(frozen=True, eq=False)
class KnownPairs:
    """Pairs of records of known people.

    Attributes:
        evidence: of all pairs.
        barred: ``(P, 2)`` pairs that are two people.
        people: ``(N,)`` who each record is.
        boxes: ``(N,)`` how many boxes each has.
    """

    evidence: Evidence
    barred: Indices
    people: Ints
    boxes: Ints


def right_links(merges: Floats, people: Ints, weights: Floats) -> Mask:
    """Whether each merge joins what is mostly one person's, ``(M,)``.

    Args:
        merges: ``(M, 3)`` in order, see `mot_reid.gallery.linkage.constrained_linkage`.
        people: ``(N,)`` who each thing is.
        weights: ``(N,)`` positive, how much each counts.
    """
    cluster = list(range(len(people)))
    shares: list[dict[int, float]] = [
        {person: weight} for person, weight in zip(people.tolist(), weights.tolist(), strict=True)
    ]

    def root(place: int) -> int:
        while cluster[place] != place:
            cluster[place] = cluster[cluster[place]]
            place = cluster[place]
        return place

    right = np.zeros(len(merges), bool)
    for row, (one, other) in enumerate(merges[:, :2].astype(int).tolist()):
        first, second = root(one), root(other)
        mine, theirs = shares[first], shares[second]
        right[row] = max(mine, key=lambda key: mine[key]) == max(theirs, key=lambda key: theirs[key])
        for person, weight in theirs.items():
            mine[person] = mine.get(person, 0.0) + weight
        cluster[second] = first
    return right


def fit_links(sets: Sequence[KnownPairs]) -> tuple[float, float]:
    """Slope and offset of `mot_reid.gallery.calibration.Calibration.links`, by logistic regression.

    All is joined down to the last merge, and each merge asked whether it was right. A slope of 1, what a
    single pair has, is worth one merge.

    Args:
        sets: of records, each joined by itself; they count by their merges.
    """
    joined = [_merges(one) for one in sets]
    odds, right = (np.concatenate(column) for column in zip(*joined, strict=True))

    def loss(values: Floats) -> tuple[float, Floats]:
        found = values[0] * odds + values[1]
        cost = np.where(right, np.logaddexp(0, -found), np.logaddexp(0, found)).sum()
        slack = expit(found) - right
        ridge = values[0] - 1
        return float(cost + 0.5 * ridge**2), np.array([slack @ odds + ridge, slack.sum()])

    result = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS")
    return float(result.x[0]), float(result.x[1])


def _merges(known: KnownPairs) -> tuple[Floats, Mask]:
    """What speaks for each merge, with the prior's logit, and whether it is right."""
    evidence, barred = known.evidence, known.barred
    distances = np.zeros((len(known.people), len(known.people)))
    distances[evidence.rows, evidence.columns] = -evidence.values
    distances += distances.T
    distances[barred[:, 0], barred[:, 1]] = distances[barred[:, 1], barred[:, 0]] = np.inf
    boxes = known.boxes.astype(np.float64)
    merges = constrained_linkage(distances, np.sqrt(boxes))
    return logit(evidence.prior) - merges[:, 2], right_links(merges, known.people, boxes)
