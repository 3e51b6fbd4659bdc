"""A run's boxes in the order of frames, as columns: what the page asks for is a slice of them.

Those of long runs lie in files beside the results, which are mapped into memory: a server that is started
again does not read the tracks again, and holds no more of them than is looked at.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mot_reid.analytics import Observations
from mot_reid.boxes import covered_fraction
from mot_reid.offline.rows import TrackRows
from mot_reid.pipeline.finished_tracks import TrackColumns, about_tracks

__all__ = ["CACHE", "Columns", "cached_columns", "keep"]

CACHE = "page-cache"
_VERSION = 2
_PIECE = 200_000  # boxes that are counted at once
_WORTH = 500_000  # boxes from which on a cache is worth its files

Ints = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Columns:
    """Boxes in the order of their frames.

    Attributes:
        frames: ``(N,)`` int32, ascending.
        ids: ``(N,)`` int32, from 1.
        xyxy: ``(4, N)`` float32, pixels: one row for each side.
        scores: ``(N,)`` float32.
        classes: ``(N,)`` int16.
        predicted: ``(N,)`` bool, boxes that no detector has seen.
        numbers: ``(F,)`` int32, the frames of which the time is known, ascending.
        times: ``(F,)`` float64, their seconds.
        spans: ``(S, 4)`` int32: id, class, first and last frame of each stretch in which a track is seen,
            by id and then by frame.
    """

    frames: Ints
    ids: Ints
    xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int16]
    predicted: NDArray[np.bool_]
    numbers: Ints
    times: NDArray[np.float64]
    spans: Ints

    def __len__(self) -> int:
        return len(self.frames)

    @classmethod
    def of_file(cls, file: TrackColumns, fps: float) -> Self:
        """The boxes of a file that have an id.

        Raises:
            ValueError: a box is not finite or has no area, an id is twice in a frame, or a number is larger
                than is held here; the file is named.
        """
        columns = file.columns
        for name, kind in (("frame", np.int32), ("id", np.int32), ("class_id", np.int16)):
            values, limits = columns.get(name, np.zeros(0)), np.iinfo(kind)
            if len(values) and not (limits.min <= values.min() and values.max() <= limits.max):
                row = int(np.flatnonzero(~((values >= limits.min) & (values <= limits.max)))[0])
                raise ValueError(
                    f"{file.path}: row {row + 1}: {name} {values[row]:.0f} is larger than {limits.max}, the "
                    "most that the page and reports hold"
                )
        frames = columns["frame"].astype(np.int32)
        if (np.diff(frames) < 0).any():
            order = np.argsort(frames, kind="stable")
            columns = {name: values[order] for name, values in columns.items()}
            frames = frames[order]
        starts = np.flatnonzero(np.concatenate([np.ones(min(len(frames), 1), bool), np.diff(frames) > 0]))
        numbers, times = frames[starts], columns["time"][starts].astype(np.float64)
        n = len(frames)
        named = slice(None) if (columns["id"] >= 1).all() else columns["id"] >= 1
        xyxy = np.stack([columns[side].astype(np.float32)[named] for side in ("x1", "y1", "x2", "y2")])
        good = np.isfinite(xyxy).all(axis=0) & (xyxy[2:] > xyxy[:2]).all(axis=0)
        if not good.all():
            row = int(good.argmin())
            raise ValueError(
                f"{file.path}: a box in frame {frames[named][row]} is not finite or has no area: "
                f"{xyxy[:, row].tolist()}"
            )
        found = cls(
            frames[named],
            columns["id"].astype(np.int32)[named],
            xyxy,
            columns.get("score", np.ones(n)).astype(np.float32)[named],
            columns.get("class_id", np.zeros(n)).astype(np.int16)[named],
            (columns.get("detection_index", np.zeros(n)) < 0)[named],
            numbers,
            times,
            np.zeros((0, 4), np.int32),
        )
        try:
            return replace(found, spans=_spans(found.frames, found.ids, found.classes, fps))
        except ValueError as error:
            raise ValueError(f"{file.path}: {error}") from None

    @classmethod
    def of_rows(cls, rows: TrackRows, like: Columns | None, fps: float) -> Self:
        """Tracks in the order of frames; the times of frames are those of others, if any."""
        order = np.argsort(rows.frames.astype(np.int32), kind="stable")
        frames, ids = rows.frames[order].astype(np.int32), rows.ids[order].astype(np.int32)
        classes = rows.classes[order].astype(np.int16)
        xyxy = np.ascontiguousarray(rows.xyxy[order].T)
        known = (np.zeros(0, np.int32), np.zeros(0)) if like is None else (like.numbers, like.times)
        rest = (rows.scores[order], classes, rows.detection_index[order] < 0, *known)
        spans = _spans(rows.frames.astype(np.int32), rows.ids.astype(np.int32), rows.classes, fps, True)
        return cls(frames, ids, xyxy, *rest, spans)

    def to_rows(self) -> TrackRows:
        """The same by tracks; ``detection_index`` is the box's place here, or -1 where it is predicted."""
        order = _by_id(self.ids)
        return TrackRows(
            self.frames[order].astype(np.int64),
            self.ids[order].astype(np.int64),
            np.ascontiguousarray(self.xyxy.T[order]),
            self.scores[order],
            self.classes[order].astype(np.int64),
            np.where(self.predicted[order], -1, order),
            self.predicted[order],
        )

    def best_rows(self, track: int, size: tuple[int, int]) -> TrackRows:
        """A track's box that shows it best, as one row: large, sure, whole, with little before it; or none.

        Args:
            track: its id.
            size: width and height of the picture, pixels.
        """
        mine = np.flatnonzero(self.ids == track)
        x1, y1, x2, y2 = self.xyxy[:, mine].astype(np.float64)
        inside = (x1 > 2) & (y1 > 2) & (x2 < size[0] - 2) & (y2 < size[1] - 2)
        worth = (
            np.sqrt((x2 - x1) * (y2 - y1)) * np.where(inside, 1.0, 0.4) * np.clip(self.scores[mine], 0.1, 1)
        )
        worth *= np.where(self.predicted[mine], 0.05, 1.0)
        across, down = (
            np.minimum(x2, size[0]) - np.maximum(x1, 0),
            np.minimum(y2, size[1]) - np.maximum(y1, 0),
        )
        worth *= np.where((across >= 2) & (down >= 2), 1.0, 1e-3)  # of those outside there is no picture
        promising = mine[np.argsort(-worth, kind="stable")[:8]]
        if not len(promising):
            return TrackRows.empty()
        seen = [self._seen(int(row)) for row in promising.tolist()]
        best = promising[int(np.argmax(np.sort(worth)[::-1][:8] * np.array(seen)))]
        row = slice(int(best), int(best) + 1)
        return TrackRows.from_arrays(self.frames[row], self.ids[row], self.xyxy[:, row].T)

    def _seen(self, row: int) -> float:
        """The share of a box that no box nearer to the camera covers."""
        low, high = np.searchsorted(self.frames, [self.frames[row], self.frames[row] + 1])
        here = self.xyxy[:, int(low) : int(high)].T.astype(np.float64)
        mine = self.xyxy[:, row].astype(np.float64)
        nearer = here[here[:, 3] > mine[3]]  # who stands lower stands before the others
        return float(1 - covered_fraction(mine[None], nearer).max(initial=0.0))

    def packed(self, first: int, last: int) -> bytes:
        """The boxes of frames ``first`` to ``last`` as little-endian numbers.

        First their number as uint32, then columns: frame (int32), id (int32), x1, y1, x2, y2 (float32 each),
        class (int16), predicted (uint8).
        """
        low, high = np.searchsorted(self.frames, [first, last + 1])
        own = slice(int(low), int(high))
        columns = [self.frames[own].astype("<i4"), self.ids[own].astype("<i4")]
        columns += [side[own].astype("<f4") for side in self.xyxy]
        columns += [self.classes[own].astype("<i2"), self.predicted[own].astype("u1")]
        return np.uint32(high - low).astype("<u4").tobytes() + b"".join(map(np.ndarray.tobytes, columns))

    def corner(self) -> tuple[int, int]:
        """Width and height of the smallest picture that holds all boxes, pixels."""
        right, bottom = np.ceil(self.xyxy[2:].max(axis=1, initial=1)).tolist()
        return int(right), int(bottom)

    def lanes(self) -> list[dict[str, Any]]:
        """Each track's class and the stretches of frames in which it is seen, by id."""
        found: dict[int, dict[str, Any]] = {}
        for track, kind, first, last in self.spans.tolist():
            lane = found.setdefault(track, {"id": track, "class": kind, "spans": []})
            lane["spans"].append([first, last])
        return list(found.values())

    def when(self, frames: NDArray[Any], fps: float) -> NDArray[np.float64]:
        """Seconds of frames ``(N,)``; between frames whose times are known on a line, beyond by fps."""
        frames = np.asarray(frames, np.float64)
        if not len(self.numbers):
            return (frames - 1) / fps
        beyond = np.minimum(frames - self.numbers[0], 0) + np.maximum(frames - self.numbers[-1], 0)
        return np.interp(frames, self.numbers, self.times) + beyond / fps

    def observations(self, fps: float) -> Iterator[Observations]:
        """All of it as analytics take it, a piece of whole frames after the other."""
        low = 0
        while low < len(self):
            high = min(low + _PIECE, len(self))
            high = int(np.searchsorted(self.frames, self.frames[high - 1], side="right"))
            own = slice(low, high)
            when = self.when(self.frames[own], fps)
            yield Observations.from_arrays(
                self.frames[own], when, self.ids[own], self.xyxy[:, own].T, self.classes[own]
            )
            low = high


