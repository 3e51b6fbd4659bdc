"""A part of a gallery's folder, and how its files are written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mot_reid.files import atomic
from mot_reid.gallery.store import RecordTable
from mot_reid.typing import Embeddings, Floats32, Indices

__all__ = ["GONE", "Part", "best", "drop", "flush", "located", "save", "taken", "write_whole"]

GONE = ".gone-"
"""What a part's name begins with that is being removed."""


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
