"""The examples in the package's docstrings print what they say."""

import doctest
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

PACKAGE = Path(__file__).parents[1] / "mot_reid"
MODULES = sorted(
    ".".join(("mot_reid", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


def test_there_are_some() -> None:
    assert len(MODULES) >= 5


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with np.printoptions(formatter=None, linewidth=75):  # Ultralytics changes them for the whole process
        failed, _ = doctest.testmod(import_module(name))
    assert failed == 0


def test_a_wrong_example_would_show() -> None:
    (test,) = doctest.DocTestFinder().find(_wrong, globs={})
    failed, attempted = doctest.DocTestRunner(verbose=False).run(test, out=lambda _: None)
    assert (failed, attempted) == (1, 1)


def _wrong() -> None:
    """
    >>> 1 + 1
    3
    """
