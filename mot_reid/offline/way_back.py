"""The way back: the same association once more, from the last frame to the first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mot_reid.association.associator import Associator
from mot_reid.offline.rows import TrackRows
from mot_reid.structures import Detections, Tracks
from mot_reid.typing import Affine

__all__ = ["tracked_backward"]

_TOGETHER = 1000  # frames whose tracks are put into arrays at once


def tracked_backward(
    detections: Sequence[Detections | None],
    affines: Sequence[Affine | None],
    associator: Associator,
    times: Sequence[float] | None = None,
    *,
    first_frame: int = 1,
) -> TrackRows:
    """Tracks a sequence from its last frame to its first, by motion alone.

    Args:
        detections: of each frame; None where no detector looked.
        affines: camera motion ``(2, 3)`` into each frame from the one before, or None.
        associator: a new one.
        times: of each frame, seconds, ascending; None for frames at the associator's usual rate.
        first_frame: number of the first frame; the others follow it one by one.

    Returns:
        The rows that were seen, under ids of this way alone.
    """
    parts, tracks = [TrackRows.empty()], dict[int, Tracks]()
    after: Affine | None = None
    for place in range(len(detections) - 1, -1, -1):
        back = None if after is None else np.linalg.inv(np.vstack([after, [0.0, 0.0, 1.0]]))[:2]
        found, time = detections[place], None if times is None else times[-1] - times[place]
        found = None if found is None else found.without_embeddings()
        tracks[first_frame + place] = associator.step(found, back, time=time)
        after = affines[place]
        if len(tracks) == _TOGETHER or not place:
            rows = TrackRows.from_tracks(tracks)
            parts.append(rows[~rows.interpolated])
            tracks = {}
    return TrackRows.of_parts(parts)
