"""From how alike two tracklets are to the probability that they show one person; arrays only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

__all__ = ["Calibration", "estimated_prior", "fit_logistic"]

Floats = NDArray[np.float64]

_RIDGE = 1e-6


@dataclass(frozen=True)
class Calibration:
    """How much likelier than two people one person makes a similarity: log-likelihood ratios, linear in it.

    Attributes:
        embedder: name of the embedder it is for.
        fingerprint: of its weights.
        cosine: slope and offset for normalised cosines alone.
        linked: slopes for normalised cosine and for k-reciprocal Jaccard distance, and offset.
        people: held-out people it was fitted on.
        tracklets: how many of theirs.
        data: what they are.
    """

    embedder: str
    fingerprint: str
    cosine: tuple[float, float]
    linked: tuple[float, float, float]
    people: int = 0
    tracklets: int = 0
    data: str = ""

    def evidence(self, cosine: Any, jaccard: Any = None) -> Floats:
        """Log-likelihood ratios of pairs from their normalised cosines, and Jaccard distances if known."""
        values = np.asarray(cosine, np.float64)
        if jaccard is None:
            return np.asarray(self.cosine[0] * values + self.cosine[1])
        first, second, offset = self.linked
        return np.asarray(first * values + second * np.asarray(jaccard, np.float64) + offset)

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
            found = {item.name: values[item.name] for item in fields(cls)}
            first, second = (tuple(map(float, found.pop(name))) for name in ("cosine", "linked"))
            if len(first) != 2 or len(second) != 3:
                raise ValueError("expected two and three numbers")
            return cls(cosine=(first[0], first[1]), linked=(second[0], second[1], second[2]), **found)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{place}: not a calibration ({error})") from None


def fit_logistic(features: Floats, same: NDArray[np.bool_]) -> Floats:
    """Logistic regression of whether pairs show one person, both kinds weighing the same.

    With equal weights its logit is the log-likelihood ratio, free of how many pairs of each kind there were.

    Args:
        features: ``(P, F)``.
        same: ``(P,)``.

    Returns:
        ``(F + 1,)`` slopes and offset.

    Raises:
        ValueError: only one kind of pairs is there.
    """
    if same.all() or not same.any():
        raise ValueError("pairs: expected some of one person and some of two")
    table = np.column_stack([features, np.ones(len(features))])
    weights = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())

    def loss(values: Floats) -> tuple[float, Floats]:
        found = table @ values
        cost = np.where(same, np.logaddexp(0, -found), np.logaddexp(0, found))
        slopes = np.append(values[:-1], 0)
        gradient = table.T @ (weights * (expit(found) - same)) + 2 * _RIDGE * slopes
        return float((weights * cost).sum() + _RIDGE * (slopes**2).sum()), gradient

    result = minimize(loss, np.zeros(table.shape[1]), jac=True, method="BFGS")
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
