"""A detector of your own: an object with `detect` and `class_names`, checked before it is used.

    python examples/own_detector.py street.mp4

This one finds things of a strong colour, such as high-visibility vests; it shows the shape of the thing.
"""

import argparse
from collections.abc import Sequence

import cv2
import numpy as np

import mot_reid
from mot_reid import Detections, Tracker
from mot_reid.testing import check_detector


class BrightClothes:
    """Finds areas of bright orange."""

    def __init__(self, least_area: int = 200) -> None:
        self.class_names = {0: "orange"}
        self._least_area = least_area  # square pixels

    def detect(self, frames: Sequence[np.ndarray]) -> list[Detections]:
        """Finds what is in each frame ``(H, W, 3)`` uint8 BGR."""
        return [self._detect(frame) for frame in frames]

    def _detect(self, frame: np.ndarray) -> Detections:
        colours = cv2.cvtColor(frame, cv2.COLOR_BGR2HSV)
        orange = cv2.inRange(colours, np.array([3, 120, 120]), np.array([20, 255, 255]))
        joined = cv2.morphologyEx(orange, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
        _, _, stats, _ = cv2.connectedComponentsWithStats(joined)
        x, y, width, height, area = stats[1:].T  # the first is the background
        boxes = np.stack([x, y, x + width, y + height], axis=1).astype(np.float32)
        large = area >= self._least_area
        return Detections(boxes[large], scores=np.full(np.count_nonzero(large), 0.9))


def main() -> None:
    """Checks the detector, then tracks with it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    arguments = parser.parse_args()
    check_detector(BrightClothes())
    tracker = Tracker(detector=BrightClothes(), embedder="none", camera_motion="none")
    for frame, tracks in mot_reid.track(arguments.source, tracker=tracker):
        print(frame.number, tracks.ids.tolist())


if __name__ == "__main__":
    main()
