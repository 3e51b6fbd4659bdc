"""Which class a track is of, where its detections do not agree.

A detector calls a van a car in one frame and a truck in the next. A change of class therefore costs, but does
not forbid; and a track is of the class that its evidence speaks for: a vote of its detections, weighted by
their scores, in which the past is forgotten. Only tracks whose detections ever disagreed keep votes.
"""

import numpy as np
from numpy.typing import NDArray

from mot_reid.association.tracklets import TrackletTable
from mot_reid.typing import Floats, Indices, Ints, Mask

__all__ = ["agreement", "doubles", "vote"]


# What remains of the overlap of a track with a detection of a class that it never was of: boxes must fit as
# they do from frame to frame, and one of the right class goes before.
_STRANGE_CLASS = 0.4
# How much of a vote is left one detection later; half of it after 14.
_DECAY = 0.95
# Another class must have so many times the votes before the track is of it.
_LEAD = 1.25
# A class with such a share of the best one's votes is another name for the same thing here.
_SAME_THING = 0.2


def agreement(table: TrackletTable, rows: Indices, classes: Ints) -> Floats | None:
    """How well detections agree in class with tracklets, in (0, 1]; None where all do.

    Args:
        table: of the tracklets.
        rows: ``(P,)`` of each pair's tracklet.
        classes: ``(P,)`` of its detection.
    """
    other = (table.rows["class_id"][rows] != classes).nonzero()[0]
    if not other.size:
        return None
    agreed = np.ones(len(rows))
    agreed[other] = _STRANGE_CLASS + (1 - _STRANGE_CLASS) * _shares(table, rows[other], classes[other])
    return agreed


def _shares(table: TrackletTable, rows: Indices, classes: Ints) -> Floats:
    """The votes for classes ``(K,)`` in tracklets ``(K,)``, as shares of the best class's, in [0, 1]."""
    votes = table.rows["votes"][rows]
    named = np.where(table.rows["voted"][rows] == classes[:, None], votes, 0).max(axis=1)
    shares: Floats = named / np.maximum(votes.max(axis=1), 1e-9)
    return shares


def vote(table: TrackletTable, rows: Indices, classes: Ints, scores: NDArray[np.floating]) -> None:
    """Takes the classes of the detections in that tracklets ``(K,)``, each at most once, were matched with.

    Args:
        table: of the tracklets; their hits do not count these detections yet.
        rows: ``(K,)``.
        classes: ``(K,)``.
        scores: ``(K,)``.
    """
    known = table.rows["class_id"][rows]
    disputed = (known != classes) | (table.rows["votes"][rows, 0] > 0)
    if not np.count_nonzero(disputed):
        return
    rows, classes, scores, known = rows[disputed], classes[disputed], scores[disputed], known[disputed]
    voted, votes, hits, score = (table.rows[name][rows] for name in ("voted", "votes", "hits", "score"))
    fresh = votes[:, 0] == 0
    past = (1 - _DECAY ** np.maximum(hits, 1)) / (1 - _DECAY)
    voted[fresh], votes[fresh, 0] = known[fresh, None], (score * past)[fresh]
    votes *= _DECAY
    same = (voted == classes[:, None]) & (votes > 0)
    place = np.where(same.any(axis=1), same.argmax(axis=1), votes.argmin(axis=1))
    each = np.arange(len(rows))
    votes[each, place] = np.where(same.any(axis=1), votes[each, place], 0) + scores
    voted[each, place] = classes
    best = votes.argmax(axis=1)
    own = np.where((voted == known[:, None]) & (votes > 0), votes, 0).max(axis=1)
    leads = votes[each, best] > _LEAD * own
    table.rows["voted"][rows], table.rows["votes"][rows] = voted, votes
    table.rows["class_id"][rows] = np.where(leads, voted[each, best], known)


def doubles(table: TrackletTable, rows: Indices, classes: Ints) -> Mask:
    """Which classes ``(C,)`` are other names for tracklets ``(R,)`` that have votes: ``(R, C)``."""
    shares = _shares(table, np.repeat(rows, len(classes)), np.tile(classes, len(rows)))
    return (shares >= _SAME_THING).reshape(len(rows), len(classes))
