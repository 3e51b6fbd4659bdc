"""Events: what happened at lines and in zones, one record each, with an id by which repeats are known."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Event"]


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: ``cross`` (a line), ``enter`` and ``leave`` (a zone).
        place: the line's or zone's name.
        frame: number of the frame at which it was certain; of ``leave``, of the last one inside where the
            track was lost.
        time: seconds of that frame.
        track: id of the track.
        object: number of the object, which several tracks can be; it counts once.
        class_id: the track's class.
        x: of the point that counts, pixels.
        y: of the same.
        direction: of ``cross``: the line's name for it, ``in`` or ``out`` by default.
        dwell: of ``leave``: seconds inside.
        reason: of ``leave``: ``left``, ``lost`` (not seen any more) or ``end`` (still inside at the end).
        source: which video or camera.
        run: tells the runs of a live source apart, whose frame numbers begin anew.
    """

    kind: str
    place: str
    frame: int
    time: float
    track: int
    object: int
    class_id: int
    x: float
    y: float
    direction: str | None = None
    dwell: float | None = None
    reason: str | None = None
    source: str = ""
    run: str = ""

    @property
    def id(self) -> str:
        """The same for the same thing in the same run's results, however often it is computed or sent."""
        parts = (self.source, self.run, self.kind, self.place, self.direction, self.frame, self.track)
        return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it, without what does not apply; times to milliseconds, points to 0.1 pixels."""
        record = {"id": self.id} | {key: value for key, value in asdict(self).items() if value is not None}
        record["time"] = round(self.time, 3)
        record["x"], record["y"] = round(self.x, 1), round(self.y, 1)
        if not self.run:
            del record["run"]
        if self.dwell is not None:
            record["dwell"] = round(self.dwell, 3)
        return record
