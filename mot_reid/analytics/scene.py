"""What is looked at: lines, zones, queues, the ground, as values that are checked when they are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mot_reid.analytics.geometry import self_intersects

__all__ = ["POINTS", "Ground", "Line", "Point", "Queue", "Scene", "Zone"]

Point: TypeAlias = tuple[float, float]

POINTS: dict[str, Point] = {
    "foot": (0.5, 1.0),
    "center": (0.5, 0.5),
    "head": (0.5, 0.0),
    "left": (0.0, 0.5),
    "right": (1.0, 0.5),
    "top_left": (0.0, 0.0),
    "top_right": (1.0, 0.0),
    "bottom_left": (0.0, 1.0),
    "bottom_right": (1.0, 1.0),
}
"""Names of the points of a box: shares of its width and height from the upper left corner."""


@dataclass(frozen=True)
class Line:
    """A segment at which crossings are counted.

    Attributes:
        name: of the line.
        start: ``(x, y)`` pixels.
        end: ``(x, y)`` pixels.
        point: which point of the box counts, shares of its width and height; the foot by default.
        margin: hysteresis, in heights of the box: so far must the point be beyond the line to be there.
        directions: names for crossing from the left-hand to the right-hand side of who looks from start to
            end on the screen, and for the other way.
        classes: class numbers that count; empty for all.
    """

    name: str
    start: Point
    end: Point
    point: Point = POINTS["foot"]
    margin: float = 0.05
    directions: tuple[str, str] = ("in", "out")
    classes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError(f"line {self.name}: from and to are the same point")
        _at_least("line", self.name, "margin", self.margin, 0)
        if self.directions[0] == self.directions[1]:
            raise ValueError(f"line {self.name}: both directions are named {self.directions[0]!r}")


@dataclass(frozen=True)
class Zone:
    """An area, a polygon, whose visitors are counted and timed.

    Attributes:
        name: of the zone.
        polygon: three corners or more, ``(x, y)`` pixels, in order.
        points: which points of the box count, shares of its width and height; the foot by default.
        need: whether ``all`` of the points must be inside, or ``any``.
        margin: hysteresis, in heights of the box: who is inside stays so until he is that far outside.
        patience: seconds unseen after which somebody inside counts as gone.
        min_dwell: seconds inside from which on somebody counts as a visitor; who passes through sooner does
            not.
        classes: class numbers that count; empty for all.
    """

    name: str
    polygon: tuple[Point, ...]
    points: tuple[Point, ...] = (POINTS["foot"],)
    need: str = "all"
    margin: float = 0.05
    patience: float = 2.0
    min_dwell: float = 0.0
    classes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        corners = np.array(self.polygon, np.float64).reshape(-1, 2)
        if len({tuple(corner) for corner in self.polygon}) < 3:
            raise ValueError(f"zone {self.name}: polygon: expected at least three different corners")
        if self_intersects(corners):
            raise ValueError(f"zone {self.name}: polygon: its edges cross each other")
        if self.need not in ("all", "any"):
            raise ValueError(f"zone {self.name}: need: expected all or any, got {self.need!r}")
        for name in ("margin", "patience", "min_dwell"):
            _at_least("zone", self.name, name, getattr(self, name), 0)


@dataclass(frozen=True)
class Queue:
    """People who wait in a zone until they are served.

    Attributes:
        name: of the queue.
        zone: name of the zone in which they wait.
        served_by: name of the line that who is served crosses, or of the zone he enters; empty where leaving
            is enough.
        min_wait: seconds from which on somebody waits, and does not pass through.
        within: most seconds between leaving the zone and being served.
    """

    name: str
    zone: str
    served_by: str = ""
    min_wait: float = 3.0
    within: float = 5.0

    def __post_init__(self) -> None:
        for name in ("min_wait", "within"):
            _at_least("queue", self.name, name, getattr(self, name), 0)


@dataclass(frozen=True, eq=False)
class Ground:
    """The ground plane: where pixels are, in metres.

    Attributes:
        homography: ``(3, 3)``, pixels to metres, its third coordinate positive on the ground in view.
    """

    homography: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.homography.shape != (3, 3) or not np.isfinite(self.homography).all():
            raise ValueError("ground: homography: expected three rows of three finite numbers")
        if abs(np.linalg.det(self.homography)) < 1e-15:
            raise ValueError("ground: homography: it cannot be inverted")


@dataclass(frozen=True)
class Scene:
    """All that is looked at in one camera's picture.

    Attributes:
        lines: by name.
        zones: by name.
        queues: by name.
        ground: or None, where speeds are in pixels.
        size: width and height of the picture that the coordinates are for, pixels; None for any.
        relative: coordinates are shares of the picture's width and height, not pixels.
        interval: seconds of one row of the counts over time.
        cell: side of a heat map's cell, pixels.
        handover: seconds within which a track that begins can go on for one that ended.
        memory: seconds unseen after which a track is forgotten.
    """

    lines: Mapping[str, Line] = field(default_factory=dict)
    zones: Mapping[str, Zone] = field(default_factory=dict)
    queues: Mapping[str, Queue] = field(default_factory=dict)
    ground: Ground | None = None
    size: tuple[int, int] | None = None
    relative: bool = False
    interval: float = 60.0
    cell: int = 16
    handover: float = 0.5
    memory: float = 30.0

    def __post_init__(self) -> None:
        for queue in self.queues.values():
            if queue.zone not in self.zones:
                raise ValueError(f"queue {queue.name}: zone: there is no zone {queue.zone!r}")
            if queue.served_by and queue.served_by not in {*self.lines, *self.zones}:
                raise ValueError(
                    f"queue {queue.name}: served_by: there is no line or zone {queue.served_by!r}"
                )
            if queue.served_by == queue.zone:
                raise ValueError(
                    f"queue {queue.name}: served_by: {queue.zone!r} is where it waits; leave it out where "
                    "leaving is enough"
                )
        shared = set(self.lines) & set(self.zones)
        if shared:
            raise ValueError(f"{min(shared)!r} names a line and a zone; give one of them another name")
        if not self.interval > 0:
            raise ValueError(f"interval: expected seconds above 0, got {self.interval}")
        if self.cell < 1:
            raise ValueError(f"cell: expected at least 1 pixel, got {self.cell}")
        for name in ("handover", "memory"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}: expected seconds, 0 or more, got {getattr(self, name)}")
        for zone in self.zones.values():
            if zone.patience > self.memory:
                raise ValueError(f"zone {zone.name}: patience: expected no more than memory, {self.memory}")

    def for_size(self, width: int, height: int) -> Scene:
        """The scene in the pixels of a picture of this size, whatever size it was drawn for.

        Raises:
            ValueError: the shape of the picture is another one (by more than 1 %).
        """
        if self.relative:
            scale = (float(width), float(height))
        elif self.size is None or self.size == (width, height):
            return replace(self, size=(width, height))
        else:
            scale = (width / self.size[0], height / self.size[1])
            if abs(scale[0] / scale[1] - 1) > 0.01:
                raise ValueError(
                    f"size: the scene was drawn on {self.size[0]} x {self.size[1]} pixels, "
                    f"the video has {width} x {height}, another shape"
                )

        def scaled(point: Point) -> Point:
            return point[0] * scale[0], point[1] * scale[1]

        ground = self.ground
        if ground is not None:
            ground = Ground(ground.homography @ np.diag([1 / scale[0], 1 / scale[1], 1.0]))
        return replace(
            self,
            lines={k: replace(v, start=scaled(v.start), end=scaled(v.end)) for k, v in self.lines.items()},
            zones={k: replace(v, polygon=tuple(map(scaled, v.polygon))) for k, v in self.zones.items()},
            ground=ground,
            size=(width, height),
            relative=False,
        )

    def to_mapping(self) -> dict[str, Any]:
        """As YAML holds it; `reading.scene_from_mapping` reads it back."""
        mapping: dict[str, Any] = {"units": "relative" if self.relative else "pixels"}
        if self.size is not None:
            mapping["size"] = list(self.size)
        mapping["lines"] = {
            name: {"from": list(line.start), "to": list(line.end), "point": _point_name(line.point)}
            | {"margin": line.margin, "directions": list(line.directions), "classes": list(line.classes)}
            for name, line in self.lines.items()
        }
        mapping["zones"] = {
            name: {"polygon": [list(corner) for corner in zone.polygon]}
            | {"points": [_point_name(point) for point in zone.points], "need": zone.need}
            | {key: getattr(zone, key) for key in ("margin", "patience", "min_dwell")}
            | {"classes": list(zone.classes)}
            for name, zone in self.zones.items()
        }
        mapping["queues"] = {
            name: {key: getattr(queue, key) for key in ("zone", "served_by", "min_wait", "within")}
            for name, queue in self.queues.items()
        }
        if self.ground is not None:
            mapping["ground"] = {"homography": self.ground.homography.tolist()}
        return mapping | {key: getattr(self, key) for key in ("interval", "cell", "handover", "memory")}


def _point_name(point: Point) -> str | list[float]:
    return next((name for name, known in POINTS.items() if known == point), list(point))


def _at_least(kind: str, name: str, setting: str, value: float, low: float) -> None:
    if not value >= low:
        raise ValueError(f"{kind} {name}: {setting}: expected {low} or more, got {value}")
