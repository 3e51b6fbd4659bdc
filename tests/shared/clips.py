"""Short videos of a photograph that moves through the picture."""

from pathlib import Path

import cv2
import numpy as np

FRAMES = 14
ASSETS = Path(__file__).parents[2] / "mot_reid" / "assets"


def film(path: Path, start: int) -> None:
    """A photograph of one person is pushed from the left to the right, 640x300."""
    person = cv2.imread(str(ASSETS / "astronaut.jpg"))
    assert person is not None
    person = cv2.resize(person, (int(260 * person.shape[1] / person.shape[0]), 260))
    height, width = person.shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (640, 300))
    for step in range(FRAMES):
        frame = np.full((300, 640, 3), 110, np.uint8)
        left = start + 20 * step
        frame[30 : 30 + height, left : left + width] = person
        writer.write(frame)
    writer.release()
