"""RTMDet exports in ONNX Runtime or OpenVINO on the CPU; torch is not imported."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from mot_reid.concurrency import available_cores
from mot_reid.detection.decoding import Rows, suppress
from mot_reid.detection.letterbox import Letterbox
from mot_reid.sessions import name_of
from mot_reid.typing import Floats32, Image

__all__ = ["ARCHITECTURE", "MEAN", "STRIDES", "OnnxRtmDet", "rows_of"]

ARCHITECTURE = "rtmdet_nano"
"""The entry ``architecture`` of an export's metadata."""

STRIDES = (8, 16, 32)
MEAN = (103.53, 116.28, 123.675)
"""Of blue, green and red, taken off the pixels."""


class OnnxRtmDet:
    """Runs an export by `mot_reid.detection.rtmdet_export`.

    Args:
        session: of `mot_reid.sessions.open_session`.
        threads: of one pass; 0 for one each core.

    Attributes:
        name: what runs it and where, for reports.
        class_names: the name of each class number.
        calls_at_once: how many threads best call it at the same time: together they use all cores.
    """

    def __init__(self, session: Any, threads: int = 0) -> None:
        self._session, self.name = session, name_of(session)
        self._input = session.get_inputs()[0].name
        self.calls_at_once = max(1, available_cores() // threads) if threads else 1
        self.class_names: Mapping[int, str] = {0: "person"}

    def __call__(self, frames: Sequence[Image], size: int, keep: Any) -> list[Rows]:
        """See `mot_reid.detection.onnx_yolo.OnnxYolo.__call__`."""
        return [self._detect(frame, size, keep) for frame in frames]

    def _detect(self, frame: Image, size: int, keep: Any) -> Rows:
        fitted = Letterbox.fit((frame.shape[0], frame.shape[1]), (size, size), STRIDES[-1])
        output = self._session.run(None, {self._input: fitted.centred_blob(frame, MEAN)})[0]
        rows = rows_of(output[0], fitted.size, keep.score, keep.classes)
        rows = suppress(rows, keep.iou, keep.most)
        rows[:, :4] = fitted.boxes(rows[:, :4])
        return rows


def rows_of(
    output: Floats32, size: tuple[int, int], score: float, classes: Sequence[int] | None = None
) -> Rows:
    """The boxes of one picture above a score, each with its best class, in the order of the output.

    Args:
        output: ``(4 + classes, A)``: from each place of the maps the distances to the box's left, upper,
            right and lower side, pixels, and the logits of the scores.
        size: height and width of the input.
        score: only higher ones stay.
        classes: the class numbers to keep, or None for all.
    """
    logits = output[4:].max(axis=0)
    chosen = np.flatnonzero(logits > _logit(score))
    xy = _places(*size)[chosen]
    distances = output[:4, chosen].T
    scores = 1 / (1 + np.exp(-logits[chosen]))
    kinds = output[4:, chosen].argmax(axis=0)
    rows = np.column_stack((xy - distances[:, :2], xy + distances[:, 2:], scores, kinds))
    if classes is not None:
        rows = rows[np.isin(kinds, classes)]
    return np.ascontiguousarray(rows, np.float32)


def _logit(score: float) -> float:
    if not 0 < score < 1:
        return -math.inf if score <= 0 else math.inf
    return math.log(score / (1 - score))


@lru_cache(maxsize=8)
def _places(height: int, width: int) -> Floats32:
    """All places of the maps, x and y ``(A, 2)``, finest map first, row by row."""
    parts = []
    for stride in STRIDES:
        y, x = np.mgrid[0:height:stride, 0:width:stride]
        parts.append(np.stack((x.ravel(), y.ravel()), axis=1))
    return np.concatenate(parts).astype(np.float32)
