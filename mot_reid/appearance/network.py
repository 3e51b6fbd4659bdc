"""A network that is ready to embed, and what it expects as input."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn

from mot_reid.appearance.mgn import MGN, check_height

__all__ = ["EmbeddingNetwork"]

_LARGEST = 4096  # side of a crop, pixels: more is a damaged file


@dataclass(frozen=True)
class EmbeddingNetwork:
    """A network that is ready to embed, and what it expects.

    Attributes:
        module: in evaluation mode; maps (N, 3, h, w) float32 RGB to (N, dim), not normalised.
        input_size: (h, w) in pixels.
        mean: RGB mean to subtract from images scaled to 0..1.
        std: RGB deviation to divide by afterwards.
        dim: length of the embedding.

    Raises:
        ValueError: if the size does not suit the network, or mean and deviation cannot be used.
    """

    module: nn.Module
    input_size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    dim: int

    def __post_init__(self) -> None:
        height, width = self.input_size
        if isinstance(self.module, MGN):
            check_height(height)
        if not (1 <= height <= _LARGEST and 1 <= width <= _LARGEST):
            raise ValueError(f"the input size must be 1 to {_LARGEST} pixels; got {height}x{width}")
        usable = len(self.mean) == len(self.std) == 3 and all(map(math.isfinite, (*self.mean, *self.std)))
        if not usable or min(self.std) <= 0:
            raise ValueError(f"mean {self.mean} and deviation {self.std} cannot normalise an image")
