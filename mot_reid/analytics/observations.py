"""What analytics look at: rows of tracks with their times, and rows by object with what came before."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mot_reid.structures import Tracks

__all__ = ["Batch", "LastRows", "Observations", "StateTable"]


@dataclass(frozen=True, eq=False)
class Observations:
    """Boxes of tracks in one frame or many, sorted by time: whole frames, one after the other.

    Attributes:
        frames: ``(N,)`` int64 frame numbers, ascending.
        times: ``(N,)`` float64 seconds, the same within a frame, ascending.
        ids: ``(N,)`` int64; those below 1 stand for boxes without an id and are left out of everything.
        xyxy: boxes ``(N, 4)`` float64, pixels.
        classes: ``(N,)`` int64 class numbers.

    Raises:
        ValueError: shapes do not fit, times do not ascend, or a box is not finite.
    """

    frames: NDArray[np.int64]
    times: NDArray[np.float64]
    ids: NDArray[np.int64]
    xyxy: NDArray[np.float64]
    classes: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.frames)
        for field in fields(self):
            expected = (n, 4) if field.name == "xyxy" else (n,)
            shape = getattr(self, field.name).shape
            if shape != expected:
                raise ValueError(f"{field.name}: expected shape {expected} to match frames, got {shape}")
        if not np.isfinite(self.times).all() or (np.diff(self.times) < 0).any():
            raise ValueError("times: expected finite numbers in ascending order")
        if (np.diff(self.frames) < 0).any():
            raise ValueError("frames: expected the order of times to be that of frames")
        if not np.isfinite(self.xyxy).all():
            row = int((~np.isfinite(self.xyxy).all(axis=1)).argmax())
            raise ValueError(f"xyxy: row {row} is not finite: {self.xyxy[row].tolist()}")

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, rows: Any) -> Self:
        """Selects rows by a boolean mask, an index array or a slice."""
        return type(self)(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @classmethod
    def empty(cls) -> Self:
        """No row at all."""
        whole = np.zeros(0, np.int64)
        return cls(whole, np.zeros(0), whole, np.zeros((0, 4)), whole)

    @classmethod
    def from_arrays(
        cls,
        frames: ArrayLike,
        times: ArrayLike,
        ids: ArrayLike,
        xyxy: ArrayLike,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Sorts rows in any order by time; classes are 0 where not given.

        Args:
            frames: a number for each row, ``(N,)``, for many frames at once; `of_frame` takes one frame's.
            times: seconds, ``(N,)``.
            ids: of the tracks, ``(N,)``.
            xyxy: boxes ``(N, 4)``, pixels.
            classes: class numbers, ``(N,)``.

        Raises:
            ValueError: as the class; also if a frame has two times.
        """
        numbers, when = np.asarray(frames, np.int64), np.asarray(times, np.float64)
        tracks, boxes = np.asarray(ids, np.int64), np.asarray(xyxy, np.float64)
        labels = np.zeros(numbers.shape, np.int64) if classes is None else np.asarray(classes, np.int64)
        for name, column in (("frames", numbers), ("times", when), ("ids", tracks), ("classes", labels)):
            if column.shape != (numbers.size,):
                raise ValueError(f"{name}: expected shape ({numbers.size},), got {column.shape}")
        order = np.lexsort((tracks, numbers, when))
        numbers, when = numbers[order], when[order]
        same = numbers[1:] == numbers[:-1]
        if (when[1:][same] != when[:-1][same]).any():
            raise ValueError("times: expected one time for each frame")
        return cls(numbers, when, tracks[order], boxes.reshape(-1, 4)[order], labels[order])

    @classmethod
    def of_frame(cls, frame: int, time: float, tracks: Tracks) -> Self:
        """The tracks of one frame."""
        n = len(tracks)
        return cls(
            np.full(n, frame, np.int64),
            np.full(n, time, np.float64),
            tracks.ids,
            tracks.xyxy.astype(np.float64),
            tracks.classes,
        )


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows sorted by object and then by time; before those of an object lies its last row of earlier batches.

    Attributes:
        frames: ``(N,)`` int64.
        times: ``(N,)`` float64, seconds.
        ids: ``(N,)`` int64, the tracks' ids.
        xyxy: boxes ``(N, 4)`` float64.
        classes: ``(N,)`` int64.
        objects: ``(N,)`` int64: several tracks may be one object.
        carried: ``(N,)`` bool, rows of earlier batches, there as the place where the next step begins.
        first: ``(N,)`` bool, first rows of objects in this batch (carried ones included).
        now: time of the last frame of the batch, seconds, whether or not it had a row.
    """

    frames: NDArray[np.int64]
    times: NDArray[np.float64]
    ids: NDArray[np.int64]
    xyxy: NDArray[np.float64]
    classes: NDArray[np.int64]
    objects: NDArray[np.int64]
    carried: NDArray[np.bool_]
    first: NDArray[np.bool_]
    now: float

    def __len__(self) -> int:
        return len(self.frames)

    def gaps(self) -> NDArray[np.float64]:
        """Seconds ``(N,)`` since the object's row before; infinite at its first row."""
        gaps = np.full(len(self), np.inf)
        later = ~self.first
        gaps[later] = self.times[later] - self.times[np.flatnonzero(later) - 1]
        return gaps

    def heights(self) -> NDArray[np.float64]:
        """Heights ``(N,)`` of the boxes, pixels."""
        return self.xyxy[:, 3] - self.xyxy[:, 1]

    def last(self) -> NDArray[np.intp]:
        """The last row of each object, in the order of the objects."""
        return np.append(np.flatnonzero(self.first)[1:], len(self)).astype(np.intp) - (len(self) > 0)


