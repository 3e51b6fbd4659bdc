"""Linking: tracks of one person, broken by occlusions, joined over the whole sequence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mot_reid.config import OfflineConfig
from mot_reid.offline.camera_path import CameraPath, move_cxcywh
from mot_reid.offline.ends import Ends, find_ends
from mot_reid.offline.rows import TrackRows, track_starts
from mot_reid.typing import Floats, Indices, Ints, Mask

__all__ = ["Links", "cheapest_links", "joined", "link_tracks"]


_WINDOW = 0.3  # seconds from which velocity and height at an end are taken
_LEAST_WINDOW = 3  # frames
_DAMPING = 5.0  # square frames
_SPEED_LASTS = 1.0  # seconds after which a person no longer walks as before, on average
_POSITION_STD = 0.2  # heights by which a prediction misses at once,
_SPEED_STD = 0.2  # and heights a second by which it misses more with time
_SIZE_STD = 0.15  # of the logarithm of the ratio of heights
_TIME_COST = 0.5  # a second
_LOOKS_STD = 0.35  # cosine distance

_BLOCK = 200_000  # pairs looked at together


@dataclass(frozen=True)
class Links:
    """Candidate links: the end of one part, the start of a later one, and what the link costs.

    Attributes:
        ends: ``(L,)`` numbers of tracks that end.
        starts: ``(L,)`` numbers of those that start.
        costs: ``(L,)`` of each link.
    """

    ends: Ints
    starts: Ints
    costs: Floats

    def chosen(self, rows: Mask | Indices) -> Links:
        """Some of them, by a mask ``(L,)`` or by numbers."""
        return Links(self.ends[rows], self.starts[rows], self.costs[rows])


def link_tracks(
    rows: TrackRows,
    config: OfflineConfig | None = None,
    fps: float = 30.0,
    camera: CameraPath | None = None,
    embeddings: Mapping[int, NDArray[np.floating]] | None = None,
) -> TrackRows:
    """Joins the tracks that are parts of one person's.

    Of all pairs of an end and a later start that motion, size and time make plausible, those of least total
    cost are linked (Hungarian), again and again until none is left. Tracks are never cut, and those that
    share a frame are never joined.

    Args:
        rows: tracks.
        config: the ``link`` settings count.
        fps: frames a second.
        camera: how the camera moved; None for a camera that stands still.
        embeddings: mean appearance ``(D,)`` of tracks by id, L2-normalised; tracks may be left out.

    Returns:
        The same rows; tracks that are joined have the id of the earliest.
    """
    config, camera = config or OfflineConfig(), camera or CameraPath()
    if not len(rows) or not config.link_time:
        return rows
    embeddings, ids = embeddings or {}, rows.ids
    window = max(round(_WINDOW * fps), _LEAST_WINDOW)
    while True:
        view, tracks = replace(rows, ids=ids), rows.ids[np.lexsort((rows.frames, ids))]
        starts = track_starts(view.ids)
        first = find_ends(view, starts, "first", window, _DAMPING, camera)
        last = find_ends(view, starts, "last", window, _DAMPING, camera)
        pairs = _priced(view, tracks, first, last, config, fps, camera, embeddings)
        links = cheapest_links(pairs, config.link_cost)
        if not len(links.costs):
            return view
        ids = joined(ids, view.ids[starts], links)


def _priced(
    view: TrackRows,
    tracks: Ints,
    first: Ends,
    last: Ends,
    config: OfflineConfig,
    fps: float,
    camera: CameraPath,
    embeddings: Mapping[int, NDArray[np.floating]],
) -> Links:
    """The links that cost less than the limit; ``tracks`` ``(N,)`` are the ids before anything was joined."""
    found = []
    for pairs in _in_time(first, last, config.link_time * fps):
        a, b = last.rows[pairs.ends], first.rows[pairs.starts]
        costs = _motion_costs(first, last, pairs, fps, camera)
        costs += _looks_costs(tracks[a], tracks[b], embeddings)
        possible = (costs < config.link_cost) & (view.classes[a] == view.classes[b])
        found.append(replace(pairs, costs=costs).chosen(possible))
    return Links(
        np.concatenate([pairs.ends for pairs in found]),
        np.concatenate([pairs.starts for pairs in found]),
        np.concatenate([pairs.costs for pairs in found]),
    )


def _in_time(first: Ends, last: Ends, longest: float) -> Iterator[Links]:
    """Pairs of an end and a start after it with at most ``longest`` frames in between; costs are 0.

    They come in blocks: in a crowd there are more than fit into memory at once.
    """
    order = np.argsort(first.frames, kind="stable")
    begin = np.searchsorted(first.frames[order], last.frames, "right")
    stop = np.searchsorted(first.frames[order], last.frames + int(longest) + 1, "right")
    counts = stop - begin
    block = np.cumsum(counts) // _BLOCK
    for number in np.unique(block):
        chosen = np.flatnonzero(block == number)
        size = counts[chosen]
        within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        starts = order[np.repeat(begin[chosen], size) + within]
        yield Links(np.repeat(chosen, size), starts, np.zeros(len(starts)))


def _motion_costs(first: Ends, last: Ends, pairs: Links, fps: float, camera: CameraPath) -> Floats:
    """Squared misses of position and height, in standard deviations, and the time out of sight.

    The way between is walked at the velocity at the end, and back at that at the start; the larger miss
    counts. A velocity lasts for a while only.
    """
    a, b = pairs.ends, pairs.starts
    frames = (first.frames[b] - last.frames[a]).astype(np.float64)
    maps = camera.between(last.frames[a], first.frames[b])
    moved = move_cxcywh(np.column_stack([last.centres[a], last.heights[a], last.heights[a]]), maps)
    velocity = np.einsum("nij,nj->ni", maps[:, :2, :2], last.velocities[a])
    lasting = _SPEED_LASTS * fps * -np.expm1(-frames / (_SPEED_LASTS * fps))
    way = first.centres[b] - moved[:, :2]
    misses = [np.hypot(*(way - speed * lasting[:, None]).T) for speed in (velocity, first.velocities[b])]
    miss = np.maximum(*misses) / np.sqrt(moved[:, 3] * first.heights[b])
    seconds = frames / fps
    ratio = np.log(moved[:, 3] / first.heights[b])
    costs: Floats = (miss / (_POSITION_STD + _SPEED_STD * seconds)) ** 2 + (ratio / _SIZE_STD) ** 2
    return costs + _TIME_COST * seconds


def _looks_costs(ending: Ints, starting: Ints, embeddings: Mapping[int, NDArray[np.floating]]) -> Floats:
    """Squared cosine distances ``(P,)`` in standard deviations; 0 where a track has no embedding."""
    costs = np.zeros(len(ending))
    known = np.array(sorted(embeddings), np.int64)
    both = np.flatnonzero(np.isin(ending, known) & np.isin(starting, known))
    if both.size:
        table = np.stack([embeddings[track] for track in known.tolist()])
        a, b = (np.searchsorted(known, tracks[both]) for tracks in (ending, starting))
        costs[both] = ((1 - np.einsum("nd,nd->n", table[a], table[b])) / _LOOKS_STD) ** 2
    return costs


def cheapest_links(pairs: Links, limit: float) -> Links:
    """The one-to-one links with the least sum of (cost - limit), solved group by group of rivals."""
    pairs = pairs.chosen(pairs.costs < limit)
    if not len(pairs.costs):
        return pairs
    from scipy.optimize import linear_sum_assignment  # these take a moment to load: few runs need them
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends, a = np.unique(pairs.ends, return_inverse=True)
    starts, b = np.unique(pairs.starts, return_inverse=True)
    count = len(ends) + len(starts)
    graph = coo_array((np.ones(len(a)), (a, len(ends) + b)), shape=(count, count))
    group = connected_components(graph, directed=False)[1][a]
    alone = np.bincount(group)[group] == 1  # nobody disputes them
    contested = np.flatnonzero(~alone)
    order = contested[np.argsort(group[contested], kind="stable")]
    made = [np.flatnonzero(alone)]
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        rows, row = np.unique(a[members], return_inverse=True)
        columns, column = np.unique(b[members], return_inverse=True)
        gains = np.zeros((len(rows), len(columns)))
        gains[row, column] = pairs.costs[members] - limit
        number = np.full(gains.shape, -1)
        number[row, column] = members
        taken = number[linear_sum_assignment(gains)]
        made.append(taken[taken >= 0])
    return pairs.chosen(np.sort(np.concatenate(made)))


def joined(ids: Ints, names: Ints, links: Links) -> Ints:
    """Ids ``(N,)`` after linking: each track ``names`` ``(T,)`` takes the name its chain begins with."""
    head = np.arange(len(names))
    head[links.starts] = links.ends
    while (head[head] != head).any():
        head = head[head]
    return names[head[np.searchsorted(names, ids)]]
