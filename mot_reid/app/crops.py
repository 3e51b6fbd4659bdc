"""Pictures of people cut out of frames."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from mot_reid.app.frames import FrameReader, encode
from mot_reid.offline.rows import TrackRows

__all__ = ["crops"]


def crops(
    reader: FrameReader, rows: TrackRows, chosen: NDArray[np.intp], height: int = 128
) -> Iterator[tuple[int, bytes]]:
    """The pictures in boxes, as JPEG of this height, with their tracks' ids; frames in order.

    Args:
        reader: gives the frames.
        rows: the tracks.
        chosen: rows wanted.
        height: pixels.
    """
    for row in chosen[np.argsort(rows.frames[chosen], kind="stable")].tolist():
        image = reader.image(int(rows.frames[row]))
        if image is None:
            continue
        tall, wide = image.shape[:2]
        x1, y1, x2, y2 = np.clip(np.rint(rows.xyxy[row]), 0, [wide, tall, wide, tall]).astype(int).tolist()
        if x2 - x1 < 2 or y2 - y1 < 2:
            continue
        across = min(max(1, round((x2 - x1) * height / (y2 - y1))), 3 * height)
        cut = cv2.resize(image[y1:y2, x1:x2], (across, height), interpolation=cv2.INTER_AREA)
        yield int(rows.ids[row]), encode(cut, 75)  # type: ignore[arg-type]
