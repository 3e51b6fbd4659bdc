"""Where records of several cameras stood, at moments that all share; arrays only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mot_reid.typing import Floats, Floats32, Indices, Ints, Mask

__all__ = ["STEP", "Moments", "Together", "moments_of", "together"]


STEP = 0.5
"""Seconds between the moments that are compared."""

_NEAR = 0.5  # seconds from a moment to the nearest box that is known
_TICKS = 1 << 40  # more than there are half seconds in any clock


@dataclass(frozen=True, eq=False)
class Moments:
    """Where records stood, at moments that all share.

    Attributes:
        keys: ``(M,)`` int64, ascending: the record's row and the moment, as `_key` joins them.
        feet: ``(M, 2)`` pixels, the middle of the box's lower edge.
        heights: ``(M,)`` pixels, of the box.
    """

    keys: Ints
    feet: Floats
    heights: Floats


@dataclass(frozen=True, eq=False)
class Together:
    """Moments in which both records of pairs are in sight.

    Attributes:
        pair: ``(C,)`` number of the pair, ascending.
        feet: ``(C, 2)`` where the first record's person stands in its picture, pixels.
        others: ``(C, 2)`` where the second's does.
        heights: ``(C,)`` pixels, of the first's boxes.
        other_heights: ``(C,)`` of the second's.
        number: ``(P,)`` how many moments each pair has.
    """

    pair: Indices
    feet: Floats
    others: Floats
    heights: Floats
    other_heights: Floats
    number: Indices

    def __getitem__(self, rows: Mask | Indices) -> Together:
        """Some of the moments; ``number`` stays."""
        names = ("pair", "feet", "others", "heights", "other_heights")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def moments_of(paths: Sequence[Floats32], base: Floats) -> Moments:
    """Where records stood at each half second.

    Args:
        paths: ``(P, 6)`` of each record, see `mot_reid.gallery.records.Tracklet.path`.
        base: ``(N,)`` seconds on one clock at each source's start; records where it is NaN have no moment.
    """
    keys, feet, heights = [], [], []
    for row, path in enumerate(paths):
        if not len(path) or not np.isfinite(base[row]):
            continue
        times = base[row] + path[:, 1].astype(np.float64)
        ticks = np.arange(np.ceil(times[0] / STEP - 0.5), np.floor(times[-1] / STEP + 0.5) + 1)
        moments = ticks * STEP
        after = np.clip(np.searchsorted(times, moments), 0, len(times) - 1)
        before = np.maximum(after - 1, 0)
        near = np.minimum(np.abs(times[after] - moments), np.abs(moments - times[before])) <= _NEAR
        boxes = path[:, 2:].astype(np.float64)
        x1, y1, x2, y2 = (np.interp(moments[near], times, boxes[:, column]) for column in range(4))
        keys.append(_key(np.full(int(near.sum()), row), ticks[near].astype(np.int64)))
        feet.append(np.column_stack([(x1 + x2) / 2, y2]))
        heights.append(np.maximum(y2 - y1, 1.0))
    if not keys:
        return Moments(np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros(0))
    return Moments(np.concatenate(keys), np.concatenate(feet), np.concatenate(heights))


def _key(rows: Indices, ticks: Ints) -> Ints:
    return rows.astype(np.int64) * _TICKS + ticks


def together(moments: Moments, first: Indices, second: Indices, late: int = 0) -> Together:
    """The moments in which both of two records are in sight.

    Args:
        moments: of all records.
        first: ``(P,)`` one record of each pair.
        second: ``(P,)`` the other.
        late: moments by which the clock of the second ones is ahead.
    """
    if not len(moments.keys):
        nothing = np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0), np.zeros(0)
        return Together(np.zeros(0, np.intp), *nothing, np.zeros(len(first), np.intp))
    low = np.searchsorted(moments.keys, _key(first, np.zeros(len(first), np.int64)))
    counts = np.searchsorted(moments.keys, _key(first + 1, np.zeros(len(first), np.int64))) - low
    pair = np.repeat(np.arange(len(first)), counts)
    here = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + low[pair]
    wanted = _key(second[pair], moments.keys[here] % _TICKS + late)
    there = np.minimum(np.searchsorted(moments.keys, wanted), len(moments.keys) - 1)
    both = moments.keys[there] == wanted
    pair, here, there = pair[both], here[both], there[both]
    return Together(
        pair,
        moments.feet[here],
        moments.feet[there],
        moments.heights[here],
        moments.heights[there],
        np.bincount(pair, minlength=len(first)),
    )
