"""What can go wrong on the command line, told in one line."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mot_reid.extras import missing_extra
from mot_reid.files import FolderInUseError

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "USAGE",
    "UsageError",
    "debugging",
    "drop_output",
    "exit_code",
    "name_output",
    "one_line",
    "usage_errors",
]

FAILED = 1
USAGE = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

_OUTPUT = "standard output"


class _Output(io.TextIOWrapper):
    """Standard output whose errors say that it is: the operating system's name no file."""

    def write(self, text: str) -> int:
        with _named_output():
            return super().write(text)

    def flush(self) -> None:
        with _named_output():
            super().flush()


@contextmanager
def _named_output() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise type(error)(error.errno, error.strerror, _OUTPUT) from None


def name_output() -> None:
    """From here on, what cannot be printed is an error that names standard output."""
    if (out := sys.stdout) is not None and out is sys.__stdout__ and isinstance(out, io.TextIOWrapper):
        sys.stdout = _Output(
            *(out.buffer, out.encoding, out.errors, None),
            line_buffering=out.line_buffering,
            write_through=out.write_through,
        )


def drop_output(error: Exception) -> None:
    """If printing has failed, throws away what was still to be printed: Python would try it once more."""
    if isinstance(error, BrokenPipeError) or (isinstance(error, OSError) and error.filename == _OUTPUT):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class UsageError(Exception):
    """The command was called with options or settings that cannot be used."""


@contextmanager
def usage_errors() -> Iterator[None]:
    """Inside, wrong values and files or sources that cannot be opened are the fault of how it was called.

    That somebody else writes into a folder is not.
    """
    try:
        yield
    except FolderInUseError:
        raise
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise UsageError(one_line(error)) from error
    except RuntimeError as error:
        from mot_reid.video.frames import SourceError  # takes a moment to load

        if isinstance(error, SourceError):
            raise UsageError(one_line(error)) from error
        raise


def exit_code(error: Exception) -> int:
    """`USAGE` where what was asked cannot be, `FAILED` where it failed on the way."""
    from mot_reid.gallery.store import GalleryError

    asked = isinstance(error, GalleryError) and error.__cause__ is None
    return USAGE if asked or isinstance(error, (UsageError, ImportError)) else FAILED


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
