"""CLEAR MOT and identity metrics: the motmetrics package, with its slow parts in array algebra.

motmetrics keeps a data frame of events (this object was matched to that hypothesis, missed, ...) and computes
every metric from it. Its definitions stay; what costs time is done otherwise, with equal results: the events
come from `events` rather than from ``MOTAccumulator.update`` box by box, and a few of its functions are
replaced through ``MetricsHost.register``, its own way to extend it.

TrackEval's CLEAR differs, by about a tenth of a point of MOTA on a sequence of MOT17:

- Here a person keeps the track of the last match, however long ago, wherever the two overlap enough.
  TrackEval prefers pairs of the frame before only: after a gap another track may fit better and count as a
  switch, or leave room for one more match.
- Here the other boxes are matched for the most pairs first and for the least distance then. TrackEval
  maximises the summed overlap: sometimes fewer, better pairs.
- Mostly tracked is 80% of a life or more; TrackEval's is more than 80%.
- A fragmentation needs a frame in which the person is there and missed. TrackEval also counts frames where
  the ground truth has other people but not this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from motmetrics.metrics import MetricsHost, create
from scipy.optimize import linear_sum_assignment

from mot_reid.evaluation.comparison import Comparison
from mot_reid.evaluation.events import events

__all__ = ["clear_identity", "combine_clear_identity"]

_NAMES = [  # with all that their own merging across sequences needs
    "num_frames",
    "num_matches",
    "num_switches",
    "num_false_positives",
    "num_misses",
    "num_detections",
    "num_objects",
    "num_predictions",
    "num_unique_objects",
    "num_unique_predictions",
    "mostly_tracked",
    "partially_tracked",
    "mostly_lost",
    "num_fragmentations",
    "mota",
    "motp",
    "precision",
    "recall",
    "idtp",
    "idfp",
    "idfn",
    "idf1",
    "idp",
    "idr",
]


def clear_identity(comparison: Comparison) -> dict[str, float]:
    """The values of motmetrics for one sequence, by its names; NaN or infinite where it divides by 0."""
    values = _HOST.compute(events(comparison), metrics=_NAMES, return_dataframe=False)
    return {name: float(value) for name, value in values.items()}


def combine_clear_identity(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The values over several sequences, from the values of each."""
    values = _HOST.compute_overall(parts, metrics=_NAMES, return_dataframe=False)
    return {name: float(value) for name, value in values.items()}


def num_fragmentations(df: Any) -> int:
    """How often a person is found again after having been missed: runs of found frames but the first."""
    rows = df.noraw[df.noraw.OId.notna()]
    people = rows.OId.to_numpy()
    order = np.lexsort([rows.index.get_level_values(0), people])
    people, found = people[order], (rows.Type != "MISS").to_numpy()[order]
    first = np.ones(len(people), bool)
    first[1:] = people[1:] != people[:-1]
    starts = found & (first | ~np.roll(found, 1))
    return int(starts.sum()) - len(np.unique(people[found]))


def idtp(df: Any) -> float:
    """True positives under the best one-to-one map of people to tracks.

    As motmetrics' ``id_global_assignment``, which minimises false positives and negatives together, but on
    a matrix of people and tracks: its own grows with the square of their sum.
    """
    pairs = df.raw[df.raw.D.notna()]
    if not len(pairs):
        return 0.0
    people, tracks = pairs.OId.to_numpy(np.int64), pairs.HId.to_numpy(np.int64)
    shape = people.max() + 1, tracks.max() + 1
    together = np.bincount(np.ravel_multi_index((people, tracks), shape), minlength=shape[0] * shape[1])
    together = together.reshape(shape)
    return float(together[linear_sum_assignment(together, maximize=True)].sum())


def idfn(df: Any, num_objects: int, idtp: float) -> float:
    """Boxes of people that the map of people to tracks leaves out."""
    return num_objects - idtp


def idfp(df: Any, num_predictions: int, idtp: float) -> float:
    """Boxes of tracks that the map of people to tracks leaves out."""
    return num_predictions - idtp


def num_unique_predictions(df: Any, pred_frequencies: Any) -> int:
    """How many tracks there are."""
    return len(pred_frequencies)


def _sum_of_tracks(parts: Sequence[Mapping[str, float]]) -> float:
    return sum(part["num_unique_predictions"] for part in parts)


def _mean_distance(parts: Sequence[Mapping[str, float]], num_detections: float) -> float:
    """Mean over all matches; the one of motmetrics is NaN as soon as one sequence has no match."""
    total = sum(part["motp"] * part["num_detections"] for part in parts if part["num_detections"])
    return total / num_detections if num_detections else np.nan


def _host() -> MetricsHost:
    host = create()
    for function in (num_fragmentations, idtp, idfn, idfp):
        host.register(function)  # merged as before, by name
    host.register(num_unique_predictions, fnc_m=_sum_of_tracks)
    host.register(host.metrics["motp"]["fnc"], fnc_m=_mean_distance)
    return host


_HOST = _host()
