"""A hundred damaged inputs of each kind; ``benchmarks/fuzz_readers.py`` reads thousands."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")


def test_damaged_videos(tmp_path: Path) -> None:
    from fuzz_readers import fuzz, read_video, whole_videos

    ends, faults = fuzz(read_video(tmp_path), whole_videos(), 100, seed=1)
    assert faults == []
    assert ends.total() == 100
    assert min(ends["read"], ends["damage counted"], ends["error"]) > 5


def test_damaged_pictures(tmp_path: Path) -> None:
    from fuzz_readers import fuzz, read_pictures, whole_pictures

    whole = whole_pictures()
    ends, faults = fuzz(read_pictures(tmp_path, whole), whole, 100, seed=1)
    assert faults == []
    assert min(ends["read"], ends["damage counted"]) > 5


def test_damaged_streams() -> None:
    from fuzz_readers import fuzz, served, whole_videos

    with served() as reader:
        ends, faults = fuzz(reader, whole_videos(), 100, seed=2)
    assert faults == []
    assert min(ends["read"], ends["damage counted"], ends["error"]) > 5


def test_a_fault_is_found(tmp_path: Path) -> None:
    from fuzz_readers import fuzz, whole_pictures

    def broken(content: bytes, suffix: str) -> tuple[int, int]:
        if suffix == "png":
            raise KeyError(suffix)
        return 1, 0

    _, faults = fuzz(broken, whole_pictures(), 16, seed=0)
    assert len(faults) == 2
    assert "(png): KeyError" in faults[0]