def cached_columns(folder: Path, file: Path) -> tuple[Columns, TrackColumns] | None:
    """What `keep` has left of this file, and what is known of it; None where the file is another now.

    Raises:
        ValueError: the run's summary is damaged; the message names it and the entry.
    """
    place = folder / CACHE
    try:
        kept = json.loads((place / "file.json").read_text(encoding="utf-8"))
        if kept["stamp"] != _stamp(file):
            return None
        loaded = {
            field.name: np.load(place / f"{field.name}.npy", mmap_mode="r", allow_pickle=False)
            for field in fields(Columns)
        }
        names = {int(number): str(name) for number, name in kept["names"].items()}
        end = None if kept["end"] is None else float(kept["end"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Columns(**loaded), replace(about_tracks(file), class_names=names, end=end)


def keep(columns: Columns, folder: Path, file: TrackColumns) -> Columns:
    """Keeps the columns of a long run in files, and gives them mapped; as they are where that cannot be."""
    if len(columns) < _WORTH:
        return columns
    place, part = folder / CACHE, folder / f".{CACHE}.{uuid.uuid4().hex}.part"
    try:
        part.mkdir()
        for field in fields(columns):
            np.save(part / f"{field.name}.npy", getattr(columns, field.name))
        names = {str(number): name for number, name in file.class_names.items()}
        about = {"stamp": _stamp(file.path), "names": names, "end": file.end}
        (part / "file.json").write_text(json.dumps(about), encoding="utf-8")
        shutil.rmtree(place, ignore_errors=True)
        part.rename(place)
    except OSError:
        return columns  # a folder that cannot be written, or a full disk: memory has them
    finally:
        shutil.rmtree(part, ignore_errors=True)
    found = cached_columns(folder, file.path)
    return columns if found is None else found[0]


def _stamp(file: Path) -> dict[str, Any]:
    status = file.stat()
    return {
        "version": _VERSION,
        "name": file.name,
        "bytes": status.st_size,
        "written": status.st_mtime_ns,
    }


def _by_id(ids: Ints) -> NDArray[np.intp]:
    short = ids.astype(np.uint16) if len(ids) and ids.max() < 1 << 16 else ids  # sorted by radix
    return np.argsort(short, kind="stable")


def _spans(
    frames: Ints, ids: Ints, classes: NDArray[Any], fps: float, by_id: bool = False
) -> NDArray[np.int32]:
    """Stretches ``(S, 4)`` in which each track is seen; gaps up to half a second are none.

    Raises:
        ValueError: an id is twice in a frame.
    """
    if not len(frames):
        return np.zeros((0, 4), np.int32)
    order = np.arange(len(ids)) if by_id else _by_id(ids)
    frame, track = frames[order], ids[order]
    step, same = np.diff(frame), np.diff(track) == 0
    if (same & (step == 0)).any():
        row = int((same & (step == 0)).argmax())
        raise ValueError(f"id {track[row]} is twice in frame {frame[row]}")
    jump = np.concatenate([[True], ~same | (step > max(1.0, fps / 2))])
    starts = np.flatnonzero(jump)
    ends = np.append(starts[1:], len(order)) - 1
    kinds = classes[order[starts]]
    return np.column_stack([track[starts], kinds, frame[starts], frame[ends]]).astype(np.int32)
