"""Reading a scene as YAML or JSON holds it, with errors that name the entry."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from mot_reid.analytics.geometry import fit_homography
from mot_reid.analytics.scene import POINTS, Ground, Line, Point, Queue, Scene, Zone

__all__ = ["scene_from_mapping"]


def scene_from_mapping(mapping: Any, classes: Mapping[str, int] | None = None) -> Scene:
    """Reads a scene as YAML or JSON holds it.

    Args:
        mapping: with ``lines``, ``zones``, ``queues``, ``ground`` and the rest; all of it may be left out.
        classes: names of classes to their numbers, where entries name classes.

    Raises:
        ValueError: something is wrong; the message names the entry, what was expected and what came.
    """
    top = _mapping(mapping, "the scene")
    known = ("units", "size", "lines", "zones", "queues", "ground", "interval", "cell", "handover", "memory")
    _only(top, known, "the scene")
    units = top.get("units", "pixels")
    if units not in ("pixels", "relative"):
        raise ValueError(f"units: expected pixels or relative, got {units!r}")
    size = top.get("size")
    if size is not None:
        size = tuple(int(value) for value in _numbers(size, 2, "size"))
        if min(size) < 1:
            raise ValueError(f"size: expected width and height in pixels, got {list(size)}")
    options: dict[str, Any] = {
        key: _number(top[key], key) for key in ("interval", "handover", "memory") if key in top
    }
    if "cell" in top:
        options["cell"] = int(_number(top["cell"], "cell"))
    return Scene(
        lines={name: _line(name, entry, classes) for name, entry in _named(top, "lines")},
        zones={name: _zone(name, entry, classes) for name, entry in _named(top, "zones")},
        queues={name: _queue(name, entry) for name, entry in _named(top, "queues")},
        ground=_ground(top["ground"]) if top.get("ground") is not None else None,
        size=size,
        relative=units == "relative",
        **options,
    )


def _line(name: str, entry: Any, classes: Mapping[str, int] | None) -> Line:
    where = f"line {name}"
    values = _mapping(entry, where)
    _only(values, ("from", "to", "point", "margin", "directions", "classes"), where)
    options: dict[str, Any] = {}
    if "margin" in values:
        options["margin"] = _number(values["margin"], f"{where}: margin")
    if "directions" in values:
        names = values["directions"]
        if not isinstance(names, Sequence) or isinstance(names, str) or len(names) != 2:
            raise ValueError(f"{where}: directions: expected two names, got {names!r}")
        options["directions"] = (str(names[0]), str(names[1]))
    return Line(
        name,
        _pair(_needed(values, "from", where), f"{where}: from"),
        _pair(_needed(values, "to", where), f"{where}: to"),
        _box_point(values.get("point", "foot"), f"{where}: point"),
        classes=_classes(values.get("classes", ()), classes, where),
        **options,
    )


def _zone(name: str, entry: Any, classes: Mapping[str, int] | None) -> Zone:
    where = f"zone {name}"
    values = _mapping(entry, where)
    _only(values, tuple(item.name for item in fields(Zone) if item.name != "name"), where)
    polygon = _needed(values, "polygon", where)
    if not isinstance(polygon, Sequence) or isinstance(polygon, str) or _flat(polygon):
        raise ValueError(f"{where}: polygon: expected corners [[x, y], ...], got {polygon!r}")
    points = values.get("points", ["foot"])
    if isinstance(points, str) or not isinstance(points, Sequence) or not points:
        raise ValueError(f"{where}: points: expected a list such as [foot], got {points!r}")
    numbers = ("margin", "patience", "min_dwell")
    return Zone(
        name,
        tuple(_pair(corner, f"{where}: polygon") for corner in polygon),
        tuple(_box_point(point, f"{where}: points") for point in points),
        str(values.get("need", "all")),
        classes=_classes(values.get("classes", ()), classes, where),
        **{key: _number(values[key], f"{where}: {key}") for key in numbers if key in values},
    )


def _flat(polygon: Sequence[Any]) -> bool:
    """Whether numbers stand in a row where corners should, as other programs write them."""
    return any(isinstance(entry, int | float) for entry in polygon)


def _queue(name: str, entry: Any) -> Queue:
    where = f"queue {name}"
    values = _mapping(entry, where)
    _only(values, ("zone", "served_by", "min_wait", "within"), where)
    numbers = {
        key: _number(values[key], f"{where}: {key}") for key in ("min_wait", "within") if key in values
    }
    return Queue(name, str(_needed(values, "zone", where)), str(values.get("served_by") or ""), **numbers)


def _ground(entry: Any) -> Ground:
    values = _mapping(entry, "ground")
    _only(values, ("homography", "pixels", "metres"), "ground")
    if "homography" in values:
        rows = values["homography"]
        if not isinstance(rows, Sequence) or len(rows) != 3:
            raise ValueError("ground: homography: expected three rows of three numbers")
        return Ground(np.array([_numbers(row, 3, "ground: homography") for row in rows]))
    pixels = [_pair(p, "ground: pixels") for p in _needed(values, "pixels", "ground")]
    metres = [_pair(p, "ground: metres") for p in _needed(values, "metres", "ground")]
    try:
        return Ground(fit_homography(pixels, metres))
    except ValueError as error:
        raise ValueError(f"ground: {error}") from None


def _classes(value: Any, known: Mapping[str, int] | None, where: str) -> tuple[int, ...]:
    entries = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    numbers = []
    for entry in entries:
        if isinstance(entry, int) and not isinstance(entry, bool):
            numbers.append(entry)
        elif isinstance(entry, str) and known is not None and entry in known:
            numbers.append(known[entry])
        else:
            names = f"; known: {', '.join(known)}" if known else ""
            raise ValueError(f"{where}: classes: {entry!r} is no class{names}")
    return tuple(numbers)


def _box_point(value: Any, where: str) -> Point:
    if isinstance(value, str):
        if value not in POINTS:
            raise ValueError(
                f"{where}: expected one of {', '.join(POINTS)}, or [across, down], got {value!r}"
            )
        return POINTS[value]
    return _pair(value, where)


def _named(top: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    return [(str(name), entry) for name, entry in _mapping(top.get(key) or {}, key).items()]


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: expected names and values, got {type(value).__name__}")
    return value


def _only(values: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in values:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
            raise ValueError(f"{where}: {key} does not exist; {hint}")


def _needed(values: Mapping[str, Any], key: str, where: str) -> Any:
    if values.get(key) is None:
        raise ValueError(f"{where}: {key} is missing")
    return values[key]


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise ValueError(f"{where}: expected a finite number, got {value!r}")
    return float(value)


def _numbers(value: Any, length: int, where: str) -> list[float]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != length:
        raise ValueError(f"{where}: expected {length} numbers, got {value!r}")
    return [_number(entry, where) for entry in value]


def _pair(value: Any, where: str) -> Point:
    x, y = _numbers(value, 2, where)
    return x, y
