"""Who was where and when, as one picture: a line for each person, a colour for each camera."""

from __future__ import annotations

import numpy as np

from mot_reid.gallery.identifying import Identities
from mot_reid.gallery.sheet import clock
from mot_reid.typing import Image, Ints

__all__ = ["draw_routes", "most_seen"]

_ROW, _FACE, _LEFT, _WIDTH, _TOP = 56, 44, 150, 900, 48
_COLOURS = (
    *((196, 120, 40), (60, 140, 60), (60, 60, 200), (160, 80, 160), (40, 140, 200), (140, 140, 60)),
    *((90, 90, 90), (180, 100, 100)),
)


def most_seen(identities: Identities, most: int = 40) -> Ints:
    """The identities that are somebody for sure and have the most boxes, in order of their numbers."""
    numbers, inverse = np.unique(identities.numbers, return_inverse=True)
    seen = np.bincount(inverse, identities.table.boxes * identities.sure)
    ranked = np.argsort(-seen, kind="stable")[:most]
    return np.sort(numbers[ranked[seen[ranked] > 0]])


def draw_routes(identities: Identities, faces: dict[int, Image]) -> Image:
    """Draws the routes of the identities that are seen most, as `most_seen` has them.

    Times of sources whose clocks are not known are drawn from each source's start.

    Args:
        identities: who is who.
        faces: a picture (BGR) by identity, where there is one.

    Returns:
        ``(H, W, 3)`` uint8 BGR.
    """
    import cv2

    table = identities.table
    known = np.isfinite(table.epoch)
    base = np.where(known, table.epoch, 0.0) if known.all() else np.zeros(len(table))
    begin, end = base + table.start, base + table.end
    first, last = float(begin.min()), float(end.max())
    scale = _WIDTH / max(last - first, 1e-9)
    shown = most_seen(identities)
    cameras = sorted(set(table.camera.tolist()))
    height = _TOP + _ROW * len(shown) + 24
    canvas = np.full((height, _LEFT + _WIDTH + 24, 3), 250, np.uint8)

    def write(text: str, x: int, y: int, size: float = 0.42, ink: int = 60) -> None:
        cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, (ink,) * 3, 1, cv2.LINE_AA)

    x = _LEFT
    for place, camera in enumerate(cameras):
        colour = _COLOURS[place % len(_COLOURS)]
        cv2.rectangle(canvas, (x, 14), (x + 14, 26), colour, -1)
        write(camera, x + 20, 25)
        x += 40 + 9 * len(camera)
    for place, number in enumerate(shown.tolist()):
        y = _TOP + place * _ROW
        write(f"person {number}", 52, y + _ROW // 2)
        face = faces.get(number)
        if face is not None:
            ratio = min(_FACE / face.shape[0], 36 / face.shape[1])
            size = max(1, round(face.shape[1] * ratio)), max(1, round(face.shape[0] * ratio))
            small = cv2.resize(face, size, interpolation=cv2.INTER_AREA)
            canvas[y + 4 : y + 4 + size[1], 8 : 8 + size[0]] = small
        cv2.line(canvas, (_LEFT, y + _ROW - 2), (_LEFT + _WIDTH, y + _ROW - 2), (225, 225, 225), 1)
        lane = (_ROW - 14) / len(cameras)
        for row in identities.route(number).tolist():
            at = cameras.index(table.camera[row])
            left = _LEFT + round((begin[row] - first) * scale)
            right = max(left + 2, _LEFT + round((end[row] - first) * scale))
            top = round(y + 4 + at * lane)
            colour = _COLOURS[at % len(_COLOURS)]
            cv2.rectangle(canvas, (left, top), (right, round(top + lane - 2)), colour, -1)
    epoch = 0.0 if known.all() else float("nan")
    write(clock(first, epoch), _LEFT, height - 8, ink=120)
    write(clock(last, epoch), _LEFT + _WIDTH - 80, height - 8, ink=120)
    return canvas
