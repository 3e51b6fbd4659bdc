import json
import os
import sys
from pathlib import Path

import pytest

from mot_reid import __version__
from mot_reid import provenance as module
from mot_reid.provenance import command_line, provenance, versions


def test_it_is_complete_and_json() -> None:
    found = provenance()
    assert list(found) == ["command", "date", "commit", "machine", "versions"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["processor"]


def test_the_command_as_it_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/home/somebody/.venv/bin/mot-reid", "eval", "my results", "--gt", "x"])
    assert command_line() == "mot-reid eval 'my results' --gt x"


def test_versions() -> None:
    found = versions()
    assert found["mot_reid"] == __version__
    assert {"numpy", "motmetrics", "trackeval", "python"} <= set(found)


def test_nothing_private(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["mot-reid"])
    text = json.dumps(provenance())
    assert os.uname().nodename not in text
    assert str(Path(module.__file__).parents[1]) not in text
    assert str(Path.home()) not in text


def test_without_git_or_a_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = module.commit()
    assert found is None or len(found.split()[0]) == 12
    monkeypatch.setenv("PATH", str(tmp_path))
    assert module.commit() is None
    monkeypatch.setattr(module, "__file__", str(tmp_path / "mot_reid" / "provenance.py"))
    assert module.commit() is None
