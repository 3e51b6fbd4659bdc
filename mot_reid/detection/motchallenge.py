"""Detections read from a MOTChallenge detection file."""

from itertools import pairwise
from pathlib import Path

import numpy as np

from mot_reid.boxes import tlwh_to_xyxy
from mot_reid.structures import Detections
from mot_reid.typing import Floats, Mask

__all__ = ["ScoreError", "read_detections"]

_COLUMNS = "frame, id, left, top, width, height, score"
_COUNT = 7


class ScoreError(ValueError):
    """A score lies outside [0, 1]; the message names the file and the line."""


def read_detections(path: str | Path, *, logistic: bool = False) -> dict[int, Detections]:
    """Reads a detection file: rows of ``frame, id, left, top, width, height, score`` and any columns more.

    Everything in it is taken as class 0, a person.

    Args:
        path: the file; commas or blanks between the columns.
        logistic: scores s become 1 / (1 + exp(-2 s)); for detectors such as DPM, whose scores are not in
            [0, 1].

    Returns:
        The detections of each frame that has any, frames counted from 1.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a row does not fit; the message names the file and the line.
        ScoreError: a score lies outside [0, 1].
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"detection file not found: {path}")
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    table = _parse_all(lines, logistic)
    if table is None or any(rows.any() for rows in _broken_rules(table).values()):
        table = _parse_each(lines, path, logistic)
    table = table[np.argsort(table[:, 0], kind="stable")]
    everything = Detections(tlwh_to_xyxy(table[:, 1:5]), table[:, 5])
    frames, starts = np.unique(table[:, 0].astype(int), return_index=True)
    bounds = pairwise([*starts, len(table)])
    return {int(frame): everything[start:end] for frame, (start, end) in zip(frames, bounds, strict=True)}


def _parse_all(lines: list[str], logistic: bool) -> Floats | None:
    """All rows at once: frame, left, top, width, height and score; None where a line is not like the others.

    Whatever this takes, `_parse_each` takes in the same way; it is only slower.
    """
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        return None
    delimiter = "," if "," in first else None
    try:
        table = np.loadtxt(lines, comments=None, delimiter=delimiter, usecols=range(_COUNT), ndmin=2)
    except ValueError:
        return None
    return _scored(np.delete(table, 1, axis=1), logistic)


def _parse_each(lines: list[str], path: Path, logistic: bool) -> Floats:
    """The same row by row, so that each may have its own form, and a wrong one is named by its line."""
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    table = np.array([_parse(line, path, number) for number, line in numbered])
    table = _scored(table.reshape(-1, _COUNT - 1), logistic)
    for rule, rows in _broken_rules(table).items():
        if rows.any():
            error = ScoreError if rule == _SCORE_RULE else ValueError
            raise error(f"{path}:{numbered[int(rows.argmax())][0]}: {rule}")
    return table


def _parse(line: str, path: Path, number: int) -> tuple[float, ...]:
    """Frame, left, top, width, height and score of one row."""
    entries = line.split("," if "," in line else None)  # so that an empty column does not shift the others
    try:
        frame, _, *rest = (float(entry) for entry in entries[:_COUNT])
        left, top, width, height, score = rest
    except ValueError:
        raise ValueError(f"{path}:{number}: expected numbers {_COLUMNS}, got {line.strip()[:80]!r}") from None
    return frame, left, top, width, height, score


def _scored(table: Floats, logistic: bool) -> Floats:
    """The same table, its scores brought to [0, 1] if need be; what is not finite stays so."""
    if logistic:
        scores = table[:, 5]
        with np.errstate(over="ignore"):  # exp of much gives infinity, and the score 0
            table[:, 5] = np.where(np.isfinite(scores), 1 / (1 + np.exp(-2 * scores)), scores)
    return table


_SCORE_RULE = "the score must be in [0, 1] (for DPM's, 1 / (1 + exp(-2 s)) brings them there)"


def _broken_rules(table: Floats) -> dict[str, Mask]:
    """Each rule with the rows ``(N,)`` that break it."""
    frame, score = table[:, 0], table[:, 5]
    with np.errstate(all="ignore"):
        corners = tlwh_to_xyxy(table[:, 1:5]).astype(np.float32)  # as `Detections` holds them
        size = corners[:, 2:] - corners[:, :2]
    return {
        "a value is not finite": ~(np.isfinite(table).all(axis=1) & np.isfinite(corners).all(axis=1)),
        "the frame must be a whole number from 1": (frame < 1) | (frame != np.rint(frame)) | (frame >= 2**31),
        "width and height must be positive": ~(size > 0).all(axis=1),
        _SCORE_RULE: (score < 0) | (score > 1),
    }
