"""Reading tracks back from files by frame: what a run wrote, or another program.

This is for drawing and converting. Where times and the run's summary count, see
`mot_reid.pipeline.finished_tracks`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from mot_reid.structures import Tracks
from mot_reid.typing import Ints
from mot_reid.video.sinks import import_pyarrow

__all__ = ["TrackFile", "read_tracks"]


@dataclass(frozen=True)
class TrackFile:
    """The tracks of a file.

    Attributes:
        tracks: of each frame number, from 1; frames in which nobody is seen are left out.
        times: the time of each frame in seconds, where the file has it.
        class_names: the name of each class number, where the file has it.
        wall_clocks: when each frame came, seconds since 1970, where the file has it.
        identities: ``(N,)`` int64 of each frame's tracks, 0 where not known, where the file has any.
    """

    tracks: dict[int, Tracks]
    times: dict[int, float] = field(default_factory=dict)
    class_names: dict[int, str] = field(default_factory=dict)
    wall_clocks: dict[int, float] = field(default_factory=dict)
    identities: dict[int, Ints] = field(default_factory=dict)


_BROKEN = (ElementTree.ParseError, csv.Error)
_LARGEST = 2**31  # of frame numbers and ids
_FARTHEST = 1e9  # pixels
_Row = dict[str, Any]  # frame, id, x1, y1, x2, y2, and what else the file has


def read_tracks(path: str | Path) -> TrackFile:
    """Reads MOTChallenge's text, CSV, JSON lines, Parquet, COCO's JSON, CVAT's XML or KITTI's text.

    The kind is told by the name's end and, of ``.txt``, by the first line.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is none of these, or broken; the message names the file and the line.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"tracks not found: {path}")
    if path.is_dir():
        named = [path / f"tracks{end}" for end in (".txt", ".csv", ".jsonl", ".parquet")]
        there = next((file for file in named if file.is_file()), named[0])
        raise ValueError(f"{path}: a folder; expected a file of tracks, such as {there}")
    rows = _READERS.get(path.suffix.lower())
    if rows is None:
        raise ValueError(f"{path}: not a file of tracks; expected one of {', '.join(sorted(_READERS))}")
    try:
        return _gathered(path, list(rows(path)))
    except KeyError as error:
        raise ValueError(f"{path}: expected {error.args[0]} in each row") from None
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, *_BROKEN) as error:
        text = " ".join(str(error).split())[:200]
        raise ValueError(text if text.startswith(str(path)) else f"{path}: {text}") from None


def _text(path: Path) -> Iterator[_Row]:
    """MOTChallenge's text has commas, KITTI's has spaces and names."""
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            entries = line.split(",") if "," in line else line.split()
            is_kitti = "," not in line and len(entries) > 16
            if is_kitti and entries[2] == "DontCare":  # a region, of nobody's track
                continue
            try:
                yield _of_kitti(entries) if is_kitti else _of_mot(entries)
            except (ValueError, IndexError):
                raise ValueError(
                    f"{path}: line {number}: expected frame, id, left, top, width, height, score, "
                    f"or KITTI's 17 columns, got {line.strip()[:60]!r}"
                ) from None


def _of_mot(entries: list[str]) -> _Row:
    frame, track_id, x, y, width, height = map(float, entries[:6])
    score = float(entries[6]) if len(entries) > 6 else 1.0
    return _row(frame, track_id, x, y, x + width, y + height, score=score)


def _of_kitti(entries: list[str]) -> _Row:
    x1, y1, x2, y2 = map(float, entries[6:10])
    score = float(entries[17]) if len(entries) > 17 else 1.0
    name = {"Pedestrian": "person", "Cyclist": "bicycle"}.get(entries[2], entries[2].lower())
    frame, track_id = float(entries[0]) + 1, float(entries[1])
    return _row(frame, track_id, x1, y1, x2, y2, score=score, class_name=name)


def _row(frame: Any, track_id: Any, x1: Any, y1: Any, x2: Any, y2: Any, **rest: Any) -> _Row:
    if int(frame) != float(frame) or int(track_id) != float(track_id):
        raise ValueError("frame and id: expected whole numbers")
    if max(abs(int(frame)), abs(int(track_id))) >= _LARGEST:
        raise ValueError(f"frame and id: expected numbers below {_LARGEST}")
    corners = zip(("x1", "y1", "x2", "y2"), map(float, (x1, y1, x2, y2)), strict=True)
    return {"frame": int(frame), "id": int(track_id), **dict(corners), **rest}


