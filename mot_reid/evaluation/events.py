"""The events of CLEAR MOT as motmetrics keeps them, frame by frame in array algebra."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from motmetrics import MOTAccumulator
from motmetrics.lap import linear_sum_assignment

from mot_reid.evaluation.comparison import MATCH_IOU, Comparison
from mot_reid.typing import Floats, Ints, Mask

__all__ = ["events"]


_TYPES = np.array(["RAW", "MATCH", "SWITCH", "MISS", "FP"], dtype=object)
_RAW, _MATCH, _SWITCH, _MISS, _FP = range(len(_TYPES))
_SOLVER = "scipy"  # motmetrics takes whichever is installed; they differ where several matchings are the best


def events(comparison: Comparison) -> Any:
    """The data frame of events of motmetrics, as its accumulator gives it for distances ``1 - IoU``.

    Left out are the events that tell how a switch came about (TRANSFER, ASCEND and MIGRATE); events are
    numbered through the sequence, not anew in each frame.
    """
    gt_frames, gt_ids = _flat(comparison.gt_ids)
    track_frames, track_ids = _flat(comparison.track_ids)
    candidates, matches, is_switch = _match(comparison)
    raw = candidates.with_unpaired(len(gt_frames), len(track_frames))
    final = matches.with_unpaired(len(gt_frames), len(track_frames))

    kinds = np.full(len(final.gt), _MATCH)
    kinds[: len(is_switch)][is_switch] = _SWITCH
    kinds[final.track < 0] = _MISS
    kinds[final.gt < 0] = _FP
    kinds = np.concatenate([np.full(comparison.num_frames + len(raw.gt), _RAW), kinds])
    # One empty event for each frame, so that it counts; all that could be matched; what became of it.
    empty = _Pairs.none(comparison.num_frames)
    gt, track, distance = map(np.concatenate, zip(empty, raw, final, strict=True))
    frames = np.maximum(np.append(gt_frames, -1)[gt], np.append(track_frames, -1)[track])
    frames[: comparison.num_frames] = np.arange(comparison.num_frames)

    order = np.argsort(frames, kind="stable")
    return MOTAccumulator.new_event_dataframe_with_data(
        {"FrameId": frames[order], "Event": np.arange(len(order))},
        {
            "Type": _TYPES[kinds[order]],
            "OId": np.append(gt_ids.astype(float), np.nan)[gt[order]],
            "HId": np.append(track_ids.astype(float), np.nan)[track[order]],
            "D": distance[order],
        },
    )


class _Pairs(NamedTuple):
    """Boxes that belong together, by their place ``(P,)`` among all boxes of the sequence; -1: none."""

    gt: Ints
    track: Ints
    distance: Floats

    @classmethod
    def none(cls, count: int = 0) -> _Pairs:
        """Rows without any box."""
        return cls(np.full(count, -1), np.full(count, -1), np.full(count, np.nan))

    def with_unpaired(self, num_gt: int, num_tracks: int) -> _Pairs:
        """These pairs, and after them the boxes that are in none."""
        gt, track = _missing(self.gt, num_gt), _missing(self.track, num_tracks)
        return _Pairs(
            np.concatenate([self.gt, gt, np.full(len(track), -1)]),
            np.concatenate([self.track, np.full(len(gt), -1), track]),
            np.concatenate([self.distance, np.full(len(gt) + len(track), np.nan)]),
        )


def _missing(places: Ints, count: int) -> Ints:
    """Which of 0 .. count - 1 are not among ``places``."""
    missing = np.ones(count, bool)
    missing[places] = False
    return np.flatnonzero(missing)


def _flat(ids: list[Ints]) -> tuple[Ints, Ints]:
    """The frame ``(N,)`` and the id ``(N,)`` of every box."""
    frames = np.repeat(np.arange(len(ids)), [len(frame) for frame in ids])
    return frames, np.concatenate([np.zeros(0, np.int64), *ids])


def _match(comparison: Comparison) -> tuple[_Pairs, _Pairs, Mask]:
    """All pairs of boxes that overlap enough, the CLEAR matching among them, and which of it are switches."""
    last = np.full(comparison.num_gt_ids, -1)  # each person's track of the last match
    candidates, matches = [_Pairs.none()], [_Pairs.none()]
    switches = [np.zeros(0, bool)]
    gt_start = track_start = 0
    for gt_ids, track_ids, similarity in zip(
        comparison.gt_ids, comparison.track_ids, comparison.similarity, strict=True
    ):
        gt, track = np.nonzero(similarity >= MATCH_IOU)
        if gt.size:
            distance = 1 - similarity[gt, track]
            people, tracks = gt_ids[gt], track_ids[track]
            chosen = _match_frame(gt, track, distance, last[people] == tracks, similarity.shape)
            before = last[people[chosen]]
            gt, track = gt + gt_start, track + track_start
            candidates.append(_Pairs(gt, track, distance))
            matches.append(_Pairs(gt[chosen], track[chosen], distance[chosen]))
            switches.append((before >= 0) & (before != tracks[chosen]))
            last[people[chosen]] = tracks[chosen]
        gt_start += len(gt_ids)
        track_start += len(track_ids)
    return (
        _Pairs(*map(np.concatenate, zip(*candidates, strict=True))),
        _Pairs(*map(np.concatenate, zip(*matches, strict=True))),
        np.concatenate(switches),
    )


def _match_frame(
    gt: Ints,
    track: Ints,
    distance: Floats,
    established: Mask,
    shape: tuple[int, ...],
) -> Ints:
    """Which of a frame's possible pairs are matched.

    Args:
        gt: ``(P,)`` rows of the pairs, ascending.
        track: ``(P,)`` their columns.
        distance: ``(P,)``.
        established: ``(P,)`` whether the person's last match was to this track.
        shape: how many rows and columns the frame has.
    """
    # Two people can have the same last track, when it went from one to the other: the first row has it.
    kept = np.flatnonzero(established)
    owner = np.full(shape[1], -1)
    owner[track[kept][::-1]] = gt[kept][::-1]
    kept = kept[owner[track[kept]] == gt[kept]]

    taken = np.zeros(shape[0], bool)
    taken[gt[kept]] = True
    rest = np.flatnonzero(~taken[gt] & (owner[track] < 0))
    if len(rest) > 1 and (_repeats(gt[rest]) or _repeats(track[rest])):
        # The whole matrix, not its part in question: with equal distances the choice depends on it.
        matrix = np.full(shape, np.nan)
        matrix[gt[rest], track[rest]] = distance[rest]
        rows, columns = linear_sum_assignment(matrix, solver=_SOLVER)
        place = np.full(shape, -1)
        place[gt[rest], track[rest]] = rest
        rest = place[rows, columns]
    return np.concatenate([kept, rest])


def _repeats(values: Ints) -> bool:
    return bool(np.bincount(values).max() > 1)
