"""Corrected tracks as files."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mot_reid.app.columns import Columns
from mot_reid.files import atomic
from mot_reid.offline.rows import TrackRows
from mot_reid.structures import Tracks
from mot_reid.video.formats import FORMATS, Format, SinkInfo, chosen_formats

if TYPE_CHECKING:
    from mot_reid.app.runs import Run

__all__ = ["CORRECTED", "EXPORTS", "Export", "tracks_text"]

CORRECTED = "corrected"
"""The folder in a run's folder."""
EXPORTS = tuple(name for name in FORMATS if name != "video")
"""The formats that there are."""
_TOLD = 500  # frames after which progress is told


class Export:
    """Writes a run's corrected tracks as they are now, in a thread: one format after the other.

    A file is there when it is whole. Memory does not grow with the run.

    Args:
        run: whose tracks.
        names: of the formats; empty for all.

    Raises:
        ValueError: a format does not exist, or is the video; or an export of the run goes on.
        ImportError: a format needs a package that is not installed.
        OSError: the folder cannot be written.
    """

    def __init__(self, run: Run, names: Sequence[str]) -> None:
        if "video" in names:
            raise ValueError("video: the corrected tracks are not drawn; the page shows them")
        if run.export is not None and (working := run.export.state()["working"]):
            raise ValueError(f"{working} is still being written")
        self._formats = list(chosen_formats(names or EXPORTS).values())
        self._folder = run.folder / CORRECTED
        self._folder.mkdir(exist_ok=True)
        for left in self._folder.glob(".part-*"):  # by a server that was killed
            shutil.rmtree(left, ignore_errors=True)
        classes, stride = run.file.class_names, int(run.file.summary.get("stride") or 1)
        self._info = SinkInfo(run.fps / stride, classes, run.name, *run.size(), stride=stride)
        self._columns, self._last = run.columns, run.frames()
        self._done: list[dict[str, Any]] = []
        self._working, self._share, self._failed = self._formats[0].file, 0.0, ""
        with atomic(self._folder / "names.json") as part:
            part.write_text(json.dumps({str(k): v for k, v in run.names.items()}), encoding="utf-8")
        self._thread = threading.Thread(target=self._write_all, name="export", daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Waits until all is written, so many seconds at most."""
        self._thread.join(seconds)

    def state(self) -> dict[str, Any]:
        """The files that are there, the one that is being written and how much of it, and what failed."""
        return {
            "folder": str(self._folder),
            "files": list(self._done),
            "working": self._working,
            "share": round(self._share, 3),
            "failed": self._failed,
        }

    def _write_all(self) -> None:
        try:
            for entry in self._formats:
                self._working, self._share = entry.file, 0.0
                self._done.append(self._write(entry))
        except Exception as error:  # whatever a format's package raises: who waits is told
            self._failed = " ".join(str(error).split()) or type(error).__name__
        finally:
            self._working = ""

    def _write(self, entry: Format) -> dict[str, Any]:
        place = self._folder / entry.file
        with tempfile.TemporaryDirectory(prefix=".part-", dir=self._folder) as part:
            made = Path(part) / entry.file
            with entry.open(made, self._info) as sink:
                frames = _frames(self._columns, self._last, self._info)
                for count, (number, tracks, when) in enumerate(frames):
                    sink.write(number, None, tracks, when)
                    if count % _TOLD == 0:
                        self._share = number / max(self._last, 1)
            if made.is_dir():
                shutil.rmtree(place, ignore_errors=True)
            made.replace(place)
        return {"name": entry.file, "folder": place.is_dir()}


def _frames(columns: Columns, last: int, info: SinkInfo) -> Iterator[tuple[int, Tracks, float]]:
    """Each tracked frame's number, tracks by their ids, and time."""
    last = max(last, *columns.frames[-1:].tolist(), 0)
    numbers = np.array(info.numbers(last, columns.frames.tolist()), np.int64)
    starts = np.searchsorted(columns.frames, np.append(numbers, last + 1)).tolist()
    times = columns.when(numbers, info.numbers_a_second).tolist()
    for number, low, high, when in zip(numbers.tolist(), starts, starts[1:], times, strict=False):
        rows = low + np.argsort(columns.ids[low:high], kind="stable")
        tracks = Tracks(
            ids=columns.ids[rows].astype(np.int64),
            xyxy=np.ascontiguousarray(columns.xyxy[:, rows].T),
            scores=columns.scores[rows],
            classes=columns.classes[rows].astype(np.int64),
            detection_index=-columns.predicted[rows].astype(np.int64),
        )
        yield number, tracks, when


def tracks_text(rows: TrackRows) -> str:
    """Tracks as MOTChallenge's text, frame by frame."""
    order = np.lexsort((rows.ids, rows.frames))
    wide, tall = (rows.xyxy[order, 2:] - rows.xyxy[order, :2]).T
    columns = rows.frames[order], rows.ids[order], *rows.xyxy[order, :2].T, wide, tall, rows.scores[order]
    return "".join(
        f"{frame},{track},{x:.2f},{y:.2f},{w:.2f},{h:.2f},{score:.4f},-1,-1,-1\n"
        for frame, track, x, y, w, h, score in zip(*(c.tolist() for c in columns), strict=True)
    )
