"""What can go wrong on the command line, told in one line."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from mot_reid.extras import missing_extra

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "USAGE",
    "UsageError",
    "called_elsewhere",
    "debugging",
    "one_line",
    "usage_errors",
]

FAILED = 1
USAGE = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

_ELSEWHERE = {
    "--source": "SOURCE",
    "--input": "SOURCE",
    "--tracker": "--preset",
    "--tracking-method": "--preset",
    "--model": "--detector",
    "--weights": "--detector",
    "--yolo-model": "--detector",
    "--reid-model": "--embedder",
    "--conf": "--score",
    "--conf-thres": "--score",
    "--imgsz": "--image-size",
    "--img-size": "--image-size",
    "--vid-stride": "--stride",
    "--format": "--formats",
    "--project": "--output",
    "--save": "--video",
    "--save-txt": "--formats",
}
"""What options of other trackers' commands are called here; SOURCE is no option."""


class UsageError(Exception):
    """The command was called with options or settings that cannot be used."""


@contextmanager
def usage_errors() -> Iterator[None]:
    """Inside, wrong values and missing files are the fault of how the command was called."""
    try:
        yield
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise UsageError(one_line(error)) from error


def debugging() -> bool:
    """Whether the user wants tracebacks (``MOT_REID_DEBUG``)."""
    return bool(os.environ.get("MOT_REID_DEBUG"))


def one_line(error: BaseException) -> str:
    """An error's message without line breaks; an operating system's error with its file first."""
    if (told := missing_extra(error)) is not None:
        return told
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def called_elsewhere(option: str, known: Collection[str]) -> str | None:
    """Says what an option of another tracker's command is called here.

    Args:
        option: that was given, such as ``--conf``, and that the command does not know.
        known: the options and arguments of the command.

    Returns:
        One line; None where nothing is known of it.
    """
    here = _ELSEWHERE.get(option.replace("_", "-"))
    if here is None or here not in known:
        return None
    if here == "SOURCE":
        return f"No such option: {option}; sources are given by themselves, as in mot-reid track street.mp4"
    return f"No such option: {option}; here it is {here}"
