"""People cut out of a frame and resized, as one uint8 batch."""

import numpy as np
from numpy.typing import NDArray

from mot_reid.boxes import clip

__all__ = ["crop_batch"]


def crop_batch(
    frame: NDArray[np.uint8], xyxy: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Cuts boxes out of a frame and resizes each straight into its place in one batch.

    Boxes are cut at the frame's borders; one that lies outside altogether gives the nearest border pixels.

    Args:
        frame: ``(H, W, 3)`` uint8.
        xyxy: boxes ``(N, 4)`` in pixels.
        size: height and width of the crops, pixels.

    Returns:
        ``(N, height, width, 3)`` uint8, the frame's channel order.
    """
    import cv2

    height, width = frame.shape[:2]
    inside = np.rint(clip(xyxy, width, height)).astype(np.intp)
    left, top = np.minimum(inside[:, 0], width - 1), np.minimum(inside[:, 1], height - 1)
    right, bottom = np.maximum(inside[:, 2], left + 1), np.maximum(inside[:, 3], top + 1)
    batch = np.empty((len(xyxy), *size, 3), np.uint8)
    for row, (x1, y1, x2, y2) in enumerate(zip(left, top, right, bottom, strict=True)):
        cv2.resize(frame[y1:y2, x1:x2], (size[1], size[0]), dst=batch[row], interpolation=cv2.INTER_LINEAR)
    return batch
