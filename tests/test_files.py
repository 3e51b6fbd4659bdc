"""Files that appear whole or not at all."""

import os
import time
from pathlib import Path

import pytest

from mot_reid.files import atomic, clear_abandoned


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with atomic(path) as part:
        part.write_text("new")
        assert part.parent == tmp_path
        assert part.suffix == ".csv"
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_may_be_as_long_as_the_disk_takes(tmp_path: Path) -> None:
    path = tmp_path / f"{'x' * 251}.csv"
    with atomic(path) as part:
        part.write_text("whole")
    assert path.read_text() == "whole"


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def fail() -> None:
        with atomic(path) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_names_the_file_meant(tmp_path: Path) -> None:
    path = tmp_path / "no such folder" / "table.csv"
    with pytest.raises(FileNotFoundError) as caught, atomic(path) as part:
        part.write_text("x")
    assert caught.value.filename == str(path)


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a[1].txt"
    with atomic(path) as one, atomic(path) as other:
        one.write_text("one")
        other.write_text("other")
        assert one != other
    assert path.read_text() == "one"  # the outer block ends last


def test_what_killed_runs_left_goes_after_a_day(tmp_path: Path) -> None:
    path = tmp_path / "a[1].txt"
    names = (".a[1].x.part.txt", ".a[1].y.part.txt", ".other.x.part.txt")
    old, young, others = (tmp_path / name for name in names)
    for part in (old, young, others):
        part.write_text("x")
    for part in (old, others):
        os.utime(part, (time.time() - 1e5, time.time() - 1e5))
    with atomic(path) as part:
        part.write_text("whole")
    assert {old.exists(), young.exists(), others.exists()} == {False, True}
    assert not old.exists()
    clear_abandoned(tmp_path)
    assert not others.exists()
    assert young.exists()