def _table(path: Path) -> Iterator[_Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                yield _of_columns(row)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{path}: line {number}: {error}") from None


def _lines(path: Path) -> Iterator[_Row]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield _of_columns(json.loads(line))
            except (TypeError, ValueError, AttributeError) as error:
                raise ValueError(f"{path}: line {number}: {error}") from None


def _parquet(path: Path) -> Iterator[_Row]:
    import_pyarrow()
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from map(_of_columns, batch.to_pylist())
    except KeyError:
        raise
    except Exception as error:  # pyarrow has exceptions of its own for each kind of damage
        raise ValueError(f"{path}: not a Parquet file that can be read: {error}") from None


_REST: tuple[tuple[str, Callable[[Any], float]], ...] = (
    *(("score", float), ("class_id", int), ("detection_index", int), ("id_confidence", float)),
    *(("time", float), ("wall_clock", float), ("identity", lambda value: int(float(value)))),
)


def _of_columns(row: Mapping[str, Any]) -> _Row:
    rest: dict[str, Any] = {name: kind(row[name]) for name, kind in _REST if row.get(name) not in (None, "")}
    if row.get("class_name"):
        rest["class_name"] = str(row["class_name"])
    return _row(*(row[name] for name in ("frame", "id", "x1", "y1", "x2", "y2")), **rest)


def _coco(path: Path) -> Iterator[_Row]:
    content = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(content, dict) or not {"images", "annotations"} <= content.keys():
        raise ValueError(f"{path}: not COCO's JSON; expected images and annotations")
    names = {entry["id"]: entry["name"] for entry in content.get("categories", [])}
    frames = {
        entry["id"]: entry["frame_id"] + 1 if "frame_id" in entry else entry["id"]
        for entry in content["images"]
    }
    for entry in content["annotations"]:
        if "track_id" not in entry:
            raise ValueError(f"{path}: annotation {entry.get('id')} has no track_id")
        x, y, width, height = entry["bbox"]
        rest = {"class_id": entry["category_id"], "score": entry.get("score", 1.0)}
        if entry["category_id"] in names:
            rest["class_name"] = names[entry["category_id"]]
        if entry["image_id"] not in frames:
            raise ValueError(f"{path}: annotation {entry.get('id')}: no image {entry['image_id']}")
        yield _row(frames[entry["image_id"]], entry["track_id"], x, y, x + width, y + height, **rest)


def _cvat(path: Path) -> Iterator[_Row]:
    root = ElementTree.parse(path).getroot()
    if root.tag != "annotations":
        raise ValueError(f"{path}: not CVAT's XML; expected <annotations>, got <{root.tag[:40]}>")
    for track in root.iter("track"):
        for box in track.iter("box"):
            if box.attrib.get("outside") == "1":
                continue
            corners = (box.attrib[name] for name in ("xtl", "ytl", "xbr", "ybr"))
            frame = int(box.attrib["frame"]) + 1
            yield _row(frame, int(track.attrib["id"]), *corners, class_name=track.attrib["label"])


_READERS: dict[str, Callable[[Path], Iterator[_Row]]] = {
    ".txt": _text,
    ".csv": _table,
    ".jsonl": _lines,
    ".parquet": _parquet,
    ".json": _coco,
    ".xml": _cvat,
}


def _gathered(path: Path, rows: list[_Row]) -> TrackFile:
    """Rows as tracks; names of classes get numbers where there are none."""
    names: dict[int, str] = {row["class_id"]: row.get("class_name", "") for row in rows if "class_id" in row}
    numbers = {name: number for number, name in names.items() if name}
    by_frame: dict[int, list[_Row]] = {}
    for row in rows:
        values = [row[name] for name in ("x1", "y1", "x2", "y2")]
        is_box = values[0] <= values[2] and values[1] <= values[3] and max(map(abs, values)) <= _FARTHEST
        if row["frame"] < 1 or row["id"] < 0 or not is_box:
            raise ValueError(f"{path}: frame {row['frame']}, id {row['id']}: not a box of a track: {values}")
        if "class_id" not in row and row.get("class_name"):
            row["class_id"] = numbers.setdefault(row["class_name"], len(numbers))
            names[row["class_id"]] = row["class_name"]
        by_frame.setdefault(row["frame"], []).append(row)
    times, clocks = (
        {row["frame"]: row[name] for row in rows if name in row} for name in ("time", "wall_clock")
    )
    tracks = {number: _tracks(by_frame[number]) for number in sorted(by_frame)}
    identities = {
        number: np.array([row.get("identity", 0) for row in own], np.int64)
        for number, own in by_frame.items()
        if any("identity" in row for row in own)
    }
    named = {number: name for number, name in names.items() if name}
    return TrackFile(tracks, times, named, clocks, identities)


def _tracks(rows: list[_Row]) -> Tracks:
    return Tracks(
        np.array([row["id"] for row in rows], np.int64),
        np.array([[row[name] for name in ("x1", "y1", "x2", "y2")] for row in rows], np.float32),
        np.array([row.get("score", 1.0) for row in rows], np.float32),
        np.array([row.get("class_id", 0) for row in rows], np.int64),
        np.array([row.get("detection_index", 0) for row in rows], np.int64),
        np.array([row.get("id_confidence", 1.0) for row in rows], np.float32),
    )
