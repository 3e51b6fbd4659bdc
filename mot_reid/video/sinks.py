"""Sinks: where tracks and pictures go, frame by frame.

What a sink has written up to a frame stays readable if the run ends there: by Ctrl-C, a kill or a full disk.
The video's sink lies in ``video_sink.py``; pyarrow is imported only when a ``ParquetSink`` is made.
"""

from __future__ import annotations

import csv
import io
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mot_reid.files import atomic, spreadsheet_text
from mot_reid.structures import Tracks
from mot_reid.typing import Image, Ints
from mot_reid.video.files import AppendOnlyFile, prepare_output_folder

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "COLUMNS",
    "CsvSink",
    "JsonLinesSink",
    "MotSink",
    "ParquetSink",
    "Row",
    "Sink",
    "TextSink",
    "TrackedFrame",
    "convert_spool",
    "named_errors",
    "prepare_output_folder",
    "track_rows",
]

COLUMNS = (
    *("frame", "id", "x1", "y1", "x2", "y2", "score", "class_id", "class_name", "detection_index"),
    *("id_confidence", "time", "wall_clock", "identity"),
)
"""The columns of the JSON lines, CSV and Parquet files.

``time`` is the frame's, seconds of the source since its first frame. ``wall_clock``, seconds since 1970 UTC,
is there for live sources only, and empty (null) for others. ``identity``, one number for one person in every
camera as far as it was known then, is there where a gallery identifies, and empty (null) elsewhere.
"""

Row: TypeAlias = tuple[
    int, int, float, float, float, float, float, int, str, int, float, float | None, float | None, int | None
]

_ROWS_IN_GROUP = 65_536  # of a Parquet file; also the most rows in memory while it is made


class TrackedFrame(NamedTuple):
    """A frame as sinks take it.

    Attributes:
        number: the source's frame number, from 1.
        image: ``(H, W, 3)`` uint8 BGR, as it shall appear; sinks without pictures ignore it.
        tracks: the tracks seen in this frame.
        time: the frame's, seconds of the source since its first frame; None where it is not known.
        wall_clock: when it came, seconds since 1970 UTC, where the source is live.
        identities: ``(N,)`` int64, of each track, 0 where not known; None where nobody identifies.
    """

    number: int
    image: Image | None
    tracks: Tracks
    time: float | None = None
    wall_clock: float | None = None
    identities: Ints | None = None


class Sink(ABC):
    """Takes the frames of a run in order, and closes as a context manager.

    A subclass has `put` and `close`.
    """

    def write(
        self,
        frame_number: int,
        image: Image | None,
        tracks: Tracks,
        time: float | None = None,
        wall_clock: float | None = None,
        identities: Ints | None = None,
    ) -> None:
        """Writes one frame, given as the fields of a `TrackedFrame`; raises what `put` does."""
        self.put(TrackedFrame(frame_number, image, tracks, time, wall_clock, identities))

    @abstractmethod
    def put(self, frame: TrackedFrame) -> None:
        """Writes one frame.

        Raises:
            OSError: it cannot be written (disk full, say); what was written before stays readable.
        """

    @abstractmethod
    def close(self) -> None:
        """Completes the file; safe to call more than once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def track_rows(
    frame_number: int,
    tracks: Tracks,
    class_names: Mapping[int, str],
    time: float | None = None,
    wall_clock: float | None = None,
    identities: Ints | None = None,
    *,
    rounded: bool = False,
) -> list[Row]:
    """Makes one row for each track, with the fields of ``COLUMNS``; a class without a name gets ``""``.

    Rounded are coordinates to 0.01 pixels, scores to 0.0001 and times to 1 ms.
    """
    numbers: list[NDArray[Any]] = [tracks.xyxy, tracks.scores, tracks.id_confidence]
    if rounded:
        numbers = [_rounded(each, steps) for each, steps in zip(numbers, (100, 10_000, 10_000), strict=True)]
        time, wall_clock = (None if when is None else round(when, 3) for when in (time, wall_clock))
    known = [0] * len(tracks) if identities is None else identities.tolist()
    columns = zip(
        tracks.ids.tolist(),
        *(each.tolist() for each in (*numbers[:2], tracks.classes, tracks.detection_index, numbers[2])),
        known,
        strict=True,
    )
    return [
        (
            *(frame_number, track_id, *box, score, class_id, class_names.get(class_id, ""), index, sure),
            *(time, wall_clock, identity or None),
        )
        for track_id, box, score, class_id, index, sure, identity in columns
    ]


def _rounded(values: NDArray[np.float32], steps: int) -> NDArray[np.float64]:
    """Rounds as Python's ``round`` does: of float32 the product is exact, and halves go to the even one."""
    rounded: NDArray[np.float64] = np.rint(values.astype(np.float64) * steps) / steps
    return rounded


