"""What all tests share."""

import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

# What tests of several folders use; pytest's importlib mode leaves folders alone.
sys.path.insert(0, str(Path(__file__).parent / "shared"))
# Before anything loads torch: threads that wait shall sleep, or tests crawl on a machine that is busy.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:  # the others have the other cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Else the collector goes through the objects of all modules time and again: a tenth of the processor's time.
gc.set_threshold(10_000, 10, 10)
# Ultralytics' logger keeps the standard output of the test that imported it first, which is closed later.
logging.raiseExceptions = False
# How long an example takes says something of the machine's load, and the first one may compile kernels.
# With --hypothesis-profile=default it is 100 examples.
hypothesis.settings.register_profile("mot_reid", deadline=None, max_examples=50)
hypothesis.settings.load_profile("mot_reid")


@pytest.hookimpl(optionalhook=True)  # there is none with `-p no:xdist`
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than cores, for tests also wait: for a clock, a browser, another process."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that take long come early: at the end, one of them would keep all the others' cores waiting."""
    places = {"first": 0, "long": 1, "last": 3}

    def place(item: pytest.Item) -> int:
        return next((places[mark.name] for mark in item.iter_markers() if mark.name in places), 2)

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """What was imported by then stays; the collector need not look at it any more."""
    gc.freeze()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with the real data."""
    folder = os.environ.get("MOT_REID_DATA")
    if not folder:
        pytest.skip("MOT_REID_DATA does not name the folder with the real data")
    return Path(folder)


@dataclass
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs ``mot-reid`` with these arguments, in this process."""
    from mot_reid.cli import main

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["mot-reid", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        assert isinstance(stopped.value.code, int)
        return Outcome(stopped.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def torch_threads() -> Iterator[int]:
    """A number of threads that torch is set to, for the test: another one than Ultralytics would choose."""
    import torch

    before, asked = torch.get_num_threads(), 2 if os.cpu_count() == 2 else 1  # theirs: one less than cores
    torch.set_num_threads(asked)
    yield asked
    torch.set_num_threads(before)
