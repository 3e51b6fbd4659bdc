"""Tracks reported a moment later, as they are known by then: between online results and hindsight.

Within the lag ids are those that the tracker came to, tracks begin where they were first detected, gaps are
filled, and boxes are smoothed by what comes before and after them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from mot_reid.association.reentry import IdChange
from mot_reid.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh
from mot_reid.config import OfflineConfig
from mot_reid.offline.camera_path import CameraPath, move_cxcywh
from mot_reid.offline.growing import grow_back
from mot_reid.offline.rows import TrackRows
from mot_reid.offline.smoothing import REACH, line_values
from mot_reid.structures import Detections, Tracks
from mot_reid.typing import Affine, Floats, Ints, Mask

__all__ = ["Lag"]

Item = TypeVar("Item")

# Tracks whose scores are remembered at the most, those seen last.
_MOST_TRACKS = 4096
_FIRST_RATE = 30.0  # frames a second, while there is one frame
_SLACK = 1e-6  # seconds, for times that were added up


@dataclass(eq=False)
class _Frame:
    """What is known of a frame that is not given out yet, or that others are filled and smoothed by."""

    number: int
    time: float
    tracks: Tracks
    detections: Detections
    affine: Affine | None


class _Scores:
    """Whether tracks have been convincing so far, see `mot_reid.offline.pruning`; once is enough."""

    def __init__(self, least_share: float) -> None:
        self._least_share = least_share
        self._tracks: dict[int, tuple[int, float, float]] = {}  # rows, sum and best of each
        self._shown: dict[int, None] = {}
        self._squares = self._cubes = 0.0

    def __contains__(self, track: int) -> bool:
        return track in self._tracks

    def add(self, tracks: Tracks) -> None:
        for track, score in zip(tracks.ids.tolist(), tracks.scores.tolist(), strict=True):
            rows, total, best = self._tracks.pop(track, (0, 0.0, 0.0))
            self._tracks[track] = rows + 1, total + score, max(best, score)
            self._squares += score**2
            self._cubes += score**3
        for kept in (self._tracks, self._shown):
            for track in list(kept)[: max(len(kept) - _MOST_TRACKS, 0)]:
                del kept[track]

    def change(self, change: IdChange) -> None:
        """Takes note that rows belong to another id: it gets their scores, which the former id keeps, too."""
        if change.before in self._tracks:
            rows, total, best = self._tracks[change.before]
            more, others, highest = self._tracks.get(change.now, (0, 0.0, 0.0))
            self._tracks[change.now] = rows + more, total + others, max(best, highest)

    def convincing(self, tracks: Ints) -> Mask:
        """Which of some tracks ``(N,)`` are shown."""
        least = self._least_share * self._cubes / max(self._squares, _SLACK)
        for track in tracks.tolist():
            rows, total, best = self._tracks.get(track, (0, 0.0, 0.0))
            if track in self._shown or (total / max(rows, 1) + best) / 2 >= least:
                self._shown.pop(track, None)
                self._shown[track] = None
        return np.array([track in self._shown for track in tracks.tolist()], bool)


class Lag(Generic[Item]):
    """Holds frames back, and gives each out with its tracks as they are known by then.

    Memory is bounded by the lag. A track that the tracker predicts behind another one is reported if it is
    still expected there at the end of the lag, or has been seen again by then.

    Args:
        lag: seconds of the source by which a frame is given out later than it was tracked.
        config: how tracks are lengthened, filled, smoothed and chosen; nothing is linked.

    Attributes:
        id_changes: what the last `put` told of rows that had been given out before.

    Raises:
        ValueError: the lag is no number from 0 on.
    """

    def __init__(self, lag: float, config: OfflineConfig | None = None) -> None:
        if not lag >= 0:
            raise ValueError(f"lag: expected seconds from 0 on, got {lag}")
        self.id_changes: list[IdChange] = []
        self._lag, self._config = lag, config or OfflineConfig()
        self._frames: deque[_Frame] = deque()
        self._items: deque[Item] = deque()  # of those that are not given out yet
        self._number, self._next = 0, 1
        self._scores = _Scores(self._config.prune_share)

    def put(
        self,
        item: Item,
        tracks: Tracks,
        detections: Detections,
        affine: Affine | None,
        time: float,
        id_changes: Sequence[IdChange] = (),
    ) -> list[tuple[Item, Tracks]]:
        """Takes in the next frame.

        Args:
            item: whatever the frame is known by; it comes back with its tracks.
            tracks: what the tracker reported.
            detections: what it was given; tracks are lengthened at their start by those that are free.
            affine: camera motion ``(2, 3)`` from the frame before, or None.
            time: of the frame, seconds; ascending.
            id_changes: what the tracker said with it of earlier frames, see `Tracker.id_changes`.

        Returns:
            The frames that were put in at least the lag before this one, in order.
        """
        self._number += 1
        self._items.append(item)
        self._frames.append(_Frame(self._number, time, tracks, detections.without_embeddings(), affine))
        changed = [self._change(change) for change in id_changes]
        self.id_changes = [change for change in changed if change.frame < self._next]
        seen = tracks.seen
        begun = np.array([track not in self._scores for track in seen.ids.tolist()], bool)
        self._scores.add(seen)
        if begun.any() and self._config.grow_score < 1 and self._next < self._number:
            self._grow(seen[begun])
        given = []
        while self._next <= self._number and self._at(self._next).time <= time - self._lag + _SLACK:
            given.append(self._give())
        return given

    def rest(self) -> list[tuple[Item, Tracks]]:
        """Gives out all frames that are left: there are no later ones."""
        return [self._give() for _ in range(self._next, self._number + 1)]

    def _at(self, number: int) -> _Frame:
        return self._frames[number - self._frames[0].number]

    def _change(self, change: IdChange) -> IdChange:
        """Gives the rows their other id; rows that had it already go, for it is seen once in a frame.

        Returns:
            The same from the first row on that has lengthened the track.
        """
        self._scores.change(change)
        first = change
        for frame in self._frames:
            ids = frame.tracks.ids
            mine, theirs = ids == change.before, ids == change.now
            grown = frame.number < change.frame  # these rows lengthened a track that turns out to go on
            if frame.number == self._number or not mine.any() or (grown and change.undone):
                continue
            gone = mine if grown and theirs.any() else theirs
            frame.tracks = replace(frame.tracks, ids=np.where(mine, change.now, ids))[~gone]
            if frame.number < first.frame:
                first = replace(change, frame=frame.number, time=frame.time)
        return first

    def _grow(self, begun: Tracks) -> None:
        """Follows tracks that are new in the last frame back through free detections of earlier ones."""
        config, free, found = self._config, dict[int, Ints](), dict[int, Detections]()
        for number in range(self._next, self._number):
            frame = self._at(number)
            unused = frame.detections.scores >= config.grow_score
            unused[frame.tracks.seen.detection_index] = False
            free[number] = np.flatnonzero(unused)
            found[number] = frame.detections[free[number]]
        rows = TrackRows.from_tracks({self._number: begun})
        rows = replace(rows, detection_index=np.full(len(rows), -1, np.int64))  # none of those
        grown = grow_back(rows, found, config.grow_score, self._rate, self._camera())
        for number, new in grown[grown.frames < self._number].to_tracks().items():
            frame = self._at(number)
            new = replace(new, detection_index=free[number][new.detection_index])
            frame.tracks = _joined([frame.tracks, new[~np.isin(new.ids, frame.tracks.ids)]])

    @property
    def _rate(self) -> float:
        """Frames a second, of those that are held."""
        last, first = self._frames[-1], self._frames[0]
        return (last.number - first.number) / (last.time - first.time) if last is not first else _FIRST_RATE

    def _camera(self) -> CameraPath:
        return CameraPath([frame.affine for frame in self._frames], self._frames[0].number)

    def _give(self) -> tuple[Item, Tracks]:
        """Gives out the next frame, and forgets those that say nothing more about its followers."""
        frame = self._at(self._next)
        tracks = self._known(frame)
        back = REACH * self._config.smooth_time + min(self._lag, self._config.fill_time) + _SLACK
        self._next += 1
        while self._frames[0].number < self._next and self._frames[0].time < frame.time - back:
            self._frames.popleft()
        return self._items.popleft(), tracks

    def _known(self, frame: _Frame) -> Tracks:
        """The tracks of a frame, as far as they are known now."""
        every = _joined([one.tracks for one in self._frames])
        if not len(every):
            return frame.tracks
        first, count = self._frames[0].number, len(self._frames)
        here = frame.number - first
        column = np.repeat(np.arange(count), [len(one.tracks) for one in self._frames])
        expected = np.isin(every.ids, self._frames[-1].tracks.ids) & (column == here)
        used = (every.detection_index >= 0) | expected
        every, column = every[used], column[used]
        names, row = np.unique(every.ids, return_inverse=True)
        place = np.full((len(names), count), -1)
        place[row, column] = np.arange(len(every))
        maps = self._camera().between(np.arange(count) + first, np.full(count, frame.number))
        boxes = move_cxcywh(xyxy_to_cxcywh(every.xyxy.astype(np.float64)), maps[column])
        seen = (place >= 0) & (every.detection_index[place] >= 0)
        times = np.array([one.time for one in self._frames]) - frame.time
        table, known, before = _filled(boxes[place], seen, times, self._config.fill_time)
        hidden = (place >= 0) & ~known
        table[hidden], known = boxes[place[hidden]], known | hidden
        chosen = known[:, here]
        chosen[chosen] = self._scores.convincing(names[chosen])
        if not chosen.any():
            return Tracks.empty()
        source = np.where(place[chosen, here] >= 0, place[chosen, here], place[chosen, before[chosen, here]])
        fitted = self._smoothed(table[chosen], known[chosen], times)
        filled = place[chosen, here] < 0
        result = replace(
            every[source],
            xyxy=cxcywh_to_xyxy(fitted).astype(np.float32),
            detection_index=np.where(filled, -1, every.detection_index[source]),
            age=every.age[source] + here - column[source],
        )
        index = result.detection_index
        return result[np.lexsort((result.ids, np.where(index < 0, index.max() + 1, index)))]

    def _smoothed(self, table: Floats, known: Mask, times: Floats) -> Floats:
        """The boxes ``(N, 4)`` at time 0 of a table ``(N, F, 4)``, see `mot_reid.offline.smoothing`."""
        here, width = int(np.flatnonzero(times == 0)[0]), self._config.smooth_time
        if not width:
            return table[:, here]
        near = known & (abs(times) <= REACH * width + _SLACK)
        weight = np.exp(-0.5 * (times / width) ** 2) * near
        frames = times * self._rate
        table = np.where(near[..., None], table, 1.0)
        table[..., 2:] = np.log(table[..., 2:])
        weights = np.stack([(weight * frames**power).sum(axis=1) for power in range(3)])
        values = [np.einsum("nf,nfd->nd", weight * frames**power, table) for power in range(2)]
        fitted = line_values(weights[..., None], np.stack(values))
        least = np.where(near[..., None], table[..., 2:], np.inf).min(axis=1)
        most = np.where(near[..., None], table[..., 2:], -np.inf).max(axis=1)
        fitted[:, 2:] = np.exp(fitted[:, 2:].clip(least, most))
        return fitted


def _joined(parts: Sequence[Tracks]) -> Tracks:
    """The rows of all, in order."""
    columns = Tracks.__dataclass_fields__
    return Tracks.unchecked(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    )


def _filled(table: Floats, seen: Mask, times: Floats, longest: float) -> tuple[Floats, Mask, Ints]:
    """Fills gaps of at most so many seconds on a line.

    Args:
        table: boxes ``(N, F, 4)`` of tracks in frames.
        seen: ``(N, F)`` where they are known.
        times: ``(F,)`` of the frames, seconds.
        longest: that a track may have been out of sight, seconds.

    Returns:
        The table, where it is known now, and the last frame ``(N, F)`` in which a track was seen by then, or
        -1.
    """
    frames = np.arange(seen.shape[1])
    before = np.maximum.accumulate(np.where(seen, frames, -1), axis=1)
    after = np.minimum.accumulate(np.where(seen, frames, len(frames))[:, ::-1], axis=1)[:, ::-1]
    track, frame = (~seen & (before >= 0) & (after < len(frames))).nonzero()
    start, end = before[track, frame], after[track, frame]
    missed = times[end] - times[start]
    short = missed * (1 - 1 / (end - start)) <= longest + _SLACK  # all but one of the steps
    track, frame, start, end = track[short], frame[short], start[short], end[short]
    share = ((times[frame] - times[start]) / missed[short])[:, None]
    table[track, frame] = table[track, start] * (1 - share) + table[track, end] * share
    known = seen.copy()
    known[track, frame] = True
    return table, known, before
