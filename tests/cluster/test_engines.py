"""Workers that answer, fail, die and are stopped, on this machine."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mot_reid.cluster.engines import Engine, LocalEngine, Report

sys.path.insert(0, str(Path(__file__).parent))  # workers get this process' path
import worker_calls as calls


def collect(engine: Engine, count: int, patience: float = 120) -> dict[object, Report]:
    found: dict[object, Report] = {}
    until = time.monotonic() + patience
    while len(found) < count and time.monotonic() < until:
        found.update(engine.reports(timeout=1))
    return found


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_calls_come_back_with_their_keys_and_logs() -> None:
    with LocalEngine(1) as engine:
        assert engine.room == 1
        engine.submit("a", calls.double, 21)
        assert (engine.room, engine.busy) == (0, 1)
        with pytest.raises(RuntimeError, match="busy"):
            engine.submit("b", calls.double, 1)
        report = collect(engine, 1)["a"]
        assert report.value == 42
        assert report.error is None
        assert "doubling 21" in report.log[0]
        engine.submit("b", calls.fail, "no\nsuch thing")
        failed = collect(engine, 1)["b"]
        assert (failed.error, failed.lost) == ("no such thing", False)
        assert "ValueError" in failed.trace
        assert failed.worker == report.worker  # the same process goes on


def test_a_worker_that_dies_takes_its_own_call_along_and_is_replaced() -> None:
    with LocalEngine(2) as engine:
        engine.submit("dies", calls.die)
        engine.submit("lives", calls.double, 4)
        found = collect(engine, 2)
        assert found["lives"].value == 8
        assert found["dies"].lost
        assert not found["dies"].blameless
        assert "-9" in str(found["dies"].error)
        engine.submit("again", calls.double, 5)
        assert collect(engine, 1)["again"].value == 10


def test_closing_ends_what_runs(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    with LocalEngine(1) as engine:
        engine.submit("long", calls.note_and_sleep, mark, 600)
        until = time.monotonic() + 60
        while not (mark.exists() and mark.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
    assert not alive(int(mark.read_text()))


def test_workers_do_not_outlive_a_driver_that_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    code = (
        "from pathlib import Path\n"
        "from mot_reid.cluster.engines import LocalEngine\n"
        "import worker_calls as calls\n"
        "if __name__ == '__main__':\n"
        "    engine = LocalEngine(1)\n"
        f"    engine.submit('long', calls.note_and_sleep, Path({str(mark)!r}), 600)\n"
        "    engine.reports(600)\n"
    )
    script = tmp_path / "driver.py"
    script.write_text(code)
    path = os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent)])
    driver = subprocess.Popen([sys.executable, str(script)], env=os.environ | {"PYTHONPATH": path})
    until = time.monotonic() + 120
    while not (mark.exists() and mark.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    driver.kill()
    driver.wait()
    worker = int(mark.read_text())
    until = time.monotonic() + 30
    while alive(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(worker)
