"""Which records a search may find: by camera, time and class."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mot_reid.gallery.records import parse_track
from mot_reid.gallery.store import GalleryError, RecordTable
from mot_reid.typing import Indices, Mask

__all__ = ["CLOCK", "Filter", "records_named", "require_cameras", "require_findable", "rows_of_track"]

CLOCK = 1e8
"""Times from here on are seconds since 1970, below it seconds from a source's start."""


@dataclass(frozen=True)
class Filter:
    """Which records may be found; what is None is not asked for.

    Attributes:
        cameras: names of cameras.
        after: seconds from the source's start, or since 1970 from `CLOCK` on, at which a tracklet must still
            have been seen. Records whose clock is not known lie in no time since 1970.
        before: likewise the time at which it must have been seen already.
        class_id: class number.
        without: names of records that may not be found.
    """

    cameras: Sequence[str] | None = None
    after: float | None = None
    before: float | None = None
    class_id: int | None = None
    without: Sequence[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.cameras, str):
            raise TypeError(f"cameras: expected names in a list, [{self.cameras!r}], got {self.cameras!r}")
        for name, value in (("after", self.after), ("before", self.before)):
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{name}: expected seconds, got {value}")

    @property
    def is_empty(self) -> bool:
        """Whether everything may be found."""
        asked = (self.cameras, self.after, self.before, self.class_id)
        return all(value is None for value in asked) and not self.without

    def mask(self, table: RecordTable) -> Mask:
        """Which rows of a table may be found, ``(N,)``."""
        allowed = np.ones(len(table), bool)
        if self.cameras is not None:
            allowed &= np.isin(table.camera.astype(str), list(self.cameras))
        with np.errstate(invalid="ignore"):
            if self.after is not None:
                allowed &= table.end + (table.epoch if self.after >= CLOCK else 0) >= self.after
            if self.before is not None:
                allowed &= table.start + (table.epoch if self.before >= CLOCK else 0) <= self.before
        if self.class_id is not None:
            allowed &= table.class_id == self.class_id
        if self.without:
            allowed &= ~np.isin(table.record.astype(str), list(self.without))
        return allowed

    def sql(self) -> str:
        """The same as a condition in SQL, for LanceDB; empty where everything may be found."""
        parts = []
        if self.cameras is not None:
            parts.append(f"camera IN ({_listed(self.cameras)})" if self.cameras else "false")
        if self.after is not None:
            parts.append(_time('"end"', self.after, ">="))
        if self.before is not None:
            parts.append(_time("start", self.before, "<="))
        if self.class_id is not None:
            parts.append(f"class_id = {int(self.class_id)}")
        if self.without:
            parts.append(f"record NOT IN ({_listed(self.without)})")
        return " AND ".join(parts)


def _listed(names: Sequence[str]) -> str:
    return ", ".join("'" + name.replace("'", "''") + "'" for name in names)


def _time(column: str, value: float, relation: str) -> str:
    column = column.replace('"', "`")
    if value >= CLOCK:
        return f"(epoch IS NOT NULL AND NOT isnan(epoch) AND epoch + {column} {relation} {value!r})"
    return f"{column} {relation} {value!r}"


def records_named(table: RecordTable, names: Sequence[str], place: str) -> list[str]:
    """Names of records; of a track, such as ``"door:17"``, those of its records.

    Args:
        table: all records.
        names: of records or tracks; a single one may stand by itself.
        place: of the gallery, for the message.

    Raises:
        ValueError: a track's name is none.
        GalleryError: there is no such track, or several runs have it.
    """
    found, known = list[str](), set(table.record.tolist())
    for name in [names] if isinstance(names, str) else names:
        is_track = ":" in name and name not in known
        found += table.record[rows_of_track(table, name, place)].tolist() if is_track else [name]
    return found


def rows_of_track(table: RecordTable, label: str, place: str) -> Indices:
    """The rows that ``camera:track``, ``camera:track.part`` or either with ``@run`` behind it means.

    Args:
        table: all records.
        label: of the track.
        place: of the gallery, for the message.

    Raises:
        ValueError: the label is none.
        GalleryError: there is no such record, or several runs have one.
    """
    camera, track, part, run = parse_track(label)
    chosen = (table.camera == camera) & (table.track_id == track)
    if part is not None:
        chosen &= table.part == part
    if run:
        chosen &= np.array([name.startswith(run) for name in table.run.tolist()], bool)
    if not chosen.any():
        raise GalleryError(f"{place}: no track {label} in it ({_cameras(table)})")
    rows = np.flatnonzero(chosen)
    runs = dict(zip(table.run[rows].tolist(), rows.tolist(), strict=True))
    if len(runs) > 1:  # an id is one track within a run only
        plain = label.partition("@")[0] if run else label
        found = ", ".join(f"{plain}@{name} ({_seen(table, row)})" for name, row in runs.items())
        raise GalleryError(f"{place}: track {label}: {len(runs)} runs have one; say which: {found}")
    return rows


def require_cameras(table: RecordTable, names: Sequence[str], place: str) -> None:
    """Refuses names that no record's camera has.

    Args:
        table: all records.
        names: of cameras.
        place: of the gallery, for the message.

    Raises:
        GalleryError: there is no such camera.
    """
    if unknown := [name for name in names if name not in set(table.camera.tolist())]:
        raise GalleryError(f"{place}: no camera {unknown[0]} in it ({_cameras(table)})")


def require_findable(table: RecordTable, where: Filter | None, top: int, place: str) -> None:
    """Refuses to search for no hits at all, or where no record can be.

    Raises:
        ValueError: ``top`` is below 1.
        GalleryError: there is no such camera.
    """
    if top < 1:
        raise ValueError(f"top: expected at least 1, got {top}")
    if where is not None and where.cameras is not None:
        require_cameras(table, where.cameras, place)


def _cameras(table: RecordTable) -> str:
    return f"cameras: {', '.join(sorted(set(table.camera.tolist()))) or 'none'}"


def _seen(table: RecordTable, row: int) -> str:
    """When, or in what, a record was seen."""
    source, when = str(table.source[row]), float(table.epoch[row]) + float(table.start[row])
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when)) if np.isfinite(when) else source
