"""Which tracks are one object: known identities, and ids that change while somebody is in full view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mot_reid.analytics.observations import Observations

__all__ = ["Objects"]

_REACH = 0.3  # heights from the last place within which a track that begins may go on for one that ended
_STRIDE = 1.0  # heights a second that somebody walks meanwhile
_SAME_HEIGHT = 0.7  # least ratio of the two heights


@dataclass(frozen=True)
class _Last:
    """Where a track was seen last, and the object it was."""

    time: float
    box: NDArray[np.float64]
    label: int


class Objects:
    """Gives each row the object it belongs to, from what came before only.

    A track of a known identity belongs to that identity. A track that begins where another one just ended
    goes on for it: what crosses a line under two ids crosses it once. Should the older one come back after
    all, it is an object of its own from then on.

    Objects of identities are even and positive, those of tracks odd and positive, those of tracks that came
    back after another one went on for them negative: numbers of different kinds never meet.

    Args:
        identities: track ids to identities' numbers (from 1), such as a gallery's; tracks that are not in it
            are objects of their own.
        handover: seconds within which a track that begins can go on for one that ended; 0 for never.
        memory: seconds unseen after which a track is forgotten.
    """

    def __init__(
        self, identities: Mapping[int, int] | None = None, *, handover: float = 0.5, memory: float = 30.0
    ) -> None:
        self._identities = dict(identities or {})
        self._handover, self._memory = handover, memory
        self._known: dict[int, _Last] = {}
        self._succeeded: dict[int, float] = {}  # track id to when it was seen last before another one went on
        self.handed_over = 0

    def assign(self, rows: Observations) -> NDArray[np.int64]:
        """The objects ``(N,)`` of rows later than all before; whole frames only."""
        labels = np.zeros(len(rows), np.int64)
        if not len(rows):
            return labels
        order = np.argsort(rows.ids, kind="stable")
        ids, first = np.unique(rows.ids[order], return_index=True)
        places = dict(zip(ids.tolist(), np.split(order, first[1:]), strict=True))
        births: list[tuple[int, int]] = []
        for track_id, mine in places.items():
            last = self._known.get(track_id)
            if last is None:
                labels[mine] = self._own(track_id)
                births.append((int(mine[0]), track_id))
            else:
                came_back = self._succeeded.pop(track_id, None) is not None
                labels[mine] = _returned(rows, int(mine[0])) if came_back else last.label
            since = np.diff(rows.times[mine], prepend=rows.times[mine[0]] if last is None else last.time)
            births += [(int(mine[at]), track_id) for at in np.flatnonzero(since > self._memory)]
        for row, track_id in sorted(births):  # rows ascend with time
            mine = places[track_id][places[track_id] >= row]
            labels[mine] = self._own(track_id)
            if self._handover and track_id not in self._identities:
                self._go_on(rows, places, labels, row, mine)
        self._remember(rows, places, labels)
        return labels

    def _own(self, track_id: int) -> int:
        known = self._identities.get(track_id)
        return 2 * track_id + 1 if known is None else 2 * known

    def _go_on(
        self,
        rows: Observations,
        places: Mapping[int, NDArray[np.intp]],
        labels: NDArray[np.int64],
        row: int,
        mine: NDArray[np.intp],
    ) -> None:
        """Lets the track that begins in ``row`` go on for the nearest one that just ended."""
        time, frame = float(rows.times[row]), int(rows.frames[row])
        start, end = np.searchsorted(rows.frames, [frame, frame + 1]).tolist()
        since = int(np.searchsorted(rows.times, time - self._handover))
        ended = {key: last for key, last in self._known.items() if time - self._handover <= last.time < time}
        for place, track_id in enumerate(rows.ids[since:start].tolist(), start=since):
            ended[track_id] = _Last(float(rows.times[place]), rows.xyxy[place], int(labels[place]))
        present = set(rows.ids[start:end].tolist())
        best, nearest = 0, np.inf
        for track_id, last in ended.items():
            if track_id in present or track_id in self._identities:
                continue
            if self._succeeded.get(track_id) == last.time:
                continue
            distance = _distance(last.box, rows.xyxy[row])
            if distance <= _REACH + _STRIDE * (time - last.time) and distance < nearest:
                best, nearest = track_id, distance
        if not best:
            return
        labels[mine] = ended[best].label
        self.handed_over += 1
        later = places.get(best, np.zeros(0, np.intp))
        later = later[later >= end]
        if len(later):
            labels[later] = _returned(rows, int(later[0]))
        else:
            self._succeeded[best] = ended[best].time

    def _remember(
        self, rows: Observations, places: Mapping[int, NDArray[np.intp]], labels: NDArray[np.int64]
    ) -> None:
        for track_id, mine in places.items():
            last = int(mine[-1])
            self._known[track_id] = _Last(float(rows.times[last]), rows.xyxy[last], int(labels[last]))
        now = float(rows.times[-1])
        for track_id in [key for key, last in self._known.items() if now - last.time > self._memory]:
            del self._known[track_id]
            self._succeeded.pop(track_id, None)


def _returned(rows: Observations, row: int) -> int:
    """The object of a track that came back after another one went on for it: told by when and which."""
    return -int((rows.frames[row] << 24) + rows.ids[row] % (1 << 24))


def _distance(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Distance of two boxes in mean heights: across by middles, down by head or foot, whichever is more.

    Infinite where the sizes differ too much for one person a moment later.
    """
    heights = before[3] - before[1], after[3] - after[1]
    if min(heights) < _SAME_HEIGHT * max(heights):
        return float("inf")
    across = abs(before[0] + before[2] - after[0] - after[2]) / 2
    down = max(abs(before[1] - after[1]), abs(before[3] - after[3]))
    return float(np.hypot(across, down) / (sum(heights) / 2))
