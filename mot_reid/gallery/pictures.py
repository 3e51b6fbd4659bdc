"""Pictures of people cut out of frames: how sharp they are, and what is kept of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from mot_reid.gallery.pooling import spread_choice
from mot_reid.gallery.records import Crop
from mot_reid.typing import Image

__all__ = ["Picture", "best_crops", "cut", "sharpness"]

Picture = tuple[float, int, float, Image]
"""Seconds, frame number, quality and pixels ``(h, w, 3)`` BGR."""


def cut(image: Image, box: list[float], height: int) -> Image | None:
    """The picture in a box, at most ``height`` high; None where nothing of it is in the frame."""
    import cv2

    x1, y1 = max(0, round(box[0])), max(0, round(box[1]))
    x2, y2 = min(image.shape[1], round(box[2])), min(image.shape[0], round(box[3]))
    if x2 - x1 < 4 or y2 - y1 < 8:
        return None
    picture: Any = image[y1:y2, x1:x2]
    if y2 - y1 > height:
        width = max(1, round((x2 - x1) * height / (y2 - y1)))
        return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return np.array(picture)


def sharpness(picture: Image) -> float:
    """How sharp a picture is, in (0, 1): the spread of its Laplacian, at a common size."""
    import cv2

    small = cv2.resize(picture, (32, 64), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    spread = float(cv2.Laplacian(gray, cv2.CV_32F).std())
    return max(spread / (spread + 20.0), 1e-3)  # of one colour all over: still a picture


def best_crops(pictures: list[Picture], most: int) -> list[Crop]:
    """The best pictures, spread over time, as JPEG."""
    if not pictures:
        return []
    import cv2

    times, marks = np.array([entry[0] for entry in pictures]), np.array([entry[2] for entry in pictures])
    crops = []
    for place in spread_choice(times, marks, most).tolist():
        time, frame_number, quality, picture = pictures[place]
        fine, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
        if fine:
            crops.append(Crop(encoded.tobytes(), frame_number, time, min(quality, 1.0)))
    return crops
