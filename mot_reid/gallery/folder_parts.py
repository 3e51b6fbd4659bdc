"""A part of a gallery's folder, and how its files are read and written."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mot_reid.files import atomic
from mot_reid.gallery.columns import arrow_types, record_table
from mot_reid.gallery.records import UNIT_TOLERANCE
from mot_reid.gallery.store import RecordTable, import_arrow
from mot_reid.typing import Embeddings, Floats32, Indices

__all__ = ["GONE", "Part", "best", "drop", "located", "read_part", "taken", "write_part", "write_whole"]

GONE = ".gone-"
"""What a part's name begins with that is being removed."""
_MEASURED = 65_536  # records: of larger parts nobody looks whether the embeddings have length 1


@dataclass(frozen=True, eq=False)
class Part:
    """One part, its vectors mapped, not read."""

    folder: Path
    table: RecordTable
    kept: Indices  # rows of the files that are neither forgotten nor there twice
    means: Embeddings
    medoids: NDArray[np.float16]
    bounds: Indices


def located(
    parts: Sequence[tuple[Part, int]], first: Indices, rows: Indices
) -> list[tuple[Part, Indices, Indices]]:
    """Where rows of a table lie.

    Args:
        parts: in order, each with its first row in the table.
        first: the first row of each part, and at the end the number of rows.
        rows: of the table; all there.

    Returns:
        Each part that holds some of ``rows``, their places in ``rows``, and their rows in its files.
    """
    found = []
    number = np.searchsorted(first, rows, side="right") - 1
    for place in np.unique(number).tolist():
        part, start = parts[place]
        inside = np.flatnonzero(number == place)
        found.append((part, inside, part.kept[rows[inside] - start]))
    return found


def taken(means: Embeddings, rows: Indices) -> Embeddings:
    """Rows of a mapped array, not copied where they are consecutive."""
    if len(rows) and int(rows[-1]) - int(rows[0]) + 1 == len(rows):
        return means[int(rows[0]) : int(rows[-1]) + 1]
    return means[rows]


def best(cosines: Floats32, count: int) -> Indices:
    """Columns of the ``count`` largest in each row, in no order."""
    if cosines.shape[1] <= count:
        return np.broadcast_to(np.arange(cosines.shape[1]), cosines.shape)
    return np.argpartition(-cosines, count - 1, axis=1)[:, :count]


def read_part(folder: Path, dimension: int) -> Part:
    """Reads a part whose embeddings have ``dimension`` numbers; any exception may say that it is damaged."""
    pq = import_arrow().parquet
    rows = pq.read_table(folder / "records.parquet", columns=[*arrow_types()])
    table, counts = record_table(rows), rows.column("medoid_count").to_numpy()
    means = np.load(folder / "means.npy", mmap_mode="r", allow_pickle=False)
    medoids = np.load(folder / "medoids.npy", mmap_mode="r", allow_pickle=False)
    pq.read_metadata(folder / "crops.parquet")
    bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)
    expected = (len(table), dimension), (int(bounds[-1]), dimension)
    if (means.shape, medoids.shape) != expected:
        raise ValueError(f"vectors {means.shape} and {medoids.shape} for {len(table)} records")
    if len(means) <= _MEASURED and not np.allclose(np.linalg.norm(means, axis=1), 1, atol=UNIT_TOLERANCE):
        raise ValueError("embeddings that are none")
    return Part(folder, table, np.arange(len(table)), means, medoids, bounds)


def write_part(
    parts: Path, means: Embeddings, medoids: NDArray[Any], records: Any, crops: Any, first: str | None = None
) -> None:
    """Writes a part, whole or not at all.

    Args:
        parts: the folder of all parts.
        means: one of each record.
        medoids: those of a record one after the other.
        records: columns of them, or an Arrow table.
        crops: likewise, of their pictures.
        first: name of the first of the parts that it replaces, beside which it sorts; None to sort by time.
    """
    pa = import_arrow()
    stamp = f"{time.time_ns():020d}" if first is None else first.partition("-")[0]
    name = f"{stamp}-{uuid.uuid4().hex[:12]}"
    unfinished = parts / f".{name}"
    try:
        unfinished.mkdir(parents=True)
        save(unfinished / "means.npy", means.astype(np.float32))
        save(unfinished / "medoids.npy", medoids.astype(np.float16))
        if isinstance(records, dict):
            types = arrow_types()
            records = pa.table({key: pa.array(records[key], types[key]) for key in types})
            lists = [pa.list_(kind) for kind in (pa.binary(), pa.int64(), pa.float64(), pa.float64())]
            crops = pa.table(
                {key: pa.array(crops[key], kind) for key, kind in zip(crops, lists, strict=True)}
            )
        pa.parquet.write_table(records, unfinished / "records.parquet", compression="zstd")
        pa.parquet.write_table(crops, unfinished / "crops.parquet", compression="none")
        for path in unfinished.iterdir():
            flush(path)
        os.rename(unfinished, parts / name)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    with suppress(OSError):
        flush(parts)


def save(path: Path, values: NDArray[Any]) -> None:
    """Writes an array as ``.npy``."""
    np.save(path, values, allow_pickle=False)


def flush(path: Path) -> None:
    """Makes sure that a file or folder is on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def write_whole(path: Path, text: str) -> None:
    """Writes a text, whole or not at all, also where the machine fails."""
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")
        flush(part)


def drop(folder: Path) -> None:
    """Removes a part at once, for others read meanwhile; a kill leaves what the next one to remove clears."""
    gone = folder.with_name(f"{GONE}{folder.name}")
    os.rename(folder, gone)
    shutil.rmtree(gone)
