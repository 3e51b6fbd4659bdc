"""The first frames of a long run, which are shown while all of its tracks are being read."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from mot_reid.app.columns import Columns
from mot_reid.pipeline.finished_tracks import TrackColumns, about_tracks, read_columns
from mot_reid.pipeline.summary_file import BEGUN
from mot_reid.video.sinks import import_pyarrow

__all__ = ["Beginning", "beginning_of"]

_LONG = 16 << 20  # bytes of a file from which on its beginning is read apart
_LONG_PARQUET = 4 << 20
_BYTES = 4 << 20  # of text that are the beginning
_ROWS = 50_000  # of Parquet
_LINE = 1 << 16  # bytes in which the last line must lie


@dataclass(frozen=True)
class Beginning:
    """The first frames of a long run.

    Attributes:
        file: what is known of the tracks' file, without its rows.
        columns: the boxes of the first frames; all frames that are there are whole.
        frames: the number of the run's last frame that has a row.
    """

    file: TrackColumns
    columns: Columns
    frames: int


def beginning_of(path: Path) -> Beginning | None:
    """Reads the first frames of a long file of tracks.

    Args:
        path: a file that `read_columns` reads.

    Returns:
        them, or None where the file is short, is not in the order of frames, or cannot be read: who reads all
        of it is told why.
    """
    try:
        if path.stat().st_size < (_LONG_PARQUET if path.suffix == ".parquet" else _LONG):
            return None
        with tempfile.TemporaryDirectory() as folder:
            short = Path(folder) / path.name
            (_shorten_parquet if path.suffix == ".parquet" else _shorten_text)(path, short)
            for name in ("summary.json", BEGUN):
                if path.with_name(name).is_file():
                    shutil.copy(path.with_name(name), folder)
            read = read_columns(short)
        frames = read.columns["frame"]
        # The last row is the file's; the frame of the one before may be cut in two.
        last, cut = int(frames[-1]), int(frames[-2])
        if (frames[1:] < frames[:-1]).any():
            return None
        rows = slice(0, int(frames.searchsorted(cut)))
        columns = {name: values[rows] for name, values in read.columns.items()}
        file = replace(about_tracks(path), class_names=read.class_names)
        found = Columns.of_file(replace(file, columns=columns), file.fps or 25.0)
        return Beginning(file, found, last) if len(found) else None
    except (OSError, ValueError, IndexError, ImportError):
        return None


def _shorten_text(path: Path, short: Path) -> None:
    """Copies the first lines and the last one."""
    with open(path, "rb") as file:
        head = file.read(_BYTES)
        file.seek(max(_BYTES, path.stat().st_size - _LINE))
        tail = file.read().rstrip(b"\n")
    short.write_bytes(head[: head.rindex(b"\n") + 1] + tail[tail.rindex(b"\n") + 1 :] + b"\n")


def _shorten_parquet(path: Path, short: Path) -> None:
    """Copies the first rows and the last one."""
    pa = import_pyarrow()
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            head = pa.Table.from_batches([next(file.iter_batches(_ROWS))])
            end = file.read_row_group(file.num_row_groups - 1)
        pq.write_table(pa.concat_tables([head, end.slice(len(end) - 1)]), short)
    except Exception as error:  # pyarrow has exceptions of its own for each kind of damage
        raise ValueError(str(error)) from None
