"""What can go wrong on the command line, told in one line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from mot_reid.extras import missing_extra

__all__ = ["FAILED", "INTERRUPTED", "USAGE", "UsageError", "debugging", "one_line", "usage_errors"]

FAILED = 1
USAGE = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


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
