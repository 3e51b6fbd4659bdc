"""Boxes of a ground truth that show somebody or something else, and are left out of comparisons."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

__all__ = ["Exclusion", "read_exclusions"]

_COLUMNS = ("sequence", "identity", "first", "last")


class Exclusion(NamedTuple):
    """The boxes of one identity from one frame to another, both included."""

    identity: int
    first: int
    last: int


def read_exclusions(path: Path | str, sequence: str) -> tuple[Exclusion, ...]:
    """Those of one sequence in a CSV file with the columns `sequence`, `identity`, `first` and `last`.

    Further columns, such as one that says why, do not count.

    Args:
        path: the file.
        sequence: the name in its `seqinfo.ini`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it has no such columns, or a row is broken; the line is named.
    """
    found = []
    with Path(path).open(newline="", encoding="utf-8-sig", errors="replace") as file:
        reader = csv.DictReader(file)
        if missing := [name for name in _COLUMNS if name not in (reader.fieldnames or ())]:
            raise ValueError(
                f"{path}: expected the columns {', '.join(_COLUMNS)}; missing {', '.join(missing)}"
            )
        for row in reader:
            try:
                exclusion = Exclusion(*(int(row[name]) for name in _COLUMNS[1:]))
            except (TypeError, ValueError):
                raise ValueError(f"{path}:{reader.line_num}: expected whole numbers; got {row}") from None
            if exclusion.last < exclusion.first:
                raise ValueError(f"{path}:{reader.line_num}: ends before it begins; got {row}")
            if row["sequence"] == sequence:
                found.append(exclusion)
    return tuple(found)
