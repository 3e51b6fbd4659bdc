"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import glob
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = [
    "FolderInUseError",
    "atomic",
    "clear_abandoned",
    "same_file",
    "sole_writer",
    "spreadsheet_row",
    "spreadsheet_text",
]

_STEM = 40  # characters of a name that its part has, too: disks take names of 255 bytes
_ABANDONED = 24 * 3600.0  # seconds after which a part is one that a killed run has left


_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""What writing fails with, without a name."""


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Gives the block a file beside ``path`` to write, and moves it there when the block has ended.

    Whoever reads ``path`` meanwhile, or after a kill or on a full disk, finds what was there before. Runs
    side by side that write the same file do not mix: the last one to end wins. What killed runs have left
    beside ``path`` is removed after a day.

    Args:
        path: the file to write or replace; its folder must be there.

    Yields:
        The file to write: in the same folder, of the same suffix, hidden.

    Raises:
        OSError: it cannot be written; the message names ``path``.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic(f"{folder}/notes.txt") as part:
        ...         _ = part.write_text("whole")
        ...     print((Path(folder) / "notes.txt").read_text())
        whole
    """
    path = Path(path)
    stem = path.stem[:_STEM]
    clear_abandoned(path.parent, f"{glob.escape(stem)}.*.part{glob.escape(path.suffix)}")
    part = path.with_name(f".{stem}.{uuid.uuid4().hex}.part{path.suffix}")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        unnamed = error.filename is None and error.errno in _OF_THE_DISK
        if unnamed or (error.filename is not None and Path(error.filename) == part):
            raise type(error)(error.errno, error.strerror, str(path)) from None
        raise
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


class FolderInUseError(OSError):
    """Somebody else is writing into a folder: it may work later as the command was given."""


def sole_writer(folder: Path, what: str = "run") -> ExitStack:
    """Holds a folder against a second run that would write into the same files.

    Args:
        folder: which is there.
        what: a word for who holds it.

    Returns:
        What lets it go when it is closed.

    Raises:
        FolderInUseError: somebody else holds it.
    """
    from filelock import FileLock, Timeout

    stack = ExitStack()
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        stack.callback(lock.release)
        lock.acquire()
    except Timeout:
        raise FolderInUseError(f"output folder {folder}: another {what} is writing there") from None
    stack.callback(_remove, folder / ".lock")
    return stack


def _remove(path: Path) -> None:
    """Removes a file that is still open; where that cannot be (on Windows), who closes it removes it."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def same_file(first: str | Path, second: str | Path) -> bool:
    """Whether two names mean one file, through symbolic and hard links too; it need not be there."""
    first, second = Path(first), Path(second)
    try:
        if first.samefile(second):
            return True
    except OSError:  # one of them is not there, or is no name of a file
        pass
    return first.resolve() == second.resolve()


def clear_abandoned(folder: Path, names: str = "*.part*") -> None:
    """Removes the parts that killed runs have left in a folder; those of a run that goes on are younger.

    Args:
        folder: where they lie; it may be missing.
        names: a pattern of the parts meant, without the dot that they begin with.
    """
    for part in folder.glob(f".{names}"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > _ABANDONED:
                part.unlink()


_RUNS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four are their wide forms


def spreadsheet_text(text: str) -> str:
    """A text out of a file, for a cell of a CSV: one that a spreadsheet would run gets an apostrophe."""
    runs = text.lstrip().startswith(_RUNS) or text.startswith(("\t", "\r", "\n"))
    return f"'{text}" if runs else text


def spreadsheet_row(cells: Iterable[Any]) -> list[Any]:
    """The cells of a line of a CSV, their texts by `spreadsheet_text`, numbers as they are."""
    return [spreadsheet_text(cell) if isinstance(cell, str) else cell for cell in cells]
