"""Detections read from a MOTChallenge detection file."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mot_reid.boxes import tlwh_to_xyxy
from mot_reid.structures import Detections

__all__ = ["read_detections"]

_COLUMNS = "frame, id, left, top, width, height, score"


def read_detections(path: str | Path) -> dict[int, Detections]:
    """Reads a detection file: rows of ``frame, id, left, top, width, height, score`` and any columns more.

    Everything in it is taken as class 0, a person.

    Args:
        path: the file; commas or blanks between the columns.

    Returns:
        The detections of each frame that has any, frames counted from 1.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a row does not fit; the message names the file and the line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"detection file not found: {path}")
    rows, lines = [], []
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            rows.append(_parse(line, path, number))
            lines.append(number)
    if not rows:
        return {}
    table = np.array(rows)
    _check(table, path, lines)
    table = table[np.argsort(table[:, 0], kind="stable")]
    frames, starts = np.unique(table[:, 0].astype(int), return_index=True)
    parts = np.split(table, starts[1:])
    return {
        int(frame): Detections(tlwh_to_xyxy(part[:, 1:5]), part[:, 5])
        for frame, part in zip(frames, parts, strict=True)
    }


def _parse(line: str, path: Path, number: int) -> tuple[float, ...]:
    """Frame, left, top, width, height and score of one row."""
    entries = line.split("," if "," in line else None)  # so that an empty column does not shift the others
    try:
        frame, _, *rest = (float(entry) for entry in entries[:7])
        left, top, width, height, score = rest
    except ValueError:
        raise ValueError(f"{path}:{number}: expected numbers {_COLUMNS}, got {line.strip()!r}") from None
    return frame, left, top, width, height, score


def _check(table: NDArray[np.float64], path: Path, lines: list[int]) -> None:
    """Names the first row that breaks a rule."""
    frame, score = table[:, 0], table[:, 5]
    with np.errstate(all="ignore"):
        corners = tlwh_to_xyxy(table[:, 1:5]).astype(np.float32)  # as `Detections` holds them
        size = corners[:, 2:] - corners[:, :2]
    broken = {
        "a value is not finite": ~(np.isfinite(table).all(axis=1) & np.isfinite(corners).all(axis=1)),
        "the frame must be a whole number from 1": (frame < 1) | (frame != np.rint(frame)) | (frame >= 2**31),
        "width and height must be positive": ~(size > 0).all(axis=1),
        "the score must be in [0, 1] (for DPM's, 1 / (1 + exp(-2 s)) brings them there)": (score < 0)
        | (score > 1),
    }
    for rule, rows in broken.items():
        if rows.any():
            raise ValueError(f"{path}:{lines[int(rows.argmax())]}: {rule}")
