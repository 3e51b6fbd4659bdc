"""Counts over time: what happened in each interval, and how many were inside."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mot_reid.analytics.events import Event
from mot_reid.analytics.observations import Batch
from mot_reid.analytics.scene import Zone

__all__ = ["Series"]

_MOST = 20_160  # intervals kept: two weeks of minutes


class Series:
    """Rows of counts, one for each interval in which anything happened.

    Args:
        interval: seconds.
    """

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self._counts: dict[int, dict[str, float]] = {}

    def add_events(self, events: list[Event]) -> None:
        """Counts crossings and entries: ``door.in``, ``till.entered``, and queues' outcomes."""
        words = {"enter": "entered", "leave": "left"}
        for event in events:
            word = event.direction if event.direction is not None else words.get(event.kind, event.kind)
            self._add(int(event.time // self.interval), f"{event.place}.{word}", 1)

    def add_inside(self, zone: Zone, batch: Batch, inside: NDArray[np.bool_]) -> None:
        """Adds who is inside: object-seconds (``till.seconds``) and the most at once (``till.most``)."""
        if not inside.any():
            return
        gaps = batch.gaps()
        before = np.roll(inside, 1)
        spent = before & inside & (gaps <= zone.patience)
        bins = np.floor(batch.times / self.interval).astype(np.int64)
        seconds: dict[int, float] = defaultdict(float)
        places, where = np.unique(bins[spent], return_inverse=True)
        for place, total in zip(places.tolist(), np.bincount(where, gaps[spent]).tolist(), strict=True):
            seconds[place] = total
        for place, total in seconds.items():
            self._add(place, f"{zone.name}.seconds", total)
        new = inside & ~batch.carried
        # By frames, of which two may have one time.
        _, first, count = np.unique(batch.frames[new], return_index=True, return_counts=True)
        times = batch.times[new][first]
        for place in np.unique(np.floor(times / self.interval)).astype(np.int64).tolist():
            most = int(count[np.floor(times / self.interval) == place].max())
            row = self._row(place)
            row[f"{zone.name}.most"] = max(row.get(f"{zone.name}.most", 0), most)

    def rows(self) -> list[dict[str, Any]]:
        """The rows in the order of time: ``start`` in seconds, and what is not 0."""
        return [
            {"start": round(place * self.interval, 3)}
            | {name: round(value, 3) for name, value in sorted(self._counts[place].items())}
            for place in sorted(self._counts)
        ]

    def _row(self, place: int) -> dict[str, float]:
        if place not in self._counts:
            self._counts[place] = {}
            if len(self._counts) > _MOST:
                oldest = min(self._counts)
                row = self._counts.pop(oldest)
                if oldest == place:  # before all that are kept
                    return row
        return self._counts[place]

    def _add(self, place: int, name: str, value: float) -> None:
        row = self._row(place)
        row[name] = row.get(name, 0) + value
