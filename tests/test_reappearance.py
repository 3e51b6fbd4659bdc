"""Absences and ids in `benchmarks/reappearance.py`, by hand."""

import importlib.util
from pathlib import Path

import numpy as np

_PATH = Path(__file__).parents[1] / "benchmarks" / "reappearance.py"
_SPEC = importlib.util.spec_from_file_location("reappearance", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
reappearance = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(reappearance)


def spans(picture: str) -> list[tuple[int, int]]:
    return list(reappearance.absences(np.array([mark == "x" for mark in picture]), second=4))


def test_absences_last_longer_than_a_second_and_end_in_sight() -> None:
    assert spans("xx.....xxxx") == [(2, 7)]
    assert spans("xx....xxxxx") == []  # a second, not more
    assert spans("xx.....x...") == []  # a glimpse is no return
    assert spans(".....xxxx......") == []  # nothing before, nothing after


def test_the_id_of_most_frames_counts() -> None:
    assert reappearance.kept_id(np.array([7, 0, 0, 0, 0, 0, 8, 7, 7, 0]), 2, 6, 4)
    assert not reappearance.kept_id(np.array([7, 0, 0, 0, 0, 0, 7, 8, 8, 0]), 2, 6, 4)
    assert not reappearance.kept_id(np.array([7, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 2, 6, 4)
    assert not reappearance.kept_id(np.array([0, 0, 0, 0, 0, 0, 7, 7, 7, 7]), 2, 6, 4)
