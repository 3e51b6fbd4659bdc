"""Where videos come from and results go: local or mounted folders, and object storage through fsspec."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mot_reid.extras import require
from mot_reid.files import atomic

__all__ = [
    "PARTIAL",
    "fetched",
    "is_remote",
    "join",
    "plain",
    "publish",
    "read_text",
    "remote",
    "remove",
    "stamp",
    "write_text",
]

PARTIAL = ".partial"
"""The folder, inside the output, for what is not finished; nothing in it is ever read as a result."""


def is_remote(place: str) -> bool:
    """Whether a place is a URL of object storage or of a server, and no local path."""
    return "://" in place and not place.startswith("file://")


def plain(place: str) -> str:
    """A place by its path, where it is the URL of a local one (``file:///data/a%20day.mp4``)."""
    return unquote(place.removeprefix("file://")) if place.startswith("file://") else place


def remote(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and its path there.

    Raises:
        ImportError: fsspec, or its package for this kind of storage, is not installed.
        ValueError: no such kind of storage is known.
    """
    fsspec = require("fsspec", f"{url}: object storage")
    if url.startswith(("s3://", "s3a://")):
        require("s3fs", f"{url}: object storage")
    try:
        return fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise ImportError(f"{url}: {error}") from error


def join(place: str, *parts: str) -> str:
    """A place below another one."""
    return "/".join([place.rstrip("/"), *parts]) if is_remote(place) else str(Path(place, *parts))


def stamp(source: str) -> str:
    """What tells this content of a source from another, without reading it: sizes and times of change.

    For a folder all its files count; for object storage, what the storage says of the object (its entity tag,
    say).

    Raises:
        FileNotFoundError: there is no such source.
    """
    if is_remote(source):
        system, path = remote(source)
        return str(system.ukey(path))
    path_ = Path(source)
    files = sorted(entry for entry in path_.rglob("*") if entry.is_file()) if path_.is_dir() else [path_]
    digest = hashlib.sha256()
    for file in files:
        status = file.stat()
        name = file.relative_to(path_) if path_.is_dir() else file.name
        digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


@contextmanager
def fetched(source: str) -> Iterator[str]:
    """A source as a local path: itself, or a copy of a remote one that lives as long as the block.

    Raises:
        OSError: it cannot be read, or there is no room for the copy.
    """
    if not is_remote(source):
        yield plain(source)
        return
    system, path = remote(source)
    with tempfile.TemporaryDirectory(prefix="mot_reid-") as folder:
        local = Path(folder) / Path(path).name
        system.get_file(path, str(local))
        yield str(local)


def read_text(place: str) -> str | None:
    """The text of a file, local or remote; None where there is none."""
    if is_remote(place):
        system, path = remote(place)
        system.invalidate_cache()
        try:
            return str(system.cat_file(path).decode("utf-8"))
        except FileNotFoundError:
            return None
    try:
        return Path(place).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_text(place: str, text: str) -> None:
    """Writes a file, local or remote, so that whoever looks sees all of it or what was there before.

    Raises:
        OSError: it cannot be written.
    """
    if is_remote(place):
        system, path = remote(place)
        system.pipe_file(path, text.encode("utf-8"))  # object storage shows whole objects only
        return
    with atomic(Path(place)) as part:
        part.write_text(text, encoding="utf-8")


def publish(folder: Path, target: str, last: str, root: str) -> None:
    """Moves a folder of results to its place, so that whoever looks sees all of it or nothing.

    Locally the whole folder is renamed; what an earlier run left at its place goes. Object storage knows no
    renaming: there the file ``last``, by which results count as complete, is removed first and written last.

    Args:
        folder: what is to be published; gone afterwards.
        target: its place.
        last: the name of the file in it that makes it complete.
        root: the output's root; on a local disk ``folder`` should lie on the same one.

    Raises:
        OSError: it cannot be written.
    """
    if is_remote(target):
        system, path = remote(target)
        with suppress(FileNotFoundError):
            system.rm_file(f"{path}/{last}")
        for file in sorted(folder.rglob("*"), key=lambda file: (file.name == last, file)):
            if file.is_file():
                system.put_file(str(file), f"{path}/{file.relative_to(folder).as_posix()}")
        shutil.rmtree(folder, ignore_errors=True)
        return
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    old = Path(root) / PARTIAL / f"old-{uuid.uuid4().hex}"
    with suppress(FileNotFoundError):
        os.rename(target, old)
    os.rename(folder, target)
    shutil.rmtree(old, ignore_errors=True)


def remove(place: str) -> None:
    """Removes a folder, local or remote, if it is there."""
    if is_remote(place):
        system, path = remote(place)
        with suppress(FileNotFoundError):
            system.rm(path, recursive=True)
    else:
        shutil.rmtree(place, ignore_errors=True)
