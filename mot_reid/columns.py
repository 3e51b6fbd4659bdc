"""The checks of the columns that `mot_reid.structures` is made of."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mot_reid.typing import Boxes, Embeddings

__all__ = ["Invalid", "checked_boxes", "checked_column", "plain_array", "unit_rows", "valid_rows"]

# How far an embedding's length may be from 1 before it counts as not normalised and is normalised here.
_UNIT_LENGTH_TOLERANCE = 1e-3
# How far a score may lie outside [0, 1] and still pass for rounding.
_ROUNDING = 1e-3


def checked_boxes(value: ArrayLike, argument: str) -> Boxes:
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
    array = plain_array(value, argument)
    if array.size and array.dtype.kind not in "biuf":
        raise TypeError(f"{argument}: expected numbers, got dtype {array.dtype}")
    if np.issubdtype(dtype, np.integer) and array.dtype.kind in "uf":
        if not np.array_equal(array, np.rint(array)):
            raise ValueError(f"{argument}: expected whole numbers, got {array.dtype} with fractions")
        if array.size and np.abs(array.astype(np.float64)).max() >= 2**63:
            raise ValueError(f"{argument}: expected 64-bit integers, got {np.abs(array).max()}")
    with np.errstate(over="ignore"):  # what is too large for the type becomes infinite, and is named later
        return np.ascontiguousarray(array, dtype=dtype)


def plain_array(value: Any, argument: str) -> NDArray[Any]:
    """The array of whatever holds one."""
    try:
        if hasattr(value, "detach") and hasattr(value, "cpu"):
            value = value.detach().cpu()  # torch's, perhaps on an accelerator, in bfloat16 or with a gradient
            value = value.float() if value.is_floating_point() else value
        return np.asarray(value)
    except ValueError:
        raise ValueError(f"{argument}: expected rows of one length") from None
    except (RuntimeError, TypeError) as error:
        if not isinstance(value, list | tuple):
            raise TypeError(f"{argument}: {error}") from None
    return plain_array([plain_array(entry, argument) for entry in value], argument)  # of such tensors


Invalid = Literal["raise", "drop"]
_Columns = tuple[ArrayLike, ArrayLike | None, ArrayLike | None, ArrayLike | None]


def valid_rows(
    xyxy: ArrayLike, scores: ArrayLike | None, classes: ArrayLike | None, embeddings: ArrayLike | None
) -> tuple[_Columns, int]:
    """The rows that `Detections` takes, and how many it would not; wrong shapes stay for its own checks."""
    boxes = _numbers(xyxy, "xyxy", np.float32)
    count = len(boxes)
    if boxes.ndim != 2 or boxes.shape[1:] != (4,) or not count:
        return (xyxy, scores, classes, embeddings), 0
    good = np.isfinite(boxes).all(axis=1) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    mended = np.zeros(count, bool)
    columns: list[Any] = [boxes]
    for value, argument in ((scores, "scores"), (classes, "classes"), (embeddings, "embeddings")):
        column = None if value is None else plain_array(value, argument)
        if column is not None and column.dtype.kind in "biuf" and column.shape[:1] == (count,):
            rows = column.reshape(count, -1).astype(np.float64)
            good &= np.isfinite(rows).all(axis=1)
            if argument == "scores" and column.ndim == 1:
                mended = (column < 0) | (column > 1)
                good &= (column >= -_ROUNDING) & (column <= 1 + _ROUNDING)
                column = np.clip(column, 0, 1)
            if argument == "embeddings":
                good &= (rows != 0).any(axis=1)
        columns.append(column)
    kept = [c[good] if c is not None and c.shape[:1] == (count,) else c for c in columns]
    return (kept[0], kept[1], kept[2], kept[3]), int((~good | mended).sum())


def checked_column(value: ArrayLike, argument: str, dtype: type[Any], length: int) -> NDArray[Any]:
    """Checks a column: ``(length,)`` of ``dtype``."""
    column = _numbers(value, argument, dtype)
    if column.shape != (length,):
        raise ValueError(f"{argument}: expected shape ({length},) to match xyxy, got {column.shape}")
    return column


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
