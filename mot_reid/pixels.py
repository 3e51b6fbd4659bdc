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
        raise TypeError(f"frame: expected a numpy array, got {_told(type(frame).__name__)}")
    if frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise ValueError(f"frame: expected shape (H, W, 3), BGR, got {frame.shape}{_reshaped(frame.shape)}")
    if frame.dtype != np.uint8:
        scaled = (
            "; of values from 0 to 1: (frame * 255).astype(numpy.uint8)" if frame.dtype.kind == "f" else ""
        )
        raise ValueError(f"frame: expected dtype uint8, got {frame.dtype}{scaled}")
    return np.ascontiguousarray(frame)


_FIRST = "; the frame comes first, then detections"
_OTHERS = {
    "Detections": _FIRST,
    "Image": "; of an image of PIL: numpy.asarray(image.convert('RGB'))[..., ::-1]",
    "Tensor": "; of a tensor (3, H, W), RGB: tensor.permute(1, 2, 0).cpu().numpy()[..., ::-1]",
    "UMat": "; of a UMat: frame.get()",
}
"""What makes a frame of what somebody may have instead, by the name of its type."""


def _told(name: str) -> str:
    """The name of a type, and what makes a frame of it where that is known."""
    return name + _OTHERS.get(name, "")


def _reshaped(shape: tuple[int, ...]) -> str:
    """What makes a frame of an array of another shape; nothing where nobody knows."""
    if len(shape) == 2 and shape[1] < 8:
        return _FIRST
    if len(shape) == 2 or shape[2:] == (1,):
        return "; of a grey one: cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)"
    if shape[2:] == (4,):
        return "; of one with transparency: cv2.cvtColor(frame, cv2.COLOR_BGRA2BGR)"
    if len(shape) == 3 and shape[0] == 3:
        return "; the channels come last: frame.transpose(1, 2, 0)"
    return "; one frame at a time" if len(shape) == 4 else ""
