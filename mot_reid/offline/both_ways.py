"""Tracks followed forward and backward in time: who is who is sure where neither way contradicts.

Where an association errs forward it errs elsewhere backward, for what it knows when two people part is what
it did not know when they met. Where the two disagree neither is believed, and linking decides.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from mot_reid.offline.linking import Links, cheapest_links, joined
from mot_reid.offline.rows import TrackRows, track_starts
from mot_reid.typing import Ints, Mask

__all__ = ["agreed_tracks", "between_ways", "named_as"]

_LEAST_BOTH = 0.2  # share of a track's rows that both ways must have
_LEAST_END = 0.7  # share of the usual score with which a track begins and ends


def agreed_tracks(forward: TrackRows, backward: TrackRows) -> TrackRows:
    """Tracks made of those steps from detection to detection that neither way contradicts.

    A way contradicts a step where it has both detections, under two ids. The steps that most ways take are
    chosen so that each detection has one before it and one after it at most. A track made of them is cut to
    where it begins and ends with a good score, and is left out if hardly more than one way has seen it.

    Args:
        forward: tracks of the way forward in time; rows without a detection are left out.
        backward: those of the way back, likewise.

    Returns:
        Rows of either way. A track has the id that most of its rows have forward, unless another one has more
        of them; then one that is new.
    """
    ways = [rows[rows.detection_index >= 0] for rows in (forward, backward)]
    if not len(ways[0]) or not len(ways[1]):
        return ways[0]
    width = _width(*ways)
    keys = [_keys(rows, width) for rows in ways]
    nodes, first = np.unique(np.concatenate(keys), return_index=True)
    ids, steps = np.full((2, len(nodes)), -1, np.int64), []
    for way, (rows, key) in enumerate(zip(ways, keys, strict=True)):
        place = np.searchsorted(nodes, key)
        ids[way, place] = rows.ids
        goes_on = rows.ids[1:] == rows.ids[:-1]
        steps.append(np.column_stack([place[:-1][goes_on], place[1:][goes_on]]))
    before, after = np.unique(np.concatenate(steps), axis=0).T
    known = (ids[:, before] >= 0) & (ids[:, after] >= 0)
    same = ids[:, before] == ids[:, after]
    votes = (known & same).sum(axis=0) - (known & ~same).sum(axis=0)
    chosen = cheapest_links(Links(before, after, -votes.astype(np.float64)), 0.0)
    places = np.arange(len(nodes))
    tracks = joined(places, places, chosen)
    columns = {
        field.name: np.concatenate([getattr(rows, field.name) for rows in ways])[first]
        for field in fields(TrackRows)
    }
    rows = TrackRows(**(columns | {"ids": _own_ids(ids[0], tracks)}))
    both = (ids.min(axis=0) >= 0)[np.searchsorted(nodes, _keys(rows, width))]
    rows = rows[_often(rows.ids, both)]
    return rows[_between_good(rows)]


def between_ways(rows: TrackRows, backward: TrackRows) -> TrackRows:
    """Puts boxes halfway between those of both ways.

    A tracker's box of a noisy detector is drawn to where the track was expected: forward it lags behind, on
    the way back it runs ahead (the two filters of Fraser and Potter 1969).

    Args:
        rows: tracks of the way forward.
        backward: those of the way back.

    Returns:
        The same rows; those whose detection the way back has not seen have their own boxes.
    """
    place, known = _places(rows, backward)
    xyxy = rows.xyxy.copy()
    xyxy[known] = (xyxy[known] + backward.xyxy[place[known]]) / 2
    return replace(rows, xyxy=xyxy)


def named_as(rows: TrackRows, named: TrackRows) -> TrackRows:
    """Gives rows the tracks that others put their detections into.

    Args:
        rows: tracks with their gaps filled.
        named: rows of some of the same detections, under other ids.

    Returns:
        The rows, in tracks as ``named`` has them. A row that ``named`` does not have gets the track of the
        nearest row of its own track, and is left out if that track is in its frame already. A gap whose sides
        have become two tracks is not filled. Each new track has the id that most of its rows had, unless
        another one has more of them.
    """
    if not len(rows) or not len(named):
        return rows
    seen = np.flatnonzero(~rows.interpolated)
    label, known = _labels(rows[seen], named)
    labels, rank = np.empty(len(rows), np.int64), np.full(len(rows), 2)
    labels[seen], rank[seen] = label, np.where(known, 0, 1)
    put_in = np.flatnonzero(rows.interpolated)
    following = np.searchsorted(seen, put_in)
    labels[put_in] = label[following - 1]
    kept = np.ones(len(rows), bool)
    kept[put_in] = label[following - 1] == label[following]
    order = np.lexsort((rank, ~kept, rows.frames, labels))
    twice = (np.diff(labels[order]) == 0) & (np.diff(rows.frames[order]) == 0)
    kept[order[1:][twice]] = False
    return replace(rows[kept], ids=_own_ids(rows.ids[kept], labels[kept]))


def _width(*ways: TrackRows) -> int:
    """More than any detection's index."""
    return 1 + max(int(rows.detection_index.max(initial=0)) for rows in ways)


