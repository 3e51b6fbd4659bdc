"""What a detector is."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from mot_reid.structures import Detections
from mot_reid.typing import Image

__all__ = ["Detector", "frames_at_once"]


class Detector(Protocol):
    """Finds people, or other objects, in frames. Bring your own by having these members.

    It may have ``batch_size`` too, the number of frames that it takes best in one call of `detect`
    (see `frames_at_once`), and ``calls_at_once``, how many threads best call it at the same time (without, it
    is never called by two).
    """

    @property
    def class_names(self) -> Mapping[int, str]:
        """The name of each class number it can give."""
        ...

    def detect(self, frames: Sequence[Image]) -> list[Detections]:
        """Detections of each frame, in order: the same, but for rounding, however frames are batched.

        Args:
            frames: a batch of frames ``(H, W, 3)`` uint8 BGR, any number of them, not all of one shape
                perhaps.
        """
        ...


def frames_at_once(detector: Detector) -> int:
    """How many frames a detector takes best in one call of `Detector.detect`: its ``batch_size``, or 1."""
    return max(1, int(getattr(detector, "batch_size", 1)))
