"""Scores that mean something: near the precision of the boxes that have them.

Platt, "Probabilistic Outputs for Support Vector Machines", 1999: a line of the score's logit takes its place,
fitted to whether boxes are right. It needs no layer of its own: it goes into the last convolutions.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize

from mot_reid.boxes import covered_fraction
from mot_reid.detection.rtmdet import RtmDet
from mot_reid.training.detector.scores import PictureResult, match
from mot_reid.typing import Floats, Mask

__all__ = ["Line", "calibrated", "calibration_error", "fit_line", "hits"]

_HALF_IGNORED = 0.5
_LEAST_SURE = 1e-6


class Line(NamedTuple):
    """What becomes of a logit: ``slope * logit + offset``."""

    slope: float
    offset: float


def hits(pictures: Iterable[PictureResult]) -> tuple[Floats, Mask]:
    """The scores of detections, and which find a labelled person, as `score_detections` counts them."""
    scores, right = [np.zeros(0)], [np.zeros(0, bool)]
    for picture in pictures:
        order = np.argsort(-picture.scores, kind="stable")
        boxes = picture.detections[order]
        hit = match(boxes, picture.people)
        counts = hit | ~(covered_fraction(boxes, picture.ignored) >= _HALF_IGNORED).any(axis=1)
        scores.append(picture.scores[order][counts].astype(np.float64))
        right.append(hit[counts])
    return np.concatenate(scores), np.concatenate(right)


def fit_line(scores: Floats, right: Mask) -> Line:
    """The line under which the detections are most likely.

    Args:
        scores: ``(N,)`` in [0, 1]; 0 and 1, to which sure ones are rounded, count as a millionth less.
        right: ``(N,)`` which detections are right.

    Raises:
        ValueError: all are right, or all wrong, or the better ones have the lower scores.
    """
    if right.all() or not right.any():
        raise ValueError("calibration needs detections of both kinds, right ones and wrong ones")
    scores = scores.clip(_LEAST_SURE, 1 - _LEAST_SURE)
    logits = np.log(scores / (1 - scores))
    signs = np.where(right, 1.0, -1.0)

    def unlikely(line: Floats) -> float:
        return float(np.logaddexp(0, -signs * (line[0] * logits + line[1])).mean())

    found = minimize(unlikely, np.array([1.0, 0.0]))
    line = Line(float(found.x[0]), float(found.x[1]))
    if line.slope <= 0:
        raise ValueError(f"calibration: higher scores are no better ones (slope {line.slope:.2f})")
    return line


def calibration_error(scores: Floats, right: Mask, low: float = 0.1, bins: int = 10) -> float:
    """The expected difference of score and precision, of detections from a score on, in equal bins."""
    chosen = scores >= low
    place = np.minimum((scores[chosen] * bins).astype(int), bins - 1)
    apart = [
        abs(float(np.sum(right[chosen][place == number]) - np.sum(scores[chosen][place == number])))
        for number in range(bins)
    ]
    return sum(apart) / max(1, int(chosen.sum()))


def calibrated(network: RtmDet, line: Line) -> RtmDet:
    """A copy of a network whose logits lie on a line of what they were."""
    changed = deepcopy(network)
    with torch.no_grad():
        for module in changed.heads:
            score = module.get_submodule("score")
            assert isinstance(score, torch.nn.Conv2d)
            assert score.bias is not None
            score.weight.mul_(line.slope)
            score.bias.mul_(line.slope).add_(line.offset)
    return changed
