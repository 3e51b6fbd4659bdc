"""Zones: who enters, who leaves, how long each stays, how many are inside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mot_reid.analytics.events import Event
from mot_reid.analytics.geometry import anchor_points, points_in_polygon, polygon_distances
from mot_reid.analytics.observations import Batch, StateTable
from mot_reid.analytics.scene import Zone

__all__ = ["Stay", "ZoneCounter"]


@dataclass(frozen=True)
class Stay:
    """One visit that ended.

    Attributes:
        object: who.
        track: id under which he was seen last.
        class_id: his class.
        entered: seconds.
        left: seconds: when he was seen outside, or last inside where he was lost.
        frame: of ``left``.
        reason: ``left``, ``lost`` or ``end``.
        x: where he was, pixels.
        y: the same.
    """

    object: int
    track: int
    class_id: int
    entered: float
    left: float
    frame: int
    reason: str
    x: float
    y: float


class ZoneCounter:
    """Follows who is inside a zone, batch by batch; a batch may be one frame or a whole video.

    Who comes inside the polygon is inside until his point is farther outside than the margin, or he is not
    seen for longer than the zone's patience: then he was gone when he was seen last. Zones know nothing of
    each other; where they overlap an object is inside both.

    Args:
        zone: the zone.

    Attributes:
        stays: the visits that ended in the last `update` or `finish`.
        visits: how many visits there were, of at least ``min_dwell`` seconds; those going on count.
        objects: the different objects of these.
        dwell: seconds of all visits that ended.
        ended: how many these were.
        longest: seconds of the longest of them.
    """

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.stays: list[Stay] = []
        self.visits = 0
        self.objects: set[int] = set()
        self.dwell = 0.0
        self.ended = 0
        self.longest = 0.0
        self._state = StateTable(
            entered=0.0, seen=0.0, announced=False, frame=0, track=0, class_id=0, x=0.0, y=0.0
        )

    def inside_now(self) -> int:
        """How many are inside."""
        return len(self._state)

    def waiting(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The objects inside ``(M,)`` and when each entered ``(M,)``, seconds."""
        return self._state.objects, self._state.column("entered")

    def update(self, batch: Batch) -> tuple[list[Event], NDArray[np.bool_]]:
        """Takes in a batch.

        Returns:
            What happened, in the order of time; and for each row of the batch whether it is inside.
        """
        inside = self._inside(batch)
        self.stays, events = [], []
        points = anchor_points(batch.xyxy, self.zone.points[0])
        broken = batch.gaps() > self.zone.patience  # also every object's first row
        goes_on = np.zeros(len(batch), bool)
        goes_on[1:] = inside[1:] & inside[:-1] & ~broken[1:]
        heads = np.flatnonzero(inside & ~goes_on)
        ends = np.flatnonzero(inside & ~np.append(goes_on[1:], False))
        known = self._state.get(batch.objects[heads])
        kept: list[tuple[int, float, bool]] = []
        over: list[int] = []
        for place, (head, end) in enumerate(zip(heads.tolist(), ends.tolist(), strict=True)):
            carried = bool(batch.carried[head])
            entered = float(known["entered"][place]) if carried else float(batch.times[head])
            announced = carried and bool(known["announced"][place])
            ended = end + 1 < len(batch) and not batch.first[end + 1]
            after = end + 1 if ended and not broken[end + 1] else end
            if not announced and batch.times[after] - entered >= self.zone.min_dwell:
                counts = head + int((batch.times[head : after + 1] - entered < self.zone.min_dwell).sum())
                events.append(self._entered(batch, counts, points))
                announced = True
            if ended:
                reason = "left" if after > end else "lost"
                events += self._close(_stay(batch, after, points, entered, reason), announced)
                over.append(end)
            else:
                kept.append((end, entered, announced))
        self._state.drop(batch.objects[over])
        self._keep(batch, points, kept)
        self._lose(batch.now, events)
        return sorted(events, key=lambda event: (event.time, event.track)), inside

    def finish(self) -> list[Event]:
        """Ends the visits that still go on; they ended when they were seen last."""
        self.stays = []
        events: list[Event] = []
        for row in range(len(self._state)):
            events += self._close(self._stored(row, "end"), bool(self._state.column("announced")[row]))
        self._state.drop(self._state.objects)
        return sorted(events, key=lambda event: (event.time, event.track))

    def _inside(self, batch: Batch) -> NDArray[np.bool_]:
        """Whether each row ``(N,)`` is inside, with hysteresis."""
        n = len(batch)
        if not n:
            return np.zeros(0, bool)
        joined = np.logical_and.reduce if self.zone.need == "all" else np.logical_or.reduce
        in_it, near = [], []
        reach = self.zone.margin * batch.heights()
        for at in self.zone.points:
            points = anchor_points(batch.xyxy, at)
            within = points_in_polygon(points, self.zone.polygon)
            in_it.append(within)
            near.append(within | (polygon_distances(points, self.zone.polygon) <= reach))
        sides = np.where(joined(in_it), 1, np.where(joined(near), 0, -1))
        if self.zone.classes:
            sides[~np.isin(batch.classes, self.zone.classes)] = -1
        carried = np.flatnonzero(batch.carried)
        sides[carried] = np.where(np.isin(batch.objects[carried], self._state.objects), 1, -1)
        start = batch.gaps() > self.zone.patience
        settled = np.maximum.accumulate(np.where((sides != 0) | start, np.arange(n), 0))
        inside: NDArray[np.bool_] = sides[settled] > 0
        return inside

    def _entered(self, batch: Batch, row: int, points: NDArray[np.float64]) -> Event:
        self.visits += 1
        self.objects.add(int(batch.objects[row]))
        return Event(
            "enter",
            self.zone.name,
            int(batch.frames[row]),
            float(batch.times[row]),
            int(batch.ids[row]),
            int(batch.objects[row]),
            int(batch.classes[row]),
            *points[row].tolist(),
        )

    def _close(self, stay: Stay, announced: bool) -> Iterable[Event]:
        """Takes note of the end of a visit; nobody is told of those that were too short to be one."""
        if not announced:
            return
        self.stays.append(stay)
        dwell = stay.left - stay.entered
        self.dwell += dwell
        self.ended += 1
        self.longest = max(self.longest, dwell)
        yield Event(
            "leave",
            self.zone.name,
            stay.frame,
            stay.left,
            stay.track,
            stay.object,
            stay.class_id,
            stay.x,
            stay.y,
            dwell=dwell,
            reason=stay.reason,
        )

    def _keep(self, batch: Batch, points: NDArray[np.float64], kept: list[tuple[int, float, bool]]) -> None:
        if not kept:
            return
        rows = np.array([row for row, _, _ in kept])
        self._state.put(
            batch.objects[rows],
            entered=np.array([entered for _, entered, _ in kept]),
            seen=batch.times[rows],
            announced=np.array([announced for _, _, announced in kept]),
            frame=batch.frames[rows],
            track=batch.ids[rows],
            class_id=batch.classes[rows],
            x=points[rows, 0],
            y=points[rows, 1],
        )

    def _stored(self, row: int, reason: str) -> Stay:
        column = self._state.column
        return Stay(
            int(self._state.objects[row]),
            int(column("track")[row]),
            int(column("class_id")[row]),
            float(column("entered")[row]),
            float(column("seen")[row]),
            int(column("frame")[row]),
            reason,
            float(column("x")[row]),
            float(column("y")[row]),
        )

    def _lose(self, now: float, events: list[Event]) -> None:
        """Ends the visits of those who have not been seen for too long."""
        lost = np.flatnonzero(now - self._state.column("seen") > self.zone.patience)
        for row in lost.tolist():
            events += self._close(self._stored(row, "lost"), bool(self._state.column("announced")[row]))
        self._state.drop(self._state.objects[lost])


def _stay(batch: Batch, row: int, points: NDArray[np.float64], entered: float, reason: str) -> Stay:
    """The visit that ends in this row."""
    x, y = points[row].tolist()
    who = int(batch.objects[row]), int(batch.ids[row]), int(batch.classes[row])
    return Stay(*who, entered, float(batch.times[row]), int(batch.frames[row]), reason, x, y)
