"""What a run found, kept until its end, when hindsight makes it better."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mot_reid.association.associator import Associator
from mot_reid.association.reentry import IdChange
from mot_reid.config import OfflineConfig
from mot_reid.offline.id_changes import with_id_changes
from mot_reid.offline.refine import refine_tracks
from mot_reid.offline.rows import TrackRows
from mot_reid.offline.way_back import tracked_backward
from mot_reid.structures import Detections, Tracks
from mot_reid.typing import Affine

__all__ = ["OfflineRecorder"]

_SAME_RATE = 0.1  # share by which the times of frames may be off a rate that is still theirs


class OfflineRecorder:
    """Keeps tracks, detections and camera motion of every frame: memory grows with the video."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._tracks: list[Tracks] = []
        self._detections: list[Detections | None] = []
        self._affines: list[Affine | None] = []
        self._times: list[float] = []
        self._told: dict[int, Sequence[IdChange]] = {}

    def add(
        self,
        frame_number: int,
        tracks: Tracks,
        detections: Detections | None,
        affine: Affine | None,
        id_changes: Sequence[IdChange] = (),
        *,
        time: float | None = None,
    ) -> None:
        """Takes in one more frame.

        Args:
            frame_number: ascending; they may skip frames.
            tracks: what the tracker reported.
            detections: what it was given; None where no detector looked.
            affine: camera motion ``(2, 3)`` from the frame before, or None.
            id_changes: what the tracker said with it of earlier frames, see `Tracker.id_changes`.
            time: the frame's as the tracker counts it (`Tracker.time`), seconds; of all frames or of none.
        """
        if id_changes:
            self._told[len(self._numbers)] = id_changes
        self._numbers.append(frame_number)
        self._tracks.append(tracks)
        self._detections.append(None if detections is None else detections.without_embeddings())
        self._affines.append(affine)
        if time is not None:
            self._times.append(time)

    def refined(
        self,
        config: OfflineConfig,
        fps: float,
        associator: Associator | None = None,
    ) -> dict[int, Tracks]:
        """The tracks of each frame number, made better by `refine_tracks`.

        Args:
            config: the settings.
            fps: frames a second, of the frames that were taken in; where their times clearly say another
                rate, as of a live source of which most are dropped, that counts.
            associator: a new one with the tracker's settings: it goes through the frames once more, from the
                last to the first (`tracked_backward`). None for the tracker's own way alone.
        """
        rows = TrackRows.from_tracks(dict(enumerate(self._tracks)))
        rows = with_id_changes(rows[~rows.interpolated], self._told, first_frame=0)
        backward = None
        if associator is not None:
            times = self._times or None
            backward = tracked_backward(self._detections, self._affines, associator, times, first_frame=0)
        refined = refine_tracks(
            rows,
            config,
            fps=self._rate(fps),
            affines=self._affines,
            first_frame=0,
            detections={place: found for place, found in enumerate(self._detections) if found is not None},
            backward=backward,
        )
        found = refined.to_tracks(range(len(self._numbers)))
        return {number: found[place] for place, number in enumerate(self._numbers)}

    def _rate(self, fps: float) -> float:
        """The frames a second, by what most frames' times say."""
        if len(self._times) < 2:
            return fps
        usual = float(np.median(np.diff(self._times)))
        return fps if abs(usual * fps - 1) <= _SAME_RATE else 1 / usual
