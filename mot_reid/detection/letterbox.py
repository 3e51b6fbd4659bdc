"""Frames into a network's input and boxes back: scaled to fit, centred, the rest grey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mot_reid.boxes import clip
from mot_reid.typing import Boxes, Floats32, Image

__all__ = ["Letterbox"]

_GREY = 114  # what YOLO networks see around their pictures in training


@dataclass(frozen=True)
class Letterbox:
    """How frames of one size lie in an input: all of it as Ultralytics does it, pixel for pixel.

    Attributes:
        frame: height and width of the frames, pixels.
        scaled: height and width of the picture in the input.
        top: rows of grey above the picture.
        left: columns of grey beside it.
        size: height and width of the input.
    """

    frame: tuple[int, int]
    scaled: tuple[int, int]
    top: int
    left: int
    size: tuple[int, int]

    @classmethod
    def fit(cls, frame: tuple[int, int], size: tuple[int, int], stride: int | None = None) -> Letterbox:
        """The largest picture that fits into an input.

        Args:
            frame: height and width of the frames.
            size: height and width of the input.
            stride: given, the input shrinks to the least multiples of it that hold the picture.
        """
        ratio = min(size[0] / frame[0], size[1] / frame[1])
        scaled = max(round(frame[0] * ratio), 1), max(round(frame[1] * ratio), 1)
        grey = size[0] - scaled[0], size[1] - scaled[1]
        if stride is not None:
            grey = grey[0] % stride, grey[1] % stride
        top, left = (round(side / 2 - 0.1) for side in grey)
        return cls(frame, scaled, top, left, (scaled[0] + grey[0], scaled[1] + grey[1]))

    def blob(self, frame: Image) -> Floats32:
        """A frame ``(H, W, 3)`` uint8 BGR as an input ``(1, 3, height, width)``: RGB in 0..1."""
        blob = np.empty((1, 3, *self.size), np.float32)
        for channel, plane in enumerate(reversed(cv2.split(self._canvas(frame)))):
            np.multiply(plane, np.float32(1 / 255), out=blob[0, channel])
        return blob

    def centred_blob(self, frame: Image, mean: Sequence[float]) -> Floats32:
        """The same as BGR in 0..255, less the mean of each of the three channels."""
        blob = np.empty((1, 3, *self.size), np.float32)
        for channel, plane in enumerate(cv2.split(self._canvas(frame))):
            np.subtract(plane, np.float32(mean[channel]), out=blob[0, channel])
        return blob

    def _canvas(self, frame: Image) -> Image:
        height, width = self.scaled
        canvas = np.full((*self.size, 3), _GREY, np.uint8)
        place = canvas[self.top : self.top + height, self.left : self.left + width]
        if frame.shape[:2] == self.scaled:
            place[:] = frame
        else:
            cv2.resize(frame, (width, height), dst=place, interpolation=cv2.INTER_LINEAR)
        return canvas

    def boxes(self, xyxy: Boxes) -> Floats32:
        """Boxes ``(N, 4)`` in the input as boxes in the frame, cut at its borders."""
        gain = np.array([self.scaled[1] / self.frame[1], self.scaled[0] / self.frame[0]] * 2, np.float32)
        moved = (xyxy - np.array([self.left, self.top] * 2, np.float32)) / gain
        return clip(moved, self.frame[1], self.frame[0])
