"""Tracklets from finished results and their video, whoever tracked them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mot_reid import kernels
from mot_reid.appearance.embedder import Embedder
from mot_reid.gallery.recorder import TrackletRecorder
from mot_reid.structures import Tracks
from mot_reid.typing import Embeddings, Indices
from mot_reid.video.frames import Source

__all__ = ["record_tracks"]

_LOOK_EVERY = 0.2  # seconds between two embeddings of one track
_HIDDEN = 0.5  # a box hidden more than that teaches nothing


def record_tracks(
    source: Source,
    tracks: dict[int, Tracks],
    recorder: TrackletRecorder,
    embedder: Embedder,
    on_frame: Callable[[int], None] = lambda done: None,
) -> int:
    """Goes through a video with its results, and records their tracklets.

    Args:
        source: the video, read from its beginning.
        tracks: by frame number, as `mot_reid.video.track_files.read_tracks` gives them.
        recorder: takes in the tracks; it is not closed here.
        embedder: looks at them.
        on_frame: called before each frame with how many are done.

    Returns:
        How many rows of the results are of frames that the video does not have.

    Raises:
        SourceError: the video breaks off.
    """
    left = {number: _usable(found) for number, found in tracks.items()}
    due: dict[int, float] = {}
    for done, frame in enumerate(source):
        on_frame(done)
        time = source.info.time_of(frame)
        found = left.pop(frame.number, None)
        if found is None:
            recorder.update(Tracks.empty(), frame.image, frame.number, time)
            continue
        rows = _worth_a_look(found, due, time)
        looks: tuple[Indices, Embeddings] | None = None
        if rows.size:
            looks = rows, np.asarray(embedder.embed(frame.image, found.xyxy[rows]), np.float32)
            due.update((int(found.ids[row]), time + _LOOK_EVERY) for row in rows)
        recorder.update(found, frame.image, frame.number, time, looks)
    return sum(map(len, left.values()))


def _usable(tracks: Tracks) -> Tracks:
    """Those with an area, with scores in 0..1; where a file has -1 for no score, 1."""
    xyxy = tracks.xyxy
    kept = tracks[(xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])]
    scores = np.clip(np.where(kept.scores < 0, 1, kept.scores), 0, 1).astype(np.float32)
    return Tracks(kept.ids, kept.xyxy, scores, kept.classes, np.arange(len(kept)), kept.id_confidence)


def _worth_a_look(tracks: Tracks, due: dict[int, float], time: float) -> Indices:
    boxes = tracks.xyxy.astype(np.float64)
    clear = kernels.covered_in_front(boxes, boxes) <= _HIDDEN
    late = np.array([time >= due.get(int(track), -1.0) - 1e-9 for track in tracks.ids], bool)
    return np.flatnonzero(clear & late)
