"""An embedder of your own: an object with `embed(frame, xyxy)`, checked before it is used.

    python examples/own_embedder.py street.mp4

This one is a colour histogram of the upper and the lower half of each box: weak, but a real appearance.
"""

import argparse

import cv2
import numpy as np

import mot_reid
from mot_reid import Tracker
from mot_reid.testing import check_embedder


class ColourHistogram:
    """Embeds boxes as two histograms of 64 colours."""

    def embed(self, frame: np.ndarray, xyxy: np.ndarray) -> np.ndarray:
        """Embeds the boxes ``(N, 4)`` of a frame: ``(N, 128)`` float32, L2-normalised."""
        return np.stack([self._one(frame, box) for box in np.rint(xyxy).astype(int)])

    def _one(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        height, width = frame.shape[:2]
        x1, x2 = np.clip(box[[0, 2]], 0, width - 1)
        y1, y2 = np.clip(box[[1, 3]], 0, height - 1)
        middle = (y1 + y2) // 2
        halves = frame[y1 : middle + 1, x1 : x2 + 1], frame[middle : y2 + 1, x1 : x2 + 1]
        counts = [cv2.calcHist([half], [0, 1, 2], None, [4, 4, 4], [0, 256] * 3).ravel() for half in halves]
        row = np.sqrt(np.concatenate(counts) + 1e-3)
        return (row / np.linalg.norm(row)).astype(np.float32)


def main() -> None:
    """Checks the embedder, then tracks with it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    arguments = parser.parse_args()
    check_embedder(ColourHistogram())
    tracker = Tracker(embedder=ColourHistogram())
    for frame, tracks in mot_reid.track(arguments.source, tracker=tracker):
        print(frame.number, tracks.ids.tolist())
    embedded, possible = tracker.embedding_counts
    print(f"embedded {embedded} of {possible} confident detections")


if __name__ == "__main__":
    main()