def _rows_of(frame: TrackedFrame, class_names: Mapping[int, str], *, rounded: bool = False) -> list[Row]:
    extra = frame.time, frame.wall_clock, frame.identities
    return track_rows(frame.number, frame.tracks, class_names, *extra, rounded=rounded)


class TextSink(Sink):
    """A text file, one line for each track; flushed with every frame."""

    rounds = False  # whether the rows come rounded

    def __init__(self, path: str | Path, class_names: Mapping[int, str] | None = None) -> None:
        self._class_names = dict(class_names or {})
        self._file = AppendOnlyFile(path)

    def put(self, frame: TrackedFrame) -> None:
        """Writes the tracks of one frame; the image is not used."""
        text = self._text(_rows_of(frame, self._class_names, rounded=self.rounds))
        self._file.write(text.encode("utf-8"))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    @abstractmethod
    def _text(self, rows: list[Row]) -> str:
        """The lines of one frame."""


class MotSink(TextSink):
    """MOTChallenge text: ``frame,id,left,top,width,height,score,-1,-1,-1``.

    Frame numbers start at 1. The coordinates are this library's, counted from 0: the MOTChallenge's own tools
    shift nothing either, and overlaps are the same both ways.
    """

    def _text(self, rows: list[Row]) -> str:
        return "".join(
            f"{frame},{track_id},{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},{score:.4f},-1,-1,-1\n"
            for frame, track_id, x1, y1, x2, y2, score, *_ in rows
        )


class CsvSink(TextSink):
    """CSV with a header; ``COLUMNS``, coordinates rounded to 0.01 pixels, scores to 0.0001, times to 1 ms.

    Class names come out of a model's file: one that a spreadsheet would run gets an apostrophe before it
    (`mot_reid.files.spreadsheet_text`).
    """

    rounds = True

    def __init__(self, path: str | Path, class_names: Mapping[int, str] | None = None) -> None:
        super().__init__(path, class_names)
        self._file.write((",".join(COLUMNS) + "\n").encode())

    def _text(self, rows: list[Row]) -> str:
        cell = _cells(rows, _csv_cell)
        return "".join(
            f"{frame},{track},{x1},{y1},{x2},{y2},{score},{number},{cell[name]},{index},{sure},"
            f"{'' if time is None else time},{'' if clock is None else clock},{identity or ''}\n"
            for frame, track, x1, y1, x2, y2, score, number, name, index, sure, time, clock, identity in rows
        )


class JsonLinesSink(TextSink):
    """JSON lines: one object for each track and frame; ``COLUMNS``, rounded as in CSV."""

    rounds = True

    def _text(self, rows: list[Row]) -> str:
        cell = _cells(rows, partial(json.dumps, ensure_ascii=False))
        return "".join(
            f'{{"frame": {frame}, "id": {track}, "x1": {x1}, "y1": {y1}, "x2": {x2}, "y2": {y2}, '
            f'"score": {score}, "class_id": {number}, "class_name": {cell[name]}, '
            f'"detection_index": {index}, "id_confidence": {sure}, '
            f'"time": {"null" if time is None else time}, '
            f'"wall_clock": {"null" if clock is None else clock}, "identity": {identity or "null"}}}\n'
            for frame, track, x1, y1, x2, y2, score, number, name, index, sure, time, clock, identity in rows
        )


