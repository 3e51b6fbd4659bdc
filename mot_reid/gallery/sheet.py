"""A contact sheet: what was asked and what was found, in one picture."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mot_reid.typing import Image

__all__ = ["Cell", "clock", "contact_sheet"]


_HEIGHT, _WIDTH, _TEXT, _GAP = 160, 92, 54, 10
_PAPER, _INK, _PALE = (250, 250, 250), (40, 40, 40), (130, 130, 130)
_SURE, _UNSURE = (80, 160, 60), (60, 60, 200)


@dataclass(frozen=True, eq=False)
class Cell:
    """One place of a sheet.

    Attributes:
        picture: BGR, or None where there is none.
        lines: up to three lines below it.
        probability: drawn as a bar; None for none.
    """

    picture: Image | None
    lines: Sequence[str]
    probability: float | None = None


def clock(seconds: float, epoch: float = float("nan")) -> str:
    """A time as people read it: with the date where the clock is known, else from the source's start."""
    if np.isfinite(epoch):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch + seconds))
    tenths = round(seconds * 10)  # 59.97 is a minute
    return f"{tenths // 36000:02d}:{tenths // 600 % 60:02d}:{tenths % 600 / 10:04.1f}"


def contact_sheet(queries: Sequence[Cell], hits: Sequence[Cell], columns: int = 8) -> Image:
    """Draws queries on the left and hits beside them, the best first.

    Returns:
        ``(H, W, 3)`` uint8 BGR.
    """
    rows = max(len(queries), -(-len(hits) // columns), 1)
    across = min(max(len(hits), 1), columns)
    step_x, step_y = _WIDTH + _GAP, _HEIGHT + _TEXT + _GAP
    sheet = np.full((rows * step_y + _GAP, (across + 1) * step_x + 3 * _GAP, 3), _PAPER, np.uint8)
    for place, cell in enumerate(queries):
        _draw(sheet, cell, _GAP, _GAP + place * step_y)
    line = _GAP + step_x
    sheet[_GAP:-_GAP, line : line + 1] = _PALE
    for place, cell in enumerate(hits):
        row, column = divmod(place, columns)
        _draw(sheet, cell, line + _GAP + 1 + column * step_x, _GAP + row * step_y)
    return sheet


def _draw(sheet: Image, cell: Cell, left: int, top: int) -> None:
    import cv2

    if cell.picture is not None:
        height, width = cell.picture.shape[:2]
        scale = min(_HEIGHT / height, _WIDTH / width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = cv2.resize(cell.picture, size, interpolation=kind)
        x, y = left + (_WIDTH - size[0]) // 2, top + _HEIGHT - size[1]
        sheet[y : y + size[1], x : x + size[0]] = small
    if cell.probability is not None:
        y = top + _HEIGHT + 3
        length = round(_WIDTH * min(max(cell.probability, 0.0), 1.0))
        sheet[y : y + 4, left : left + _WIDTH] = (225, 225, 225)
        sheet[y : y + 4, left : left + length] = _SURE if cell.probability >= 0.5 else _UNSURE
    for number, text in enumerate(cell.lines[:3]):
        y = top + _HEIGHT + 19 + 14 * number
        colour = _INK if number == 0 else _PALE
        scale = 0.36
        while cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0] > _WIDTH and scale > 0.24:
            scale -= 0.02
        cv2.putText(sheet, text, (left, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)
