"""Which records cannot be one person: who is in two places at once; arrays only."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mot_reid.typing import Floats, Indices, Mask

__all__ = ["Travel", "TravelTimes", "absences", "overlapping", "seen_together", "too_fast"]


@dataclass(frozen=True)
class Travel:
    """How long the way between two cameras takes, seconds.

    Attributes:
        least: nobody is faster.
        overlap: whether one place is in both pictures, so that somebody can be in both at once.
    """

    least: float = 0.0
    overlap: bool = False


@dataclass(frozen=True)
class TravelTimes:
    """What is known of the ways between cameras.

    Attributes:
        between: by the two cameras' names, which are in order; pairs left out are not known.
        synchronised: clocks of sources without a known start run from 0 together.
        tolerance: seconds by which clocks may be off.
        homographies: ``(3, 3)`` by camera, from its picture, pixels, to a ground that all share, metres.
        apart: metres up to which two places on that ground can be one person's.
        groups: a name by camera; nobody is in cameras of two groups. Cameras left out are a group, too.
    """

    between: Mapping[tuple[str, str], Travel] = field(default_factory=dict)
    synchronised: bool = False
    tolerance: float = 2.0
    homographies: Mapping[str, Floats] = field(default_factory=dict)
    apart: float = 1.5
    groups: Mapping[str, str] = field(default_factory=dict)

    @property
    def cameras(self) -> set[str]:
        """All cameras of which something is known."""
        return {name for pair in self.between for name in pair} | {*self.homographies} | {*self.groups}

    def start_of(self, epoch: Floats) -> Floats:
        """Seconds ``(N,)`` on one clock at each source's start; NaN where that is not known."""
        return np.where(np.isfinite(epoch), epoch, 0.0 if self.synchronised else np.nan)


_COMMON = 0.5  # seconds
_CELLS = 2**20  # pairs of records of two cameras that are looked at together


def absences(times: Floats) -> Floats:
    """When somebody was out of sight between his first box and his last one, ``(G, 2)`` seconds.

    A track that was lost and found again has a gap, in which another one may have been on its person.

    Args:
        times: ``(P,)`` seconds of a record's boxes, ascending, thinned out evenly: neighbours lie up to twice
            as far apart as usual.
    """
    steps = np.diff(times)
    if len(steps) < 2:
        return np.zeros((0, 2))
    gone = np.flatnonzero(steps > 2 * np.median(steps) + _COMMON)
    return np.column_stack([times[gone], times[gone + 1]])


def seen_together(pairs: Indices, start: Floats, end: Floats, gone: Mapping[int, Floats]) -> Mask:
    """Whether pairs ``(P, 2)`` of records that overlap in time are in sight together for long enough.

    Args:
        pairs: row numbers.
        start: ``(N,)`` seconds.
        end: ``(N,)`` seconds.
        gone: `absences` by row; rows left out have none.
    """
    found = np.ones(len(pairs), bool)
    for place, (one, other) in enumerate(pairs.tolist()):
        away = [gone[row] for row in (one, other) if row in gone]
        if away:
            low, high = max(start[one], start[other]), min(end[one], end[other])
            common, last = high - low, low
            for first, until in sorted(np.concatenate(away).clip(low, high).tolist()):
                common -= max(until - max(first, last), 0.0)
                last = max(last, until)
            found[place] = common > _COMMON
    return found


def overlapping(
    sources: NDArray[np.object_], start: Floats, end: Floats, tolerance: float = _COMMON
) -> Indices:
    """Pairs of records of one source that are seen at the same time: two people, whatever they look like.

    Args:
        sources: ``(N,)`` what was tracked; times of two sources are not compared.
        start: ``(N,)`` seconds.
        end: ``(N,)`` seconds.
        tolerance: a common time up to this is allowed: one track can end a little after its successor began.

    Returns:
        ``(P, 2)`` row numbers, the smaller first.
    """
    found: list[Indices] = []
    _, number = np.unique(sources.astype(str), return_inverse=True)
    order = np.lexsort((start, number))
    begins, ends, kinds = start[order], end[order], number[order]
    # A common time longer than the tolerance: the later one begins before the earlier one's end less that.
    bounds = np.searchsorted(kinds, np.arange(kinds.max(initial=-1) + 2))
    for first, last in itertools.pairwise(bounds.tolist()):
        own = begins[first:last]
        until = np.searchsorted(own, ends[first:last] - tolerance, side="left")
        for place in np.flatnonzero(until > np.arange(1, last - first + 1)).tolist():
            later = np.arange(first + place + 1, first + until[place])
            later = later[np.minimum(ends[later], ends[first + place]) - begins[later] > tolerance]
            if later.size:
                pair = np.column_stack([np.full(len(later), order[first + place]), order[later]])
                found.append(np.sort(pair, axis=1))
    return np.concatenate(found) if found else np.zeros((0, 2), np.intp)


def too_fast(
    cameras: NDArray[np.object_], start: Floats, end: Floats, epoch: Floats, times: TravelTimes
) -> Indices:
    """Pairs of records of two cameras between which nobody can have gone in the time there was.

    Args:
        cameras: ``(N,)`` names.
        start: ``(N,)`` seconds from the source's start.
        end: ``(N,)`` seconds.
        epoch: ``(N,)`` seconds since 1970 at the source's start, or NaN.
        times: what is known.

    Returns:
        ``(P, 2)`` row numbers, the smaller first.
    """
    base = times.start_of(epoch)
    found = []
    for (one, other), travel in times.between.items():
        if travel.overlap:
            continue
        b = np.flatnonzero(cameras == other)
        begin, until = base[b] + start[b], base[b] + end[b]
        for a in _blocks(np.flatnonzero(cameras == one), max(_CELLS // max(len(b), 1), 1)):
            gap = np.maximum(
                begin[None] - (base[a] + end[a])[:, None],
                (base[a] + start[a])[:, None] - until[None],
            )
            with np.errstate(invalid="ignore"):
                barred = gap + times.tolerance < travel.least
            rows, columns = np.nonzero(barred)
            found.append(np.sort(np.column_stack([a[rows], b[columns]]), axis=1))
    return np.concatenate(found) if found else np.zeros((0, 2), np.intp)


def _blocks(rows: Indices, most: int) -> Iterator[Indices]:
    """The rows, at most so many at a time."""
    return (rows[first : first + most] for first in range(0, len(rows), most))
