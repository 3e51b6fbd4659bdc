"""Fitting the layer that reads attributes from embeddings, and scoring it on people it did not see."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from mot_reid.appearance.attributes import AttributeHead
from mot_reid.typing import Floats, Floats32, Ints
from mot_reid.wording import counted

__all__ = ["AttributeScore", "AttributeTable", "fit_attributes", "read_attribute_table", "score_attributes"]

_FOLDS = 4
_PENALTIES = (3e-4, 1e-3, 3e-3, 1e-2, 1e-1)


class AttributeTable(NamedTuple):
    """Attributes of people, by name.

    Attributes:
        names: of the attributes.
        values: that each has, in alphabetic order.
        people: by identity, the row of each attribute's value; -1 where nobody knows.
    """

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    people: dict[int, tuple[int, ...]]

    def of(self, identities: Ints) -> Ints:
        """``(N, A)`` values of ``(N,)`` identities; -1 for people without a row."""
        unknown = (-1,) * len(self.names)
        rows = [self.people.get(int(person), unknown) for person in identities]
        return np.array(rows, np.int64).reshape(len(rows), len(self.names))


class AttributeScore(NamedTuple):
    """How well one attribute is read.

    Attributes:
        name: of the attribute.
        accuracy: share of entries whose likeliest value is right; NaN without any, as the next three.
        balanced: the mean of that share over the values that occur.
        commonest: the accuracy of always saying the commonest value.
        calibration: expected calibration error, in ten bins of the likeliest value's probability.
        entries: how many have a known value.
    """

    name: str
    accuracy: float
    balanced: float
    commonest: float
    calibration: float
    entries: int


def read_attribute_table(path: Path | str, unknown: Sequence[str] = ("other", "")) -> AttributeTable:
    """Read a CSV file with the column `identity` and one for each attribute, whose cells are words.

    Args:
        path: the file.
        unknown: words that mean that nobody knows.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it has no such columns, or a row is broken; the line is named.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such attributes: {path}")
    rows: dict[int, list[str]] = {}
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or ())
        names = tuple(name for name in columns if name != "identity")
        if "identity" not in columns or not names:
            raise ValueError(f"{path}: expected a column identity and one for each attribute; got {columns}")
        for row in reader:
            try:
                rows[int(row["identity"])] = [(row[name] or "").strip() for name in names]
            except (TypeError, ValueError):
                raise ValueError(f"{path}:{reader.line_num}: expected an identity; got {row}") from None
    seen = [sorted({row[i] for row in rows.values()} - set(unknown)) for i in range(len(names))]
    if few := [name for name, values in zip(names, seen, strict=True) if len(values) < 2]:
        raise ValueError(f"{path}: {few[0]} has fewer than two values")
    people = {
        person: tuple(
            values.index(word) if word in values else -1 for word, values in zip(row, seen, strict=True)
        )
        for person, row in rows.items()
    }
    return AttributeTable(names, tuple(map(tuple, seen)), people)


def fit_attributes(
    embeddings: Floats32, identities: Ints, table: AttributeTable, origin: str = ""
) -> AttributeHead:
    """Fit a multinomial logistic regression for each attribute, calibrated on people left out in turn.

    Each person weighs the same, however many crops there are. The penalty of each attribute is the one under
    which people left out in turn (four folds) are read best; a temperature and a shift of each value, fitted
    to their scores, make the probabilities honest (Guo et al., "On Calibration of Modern Neural Networks",
    ICML 2017, arXiv:1706.04599).

    Args:
        embeddings: ``(N, D)``.
        identities: ``(N,)``.
        table: attributes of their people.
        origin: SHA-256 of the embedder's checkpoint.

    Raises:
        ValueError: fewer than `_FOLDS` people are known.
    """
    x = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    x = np.hstack((x, np.ones((len(x), 1), np.float32))).astype(np.float64)
    labels, layers = table.of(identities), []
    shuffled = np.random.default_rng(0).permutation
    for column, values in enumerate(table.values):
        known = labels[:, column] >= 0
        people = np.unique(identities[known])
        if len(people) < _FOLDS:
            raise ValueError(f"{table.names[column]}: known of {counted(len(people), 'person')} only")
        fold = (shuffled(len(people)) % _FOLDS)[np.searchsorted(people, identities[known])]
        arguments = (x[known], labels[known, column], len(values), _weights(identities[known]))
        layers.append(_fit_calibrated(*arguments, fold))
    weight = np.concatenate([layer[:, :-1] for layer in layers]).astype(np.float32)
    bias = np.concatenate([layer[:, -1] for layer in layers]).astype(np.float32)
    return AttributeHead(table.names, table.values, weight, bias, origin)


