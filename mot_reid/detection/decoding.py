"""From a YOLO network's raw output to the boxes that are left after non-maximum suppression."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mot_reid.boxes import cxcywh_to_xyxy, xyxy_to_tlwh
from mot_reid.typing import Floats32

__all__ = ["candidates", "suppress"]

Rows = Floats32
"""``(N, 6)``: x1, y1, x2, y2, score, class; Ultralytics' order."""

_CLASS_OFFSET = 1e5  # pixels; moves each class to a place of its own, where it meets no other
_MOST_CANDIDATES = 30_000


def candidates(output: Floats32, score: float, classes: Sequence[int] | None) -> Rows:
    """The boxes of one picture above a score, each with its best class, in the order of the output.

    Args:
        output: ``(4 + classes, A)``: centre, size and class scores of each anchor; or, from a network that
            suppresses by itself, finished rows ``(N, 6)``.
        score: only higher ones stay.
        classes: the class numbers to keep, or None for all.
    """
    if output.shape[1] == 6:
        rows = output[output[:, 4] > score]
    else:
        by_class = output[4:]
        best = by_class.max(axis=0)
        chosen = np.flatnonzero(best > score)
        kinds = by_class[:, chosen].argmax(axis=0)
        boxes = cxcywh_to_xyxy(output[:4, chosen].T)
        rows = np.column_stack([boxes, best[chosen], kinds])
    if classes is not None:
        rows = rows[np.isin(rows[:, 5], classes)]
    return np.ascontiguousarray(rows, np.float32)


def suppress(rows: Rows, most_overlap: float, most: int) -> Rows:
    """Non-maximum suppression class by class: the best first, without those that overlap a better one.

    Args:
        rows: from `candidates`.
        most_overlap: intersection over union above which the weaker box goes.
        most: how many rows are kept.
    """
    rows = rows[np.argsort(-rows[:, 4], kind="stable")[:_MOST_CANDIDATES]]
    apart = rows[:, :4].astype(np.float64) + _CLASS_OFFSET * rows[:, 5:6]
    kept = cv2.dnn.NMSBoxes(xyxy_to_tlwh(apart), rows[:, 4], 0.0, most_overlap)  # type: ignore[arg-type]
    return rows[np.asarray(kept, np.intp).reshape(-1)[:most]]
