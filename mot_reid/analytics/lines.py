"""Counting who crosses a line: a segment, with a direction, and with hysteresis against jitter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mot_reid.analytics.events import Event
from mot_reid.analytics.geometry import anchor_points, line_distances, segment_crossings
from mot_reid.analytics.observations import Batch, StateTable
from mot_reid.analytics.scene import Line

__all__ = ["LineCounter"]


class LineCounter:
    """Counts objects that cross a line, batch by batch; a batch may be one frame or a whole video.

    An object is on a side of the line once its point is farther from it than the margin, and stays on that
    side until it is that far on the other. It crossed when it changed sides and its path went through the
    segment on the way, more often in this direction than back; who walks round the segment's end did not. One
    that begins nearer than the margin is on no side yet, and does not count by leaving.

    Args:
        line: what to count at.
        memory: seconds unseen after which an object that returns begins anew.

    Attributes:
        counts: crossings in the line's two directions: ``[in, out]``.
        objects: the different objects that crossed, in each direction.
    """

    def __init__(self, line: Line, *, memory: float = 30.0) -> None:
        self.line = line
        self.counts = [0, 0]
        self.objects: tuple[set[int], set[int]] = (set(), set())
        self._memory = memory
        self._state = StateTable(side=0, through=0)

    def update(self, batch: Batch) -> list[Event]:
        """Takes in a batch; the crossings in it, in the order of time."""
        rows = self._crossings(batch)
        if not len(rows):
            return []
        events = []
        points = anchor_points(batch.xyxy[rows], self.line.point)
        after = line_distances(points, self.line.start, self.line.end)
        for row, point, side in zip(rows.tolist(), points.tolist(), after.tolist(), strict=True):
            way = 0 if side > 0 else 1
            self.counts[way] += 1
            self.objects[way].add(int(batch.objects[row]))
            events.append(
                Event(
                    kind="cross",
                    place=self.line.name,
                    frame=int(batch.frames[row]),
                    time=float(batch.times[row]),
                    track=int(batch.ids[row]),
                    object=int(batch.objects[row]),
                    class_id=int(batch.classes[row]),
                    x=point[0],
                    y=point[1],
                    direction=self.line.directions[way],
                )
            )
        return sorted(events, key=lambda event: (event.time, event.track))

    def _crossings(self, batch: Batch) -> NDArray[np.intp]:
        """The rows in which an object is on the other side of the segment for the first time."""
        n = len(batch)
        if not n:
            return np.zeros(0, np.intp)
        line = self.line
        points = anchor_points(batch.xyxy, line.point)
        distances = line_distances(points, line.start, line.end)
        beyond = np.abs(distances) > line.margin * batch.heights()
        sides = np.where(beyond, np.sign(distances), 0).astype(np.int64)
        heads = np.flatnonzero(batch.first)
        before = self._state.get(batch.objects[heads])
        carried = batch.carried[heads]
        sides[heads[carried]] = before["side"][carried]

        start = batch.gaps() > self._memory  # also every object's first row, whose gap is infinite
        rows = np.arange(n)
        settled = np.maximum.accumulate(np.where((sides != 0) | start, rows, 0))
        side = sides[settled]
        steps = np.zeros(n, np.int64)
        moved = np.flatnonzero(~start)
        steps[moved] = segment_crossings(points[moved - 1], points[moved], line.start, line.end)
        through = np.cumsum(steps)
        # Net passages through the segment since the row at which the object's side was settled last.
        owed = np.zeros(n, np.int64)
        owed[heads[carried]] = before["through"][carried]
        changes = moved[(sides[moved] != 0) & (side[moved - 1] != 0) & (side[moved] != side[moved - 1])]
        origin = settled[changes - 1]
        net = through[changes] - through[origin] + owed[origin]

        last = batch.last()
        self._state.put(
            batch.objects[last],
            side=side[last],
            through=through[last] - through[settled[last]] + owed[settled[last]],
        )
        crossed = net * sides[changes] > 0
        if line.classes:
            crossed &= np.isin(batch.classes[changes], line.classes)
        return changes[crossed]

    def forget(self, objects: NDArray[np.int64]) -> None:
        """Drops the state of objects ``(K,)`` that are gone."""
        self._state.drop(objects)
