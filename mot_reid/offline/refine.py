"""All that hindsight can do for finished tracks, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mot_reid.config import OfflineConfig
from mot_reid.offline.both_ways import agreed_tracks, between_ways, named_as
from mot_reid.offline.camera_path import CameraPath
from mot_reid.offline.growing import grow_back
from mot_reid.offline.interpolation import fill_free_gaps, fill_gaps
from mot_reid.offline.linking import link_tracks
from mot_reid.offline.pruning import prune_tracks
from mot_reid.offline.rows import TrackRows
from mot_reid.offline.smoothing import smooth
from mot_reid.structures import Detections
from mot_reid.typing import Affine

__all__ = ["refine_tracks"]

_MOMENT = 0.15  # seconds: gaps so short are filled whoever else is there


def refine_tracks(
    rows: TrackRows,
    config: OfflineConfig | None = None,
    *,
    fps: float,
    affines: Sequence[Affine | None] = (),
    first_frame: int = 1,
    detections: Mapping[int, Detections] | None = None,
    embeddings: Mapping[int, NDArray[np.floating]] | None = None,
    backward: TrackRows | None = None,
) -> TrackRows:
    """Links tracks, lengthens them, drops doubtful ones, fills the gaps of the others and smooths them.

    Args:
        rows: what a tracker reported; ``interpolated`` ones are left out and put in anew where they belong.
        config: the settings.
        fps: frames a second.
        affines: camera motion ``(2, 3)`` into each frame from the one before, None where there is none;
            without any the camera stands still.
        first_frame: the number of the frame that the first affine leads to.
        detections: of each frame number, as the tracker had them; without them tracks are not lengthened.
        embeddings: mean appearance ``(D,)`` of tracks by id, L2-normalised; linking heeds them.
        backward: the same detections tracked from the last frame to the first (`tracked_backward`): boxes lie
            between those of both ways before they are smoothed, and tracks are cut where the ways disagree
            before they are linked. A tracker that used appearance knows better than a way back without.

    Returns:
        New rows; tracks that were joined have the id of the earliest.

    Raises:
        ValueError: ``fps`` is not positive.
    """
    if not fps > 0:
        raise ValueError(f"fps: expected a positive number, got {fps}")
    config, camera = config or OfflineConfig(), CameraPath(affines, first_frame)
    rows = rows[~rows.interpolated]  # what was predicted, hindsight knows better
    whole, longest = link_tracks(rows, config, fps, camera, embeddings), int(config.fill_time * fps)
    if detections is not None and config.grow_score < 1:
        whole = grow_back(whole, detections, config.grow_score, fps, camera)
    whole = prune_tracks(whole, config.prune_share)
    if backward is not None and config.smooth_time:
        whole = between_ways(whole, backward)
    whole = fill_gaps(whole, longest, camera)
    if backward is not None and config.link_time:
        agreed = link_tracks(agreed_tracks(rows, backward), config, fps, camera, embeddings)
        whole = fill_free_gaps(named_as(whole, agreed), longest, int(_MOMENT * fps), camera)
    return smooth(whole, config.smooth_time * fps, camera)
