"""Tables of results: on the terminal, and saved as JSON, CSV and Markdown with all that made them."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from mot_reid.files import atomic, spreadsheet_text

__all__ = ["Column", "Table"]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: its heading, and the key of its values in the rows.
        digits: after the point; None for text and whole numbers.
        group: columns of one group stand side by side in Markdown; ``""`` is in every group.
        brief: whether a narrow terminal shows it.
    """

    name: str
    digits: int | None = None
    group: str = ""
    brief: bool = True

    def show(self, value: Any) -> str:
        """The value as text; a dash where there is none."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return "-"
        return f"{value:.{self.digits}f}" if self.digits is not None else str(value)


@dataclass(frozen=True)
class Table:
    """Rows of results, and where they come from.

    Attributes:
        title: one line.
        columns: in order.
        rows: values by column name; what is missing is shown as a dash.
        provenance: command, versions, machine and configuration, as JSON can hold them.
        notes: sentences below the table.
        headings: what stands above each group's columns in Markdown.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    headings: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.to_markdown()

    def _repr_markdown_(self) -> str:
        """What a notebook shows."""
        return self.to_markdown()

    def save(self, folder: Path, stem: str) -> list[Path]:
        """Writes ``STEM.json``, ``STEM.csv`` and ``STEM.md``, each whole or not at all.

        Raises:
            OSError: a file cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        texts = {"json": self.to_json(), "csv": self.to_csv(), "md": self.to_markdown()}
        paths = []
        for suffix, text in texts.items():
            path = folder / f"{stem}.{suffix}"
            with atomic(path) as part:
                part.write_text(text, encoding="utf-8")
            paths.append(path)
        return paths

    def to_json(self) -> str:
        """Everything, unrounded."""
        content = {
            "title": self.title,
            "rows": [_plain(row) for row in self.rows],
            "notes": list(self.notes),
            **self.provenance,
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    def to_csv(self) -> str:
        """One line a row; title, notes and provenance as comment lines that start with ``#``."""
        text = io.StringIO()
        for line in [self.title, *self.notes, *_provenance_lines(self.provenance)]:
            text.write(f"# {' '.join(line.splitlines())}\n")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([column.name for column in self.columns])
        for row in self.rows:
            plain = _plain(row)
            writer.writerow([_cell(plain.get(column.name)) for column in self.columns])
        return text.getvalue()

    def to_markdown(self) -> str:
        """A table for each group of columns, then notes and provenance."""
        parts = [f"#### {self.title}"]
        if command := self.provenance.get("command"):
            parts.append(f"```\n{command}\n```")
        used = self.used_columns()
        groups = list(dict.fromkeys(column.group for column in used if column.group)) or [""]
        for group in groups if used else []:
            shown = [column for column in used if column.group in ("", group)]
            if heading := self.headings.get(group):
                parts.append(heading)
            parts.append(_markdown_table(shown, self.rows))
        parts += self.notes
        lines = _provenance_lines({k: v for k, v in self.provenance.items() if k != "command"})
        if lines:
            parts.append("<sub>" + ". ".join(lines) + ".</sub>")
        return "\n\n".join(parts) + "\n"

    def used_columns(self) -> list[Column]:
        """The columns in which some row has a value."""
        return [c for c in self.columns if any(row.get(c.name) is not None for row in self.rows)]

    def show(self, console: Console) -> None:
        """Prints the table, on a narrow terminal its main columns."""
        wide = not console.is_terminal or console.width >= 150
        used = [column for column in self.used_columns() if wide or column.brief]
        table = RichTable(title=Text(self.title), title_justify="left", box=None, pad_edge=False)
        for place, column in enumerate(used):
            table.add_column(column.name, justify="right" if place else "left", no_wrap=bool(place))
        for row in self.rows:
            table.add_row(*(Text(column.show(row.get(column.name))) for column in used))
        console.print(table if self.rows else Text(self.title))  # of no columns nothing would be printed
        for note in self.notes:
            console.print(note, highlight=False, markup=False)


def _markdown_table(columns: Sequence[Column], rows: Iterable[Mapping[str, Any]]) -> str:
    lines = [[column.name for column in columns]]
    lines.append(["---" if place == 0 else "---:" for place in range(len(columns))])
    lines += [[column.show(row.get(column.name)).replace("|", r"\|") for column in columns] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """NaN is nothing in JSON and in CSV."""
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}


def _cell(value: Any) -> Any:
    """A cell of a CSV; texts, which may come out of files, are no formulas."""
    if value is None:
        return ""
    return spreadsheet_text(value) if isinstance(value, str) else value


def _provenance_lines(provenance: Mapping[str, Any]) -> list[str]:
    """One line for each entry; nested ones on their line, a whole configuration left to the JSON."""
    lines = []
    for name, value in provenance.items():
        if name == "configuration" or value is None or value == {}:
            continue
        if isinstance(value, Mapping):
            value = ", ".join(f"{key} {entry}" for key, entry in value.items() if entry is not None)
        lines.append(f"{name}: {value}")
    return lines
