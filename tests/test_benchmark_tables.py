"""The tables in benchmarks/README.md are those that the benchmark command wrote."""

import importlib.util
import json
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def accuracy_module():
    spec = importlib.util.spec_from_file_location("accuracy", ROOT / "benchmarks" / "accuracy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_readme_holds_the_saved_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    accuracy = accuracy_module()
    text = (ROOT / "benchmarks" / "README.md").read_text()
    assert accuracy.with_tables(text) == text
    places = re.findall(r"<!-- table (\S+) -->", text)
    assert sorted(places) == sorted(path.stem for path in Path("benchmarks/tables").glob("*.md"))
    for name, arguments in accuracy.RUNS.items():
        saved = json.loads((ROOT / "benchmarks" / "tables" / f"{name}.json").read_text())
        assert shlex.split(saved["command"])[2 : 2 + len(shlex.split(arguments))] == shlex.split(arguments)
        assert {row["mode"] for row in saved["rows"]} == {"offline" if "--offline" in arguments else "online"}
        assert f"{saved['rows'][-1]['HOTA']:.2f}" in text
