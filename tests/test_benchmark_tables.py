"""What benchmarks/README.md says is what the benchmark commands wrote."""

import importlib.util
import json
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def accuracy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.chdir(ROOT)
    spec = importlib.util.spec_from_file_location("accuracy", ROOT / "benchmarks" / "accuracy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_readme_holds_the_saved_results(accuracy: ModuleType) -> None:
    text = (ROOT / "benchmarks" / "README.md").read_text()
    assert accuracy.with_results(text) == text
    for link in re.findall(r"\]\((tables/[^)]+)\)", text):
        assert (ROOT / "benchmarks" / link).exists(), link


def test_tables_were_made_by_the_commands_that_stand_there(accuracy: ModuleType) -> None:
    for name, arguments in accuracy.RUNS.items():
        saved = json.loads((ROOT / "benchmarks" / "tables" / f"{name}.json").read_text())
        assert shlex.split(saved["command"])[2 : 2 + len(shlex.split(arguments))] == shlex.split(arguments)
        assert {row["mode"] for row in saved["rows"]} == {"offline" if "--offline" in arguments else "online"}
