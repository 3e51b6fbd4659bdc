"""Person crops without identities, cut out of pictures with person boxes: more of the world to learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mot_reid.training.detection_pictures import labelled_pictures, read_picture
from mot_reid.training.reid_data import CropSet

UNLABELLED = -2
"""The identity of crops whose person nobody named."""


def read_person_boxes(
    folder: Path | str, size: tuple[int, int], smallest: int = 60, widest: float = 0.8
) -> NDArray[np.uint8]:
    """Cut the people out of a folder of pictures in YOLO layout.

    Args:
        folder: see `mot_reid.training.detection_pictures.labelled_pictures`.
        size: (h, w) in pixels to resize every crop to.
        smallest: height of a box, pixels, below which it is left out.
        widest: width of a box against its height, above which it is left out (no upright person).

    Returns:
        (N, h, w, 3) uint8, RGB, in the order of the pictures' names and their boxes.

    Raises:
        FileNotFoundError: if there are no pictures.
        ValueError: if a picture cannot be read, or no box is left.
    """
    import cv2

    crops = []
    for path, people, _ in labelled_pictures(Path(folder)):
        picture = read_picture(path)
        height, width = picture.shape[:2]
        corners = np.rint(people * (width, height, width, height)).astype(int)
        for left, top, right, bottom in corners.clip(0, (width, height, width, height)):
            if bottom - top >= smallest and 0 < right - left <= widest * (bottom - top):
                crop = picture[top:bottom, left:right]
                crops.append(cv2.resize(crop, size[::-1], interpolation=cv2.INTER_AREA)[..., ::-1])
    if not crops:
        raise ValueError(f"{folder}: no box of a person at least {smallest} pixels high")
    return np.array(crops, np.uint8)


def with_unlabelled(crops: CropSet, images: NDArray[np.uint8]) -> CropSet:
    """Labelled crops and, behind them, (N, H, W, 3) uint8 crops of nobody known (`UNLABELLED`, camera -1)."""
    count = len(images)
    return CropSet(
        np.concatenate((crops.images, images)),
        np.concatenate((crops.identities, np.full(count, UNLABELLED))),
        np.concatenate((crops.cameras, np.full(count, -1))),
    )
