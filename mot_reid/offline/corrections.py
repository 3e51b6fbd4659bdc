"""Corrections by hand: entries of a log that are replayed over finished tracks. Nothing is overwritten.

A correction is a mapping, as a line of JSON holds it; ``kind`` says what it does:

- ``merge`` ``{ids: [3, 7]}``: the tracks are one, under the first id; they may not be seen at one time.
- ``split`` ``{id: 3, frame: 120}``: from this frame on the track is another one, under a new id.
- ``swap`` ``{ids: [3, 7], frame: 120, until: 300}``: the two exchange their ids from one frame to before
  another (to the end without ``until``): repairs a switch, or moves it.
- ``rename`` ``{id: 3, name: "Ann"}``: gives a name; an empty one takes it away.
- ``delete`` ``{id: 3, frame: 10, until: 20}``: removes boxes; the whole track without frames.
- ``box`` ``{id: 3, frame: 15, xyxy: [...], fill: true}``: draws a box, or replaces the one that is there;
  with ``fill`` those missing between it and the track's nearest boxes are put in, on a straight line.
- ``undo`` and ``redo``: take the last correction back, and bring it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mot_reid.offline.rows import TrackRows

__all__ = ["CORRECTIONS", "KINDS", "Corrected", "active", "checked", "read_log", "replay"]

Entry = Mapping[str, Any]

CORRECTIONS = "corrections.jsonl"
"""The log's file in a run's folder."""

_FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "merge": (("ids",), ()),
    "split": (("id", "frame"), ("new",)),
    "swap": (("ids", "frame"), ("until",)),
    "rename": (("id", "name"), ()),
    "delete": (("id",), ("frame", "until")),
    "box": (("id", "frame", "xyxy"), ("fill",)),
    "undo": ((), ()),
    "redo": ((), ()),
}
KINDS = tuple(_FIELDS)
"""What a correction can do."""
_LONGEST_NAME = 80
_LONGEST_FILL = 10_000  # frames


@dataclass(frozen=True)
class Corrected:
    """Tracks after their corrections.

    Attributes:
        rows: the tracks.
        names: names of ids.
        applied: how many corrections hold.
        refused: those that no longer fit the tracks, and why, one line each.
    """

    rows: TrackRows
    names: Mapping[int, str] = field(default_factory=dict)
    applied: int = 0
    refused: tuple[str, ...] = ()


def checked(entry: Any) -> dict[str, Any]:
    """A correction with its fields checked, but not whether it fits the tracks.

    Raises:
        ValueError: a field is missing, unknown or wrong; the message names it.
    """
    if not isinstance(entry, Mapping) or entry.get("kind") not in KINDS:  # it may be no text
        raise ValueError(f"kind: expected one of {', '.join(KINDS)}")
    kind = entry["kind"]
    needed, optional = _FIELDS[kind]
    for name in needed:
        if entry.get(name) is None:
            raise ValueError(f"{kind}: {name} is missing")
    clean: dict[str, Any] = {"kind": kind}
    for name, value in entry.items():
        if name in ("kind", "at") or value is None:
            continue
        if name not in (*needed, *optional):
            raise ValueError(f"{kind}: {name} does not exist; known: {', '.join((*needed, *optional))}")
        clean[name] = _value(name, value)
    if kind in ("merge", "swap") and len(clean["ids"]) != 2:
        raise ValueError(f"{kind}: ids: expected two ids")
    if "until" in clean and ("frame" not in clean or clean["until"] <= clean["frame"]):
        raise ValueError(f"{kind}: until: expected a frame after frame")
    return clean


def _value(name: str, value: Any) -> Any:
    if name == "name":
        if not isinstance(value, str) or len(value) > _LONGEST_NAME or not value.isprintable():
            raise ValueError(f"name: expected up to {_LONGEST_NAME} printable characters")
        return value.strip()
    if name == "fill":
        return bool(value)
    if name == "xyxy":
        if not isinstance(value, list) or len(value) != 4 or not all(map(_is_number, value)):
            raise ValueError(f"xyxy: expected four numbers, got {value!r}")
        if not (value[0] < value[2] and value[1] < value[3]) or max(map(abs, value)) > 1e6:
            raise ValueError(f"xyxy: expected x1 < x2 and y1 < y2 in pixels, got {value!r}")
        return [float(entry) for entry in value]
    if name == "ids":
        if not isinstance(value, list) or not all(map(_is_id, value)) or len(set(value)) != len(value):
            raise ValueError(f"ids: expected different ids, got {value!r}")
        return list(value)
    if not _is_id(value):
        raise ValueError(f"{name}: expected a whole number from 1, got {value!r}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 2**31


def read_log(path: Path) -> list[dict[str, Any]]:
    """The corrections of a log, none if there is no file; a torn last line is left out.

    Raises:
        ValueError: a line is no correction; it is named.
    """
    if not path.is_file():
        return []
    log = []
    lines = path.read_bytes().splitlines()  # of bytes: the last one may end within a letter
    for number, line in enumerate(lines, start=1):
        try:
            log.append(checked(json.loads(line.decode())))
        except (ValueError, RecursionError) as error:
            if number == len(lines) and not line.endswith(b"}"):
                continue
            raise ValueError(f"{path}:{number}: {error}") from None
    return log


def active(log: Iterable[Entry]) -> tuple[list[Entry], list[Entry]]:
    """The corrections of a log that hold, in order, and those that can be redone, the next one last."""
    held: list[Entry] = []
    undone: list[Entry] = []
    for entry in log:
        if entry["kind"] == "undo":
            if held:
                undone.append(held.pop())
        elif entry["kind"] == "redo":
            if undone:
                held.append(undone.pop())
        else:
            held.append(entry)
            undone.clear()
    return held, undone


def replay(rows: TrackRows, log: Iterable[Entry]) -> Corrected:
    """Applies the corrections of a log, in their order.

    Args:
        rows: the tracks as they were found.
        log: checked entries.

    Returns:
        The corrected tracks; entries that do not fit are left out and told.
    """
    state = Corrected(rows)
    refused = []
    for entry in active(log)[0]:
        try:
            state = apply(state, entry)
        except ValueError as error:
            refused.append(f"{entry['kind']}: {error}")
    return replace(state, refused=tuple(refused))


def apply(state: Corrected, entry: Entry) -> Corrected:
    """Applies one correction.

    Raises:
        ValueError: it does not fit the tracks.
    """
    kind, rows, names = entry["kind"], state.rows, dict(state.names)
    if kind == "rename":
        _of(rows, entry["id"])
        names.pop(entry["id"], None)
        if entry["name"]:
            names[entry["id"]] = entry["name"]
    elif kind == "merge":
        rows = _merged(rows, *entry["ids"])
        name = names.pop(entry["ids"][1], "")
        if name:
            names.setdefault(entry["ids"][0], name)
    elif kind == "split":
        later = _of(rows, entry["id"]) & (rows.frames >= entry["frame"])
        if not later.any() or later.sum() == (rows.ids == entry["id"]).sum():
            raise ValueError(f"id {entry['id']} has no boxes on both sides of frame {entry['frame']}")
        new = entry.get("new") or next_id(rows)
        if (rows.ids == new).any():
            raise ValueError(f"id {new} is another track already")
        rows = _with_ids(rows, np.where(later, new, rows.ids))
    elif kind == "swap":
        one, other = entry["ids"]
        rows = _swapped(rows, one, other, entry["frame"], entry.get("until"))
    elif kind == "delete":
        gone = _of(rows, entry["id"]) & _between(rows, entry.get("frame"), entry.get("until"))
        if not gone.any():
            raise ValueError(f"id {entry['id']} has no box in these frames")
        rows = rows[~gone]
        if not (rows.ids == entry["id"]).any():
            names.pop(entry["id"], None)
    else:
        rows = _with_box(rows, entry["id"], entry["frame"], entry["xyxy"], bool(entry.get("fill")))
    return replace(state, rows=rows, names=names, applied=state.applied + 1)


def next_id(rows: TrackRows) -> int:
    """An id that no track has."""
    return int(rows.ids.max(initial=0)) + 1


def _of(rows: TrackRows, track: int) -> NDArray[np.bool_]:
    mine: NDArray[np.bool_] = rows.ids == track
    if not mine.any():
        raise ValueError(f"there is no id {track}")
    return mine


def _between(rows: TrackRows, frame: int | None, until: int | None) -> NDArray[np.bool_]:
    mask = np.ones(len(rows), bool)
    if frame is not None:
        mask &= rows.frames >= frame
    if until is not None:
        mask &= rows.frames < until
    return mask


def _with_ids(rows: TrackRows, ids: NDArray[np.int64]) -> TrackRows:
    return replace(rows, ids=ids)


def _merged(rows: TrackRows, kept: int, other: int) -> TrackRows:
    mine, theirs = _of(rows, kept), _of(rows, other)
    both = np.intersect1d(rows.frames[mine], rows.frames[theirs])
    if len(both):
        raise ValueError(f"ids {kept} and {other} are both seen in frame {both[0]}")
    return _with_ids(rows, np.where(theirs, kept, rows.ids))


def _swapped(rows: TrackRows, one: int, other: int, frame: int, until: int | None) -> TrackRows:
    mine, theirs = _of(rows, one), _of(rows, other)
    span = _between(rows, frame, until)
    if not ((mine | theirs) & span).any():
        raise ValueError(f"neither of ids {one} and {other} is seen from frame {frame} on")
    return _with_ids(rows, np.where(mine & span, other, np.where(theirs & span, one, rows.ids)))


def _with_box(rows: TrackRows, track: int, frame: int, xyxy: list[float], fill: bool) -> TrackRows:
    mine = rows.ids == track
    kept = rows[~(mine & (rows.frames == frame))]
    frames, boxes = [frame], [np.array(xyxy)]
    if fill and mine.any():
        own = kept.ids == track
        numbers, seen = kept.frames[own], kept.xyxy[own]
        place = int(np.searchsorted(numbers, frame))
        for neighbour in (place - 1, place):
            if 0 <= neighbour < len(numbers):
                other, box = int(numbers[neighbour]), seen[neighbour].astype(np.float64)
                low, high = min(other, frame) + 1, max(other, frame)
                if high - low > _LONGEST_FILL:
                    raise ValueError(f"fill: frames {low} to {high} are too many at once")
                shares = (np.arange(low, high) - other) / (frame - other)
                frames += list(range(low, high))
                boxes += list(box + shares[:, None] * (np.array(xyxy) - box))
    n = len(frames)
    classes = rows.classes[mine][:1] if mine.any() else np.zeros(1, np.int64)
    new = TrackRows(
        frames=np.array(frames, np.int64),
        ids=np.full(n, track, np.int64),
        xyxy=np.array(boxes, np.float32),
        scores=np.ones(n, np.float32),
        classes=np.repeat(classes, n),
        detection_index=np.full(n, -1, np.int64),
        interpolated=np.ones(n, bool),
    )
    return kept.joined_with(new)
