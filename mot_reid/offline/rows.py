"""The rows of finished tracks: all frames of a sequence in one structure of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mot_reid.structures import Tracks
from mot_reid.typing import Boxes, Floats32, Indices, Ints, Mask

__all__ = ["TrackRows", "track_starts"]


@dataclass(frozen=True, eq=False)
class TrackRows:
    """Boxes of tracks, sorted by id and then by frame: each track is one run of rows.

    Attributes:
        frames: ``(N,)`` int64 frame numbers.
        ids: ``(N,)`` int64; no id is twice in a frame.
        xyxy: boxes ``(N, 4)`` float32 in pixels.
        scores: ``(N,)`` float32.
        classes: ``(N,)`` int64 class numbers.
        detection_index: ``(N,)`` int64, row of the detection in its frame's input; -1 where there is none.
        interpolated: ``(N,)`` bool, rows that no detector has seen: put in, or predicted by the tracker.

    Raises:
        ValueError: shapes do not fit, a box is not finite or has no area, or an id is twice in a frame.
    """

    frames: Ints
    ids: Ints
    xyxy: Boxes
    scores: Floats32
    classes: Ints
    detection_index: Ints
    interpolated: Mask

    def __post_init__(self) -> None:
        n = len(self.frames)
        for field in fields(self):
            expected = (n, 4) if field.name == "xyxy" else (n,)
            shape = getattr(self, field.name).shape
            if shape != expected:
                raise ValueError(f"{field.name}: expected shape {expected} to match frames, got {shape}")
        good = np.isfinite(self.xyxy).all(axis=1) & (self.xyxy[:, 2:] > self.xyxy[:, :2]).all(axis=1)
        if not good.all():
            row = int(good.argmin())
            raise ValueError(f"xyxy: row {row} is not finite or has no area: {self.xyxy[row].tolist()}")
        step = np.diff(self.ids)
        if not ((step > 0) | ((step == 0) & (np.diff(self.frames) >= 0))).all():
            order = np.lexsort((self.frames, self.ids))
            for field in fields(self):
                object.__setattr__(self, field.name, getattr(self, field.name)[order])
        twice = (self.ids[1:] == self.ids[:-1]) & (self.frames[1:] == self.frames[:-1])
        if twice.any():
            row = int(twice.argmax())
            raise ValueError(f"ids: id {self.ids[row]} is twice in frame {self.frames[row]}")

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, rows: Any) -> Self:
        """Selects rows by a boolean mask, an index array or a slice."""
        return type(self)(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @classmethod
    def empty(cls) -> Self:
        """No row at all."""
        return cls.from_arrays(np.zeros(0), np.zeros(0), np.zeros((0, 4)))

    @classmethod
    def from_arrays(
        cls,
        frames: NDArray[Any],
        ids: NDArray[Any],
        xyxy: NDArray[Any],
        scores: NDArray[Any] | None = None,
    ) -> Self:
        """Rows that were all seen, of class 0; scores are 1 where not given."""
        n = len(frames)
        return cls(
            frames=np.asarray(frames, np.int64),
            ids=np.asarray(ids, np.int64),
            xyxy=np.asarray(xyxy, np.float32),
            scores=np.ones(n, np.float32) if scores is None else np.asarray(scores, np.float32),
            classes=np.zeros(n, np.int64),
            detection_index=np.full(n, -1, np.int64),
            interpolated=np.zeros(n, bool),
        )

    @classmethod
    def from_tracks(cls, tracks: Mapping[int, Tracks]) -> Self:
        """What a tracker reported in each frame number; rows without a detection are ``interpolated``."""
        numbers = sorted(number for number, seen in tracks.items() if len(seen))
        if not numbers:
            return cls.empty()
        parts = [tracks[number] for number in numbers]
        return cls(
            frames=np.repeat(np.array(numbers, np.int64), [len(part) for part in parts]),
            ids=np.concatenate([part.ids for part in parts]),
            xyxy=np.concatenate([part.xyxy for part in parts]),
            scores=np.concatenate([part.scores for part in parts]),
            classes=np.concatenate([part.classes for part in parts]),
            detection_index=np.concatenate([part.detection_index for part in parts]),
            interpolated=np.concatenate([part.detection_index < 0 for part in parts]),
        )

    @classmethod
    def of_parts(cls, parts: Sequence[Self]) -> Self:
        """The rows of several, at least one, which share no id in a frame."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})

    def to_tracks(self, frames: Iterable[int] = ()) -> dict[int, Tracks]:
        """The tracks of each frame number, in the order of their ids.

        Args:
            frames: frame numbers that are to be there even if they are empty.
        """
        order = np.lexsort((self.ids, self.frames))
        numbers, first = np.unique(self.frames[order], return_index=True)
        tracks = dict.fromkeys(frames, Tracks.empty())
        for number, rows in zip(numbers.tolist(), np.split(order, first[1:]), strict=False):
            tracks[number] = Tracks(
                ids=self.ids[rows],
                xyxy=self.xyxy[rows],
                scores=self.scores[rows],
                classes=self.classes[rows],
                detection_index=self.detection_index[rows],
            )
        return dict(sorted(tracks.items()))

    def joined_with(self, other: Self) -> Self:
        """The rows of both.

        Raises:
            ValueError: an id is twice in a frame.
        """
        return self.of_parts([self, other])


def track_starts(ids: Ints) -> Indices:
    """Where each run of equal ids ``(N,)`` begins: ``(T,)``, ascending."""
    return np.flatnonzero(np.concatenate([np.ones(min(len(ids), 1), bool), ids[1:] != ids[:-1]]))
