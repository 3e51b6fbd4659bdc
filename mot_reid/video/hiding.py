"""People made unrecognisable in a picture."""

from __future__ import annotations

import cv2
import numpy as np

from mot_reid.typing import Boxes, Image

__all__ = ["HIDINGS", "hide"]

HIDINGS = ("blur", "pixelate")
_PIECES = 8  # across a box, at the most, that are left of it


def hide(image: Image, xyxy: Boxes, how: str) -> Image:
    """Blurs or pixelates boxes, so that no face is left in them.

    A detector misses people now and then: what is not in a box stays as it is.

    Args:
        image: ``(H, W, 3)`` uint8; it stays as it is.
        xyxy: boxes ``(N, 4)`` in pixels; they may reach over the picture.
        how: one of `HIDINGS`.

    Returns:
        The picture, a copy.

    Raises:
        ValueError: ``how`` is none of these.
    """
    if how not in HIDINGS:
        raise ValueError(f"how: expected one of {', '.join(HIDINGS)}, got {how!r}")
    image = image.copy()
    height, width = image.shape[:2]
    edges = np.column_stack([np.floor(xyxy[:, :2]), np.ceil(xyxy[:, 2:])]).clip(0, [width, height] * 2)
    for x1, y1, x2, y2 in edges.astype(int).tolist():
        part = image[y1:y2, x1:x2]
        if not part.size:
            continue
        rows = max(1, min(_PIECES * part.shape[0] // part.shape[1], part.shape[0], 2 * _PIECES))
        coarse = cv2.resize(part, (min(_PIECES, part.shape[1]), rows), interpolation=cv2.INTER_AREA)
        back = cv2.INTER_NEAREST if how == "pixelate" else cv2.INTER_CUBIC
        part[...] = cv2.resize(coarse, part.shape[1::-1], interpolation=back)
    return image
