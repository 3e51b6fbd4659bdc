"""What a frame must be, and to follow the ones before it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mot_reid.typing import Image

__all__ = ["checked_frame", "usable_frame"]


def usable_frame(frame: NDArray[Any] | None, shape: tuple[int, ...] | None, needed: bool) -> Image | None:
    """Checks a frame against what is needed and what came before.

    Args:
        frame: as given, perhaps none.
        shape: of the frames before, if there were any.
        needed: whether camera motion is estimated from it.

    Raises:
        TypeError: it is not an array.
        ValueError: it is needed and not there, or its dtype or shape is wrong or has changed.
    """
    if frame is None:
        if needed:
            raise ValueError("frame: camera motion is estimated from pixels; pass camera_motion='none'")
        return None
    frame = checked_frame(frame)
    if shape is not None and frame.shape != shape:
        raise ValueError(
            f"frame: expected shape {shape} as before, got {frame.shape}; reset() for a new video"
        )
    return frame


def checked_frame(frame: NDArray[Any]) -> Image:
    """Checks that a frame is one; makes it contiguous, for OpenCV does not take a flipped view, say.

    Raises:
        TypeError: it is not an array.
        ValueError: its shape is not ``(H, W, 3)``, or it is not uint8.
    """
    if not isinstance(frame, np.ndarray):
        raise TypeError(f"frame: expected a numpy array, got {type(frame).__name__}")
    if frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        rows = "; the frame comes first, then detections" if frame.ndim == 2 and frame.shape[1] < 8 else ""
        raise ValueError(f"frame: expected shape (H, W, 3), BGR, got {frame.shape}{rows}")
    if frame.dtype != np.uint8:
        raise ValueError(f"frame: expected dtype uint8, got {frame.dtype}")
    return np.ascontiguousarray(frame)
