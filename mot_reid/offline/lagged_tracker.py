"""A tracker whose results come a moment later, as they are known by then."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from mot_reid.association.reentry import IdChange
from mot_reid.offline.lag import Lag
from mot_reid.structures import Detections, Tracks
from mot_reid.tracker import Tracker

__all__ = ["LaggedTracker"]

Late = list[tuple[NDArray[Any] | None, Tracks]]
"""Frames and their tracks, in order."""


class LaggedTracker:
    """Gives out each frame some time later, with its tracks as they are known by then.

    For those who call `Tracker.update` themselves; `mot_reid.track` and ``mot-reid track`` do the same by the
    setting ``output.lag``.

    Args:
        tracker: what tracks, new or just reset; its ``offline`` settings say how tracks are lengthened,
            filled and smoothed.
        lag: seconds of the source; frames are held so long.

    Attributes:
        id_changes: rows that had been given out and, as the last update shows, belong to another id.

    Raises:
        ValueError: the lag is no number from 0 on.

    Example:
        >>> late = LaggedTracker(Tracker("none", "none", "none", fps=10), lag=0.1)
        >>> here = Detections([[10, 20, 50, 120]], [0.9])
        >>> [len(late.update(None, here)) for _ in range(3)], len(late.finish())
        ([0, 1, 1], 1)
    """

    def __init__(self, tracker: Tracker, lag: float) -> None:
        self.tracker = tracker
        self._lag = Lag[NDArray[Any] | None](lag, tracker.config.offline)
        self._updates = 0
        self.id_changes: list[IdChange] = []

    def update(
        self,
        frame: NDArray[Any] | None,
        detections: Detections | None = None,
        *,
        time: float | None = None,
        frame_number: int | None = None,
        looked: bool = True,
    ) -> Late:
        """Takes the next frame, as `Tracker.update` does.

        Returns:
            The frames that it completes, often one, with their tracks.
        """
        tracker = self.tracker
        looks = looked and tracker.config.detector.looks_at(self._updates)
        if detections is None and looks and frame is not None:
            detections = tracker.detect(frame)
        tracks = tracker.update(frame, detections, time=time, frame_number=frame_number, looked=looked)
        self._updates += 1
        found = Detections.empty() if detections is None else detections
        late = self._lag.put(frame, tracks, found, tracker.affine, tracker.time, tracker.id_changes)
        self.id_changes = self._lag.id_changes
        return late

    def finish(self) -> Late:
        """Gives out the frames that are left, at the end of a video."""
        return self._lag.rest()
