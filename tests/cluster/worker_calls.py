"""What workers are asked to do in tests: functions that other processes can import."""

import logging
import os
import signal
import time
from pathlib import Path


def double(number: int) -> int:
    logging.getLogger("mot_reid.test").warning("doubling %d", number)
    return 2 * number


def fail(told: str) -> None:
    raise ValueError(told)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(mark: Path) -> str:
    if mark.exists():
        return "alive"
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def note_and_sleep(mark: Path, seconds: float) -> None:
    mark.write_text(str(os.getpid()))
    time.sleep(seconds)
