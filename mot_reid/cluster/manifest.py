"""Which videos a batch consists of: a list in a file, a folder, or a pattern."""

from __future__ import annotations

import csv
import glob
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from mot_reid.cluster.places import is_remote, plain, read_text, remote
from mot_reid.pipeline.summary_file import BEGUN
from mot_reid.video.formats import FORMATS
from mot_reid.video.sources import safe_name

__all__ = ["BATCH_FILE", "LOGS", "VIDEO_SUFFIXES", "Video", "read_manifest"]

_ENDINGS = (
    *("3gp", "asf", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "ogv", "ts"),
    *("vob", "webm", "wmv"),
)
VIDEO_SUFFIXES = frozenset(f".{ending}" for ending in _ENDINGS)
LOGS, BATCH_FILE = "logs", "batch.json"
"""What lies beside the folders of the videos, so that none of them is called so."""
AnyPath = TypeVar("AnyPath", Path, PurePosixPath)
_COLUMNS = ("source", "name", "camera", "group")


@dataclass(frozen=True)
class Video:
    """One video of a batch.

    Attributes:
        source: a path, or a URL of object storage.
        name: of its results' folder; no two videos of a batch share one.
        camera: what recorded it, for galleries; by default its name.
        group: nobody is in cameras of two groups; identities are found within each. One camera has one.
    """

    source: str
    name: str
    camera: str
    group: str = ""


def read_manifest(manifest: str) -> list[Video]:
    """The videos that a manifest names, in its order.

    Args:
        manifest: a CSV file with a header (``source``, and if wanted ``name``, ``camera`` and ``group``);
            JSON lines with the same keys; a folder, whose videos and MOTChallenge sequences are taken, also
            those in folders below it, but not those that runs have written there; or a pattern such as
            ``cameras/*.mp4``. All of them may be URLs of object storage. Paths in a file are relative to the
            file.

    Raises:
        FileNotFoundError: there is nothing of that name, or nothing matches.
        ValueError: the file cannot be understood, or two videos have one name; the message says where.
    """
    manifest = plain(manifest)
    if any(character in manifest for character in "*?["):
        return _named(_matching(manifest))
    if PurePosixPath(manifest).suffix.lower() in {".csv", ".jsonl", ".ndjson"}:
        text = read_text(manifest)
        if text is None:
            raise FileNotFoundError(f"{manifest}: no such file")
        rows = _csv_rows(manifest, text) if manifest.lower().endswith(".csv") else _json_rows(manifest, text)
        return _listed(manifest, rows)
    if is_remote(manifest):
        return _named(_matching(f"{manifest.rstrip('/')}/**"))
    folder = Path(manifest)
    if not folder.exists():
        raise FileNotFoundError(f"{manifest}: no such file or folder")
    if not folder.is_dir():
        raise ValueError(
            f"{manifest}: expected a .csv or .jsonl file, a folder, or a pattern such as '*.mp4'"
        )
    found = _videos_below(folder)
    if not found:
        raise FileNotFoundError(f"{manifest}: no video and no MOTChallenge sequence in it")
    return _named(found)


def _videos_below(folder: Path) -> list[str]:
    sequences = [entry.parent for entry in folder.rglob("seqinfo.ini")]
    videos = [
        entry
        for entry in folder.rglob("*")
        if entry.suffix.lower() in VIDEO_SUFFIXES
        and entry.is_file()
        and not any(part.startswith(".") for part in entry.relative_to(folder).parts)
        and not any(sequence in entry.parents for sequence in sequences)
        and not _is_drawn(entry, Path.is_file)
    ]
    return [str(entry) for entry in sorted([*sequences, *videos])]


def _is_drawn(video: AnyPath, is_there: Callable[[AnyPath], bool]) -> bool:
    """Whether a run wrote it: results may lie below the folder of the videos."""
    beside = (video.with_name(name) for name in ("summary.json", BEGUN))
    return video.name == FORMATS["video"].file and any(map(is_there, beside))


