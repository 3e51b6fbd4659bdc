"""What the page writes beside a run's results: the log of corrections, and the scene that was drawn."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mot_reid.analytics import scene_from_mapping
from mot_reid.files import atomic
from mot_reid.pipeline.finished_tracks import track_file_of
from mot_reid.yaml_text import read_yaml_file

__all__ = ["append_line", "listed", "read_run_scene", "stamp_of", "write_run_scene"]

_LINE = 1 << 16  # bytes in which a log's last line must lie


def append_line(path: Path, entry: Mapping[str, Any]) -> int:
    """Adds a line of JSON to a log, all of it or nothing; a torn last line, which counts for nothing, goes.

    Returns:
        The log's size, bytes, if nobody else adds to it at the same time.

    Raises:
        OSError: it cannot be written; the log is as before.
    """
    data = (json.dumps(entry, ensure_ascii=False) + "\n").encode()
    with open(path, "a+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _LINE))
        tail = file.read()
        last = tail[tail.rfind(b"\n") + 1 :]
        if last.rstrip().endswith(b"}"):  # whole, but for the end of its line
            data = b"\n" + data
        elif last:
            size -= len(last)
            file.truncate(size)
        try:
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        except OSError as error:
            file.truncate(size)
            raise OSError(error.errno, error.strerror, str(path)) from None
    return size + len(data)


def listed(folder: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """Those of these files and folders that are there: names, bytes, and days since they were written."""
    now = time.time()
    entries = []
    for name in names:
        path = folder / name
        if path.exists():
            files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
            size = sum(file.stat().st_size for file in files)
            age = (now - path.stat().st_mtime) / 86400
            entries.append({"name": name, "bytes": size, "days": round(age, 2)})
    return entries


def stamp_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of the files that say what a run found: others than before, if it went on."""
    found = []
    for path in (track_file_of(folder), folder / "summary.json"):
        if path is not None and path.is_file():
            status = path.stat()
            found.append((path.name, status.st_size, status.st_mtime_ns))
    return tuple(found)


def read_run_scene(
    path: Path, classes: Mapping[str, int], size: tuple[int, int] | None = None
) -> dict[str, Any]:
    """A scene as JSON can hold it, in the pixels of a picture; without whom a scene file tells of its events.

    Args:
        path: a scene file; nothing is in it where it is not there.
        classes: names of classes to their numbers.
        size: width and height of the picture, pixels; None where they are not known: what then depends on
            them is as it is in the file.

    Raises:
        ValueError: something in it is wrong; the message names the file.
    """
    try:
        content = read_yaml_file(path)
        if content is None:
            return {}
        if not isinstance(content, dict):
            raise ValueError(f"expected names and values, got {type(content).__name__}")
        content.pop("events", None)
        scene = scene_from_mapping(content, classes)
        if size is not None and (scene.relative or scene.size is not None):
            scene = scene.for_size(*size)
        return scene.to_mapping()
    except OSError:
        return {}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def write_run_scene(path: Path, scene: Any, classes: Mapping[str, int]) -> None:
    """Writes a scene; whom the file there tells of its events stays in it.

    Raises:
        ValueError: something in the scene is wrong.
        OSError: it cannot be written.
    """
    mapping = scene_from_mapping(scene, classes).to_mapping()
    try:
        before = read_yaml_file(path)
    except (OSError, ValueError):
        before = None
    if isinstance(before, dict) and before.get("events") is not None:
        mapping["events"] = before["events"]
    with atomic(path) as part:
        part.write_text(yaml.safe_dump(mapping, sort_keys=False), encoding="utf-8")
