"""Labels such as "carries a backpack", one row for each person."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mot_reid.typing import Ints

__all__ = ["Attributes", "read_attributes"]

UNKNOWN = -1


@dataclass(frozen=True)
class Attributes:
    """Attributes of people.

    Attributes:
        names: of the attributes.
        classes: how many values each has.
        values: by identity, one value from 0 on for each attribute; `UNKNOWN` where nobody knows.
    """

    names: tuple[str, ...]
    classes: tuple[int, ...]
    values: dict[int, tuple[int, ...]]

    def of(self, identities: Ints) -> Ints:
        """(N, attributes) values of (N,) identities; `UNKNOWN` for people without a row."""
        unknown = (UNKNOWN,) * len(self.names)
        rows = [self.values.get(int(person), unknown) for person in identities]
        return np.array(rows, np.int64).reshape(len(rows), len(self.names))


def read_attributes(path: Path | str) -> Attributes:
    """Read a CSV file with the column `identity` and one for each attribute.

    Values are whole numbers from 0 on; an empty cell is unknown.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it has no such columns, or a value is no such number; the line is named.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such attributes: {path}")
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or ())
        names = tuple(name for name in columns if name != "identity")
        if "identity" not in columns or not names:
            raise ValueError(f"{path}: expected a column identity and one for each attribute; got {columns}")
        values: dict[int, tuple[int, ...]] = {}
        for row in reader:
            try:
                cells = [row[name] or str(UNKNOWN) for name in names]
                values[int(row["identity"])] = tuple(int(cell) for cell in cells)
            except (TypeError, ValueError):
                raise ValueError(f"{path}:{reader.line_num}: expected whole numbers; got {row}") from None
            if min(values[int(row["identity"])]) < UNKNOWN:
                raise ValueError(f"{path}:{reader.line_num}: expected values from 0 on; got {row}")
    if not values:
        raise ValueError(f"{path}: no rows")
    table = np.array(list(values.values()))
    return Attributes(names, tuple(int(top) + 1 for top in table.max(axis=0).clip(min=0)), values)