def _matching(pattern: str) -> list[str]:
    if is_remote(pattern):
        system, path = remote(pattern)
        scheme = pattern.partition("://")[0]
        entries = sorted(system.glob(path))
        there = {PurePosixPath(entry) for entry in entries}
        videos = (entry for entry in entries if PurePosixPath(entry).suffix.lower() in VIDEO_SUFFIXES)
        found = [
            f"{scheme}://{entry.lstrip('/')}"
            for entry in videos
            if not _is_drawn(PurePosixPath(entry), there.__contains__)
        ]
    else:
        found = sorted(glob.glob(pattern, recursive=True))
    if not found:
        raise FileNotFoundError(f"{pattern}: nothing matches")
    return found


def _named(sources: list[str]) -> list[Video]:
    """Videos with the shortest names that tell them apart: the stem, or as much of the path as is needed."""
    paths = [PurePosixPath(source.replace("\\", "/")) for source in sources]
    names = [path.stem if path.suffix.lower() in VIDEO_SUFFIXES else path.name for path in paths]
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        counts = Counter(map(safe_name, names))
        if max(counts.values()) == 1:
            break
        names = [
            "-".join(path.parts[-depth:]) if counts[safe_name(name)] > 1 else name
            for name, path in zip(names, paths, strict=True)
        ]
    return _unique(
        "the pattern or folder",
        [
            Video(source, safe_name(name), safe_name(name))
            for source, name in zip(sources, names, strict=True)
        ],
    )


def _listed(manifest: str, rows: Iterable[tuple[int, Mapping[str, Any]]]) -> list[Video]:
    base = manifest.rpartition("/")[0] if is_remote(manifest) else str(Path(manifest).parent)
    videos = []
    for line, row in rows:
        unknown = sorted(set(row) - set(_COLUMNS))
        if unknown:
            raise ValueError(f"{manifest}, line {line}: unknown {unknown[0]!r}; known: {', '.join(_COLUMNS)}")
        values = {key: row.get(key) for key in _COLUMNS}
        for key, value in values.items():
            if value is not None and not isinstance(value, str):
                raise ValueError(f"{manifest}, line {line}: {key}: expected text, got {value!r}")
        source = plain((values["source"] or "").strip())
        if not source:
            raise ValueError(f"{manifest}, line {line}: no source")
        if not is_remote(source):
            source = f"{base}/{source}" if is_remote(manifest) else str(Path(base, source))
        path = PurePosixPath(source.replace("\\", "/"))
        stem = path.stem if path.suffix.lower() in VIDEO_SUFFIXES else path.name
        name = safe_name((values["name"] or "").strip() or stem)
        camera, group = ((values[key] or "").strip() for key in ("camera", "group"))
        videos.append(Video(source, name, camera or name, group))
    if not videos:
        raise ValueError(f"{manifest}: no video in it")
    return _unique(manifest, videos)


def _csv_rows(manifest: str, text: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(text.removeprefix("\ufeff").splitlines(), strict=True)
    if "source" not in (reader.fieldnames or ()):
        raise ValueError(
            f"{manifest}, line 1: expected a header with a column source, got {reader.fieldnames}"
        )
    try:
        for row in reader:
            if None in row:
                raise ValueError(f"{manifest}, line {reader.line_num}: more values than columns")
            yield reader.line_num, row
    except csv.Error as error:
        raise ValueError(f"{manifest}, line {reader.line_num}: {error}") from None


def _json_rows(manifest: str, text: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    for line, content in enumerate(text.splitlines(), start=1):
        if content.strip():
            try:
                row = json.loads(content)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{manifest}, line {line}: not JSON ({error})") from None
            if not isinstance(row, dict):
                raise ValueError(f"{manifest}, line {line}: expected an object, got {content.strip()[:40]}")
            yield line, row


def _unique(origin: str, videos: list[Video]) -> list[Video]:
    first: dict[str, Video] = {}
    group_of: dict[str, str] = {}
    for video in videos:
        if group_of.setdefault(video.camera, video.group) != video.group:
            raise ValueError(
                f"{origin}: camera {video.camera} is in group {group_of[video.camera]!r} "
                f"and in {video.group!r}"
            )
        if video.name.lower() in (LOGS, BATCH_FILE):  # on some disks capitals are the same
            raise ValueError(
                f"{origin}: {video.source} would be called {video.name}, as what lies beside the results; "
                "give it another name (a column name in a CSV manifest)"
            )
        other = first.setdefault(video.name, video)
        if other is not video:
            raise ValueError(
                f"{origin}: {other.source} and {video.source} would both be called {video.name}; "
                "give them names (a column name in a CSV manifest)"
            )
    return videos
