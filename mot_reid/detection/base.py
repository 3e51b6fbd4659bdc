"""What a detector is."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mot_reid.structures import Detections

__all__ = ["Detector"]


class Detector(Protocol):
    """Finds people, or other objects, in frames. Bring your own by having these members."""

    @property
    def class_names(self) -> Mapping[int, str]:
        """The name of each class number it can give."""
        ...

    def detect(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Detections of each frame, in order.

        Args:
            frames: a batch of frames ``(H, W, 3)`` uint8 BGR.
        """
        ...
