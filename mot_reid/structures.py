"""What flows between the parts: detections in, tracks out, both as structures of arrays."""

from __future__ import annotations

from dataclasses import Field, dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mot_reid.typing import Boxes, Embeddings, Floats32, Ints

__all__ = ["Detections", "Tracks", "unit_rows"]

# How far an embedding's length may be from 1 before it counts as not normalised and is normalised here.
_UNIT_LENGTH_TOLERANCE = 1e-3


def _boxes(value: ArrayLike, argument: str) -> Boxes:
    """Checks boxes: ``(N, 4)``, finite, ``x2 > x1`` and ``y2 > y1``."""
    boxes = _numbers(value, argument, np.float32)
    if boxes.size == 0 and boxes.ndim <= 2:
        boxes = boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"{argument}: expected shape (N, 4), got {boxes.shape}")
    bad = ~np.isfinite(boxes).all(axis=1)
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(f"{argument}: row {row} is not finite: {boxes[row].tolist()}")
    bad = (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(
            f"{argument}: row {row} has no area, expected x1 < x2 and y1 < y2, got {boxes[row].tolist()}"
        )
    return boxes


def _numbers(value: ArrayLike, argument: str, dtype: type[Any]) -> NDArray[Any]:
    """Converts to a contiguous array of ``dtype``; numbers only, integers without loss."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{argument}: expected rows of one length") from None
    if array.size and array.dtype.kind not in "biuf":
        raise TypeError(f"{argument}: expected numbers, got dtype {array.dtype}")
    if np.issubdtype(dtype, np.integer) and array.dtype.kind in "uf":
        if not np.array_equal(array, np.rint(array)):
            raise ValueError(f"{argument}: expected whole numbers, got {array.dtype} with fractions")
        if array.size and np.abs(array.astype(np.float64)).max() >= 2**63:
            raise ValueError(f"{argument}: expected 64-bit integers, got {np.abs(array).max()}")
    with np.errstate(over="ignore"):  # what is too large for the type becomes infinite, and is named later
        return np.ascontiguousarray(array, dtype=dtype)


def _column(value: ArrayLike, argument: str, dtype: type[Any], length: int) -> NDArray[Any]:
    column = _numbers(value, argument, dtype)
    if column.shape != (length,):
        raise ValueError(f"{argument}: expected shape ({length},) to match xyxy, got {column.shape}")
    return column


class _Rows:
    """Length and row selection, shared by the two structures."""

    xyxy: Boxes
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, rows: Any) -> Self:
        """Selects rows by a boolean mask, an index array or a slice."""
        if isinstance(rows, int | np.integer):
            rows = [rows]
        new = object.__new__(type(self))  # rows of a checked structure need no second check
        for name in self.__dataclass_fields__:
            values = getattr(self, name)
            object.__setattr__(new, name, None if values is None else values[rows])
        return new


@dataclass(frozen=True, eq=False)
class Detections(_Rows):
    """The detections of one frame.

    Attributes:
        xyxy: boxes ``(N, 4)`` float32 in pixels, ``x1 < x2`` and ``y1 < y2``; they may reach over the frame.
        scores: ``(N,)`` float32 in [0, 1]; 1 where not given.
        classes: ``(N,)`` int64 class numbers; 0 where not given.
        embeddings: ``(N, D)`` float32 appearance vectors, L2-normalised here if they are not; or None.

    Raises:
        ValueError: a shape does not fit, a value is not finite, a box has no area, a score lies outside
            [0, 1] or an embedding is zero; the message names the argument and the row.
        TypeError: an argument does not hold numbers.
    """

    xyxy: Boxes
    scores: Floats32
    classes: Ints
    embeddings: Embeddings | None

    def __init__(
        self,
        xyxy: ArrayLike,
        scores: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        embeddings: ArrayLike | None = None,
    ) -> None:
        boxes = _boxes(xyxy, "xyxy")
        n = len(boxes)
        checked_scores = _column(np.ones(n) if scores is None else scores, "scores", np.float32, n)
        outside = ~((checked_scores >= 0) & (checked_scores <= 1))  # written so that NaN is outside
        if outside.any():
            row = int(outside.argmax())
            raise ValueError(f"scores: row {row} is {checked_scores[row]}, expected a value in [0, 1]")
        object.__setattr__(self, "xyxy", boxes)
        object.__setattr__(self, "scores", checked_scores)
        labels = np.zeros(n, np.int64) if classes is None else classes
        object.__setattr__(self, "classes", _column(labels, "classes", np.int64, n))
        checked_embeddings = None if embeddings is None else unit_rows(embeddings, n)
        object.__setattr__(self, "embeddings", checked_embeddings)

    def without_embeddings(self) -> Detections:
        """The same boxes, scores and classes, not copied."""
        new = object.__new__(Detections)
        for name in ("xyxy", "scores", "classes"):
            object.__setattr__(new, name, getattr(self, name))
        object.__setattr__(new, "embeddings", None)
        return new

    @classmethod
    def empty(cls) -> Detections:
        """No detection at all."""
        return cls(np.zeros((0, 4)))


def unit_rows(embeddings: ArrayLike, length: int) -> Embeddings:
    """Checks embeddings ``(length, D)`` and makes them L2-normalised float32 if they are not.

    Raises:
        ValueError: the shape does not fit, or a row is zero or not finite.
        TypeError: they are not numbers.
    """
    rows = _numbers(embeddings, "embeddings", np.float32)
    if not length and rows.shape == (0,):  # an empty list
        rows = rows.reshape(0, 0)
    if rows.ndim != 2 or len(rows) != length or (length and not rows.shape[1]):
        raise ValueError(f"embeddings: expected shape ({length}, D) to match xyxy, got {rows.shape}")
    norms = np.linalg.norm(rows, axis=1)
    bad = ~(np.isfinite(norms) & (norms > 0))
    if bad.any():
        raise ValueError(f"embeddings: row {int(bad.argmax())} is zero or not finite")
    if np.any(np.abs(norms - 1) > _UNIT_LENGTH_TOLERANCE):
        rows = rows / norms[:, None]
    return rows


@dataclass(frozen=True, eq=False)
class Tracks(_Rows):
    """The tracks seen in one frame, in the order of the detections behind them, then those hidden just now.

    Attributes:
        ids: ``(N,)`` int64, from 1, unique within a tracker and never used again.
        xyxy: boxes ``(N, 4)`` float32 in pixels.
        scores: ``(N,)`` float32, the scores of the detections behind the rows, the last ones for the hidden.
        classes: ``(N,)`` int64 class numbers.
        detection_index: ``(N,)`` int64, the row of the detection in this frame's input, or -1 for a
            person hidden behind another one, whose box is predicted.
        id_confidence: ``(N,)`` float32 in [0, 1], how likely the id is still that of the person who got it:
            1 until a track comes back by its looks alone, from then on what that says, times what earlier
            returns said; 1 where not given. Online results only: what is done with hindsight leaves it at 1.

    Raises:
        ValueError: a shape does not fit.
    """

    ids: Ints
    xyxy: Boxes
    scores: Floats32
    classes: Ints
    detection_index: Ints
    id_confidence: Floats32

    def __init__(
        self,
        ids: Ints,
        xyxy: Boxes,
        scores: Floats32,
        classes: Ints,
        detection_index: Ints,
        id_confidence: Floats32 | None = None,
    ) -> None:
        n = len(ids)
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "xyxy", xyxy)
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "classes", classes)
        object.__setattr__(self, "detection_index", detection_index)
        sure = np.ones(n, np.float32) if id_confidence is None else id_confidence
        object.__setattr__(self, "id_confidence", sure)
        for name in self.__dataclass_fields__:
            expected = (n, 4) if name == "xyxy" else (n,)
            shape = getattr(self, name).shape
            if shape != expected:
                raise ValueError(f"{name}: expected shape {expected} to match ids, got {shape}")

    @classmethod
    def empty(cls) -> Tracks:
        """No track at all."""
        none = np.zeros(0, np.int64)
        return cls(none, np.zeros((0, 4), np.float32), np.zeros(0, np.float32), none, none)
