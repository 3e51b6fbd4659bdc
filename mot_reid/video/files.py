"""Writing so that a full disk or a kill leaves whole pieces."""

from __future__ import annotations

import errno
import tempfile
from contextlib import suppress
from pathlib import Path

__all__ = ["AppendOnlyFile", "prepare_output_file", "prepare_output_folder", "remove_file"]


def prepare_output_folder(path: str | Path, name: str = "output folder") -> Path:
    """Makes the folder (and those above it) if need be, and makes sure that files can be written there.

    Args:
        path: of the folder.
        name: what the message calls it.

    Raises:
        OSError: it cannot be made or written; the message names it and says why.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Trying is surer than asking: permission bits say nothing of read-only disks, or to root.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        file = next((path for path in (folder, *folder.parents) if path.exists() and not path.is_dir()), None)
        why = error.strerror if file is None else f"{file} is a file"
        raise type(error)(error.errno, f"cannot write to {name} ({why})", str(folder)) from None
    return folder


def prepare_output_file(path: str | Path) -> Path:
    """Makes a file's folder if need be, and makes sure that the file can be written there.

    Raises:
        OSError: it cannot be; the message says why.
    """
    file = Path(path)
    prepare_output_folder(file.parent)
    if file.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a folder, expected a file to write", str(file))
    return file


def remove_file(path: Path) -> None:
    """Removes a file or a link: what is written anew shall not go through a link to another place."""
    if path.is_symlink() or path.is_file():
        path.unlink()


class AppendOnlyFile:
    """A file that grows by whole pieces: a piece that does not fit leaves no torn end behind."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        remove_file(self.path)
        self._file = open(self.path, "wb", buffering=0)  # noqa: SIM115  # unbuffered: a kill loses nothing
        self._length = 0

    def write(self, piece: bytes | memoryview) -> int:
        """Appends ``piece``; on an error (disk full, say) the file is as before."""
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            with suppress(OSError):  # a device such as /dev/full cannot be cut
                self._file.truncate(self._length)
                self._file.seek(self._length)
            raise type(error)(error.errno, error.strerror, str(self.path)) from None
        self._length += len(piece)
        return len(piece)

    def close(self) -> None:
        """Closes the file; safe to call more than once."""
        self._file.close()
