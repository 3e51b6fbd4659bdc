"""Waiting times of queues: stays in a zone that end at a till, or are given up."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np

from mot_reid.analytics.events import Event
from mot_reid.analytics.scene import Queue
from mot_reid.analytics.zones import Stay, ZoneCounter

__all__ = ["QueueTimer"]

_KEPT = 10_000  # waiting times for the median; beyond, the oldest go


class QueueTimer:
    """Tells who in a queue's zone was served after what wait, and who gave up.

    Args:
        queue: the queue.

    Attributes:
        served: how many were served.
        given_up: how many left without.
    """

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.served = 0
        self.given_up = 0
        self._waits: deque[float] = deque(maxlen=_KEPT)
        self._pending: list[Stay] = []
        self._services: dict[int, list[float]] = {}

    def update(self, stays: Iterable[Stay], events: Iterable[Event], now: float) -> list[Event]:
        """Takes in the stays that ended in the zone, and what happened anywhere, up to ``now``, seconds."""
        for event in events:
            if event.place == self.queue.served_by and event.kind in ("cross", "enter"):
                self._services.setdefault(event.object, []).append(event.time)
        self._pending += [stay for stay in stays if stay.left - stay.entered >= self.queue.min_wait]
        due: list[Stay] = []
        still: list[Stay] = []
        for stay in self._pending:
            # Who was served is told at once: when the time is up it may be forgotten.
            settled = now > stay.left + self.queue.within or self._service(stay) is not None
            (due if settled else still).append(stay)
        self._pending = still
        return [self._ended(stay) for stay in sorted(due, key=lambda stay: (stay.left, stay.track))]

    def finish(self, stays: Iterable[Stay]) -> list[Event]:
        """Settles what is open; those who still wait are neither served nor given up."""
        self._pending += [
            stay for stay in stays if stay.reason != "end" and stay.left - stay.entered >= self.queue.min_wait
        ]
        return self.update([], [], np.inf)

    def forget(self, objects: Iterable[int]) -> None:
        """Drops what is known of objects that are gone."""
        for gone in objects:
            self._services.pop(gone, None)

    def summary(self, zone: ZoneCounter, now: float) -> dict[str, Any]:
        """Counts, waiting times in seconds, and who waits now."""
        waits = np.array(self._waits)
        _, since = zone.waiting()
        waiting = now - since[now - since >= self.queue.min_wait]
        return {
            "served": self.served,
            "given_up": self.given_up,
            "mean_wait": round(float(waits.mean()), 3) if len(waits) else None,
            "median_wait": round(float(np.median(waits)), 3) if len(waits) else None,
            "longest_wait": round(float(waits.max()), 3) if len(waits) else None,
            "waiting_now": len(waiting),
            "longest_waiting_now": round(float(waiting.max()), 3) if len(waiting) else None,
        }

    def _service(self, stay: Stay) -> float | None:
        """When somebody was served, seconds; None where he was not, so far."""
        if not self.queue.served_by:
            return stay.left
        latest = stay.left + self.queue.within
        times = self._services.get(stay.object, ())
        return next((time for time in times if stay.entered <= time <= latest), None)

    def _ended(self, stay: Stay) -> Event:
        at = self._service(stay)
        served = at is not None
        wait = min(stay.left if at is None else at, stay.left) - stay.entered
        if served:
            self.served += 1
            self._waits.append(wait)
        else:
            self.given_up += 1
        return Event(
            "served" if served else "gave_up",
            self.queue.name,
            stay.frame,
            stay.left,
            stay.track,
            stay.object,
            stay.class_id,
            stay.x,
            stay.y,
            dwell=wait,
        )
