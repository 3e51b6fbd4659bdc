"""Corrected tracks as files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from mot_reid.app.runs import CORRECTED, Run
from mot_reid.files import atomic
from mot_reid.offline.rows import TrackRows
from mot_reid.video.formats import FORMATS, SinkInfo, chosen_formats

__all__ = ["export", "tracks_text"]

EXPORTS = tuple(name for name in FORMATS if name != "video")


def export(run: Run, names: Sequence[str]) -> list[Path]:
    """Writes the corrected tracks into the folder ``corrected``, in these formats.

    Raises:
        ValueError: a format does not exist, or is the video.
        ImportError: a format needs a package that is not installed.
        OSError: a file cannot be written.
    """
    if "video" in names:
        raise ValueError("video: the corrected tracks are not drawn; the page shows them")
    formats = chosen_formats(names or EXPORTS)
    folder = run.folder / CORRECTED
    folder.mkdir(exist_ok=True)
    width, height = run.size()
    info = SinkInfo(run.fps, run.file.class_names, run.name, width, height)
    columns = run.columns
    rows = run.state.rows
    rows = replace(rows, detection_index=np.minimum(rows.detection_index, 0))  # places here, none in a frame
    tracks = rows.to_tracks(range(1, run.frames() + 1))
    with ExitStack() as stack:
        sinks = [stack.enter_context(entry.open(folder / entry.file, info)) for entry in formats.values()]
        for number, found in tracks.items():
            when = float(columns.when(np.array([number]), run.fps)[0])
            for sink in sinks:
                sink.write(number, None, found, when)
    with atomic(folder / "names.json") as part:
        part.write_text(json.dumps({str(k): v for k, v in run.names.items()}), encoding="utf-8")
    return [folder / entry.file for entry in formats.values()]


def tracks_text(rows: TrackRows) -> str:
    """Tracks as MOTChallenge's text, frame by frame."""
    order = np.lexsort((rows.ids, rows.frames))
    wide, tall = (rows.xyxy[order, 2:] - rows.xyxy[order, :2]).T
    columns = rows.frames[order], rows.ids[order], *rows.xyxy[order, :2].T, wide, tall, rows.scores[order]
    return "".join(
        f"{frame},{track},{x:.2f},{y:.2f},{w:.2f},{h:.2f},{score:.4f},-1,-1,-1\n"
        for frame, track, x, y, w, h, score in zip(*(c.tolist() for c in columns), strict=True)
    )
