"""What a training goes on from, damaged."""

from pathlib import Path

import pytest
import torch

from mot_reid.training.detector.trainer import _loaded
from mot_reid.training.saved import read_state, require_whole, write_state


def test_a_state_that_the_disk_does_not_take_is_named_and_leaves_the_one_before(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "last.pt"
    write_state(path, {"step": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: '.*last\.pt'"):
            write_state(path, {"weights": torch.zeros(100_000), "step": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert read_state(path, ["step"]) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_numbers_that_changed_on_the_disk_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    torch.save({"weights": torch.zeros(1000), "step": 3}, path)
    assert read_state(path, ["step"])["step"] == 3
    content = bytearray(path.read_bytes())
    at = content.index(bytes(2000)) + 1000
    content[at : at + 4] = b"\x00\x00\x80\x3f"
    path.write_bytes(content)
    for read in (lambda: read_state(path, ["step"]), lambda: require_whole(path), lambda: _loaded(path)):
        with pytest.raises(ValueError, match=r"last\.pt: damaged, so that no training goes on from it"):
            read()


@pytest.mark.parametrize("content", [[1], {"a": 1}, {"ema": None, "epoch": 1}, {"ema": {}, "epoch": 1}])
def test_a_yolos_state_that_is_something_else_is_named(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "last.pt")
    with pytest.raises(ValueError, match=r"last\.pt: not of such a training"):
        _loaded(tmp_path / "last.pt")