def _keys(rows: TrackRows, width: int) -> Ints:
    """A number ``(N,)`` for each detection, in the order of time."""
    return rows.frames * width + rows.detection_index


def _places(rows: TrackRows, others: TrackRows) -> tuple[Ints, Mask]:
    """The row ``(N,)`` of others with the same detection, and whether there is one."""
    if not len(others):
        return np.zeros(len(rows), np.int64), np.zeros(len(rows), bool)
    width = _width(rows, others)
    key, keys = _keys(rows, width), _keys(others, width)
    order = np.argsort(keys)
    place = order[np.searchsorted(keys[order], key).clip(max=len(keys) - 1)]
    return place, (keys[place] == key) & (rows.detection_index >= 0)


def _often(ids: Ints, both: Mask) -> Mask:
    """The rows ``(N,)`` of tracks that both ways have often enough."""
    starts = track_starts(ids)
    lengths = np.diff(np.append(starts, len(ids)))
    kept = np.add.reduceat(both, starts, dtype=np.int64) >= _LEAST_BOTH * lengths
    return np.repeat(kept, lengths)


def _between_good(rows: TrackRows) -> Mask:
    """The rows ``(N,)`` from the first of a good score in their track to the last."""
    squares = rows.scores.astype(np.float64) ** 2
    usual = squares @ rows.scores / max(squares.sum(), 1e-9)
    good = rows.scores >= _LEAST_END * usual
    starts = track_starts(rows.ids)
    lengths = np.diff(np.append(starts, len(rows)))
    until = np.cumsum(good)
    so_far = until - np.repeat(until[starts] - good[starts], lengths)
    total = np.repeat(np.add.reduceat(good, starts, dtype=np.int64), lengths)
    return (so_far > 0) & (so_far - good < total)


def _labels(rows: TrackRows, named: TrackRows) -> tuple[Ints, Mask]:
    """The track ``(N,)`` of each row among ``named``, and whether it is there itself.

    Others go with the nearest in time of their own track; where none is there the track has a label of its
    own, below 0.
    """
    place, known = _places(rows, named)
    label, index = np.where(known, named.ids[place], -1 - rows.ids), np.arange(len(rows))
    last = np.maximum.accumulate(np.where(known, index, -1))
    following = np.minimum.accumulate(np.where(known, index, len(rows))[::-1])[::-1]
    has_last = (last >= 0) & (rows.ids[last] == rows.ids)
    has_following = (following < len(rows)) & (rows.ids[following.clip(max=len(rows) - 1)] == rows.ids)
    following = following.clip(max=len(rows) - 1)
    nearer = rows.frames - rows.frames[last] <= rows.frames[following] - rows.frames
    by_last = has_last & (nearer | ~has_following)
    return np.where(by_last, label[last], np.where(has_following, label[following], label)), known


def _own_ids(before: Ints, label: Ints) -> Ints:
    """Ids ``(N,)`` of the tracks ``label``: of those that their rows had, new ones where there are too few.

    ``before`` is below 0 for rows that had none.
    """
    tracks, track = np.unique(label, return_inverse=True)
    had = before >= 0
    pairs, counts = np.unique(np.column_stack([track, before])[had], axis=0, return_counts=True)
    ids, taken = np.full(len(tracks), -1, np.int64), set[int]()
    for number, name in pairs[np.argsort(-counts, kind="stable")].tolist():
        if ids[number] < 0 and name not in taken:
            ids[number] = name
            taken.add(name)
    new = np.flatnonzero(ids < 0)
    ids[new] = before.max(initial=0) + 1 + np.arange(len(new))
    return ids[track]
