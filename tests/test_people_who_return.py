"""The merged identities of `benchmarks/people_who_return.py`, by hand and on the real ground truth."""

import importlib.util
from pathlib import Path

import pytest

_PATH = Path(__file__).parents[1] / "benchmarks" / "people_who_return.py"
_SPEC = importlib.util.spec_from_file_location("people_who_return", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
people_who_return = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(people_who_return)


def test_the_later_identities_become_the_first() -> None:
    text = "1,19,10,20,30,40,1\n1,7,0,0,5,9,1\n\n2,15,1,2,3,4,0\n"
    assert people_who_return.merged(text) == "1,1,10,20,30,40,1\n1,7,0,0,5,9,1\n2,8,1,2,3,4,0\n"


@pytest.mark.data
def test_nobody_is_twice_in_a_frame_and_ten_people_are_left(data: Path) -> None:
    text = (data / "pets09-s2l1/gt/gt.txt").read_text()
    rows = [tuple(line.split(",")[:2]) for line in people_who_return.merged(text).splitlines()]
    assert len({identity for _, identity in rows}) == 10
    assert len(set(rows)) == len(rows) == len(text.splitlines())
