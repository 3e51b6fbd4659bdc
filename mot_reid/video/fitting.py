"""Frames of another size than the first one, fitted into it, so that tracks go on."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from mot_reid.typing import Image

__all__ = ["Fitter"]


class Fitter:
    """Fits frames into one size with black borders.

    Args:
        width: of all frames, pixels.
        height: of all frames, pixels.
        tell: takes in what a user should know, once.
    """

    def __init__(self, width: int, height: int, tell: Callable[[str], None]) -> None:
        self._width, self._height, self._tell = width, height, tell
        self._told = False

    def fit(self, number: int, image: Image) -> Image:
        """A frame in the size of all; ``number`` is its own, for what is told."""
        height, width = image.shape[:2]
        if (width, height) == (self._width, self._height):
            return image
        if not self._told:
            self._told = True
            self._tell(
                f"from frame {number} on frames are {width}x{height}; "
                f"they are fitted into {self._width}x{self._height}"
            )
        scale = min(self._width / width, self._height / height)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        left, top = (self._width - size[0]) // 2, (self._height - size[1]) // 2
        fitted = np.zeros((self._height, self._width, 3), np.uint8)
        fitted[top : top + size[1], left : left + size[0]] = cv2.resize(image, size)
        return fitted