class LastRows:
    """The last row of every object of late, which the rows of the next batch go on from."""

    def __init__(self) -> None:
        self._rows = Observations.empty()
        self._objects = np.zeros(0, np.int64)

    def batch(self, rows: Observations, objects: NDArray[np.int64], now: float) -> Batch:
        """Sorts new rows by object, behind the last ones of their objects; keeps the new last rows.

        Args:
            rows: later than all before.
            objects: of each row, ``(N,)``; each once in a frame.
            now: time of the last frame.
        """
        wanted = np.isin(self._objects, objects)
        carried = np.concatenate([np.ones(int(wanted.sum()), bool), np.zeros(len(rows), bool)])
        before = self._rows[wanted]
        everybody = np.concatenate([self._objects[wanted], objects])
        order = np.lexsort((~carried, everybody))  # stable: rows are sorted by time already
        columns = {
            field.name: np.concatenate([getattr(before, field.name), getattr(rows, field.name)])[order]
            for field in fields(rows)
        }
        sorted_objects = everybody[order]
        first = np.ones(len(order), bool)
        first[1:] = sorted_objects[1:] != sorted_objects[:-1]
        batch = Batch(**columns, objects=sorted_objects, carried=carried[order], first=first, now=now)
        self._keep(batch, wanted)
        return batch

    def _keep(self, batch: Batch, replaced: NDArray[np.bool_]) -> None:
        last = batch.last() if len(batch) else np.zeros(0, np.intp)
        kept = self._rows[~replaced]
        merged = {
            field.name: np.concatenate([getattr(kept, field.name), getattr(batch, field.name)[last]])
            for field in fields(kept)
        }
        objects = np.concatenate([self._objects[~replaced], batch.objects[last]])
        order = np.lexsort((merged["frames"], merged["times"]))  # two frames may have one time
        self._rows = Observations(**{name: values[order] for name, values in merged.items()})
        self._objects = objects[order]

    def forget(self, before: float) -> NDArray[np.int64]:
        """Drops the rows older than this time, seconds; gives the objects dropped."""
        old = self._rows.times < before
        gone = self._objects[old]
        if len(gone):
            self._rows, self._objects = self._rows[~old], self._objects[~old]
        return gone


class StateTable:
    """A few numbers for each object, in arrays: looked up and stored for many objects at once.

    Args:
        columns: name and default of each number; its type is the default's.
    """

    def __init__(self, **columns: float | int | bool) -> None:
        self._defaults = columns
        self.objects = np.zeros(0, np.int64)
        self._values = {name: np.zeros(0, type(default)) for name, default in columns.items()}

    def __len__(self) -> int:
        return len(self.objects)

    def column(self, name: str) -> NDArray[Any]:
        """The numbers ``(M,)`` of all objects, in the order of `objects`."""
        return self._values[name]

    def get(self, objects: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The numbers of these objects ``(K,)``, defaults for those that are not there."""
        if not len(self.objects):
            return {name: np.full(len(objects), default) for name, default in self._defaults.items()}
        place = np.searchsorted(self.objects, objects)
        place[place == len(self.objects)] = 0
        known = self.objects[place] == objects
        return {
            name: np.where(known, self._values[name][place], default)
            for name, default in self._defaults.items()
        }

    def put(self, objects: NDArray[np.int64], **values: NDArray[Any]) -> None:
        """Stores the numbers of these objects ``(K,)``, each once and ascending."""
        kept = ~np.isin(self.objects, objects)
        merged = np.concatenate([self.objects[kept], objects])
        order = np.argsort(merged)
        self.objects = merged[order]
        for name, column in values.items():
            self._values[name] = np.concatenate([self._values[name][kept], column])[order]

    def drop(self, objects: NDArray[np.int64]) -> None:
        """Forgets these objects ``(K,)``."""
        if len(objects) and len(self.objects):
            kept = ~np.isin(self.objects, objects)
            self.objects = self.objects[kept]
            self._values = {name: values[kept] for name, values in self._values.items()}
