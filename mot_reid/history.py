"""Where each track was a moment ago."""

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mot_reid.structures import Tracks
from mot_reid.typing import Boxes

__all__ = ["History", "Past"]


class Past(NamedTuple):
    """The past of one track, oldest first.

    Attributes:
        ages: ``(K,)`` int64, how many frames ago each box was reported; 0 is the last frame.
        xyxy: the boxes ``(K, 4)`` float32 in pixels.
    """

    ages: NDArray[np.int64]
    xyxy: Boxes


class History:
    """Remembers the boxes of each track over the last frames, for paths, speeds or decisions of your own.

    Memory is bounded by the tracks of those frames: what lies further back is forgotten, and so are tracks
    that were in none of them.

    Args:
        frames: how many; with 1 there is only the last one.

    Raises:
        ValueError: there are less than one.

    Example:
        >>> from mot_reid import Detections, History, Tracker
        >>> tracker, history = Tracker("none", "none", "none"), History(frames=30)
        >>> for left in (10, 12, 14):
        ...     history.add(tracker.update(None, Detections([[left, 20, left + 40, 120]], [0.9])))
        >>> history[1].ages
        array([2, 1, 0])
    """

    def __init__(self, frames: int = 30) -> None:
        if frames < 1:
            raise ValueError(f"frames: expected at least 1, got {frames}")
        self._frames = frames
        self.clear()

    def clear(self) -> None:
        """Forgets everything, as for a new video."""
        self._number = 0
        self._boxes: dict[int, deque[tuple[int, NDArray[np.float32]]]] = {}

    def add(self, tracks: Tracks) -> None:
        """Takes in the tracks of the next frame."""
        self._number += 1
        for track_id, box in zip(tracks.ids.tolist(), tracks.xyxy, strict=True):
            self._boxes.setdefault(track_id, deque()).append((self._number, box))
        for track_id, boxes in list(self._boxes.items()):
            if boxes[0][0] <= self._number - self._frames:
                boxes.popleft()
                if not boxes:
                    del self._boxes[track_id]

    @property
    def ids(self) -> NDArray[np.int64]:
        """The tracks ``(T,)`` that are remembered, in the order in which they came."""
        return np.array(list(self._boxes), np.int64)

    def __len__(self) -> int:
        return len(self._boxes)

    def __contains__(self, track_id: object) -> bool:
        return track_id in self._boxes

    def __getitem__(self, track_id: int) -> Past:
        """Gives the past of a track.

        Raises:
            KeyError: it was in none of the frames remembered.
        """
        numbers, boxes = zip(*self._boxes[int(track_id)], strict=True)
        return Past(self._number - np.array(numbers, np.int64), np.stack(boxes))