def _cells(rows: list[Row], written: Callable[[str], str]) -> dict[str, str]:
    """How the names of the rows' classes are written."""
    return {name: written(name) for name in {row[8] for row in rows}}


def _csv_cell(name: str) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([spreadsheet_text(name), 0])
    return text.getvalue()[:-2]


class ParquetSink(Sink):
    """A Parquet file with ``COLUMNS``, unrounded.

    Parquet cannot be read before its end is written. So each frame goes to a spool beside it, an Arrow IPC
    stream (``tracks.arrows`` for ``tracks.parquet``), which ``close`` turns into the Parquet file and
    removes. If the run is killed the spool stays; ``convert_spool`` or ``pyarrow.ipc.open_stream`` reads it.

    Raises:
        ImportError: pyarrow is not installed.
    """

    def __init__(self, path: str | Path, class_names: Mapping[int, str] | None = None) -> None:
        self._pyarrow = import_pyarrow()
        self._class_names = dict(class_names or {})
        self.path = Path(path)
        self.spool = self.path.with_suffix(".arrows")
        self._schema = _parquet_schema()
        self._file = AppendOnlyFile(self.spool)
        self._closed = False
        self._file.write(self._schema.serialize())

    def put(self, frame: TrackedFrame) -> None:
        """Writes the tracks of one frame; the image is not used."""
        rows = _rows_of(frame, self._class_names)
        if rows:
            columns = [
                self._pyarrow.array(values, field.type)
                for values, field in zip(zip(*rows, strict=True), self._schema, strict=True)
            ]
            # A stream is its schema's message and its batches' messages, one after the other.
            self._file.write(self._pyarrow.record_batch(columns, schema=self._schema).serialize())

    def close(self) -> None:
        """Turns the spool into the Parquet file; if that fails the spool stays.

        Raises:
            OSError: the Parquet file cannot be written.
        """
        if not self._closed:
            self._closed = True
            self._file.close()
            convert_spool(self.spool, self.path)
            self.spool.unlink()


@contextmanager
def named_errors(path: str | Path) -> Iterator[None]:
    """Inside, a library's error of the operating system gets the name of the file that it lacks."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from None


def convert_spool(spool: str | Path, path: str | Path) -> None:
    """Turns the spool of a ``ParquetSink`` into a Parquet file, a few ten thousand rows at a time.

    Raises:
        ImportError: pyarrow is not installed.
        OSError: the spool cannot be read, or the Parquet file cannot be written (none is left then).
    """
    pa = import_pyarrow()
    import pyarrow.parquet as pq

    with (
        named_errors(path),
        atomic(path) as part,
        pa.OSFile(str(spool)) as stream,
        pa.ipc.open_stream(stream) as reader,
        pq.ParquetWriter(part, reader.schema) as writer,
    ):
        batches: list[Any] = []
        rows = 0
        for batch in reader:
            batches.append(batch)
            rows += len(batch)
            if rows >= _ROWS_IN_GROUP:
                writer.write_table(pa.Table.from_batches(batches))
                batches, rows = [], 0
        writer.write_table(pa.Table.from_batches(batches, reader.schema))


def import_pyarrow() -> Any:
    """The pyarrow package; an ImportError says how to get it."""
    try:
        import pyarrow
        import pyarrow.ipc
    except ImportError as error:
        raise ImportError("Parquet needs pyarrow: pip install 'mot_reid[parquet]'") from error
    return pyarrow


def _parquet_schema() -> pa.Schema:
    import pyarrow as pa

    types = {"frame": pa.int64(), "id": pa.int64(), "class_id": pa.int64(), "class_name": pa.string()}
    types |= {"detection_index": pa.int64(), "time": pa.float64(), "wall_clock": pa.float64()}
    types |= {"identity": pa.int64()}
    return pa.schema(
        [
            pa.field(name, types.get(name, pa.float32()), nullable=name in ("time", "wall_clock", "identity"))
            for name in COLUMNS
        ]
    )
