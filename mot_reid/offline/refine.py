"""All that hindsight can do for finished tracks, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mot_reid.config import OfflineConfig
from mot_reid.offline.camera_path import CameraPath
from mot_reid.offline.growing import grow_back
from mot_reid.offline.interpolation import fill_gaps
from mot_reid.offline.linking import link_tracks
from mot_reid.offline.pruning import prune_tracks
from mot_reid.offline.rows import TrackRows
from mot_reid.offline.smoothing import smooth
from mot_reid.structures import Detections
from mot_reid.typing import Affine

__all__ = ["refine_tracks"]


def refine_tracks(
    rows: TrackRows,
    config: OfflineConfig | None = None,
    *,
    fps: float,
    affines: Sequence[Affine | None] = (),
    first_frame: int = 1,
    detections: Mapping[int, Detections] | None = None,
    embeddings: Mapping[int, NDArray[np.floating]] | None = None,
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

    Returns:
        New rows; tracks that were joined have the id of the earliest.

    Raises:
        ValueError: ``fps`` is not positive.
    """
    if not fps > 0:
        raise ValueError(f"fps: expected a positive number, got {fps}")
    config, camera = config or OfflineConfig(), CameraPath(affines, first_frame)
    rows = rows[~rows.interpolated]  # what was predicted, hindsight knows better
    rows = link_tracks(rows, config, fps, camera, embeddings)
    if detections is not None and config.grow_score < 1:
        rows = grow_back(rows, detections, config.grow_score, fps, camera)
    rows = prune_tracks(rows, config.prune_share)
    rows = fill_gaps(rows, int(config.fill_time * fps), camera)
    return smooth(rows, config.smooth_time * fps, camera)
