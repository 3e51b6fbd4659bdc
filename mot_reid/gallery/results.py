"""Tracklets from finished results and their video, whoever tracked them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.appearance.embedder import Embedder
from mot_reid.boxes import tlwh_to_xyxy
from mot_reid.gallery.recorder import Recorder
from mot_reid.structures import Tracks
from mot_reid.video.frames import Source

__all__ = ["read_tracks", "record_results", "record_tracks"]

_LOOK_EVERY = 0.2  # seconds between two embeddings of one track
_HIDDEN = 0.5  # a box hidden more than that teaches nothing


def read_tracks(path: str | Path) -> dict[int, Tracks]:
    """Results in MOTChallenge's format, by frame: ``frame, id, left, top, width, height, score, ...``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is broken; the message names the file and the line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"tracks not found: {path}")
    rows: dict[int, list[list[float]]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values = [float(value) for value in line.split(",")[:7]]
        except ValueError:
            raise ValueError(f"{path}:{number}: expected numbers, got {line.strip()[:60]!r}") from None
        if len(values) < 6 or not np.isfinite(values).all() or min(values[4:6]) <= 0 or values[0] < 1:
            expected = "frame, id, left, top, width, height[, score]"
            raise ValueError(f"{path}:{number}: expected {expected}, got {line.strip()[:60]!r}")
        rows.setdefault(int(values[0]), []).append(values)
    return {frame: _tracks(entries) for frame, entries in rows.items()}


def _tracks(entries: list[list[float]]) -> Tracks:
    boxes = np.array([entry[2:6] for entry in entries])
    scores = np.array([entry[6] if len(entry) > 6 else 1.0 for entry in entries])
    return Tracks(
        ids=np.array([int(entry[1]) for entry in entries], np.int64),
        xyxy=tlwh_to_xyxy(boxes).astype(np.float32),
        scores=np.clip(np.where(scores < 0, 1.0, scores), 0, 1).astype(np.float32),
        classes=np.zeros(len(entries), np.int64),
        detection_index=np.arange(len(entries), dtype=np.int64),
    )


def record_results(source: Source, path: str | Path, recorder: Recorder, embedder: Embedder) -> int:
    """Goes through a video with its results and records their tracklets.

    Returns:
        How many rows of the results are of frames that the video does not have.

    Raises:
        FileNotFoundError, ValueError: as `read_tracks`.
        SourceError: the video breaks off.
    """
    return record_tracks(source, read_tracks(path), recorder, embedder)


def record_tracks(source: Source, tracks: dict[int, Tracks], recorder: Recorder, embedder: Embedder) -> int:
    """As `record_results`, with tracks by frame number."""
    left = dict(tracks)
    due: dict[int, float] = {}
    for frame in source:
        time = (frame.number - 1) / source.info.fps if frame.time is None else frame.time
        found = left.pop(frame.number, None)
        if found is None:
            recorder.update(Tracks.empty(), frame.image, frame.number, time)
            continue
        rows = _worth_a_look(found, due, time)
        looks: tuple[NDArray[np.intp], NDArray[np.float32]] | None = None
        if rows.size:
            looks = rows, np.asarray(embedder.embed(frame.image, found.xyxy[rows]), np.float32)
            due.update((int(found.ids[row]), time + _LOOK_EVERY) for row in rows)
        recorder.update(found, frame.image, frame.number, time, looks)
    return sum(map(len, left.values()))


def _worth_a_look(tracks: Tracks, due: dict[int, float], time: float) -> NDArray[np.intp]:
    boxes = tracks.xyxy.astype(np.float64)
    clear = kernels.covered_in_front(boxes, boxes) <= _HIDDEN
    late = np.array([time >= due.get(int(track), -1.0) - 1e-9 for track in tracks.ids], bool)
    return np.flatnonzero(clear & late)