def score_attributes(probabilities: Floats32, head: AttributeHead, truth: Ints) -> tuple[AttributeScore, ...]:
    """Score predictions.

    Args:
        probabilities: ``(N, L)`` by `AttributeHead.predict`, of crops or means over tracklets.
        head: that predicted.
        truth: ``(N, A)``, -1 where nobody knows.
    """
    scores, start = [], 0
    for column, (name, values) in enumerate(zip(head.names, head.values, strict=True)):
        part, start = probabilities[:, start : start + len(values)], start + len(values)
        known = truth[:, column] >= 0
        if not known.any():
            scores.append(AttributeScore(name, math.nan, math.nan, math.nan, math.nan, 0))
            continue
        right, said = truth[known, column], part[known].argmax(axis=1)
        hit, sure = right == said, part[known].max(axis=1)
        occurring, counts = np.unique(right, return_counts=True)
        scores.append(
            AttributeScore(
                name,
                float(hit.mean()),
                float(np.mean([hit[right == value].mean() for value in occurring])),
                float(counts.max() / counts.sum()),
                _calibration_error(hit, sure),
                int(known.sum()),
            )
        )
    return tuple(scores)


def _weights(identities: Ints) -> Floats:
    """One over the number of a person's crops."""
    _, row, counts = np.unique(identities, return_inverse=True, return_counts=True)
    return 1.0 / counts[row]


def _fit_calibrated(x: Floats, labels: Ints, classes: int, weights: Floats, fold: Ints) -> Floats:
    """(classes, D + 1): the layer, scaled and shifted for honest probabilities."""
    best: tuple[float, float, Floats] | None = None
    for penalty in _PENALTIES:
        scores = np.zeros((len(x), classes))
        for left in range(_FOLDS):
            rows = fold != left
            scores[~rows] = x[~rows] @ _fit(x[rows], labels[rows], classes, weights[rows], penalty).T
        loss, calibration = _calibrate(scores, labels, weights)
        if best is None or loss < best[0]:
            best = (loss, penalty, calibration)
    assert best is not None
    layer = _fit(x, labels, classes, weights, best[1]) * np.exp(best[2][0])
    layer[:, -1] += best[2][1:]
    return layer


def _calibrate(scores: Floats, labels: Ints, weights: Floats) -> tuple[float, Floats]:
    """The least log loss of scaled and shifted scores; the logarithm of the scale, and the shifts."""

    def loss(values: Floats) -> float:
        return _log_loss(scores * np.exp(values[0]) + values[1:], labels, weights)

    found = minimize(
        loss, np.zeros(1 + scores.shape[1]), method="L-BFGS-B", bounds=[(-4, 2)] + [(-5, 5)] * scores.shape[1]
    )
    return float(found.fun), np.asarray(found.x)


def _fit(x: Floats, labels: Ints, classes: int, weights: Floats, penalty: float) -> Floats:
    """(classes, D + 1) of a multinomial logistic regression by L-BFGS."""
    w = weights / weights.sum()
    target = np.eye(classes)[labels]
    decay = np.ones(x.shape[1])
    decay[-1] = 0  # the bias

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        layer = flat.reshape(classes, -1)
        p = _softmax(x @ layer.T)
        value = -(w * np.log(np.maximum((p * target).sum(axis=1), 1e-12))).sum()
        gradient = ((p - target) * w[:, None]).T @ x + penalty * layer * decay
        return float(value + penalty * (layer**2 * decay).sum() / 2), gradient.ravel()

    found = minimize(
        loss, np.zeros(classes * x.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 60}
    )
    return np.asarray(found.x).reshape(classes, -1)


def _softmax(scores: Floats) -> Floats:
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def _log_loss(scores: Floats, labels: Ints, weights: Floats) -> float:
    right = _softmax(scores)[np.arange(len(labels)), labels]
    return float(-(weights * np.log(np.maximum(right, 1e-12))).sum() / weights.sum())


def _calibration_error(hit: NDArray[np.bool_], sure: Floats32) -> float:
    bins = np.minimum((sure * 10).astype(int), 9)
    gaps = [abs(hit[bins == b].mean() - sure[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    return float(sum(gaps))
