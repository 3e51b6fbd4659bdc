"""All analytics of one scene together: rows of tracks in, events out, a summary at any time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mot_reid.analytics.events import Event
from mot_reid.analytics.heat import HeatMap
from mot_reid.analytics.lines import LineCounter
from mot_reid.analytics.motion import SpeedMeter, headings
from mot_reid.analytics.objects import Objects
from mot_reid.analytics.observations import Batch, LastRows, Observations
from mot_reid.analytics.queues import QueueTimer
from mot_reid.analytics.scene import Scene
from mot_reid.analytics.series import Series
from mot_reid.analytics.zones import ZoneCounter

__all__ = ["Analytics", "analyse"]

_SPEED_BINS = np.linspace(0, 5, 51)  # of a histogram: metres, or heights of the box, a second

_MOVES = 0.2  # metres, or heights of the box, a second from which on somebody goes somewhere
_HEADINGS = 8
_PIECE = 200_000  # rows


def _require(value: object, expected: type, name: str, made_by: str) -> None:
    if not isinstance(value, expected):
        kind = type(value).__name__
        raise TypeError(f"{name}: expected {expected.__name__}, got {kind}; {made_by}")


class Analytics:
    """Counts, times and measures tracks, frame by frame or many frames at once: the results are the same.

    Args:
        scene: in the pixels of the video (`Scene.for_size`).
        source: which video or camera, for the events.
        run: tells the runs of a live source apart, in the events' ids.
        identities: track ids to identities' numbers, where these are known.

    Raises:
        TypeError: the scene is no `Scene`.
        ValueError: its units are relative.

    Attributes:
        without_id: rows without an id, which were left out.
        twice: rows left out because their object was there already in the frame.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        source: str = "",
        run: str = "",
        identities: Mapping[int, int] | None = None,
    ) -> None:
        _require(scene, Scene, "scene", "scene_from_mapping makes one of what a scene file says")
        if scene.relative:
            raise ValueError("scene: its units are relative; Scene.for_size gives the one for a video")
        self.scene = scene
        self.lines = {name: LineCounter(line, memory=scene.memory) for name, line in scene.lines.items()}
        self.zones = {name: ZoneCounter(zone) for name, zone in scene.zones.items()}
        self.queues = {name: QueueTimer(queue) for name, queue in scene.queues.items()}
        self.series = Series(scene.interval)
        self.heat = None if scene.size is None else HeatMap(scene.size, scene.cell, min(2.0, scene.memory))
        self.without_id = 0
        self.twice = 0
        self._speeds = SpeedMeter(None if scene.ground is None else scene.ground.homography)
        self._speed_counts = np.zeros(len(_SPEED_BINS), np.int64)
        self._heading_counts = np.zeros(_HEADINGS, np.int64)
        self._objects = Objects(identities, handover=scene.handover, memory=scene.memory)
        self._last = LastRows()
        self._source, self._run = source, run
        self._now = -np.inf
        self._frame = 0
        self._most = 0

    def update(self, rows: Observations, now: float | None = None) -> list[Event]:
        """Takes in the next frame, or the next frames.

        Args:
            rows: later than all before; whole frames.
            now: time of the last frame, seconds, where it may have no row; by default the last row's.

        Returns:
            What happened, in the order of time.

        Raises:
            TypeError: the rows are no `Observations`.
            ValueError: the rows are not later than those before.
        """
        _require(rows, Observations, "rows", "of_frame makes them of a frame's tracks, from_arrays of many")
        if now is None:
            now = float(rows.times[-1]) if len(rows) else self._now
        if len(rows) and (rows.times[0] < self._now or rows.frames[0] <= self._frame):
            raise ValueError(
                f"rows: expected frames after {self._frame} ({self._now:.3f} s), "
                f"got {rows.frames[0]} ({rows.times[0]:.3f} s)"
            )
        if now < self._now or (len(rows) and now < rows.times[-1]):
            raise ValueError(f"now: expected the time of the last frame, got {now}")
        batch = self._batch(rows, now)
        events: list[Event] = []
        for line in self.lines.values():
            events += line.update(batch)
        for zone in self.zones.values():
            happened, inside = zone.update(batch)
            events += happened
            self.series.add_inside(zone.zone, batch, inside)
        for queue in self.queues.values():
            stays = self.zones[queue.queue.zone].stays
            events += queue.update(stays, list(events), now)
        self._measure(batch)
        gone = self._last.forget(now - self.scene.memory)
        for line in self.lines.values():
            line.forget(gone)
        for queue in self.queues.values():
            queue.forget(gone.tolist())
        return self._told(events)

    def finish(self) -> list[Event]:
        """Ends the visits that go on; what happened by that."""
        events: list[Event] = []
        for zone in self.zones.values():
            events += zone.finish()
        for queue in self.queues.values():
            events += queue.finish(self.zones[queue.queue.zone].stays)
        return self._told(events)

    def summary(self) -> dict[str, Any]:
        """Everything counted so far, as JSON can hold it."""
        now = self._now if np.isfinite(self._now) else 0.0
        return {
            "source": self._source,
            "frame": self._frame,
            "seconds": round(now, 3),
            "lines": {name: _line_summary(line) for name, line in self.lines.items()},
            "zones": {name: _zone_summary(zone) for name, zone in self.zones.items()},
            "queues": {
                name: queue.summary(self.zones[queue.queue.zone], now) for name, queue in self.queues.items()
            },
            "interval": self.scene.interval,
            "series": self.series.rows(),
            "most_at_once": self._most,
            "speed": self._speed_summary(),
            "ids_handed_over": self._objects.handed_over,
            "rows_without_id": self.without_id,
            "rows_twice": self.twice,
        }

    def _batch(self, rows: Observations, now: float) -> Batch:
        named = rows.ids >= 1
        if not named.all():
            self.without_id += int((~named).sum())
            rows = rows[named]
        objects = self._objects.assign(rows)
        if len(rows):
            order = np.lexsort((np.arange(len(rows)), objects, rows.frames))
            same = (np.diff(objects[order]) == 0) & (np.diff(rows.frames[order]) == 0)
            if same.any():
                self.twice += int(same.sum())
                kept = np.ones(len(rows), bool)
                kept[order[1:][same]] = False
                rows, objects = rows[kept], objects[kept]
            self._frame = int(rows.frames[-1])
            _, together = np.unique(rows.frames, return_counts=True)
            self._most = max(self._most, int(together.max()))
        self._now = now
        return self._last.batch(rows, objects, now)

    def _measure(self, batch: Batch) -> None:
        if self.heat is not None:
            self.heat.update(batch)
        velocity = self._speeds.update(batch)
        speeds = np.hypot(*velocity.T)
        if self.scene.ground is None:
            speeds = speeds / np.maximum(batch.heights(), 1e-9)
        # Rounded, for one that lies on a border shall not depend on how the rows were cut into calls.
        known = np.round(speeds[np.isfinite(speeds)], 6)
        place = np.minimum(np.searchsorted(_SPEED_BINS, known, side="right") - 1, len(_SPEED_BINS) - 1)
        self._speed_counts += np.bincount(place, minlength=len(_SPEED_BINS))
        ways = np.round(headings(velocity[np.round(speeds, 6) >= _MOVES]), 6)
        sector = np.rint(ways / (360 / _HEADINGS)).astype(np.int64) % _HEADINGS
        self._heading_counts += np.bincount(sector, minlength=_HEADINGS)

    def _speed_summary(self) -> dict[str, Any]:
        total = int(self._speed_counts.sum())
        middle = int(np.searchsorted(np.cumsum(self._speed_counts), total / 2)) if total else None
        return {
            "unit": "heights/s" if self.scene.ground is None else "m/s",
            "median": None if middle is None else round(float(_SPEED_BINS[middle] + 0.05), 3),
            "bin": 0.1,
            "histogram": self._speed_counts.tolist(),
            "headings": self._heading_counts.tolist(),
        }

    def _told(self, events: list[Event]) -> list[Event]:
        named = [replace(event, source=self._source, run=self._run) for event in events]
        self.series.add_events(named)
        return sorted(named, key=lambda event: (event.time, event.kind, event.place, event.track))


