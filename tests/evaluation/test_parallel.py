import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from mot_reid.evaluation.parallel import map_tasks


def later_is_faster(number: int) -> int:
    time.sleep(0.1 / (number + 1))
    return number * number


def fail_at(wrong: int, number: int) -> int:
    if number == wrong:
        raise ValueError(f"task {number}\nis wrong")
    return number


def die(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def process(number: int) -> int:
    return os.getpid()


@pytest.mark.parametrize("jobs", [0, 1, 2, 99])
def test_order_is_kept_and_each_is_told(jobs: int) -> None:
    done: list[int] = []
    assert map_tasks(later_is_faster, range(6), jobs=jobs, on_done=done.append) == [0, 1, 4, 9, 16, 25]
    assert sorted(done) == list(range(6))


def test_no_tasks() -> None:
    assert map_tasks(process, []) == []


def test_where_the_work_is_done() -> None:
    assert set(map_tasks(process, range(3), jobs=1)) == {os.getpid()}
    assert map_tasks(process, [1], jobs=4) == [os.getpid()]
    assert os.getpid() not in map_tasks(process, range(3), jobs=2)


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_is_raised(jobs: int) -> None:
    with pytest.raises(ValueError, match="task 2"):
        map_tasks(partial(fail_at, 2), range(4), jobs=jobs)


def test_an_error_of_the_progress_is_raised() -> None:
    with pytest.raises(ValueError, match="task 0"):
        map_tasks(process, range(4), jobs=2, on_done=lambda _: fail_at(0, 0))


def test_a_process_that_dies_is_told_in_one_line() -> None:
    with pytest.raises(RuntimeError, match="a worker process died; with --jobs 1 less memory") as caught:
        map_tasks(die, range(3), jobs=2)
    assert "\n" not in str(caught.value)


SCRIPT = """
import os
import time
from mot_reid.evaluation.parallel import map_tasks

def work(number):
    os.write(1, b"begun\\n")
    time.sleep(60)

if __name__ == "__main__":
    map_tasks(work, range(4), jobs=2)
"""


@pytest.mark.parametrize("to_group", [False, True])
def test_an_interruption_ends_it_at_once(tmp_path: Path, to_group: bool) -> None:
    (tmp_path / "work.py").write_text(SCRIPT)
    done = subprocess.Popen(
        [sys.executable, str(tmp_path / "work.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert done.stdout is not None
    assert done.stdout.readline() == "begun\n"
    assert done.stdout.readline() == "begun\n"
    begun = time.monotonic()
    (os.killpg if to_group else os.kill)(done.pid, signal.SIGINT)
    _, errors = done.communicate(timeout=30)  # which waits for all that hold the pipe: the workers too
    assert time.monotonic() - begun < 10
    assert done.returncode == -signal.SIGINT
    assert errors.count("Traceback") == 1
