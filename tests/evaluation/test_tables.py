import csv
import io
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance

COLUMNS = [
    Column("sequence"),
    Column("HOTA", 2, "scores"),
    Column("FP", group="scores", brief=False),
    Column("frames/s", 1, "times"),
]
ROWS: list[dict[str, Any]] = [
    {"sequence": "A", "HOTA": 1 / 3, "FP": 3, "frames/s": 12.34, "hidden": 5},
    {"sequence": "B, the | second", "HOTA": math.nan, "FP": 0},
    {"sequence": 'Größe "7"', "HOTA": 100.0, "FP": None},
]


def table(**changed: Any) -> Table:
    values: dict[str, Any] = {
        "title": "Some scores",
        "columns": COLUMNS,
        "rows": ROWS,
        "provenance": {"command": "mot-reid eval x", "versions": {"numpy": "2"}, "commit": None},
        "notes": ["Problem: something"],
        "headings": {"times": "And the times:"},
    }
    return Table(**(values | changed))


def no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def test_json() -> None:
    content = json.loads(table().to_json(), parse_constant=no_constant)
    assert content["title"] == "Some scores"
    assert content["rows"][0] == ROWS[0]  # unrounded, with what the columns do not show
    assert content["rows"][1]["HOTA"] is None
    assert content["rows"][2]["sequence"] == 'Größe "7"'
    assert content["notes"] == ["Problem: something"]
    assert content["command"] == "mot-reid eval x"
    assert content["versions"] == {"numpy": "2"}


def test_csv_reads_back() -> None:
    lines = table(title="Some\nscores").to_csv().splitlines(keepends=True)
    comments = [line for line in lines if line.startswith("#")]
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert comments[:2] == ["# Some scores\n", "# Problem: something\n"]
    assert "# command: mot-reid eval x\n" in comments
    assert [row["sequence"] for row in rows] == [row["sequence"] for row in ROWS]
    assert float(rows[0]["HOTA"]) == 1 / 3
    assert rows[1]["HOTA"] == ""
    assert (rows[2]["FP"], rows[1]["frames/s"]) == ("", "")


def test_markdown() -> None:
    text = table().to_markdown()
    assert text.startswith("#")
    assert text.lstrip("# ").startswith("Some scores\n\n```\nmot-reid eval x\n```\n")
    assert "| sequence | HOTA | FP |\n| --- | ---: | ---: |\n| A | 0.33 | 3 |\n" in text
    assert r"| B, the \| second | - | 0 |" in text
    assert '| Größe "7" | 100.00 | - |' in text
    assert "And the times:\n\n| sequence | frames/s |\n| --- | ---: |\n| A | 12.3 |\n" in text
    assert "\n\nProblem: something\n" in text
    assert "numpy 2" in text
    assert "times" not in table(rows=ROWS[1:]).to_markdown()  # no column of nothing


def test_without_rows_or_provenance() -> None:
    empty = table(rows=[], provenance={}, notes=[])
    assert json.loads(empty.to_json())["rows"] == []
    assert empty.to_csv().splitlines() == ["# Some scores", "sequence,HOTA,FP,frames/s"]
    assert empty.to_markdown().endswith("# Some scores\n")


def test_provenance_is_in_all_and_tells_nothing_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/home/somebody/bin/mot-reid", "eval", "my results"])
    monkeypatch.setenv("HOME", "/home/somebody")
    made = table(provenance=provenance())
    for path in made.save(tmp_path, "scores"):
        text = path.read_text()
        for needle in ("mot-reid eval 'my results'", made.provenance["date"], "numpy", "cores"):
            assert needle in text
        assert "somebody" not in text
        assert os.uname().nodename not in text
        assert str(Path(__file__).parents[2]) not in text


def test_saving_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "new" / "folder"
    paths = table().save(folder, "scores")
    assert [path.name for path in paths] == ["scores.json", "scores.csv", "scores.md"]
    assert sorted(folder.iterdir()) == sorted(paths)
    before = {path: path.read_bytes() for path in paths}

    def full(self: Path, text: str, encoding: str) -> int:
        self.write_bytes(text.encode()[:10])
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        table(title="Other").save(folder, "scores")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="file"):
            table().save(folder, "scores")


@pytest.mark.parametrize("width", [60, 200])
def test_on_a_terminal(width: int) -> None:
    text = io.StringIO()
    table(title="[bold]Some[/bold] scores").show(Console(file=text, width=width, force_terminal=True))
    shown = text.getvalue()
    assert "HOTA" in shown
    assert "33.33" not in shown
    assert ("FP" in shown) == (width == 200)
    assert "Problem: something" in shown


def test_names_with_brackets_are_shown_as_they_are() -> None:
    text = io.StringIO()
    rows = [{"sequence": "video[1]", "HOTA": 1.0}, {"sequence": "a[/]b", "HOTA": 2.0}]
    table(title="results[red] against [/x]", rows=rows).show(Console(file=text, width=400))
    for name in ("video[1]", "a[/]b", "results[red] against [/x]"):
        assert name in " ".join(text.getvalue().split())


def test_markdown_of_a_table_without_groups() -> None:
    plain = Table("Times", [Column("stage"), Column("ms", 1)], [{"stage": "predict", "ms": 0.25}])
    assert "| stage | ms |\n| --- | ---: |\n| predict | 0.2 |" in plain.to_markdown()
    assert str(plain) == plain._repr_markdown_() == plain.to_markdown()