def analyse(
    scene: Scene,
    rows: Observations,
    *,
    source: str = "",
    identities: Mapping[int, int] | None = None,
    now: float | None = None,
) -> tuple[Analytics, list[Event]]:
    """Analyses finished tracks, so many rows at a time that what is counted with takes no memory to speak of.

    Args:
        scene: in the pixels of the video.
        rows: all of them.
        source: which video, for the events.
        identities: track ids to identities' numbers, where these are known.
        now: time of the video's last frame, seconds; by default the last row's.

    Returns:
        The counters, and all events in the order of time.
    """
    analytics, events = Analytics(scene, source=source, identities=identities), list[Event]()
    for piece in _pieces(rows):
        events += analytics.update(piece)
    if now is not None:
        events += analytics.update(Observations.empty(), now)
    events += analytics.finish()
    return analytics, sorted(events, key=lambda event: (event.time, event.kind, event.place, event.track))


def _pieces(rows: Observations) -> Iterator[Observations]:
    """All rows, whole frames of them at a time."""
    low = 0
    while low < len(rows):
        last = rows.frames[min(low + _PIECE, len(rows)) - 1]
        high = int(rows.frames.searchsorted(last, side="right"))
        yield rows[low:high]
        low = high


def _line_summary(line: LineCounter) -> dict[str, Any]:
    names = line.line.directions
    return {
        names[0]: line.counts[0],
        names[1]: line.counts[1],
        "objects": {names[0]: len(line.objects[0]), names[1]: len(line.objects[1])},
    }


def _zone_summary(zone: ZoneCounter) -> dict[str, Any]:
    return {
        "visits": zone.visits,
        "objects": len(zone.objects),
        "inside_now": zone.inside_now(),
        "mean_dwell": round(zone.dwell / zone.ended, 3) if zone.ended else None,
        "longest_dwell": round(zone.longest, 3) if zone.ended else None,
    }
