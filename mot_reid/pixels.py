"""What a frame must be to follow the ones before it."""

from typing import Any

from numpy.typing import NDArray

from mot_reid.structures import checked_frame
from mot_reid.typing import Image

__all__ = ["usable_frame"]


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
