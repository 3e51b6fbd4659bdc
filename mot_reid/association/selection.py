"""Selective embedding: whose looks are worth asking for in this frame.

An embedding costs more than all the rest of association. It can change something where two claims are close,
where somebody is new or comes back, and now and then for everybody, so that looks stay known: most of all
those of who is about to be hidden, for by them they will be known again. (Bayar and Aker
2024, arXiv 2409.06617, skip the detections that overlap one track only; here a share is set, and what is
saved in calm frames is spent where people meet.)
"""

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.association.claims import overlap_claims, revivable, within_reach
from mot_reid.association.frame import NOBODY, Frame
from mot_reid.association.tracklets import Status, TrackletTable
from mot_reid.association.view import View
from mot_reid.config import AssociationConfig

__all__ = ["Allowance", "find_benefits", "find_doubts"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

# A claim whose cost leads its rivals' by this much is clear.
_CLEAR_LEAD = 0.3
# Who was missed for more frames was out of sight.
_MISSED = 3
# Weight of the score between equal doubts.
_TIE = 1e-3
# Savings never exceed what this many usual frames bring in.
_MOST_SAVED = 60.0
# What this many usual frames bring in is kept back for doubts, the more strictly the less a look would teach.
_RESERVE = 20.0
# As many views in the open does a last one count for, of who begins to be covered.
_LAST_VIEW = 3.0
# How fast the usual number of detections is forgotten, a frame.
_DECAY = 0.95


class Allowance:
    """How many embeddings may be asked for: a share of the detections, saved up from frame to frame.

    It starts with a full reserve, for in the beginning nobody's looks are known.

    Args:
        share: of the detections, in [0, 1): who may ask for all need not choose.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._saved = 0.0
        self._usual = 0.0

    def choose(self, worth: Mask, doubts: Array, benefits: Array) -> Mask:
        """Chooses the detections of the next frame to embed.

        Args:
            worth: ``(M,)`` detections that can be embedded at all; they are what the share is of.
            doubts: ``(M,)`` those where looks may decide, the least number first; infinite for no doubt.
            benefits: ``(M,)`` what the others' looks would teach, the largest number first; 0 for nothing.

        Returns:
            ``(M,)``: doubts as far as the savings go, then benefits. Where one is the inverse of the share,
            which is what it comes to if everybody has a turn, the reserve must be full; where it is twice
            that, half of it is enough, and so on.
        """
        count = int(np.count_nonzero(worth))
        if not count:  # while nobody is there nothing is earned, and nothing forgotten
            return np.zeros(len(worth), bool)
        if self._usual:
            self._usual = _DECAY * self._usual + (1 - _DECAY) * count
        else:
            self._usual, self._saved = float(count), _RESERVE * self._share * count
        most = _MOST_SAVED * self._share * max(self._usual, count)
        self._saved = min(self._saved + self._share * count, max(most, 1.0))
        chosen = np.zeros(len(worth), bool)
        doubtful = (worth & (doubts < np.inf)).nonzero()[0]
        self._take(chosen, doubtful[doubts[doubtful].argsort(kind="stable")])
        needed = _RESERVE * self._usual  # a benefit of 1 / share comes up to it with a full reserve
        useful = (worth & ~chosen & (benefits * self._saved >= needed)).nonzero()[0]
        useful = useful[(-benefits[useful]).argsort(kind="stable")]
        left = self._saved - np.arange(len(useful))
        self._take(chosen, useful[benefits[useful] * left >= needed])
        return chosen

    def _take(self, chosen: Mask, order: Rows) -> None:
        """Marks the detections ``(K,)`` in their order, as far as the savings go, and pays for them."""
        order = order[: int(self._saved)]
        chosen[order] = True
        self._saved -= len(order)


def find_doubts(
    table: TrackletTable, frame: Frame, view: View, confident: Mask, config: AssociationConfig
) -> tuple[Array, Rows]:
    """Where looks may decide, and who is expected where by overlap alone.

    In doubt are: close claims, overlaps so loose that a stranger would be refused, whoever comes back from
    out of sight, by overlap or because a lost track is within reach, and tracklets whose looks nobody knows.

    Returns:
        How clear each detection ``(M,)`` is, infinite where there is no doubt, and the tracklet ``(M,)`` that
        it should belong to, or -1.
    """
    unknown = ~table.rows["has_embedding"]
    doubts, expected = np.full(len(confident), np.inf), np.full(len(confident), NOBODY)
    if not len(table):  # the first people get their ids at once
        doubts[confident] = 0
    pairs, costs = overlap_claims(table, frame, confident, config)
    rows, columns, overlaps = frame.rows[pairs], frame.columns[pairs], frame.overlaps[pairs]
    costs += 1 - overlaps
    np.minimum.at(doubts, columns, kernels.leads(rows, columns, costs))
    doubts[doubts >= _CLEAR_LEAD] = np.inf
    made = kernels.assign_pairs(rows, columns, costs, 1.0)
    rows, columns, overlaps = rows[made], columns[made], overlaps[made]
    expected[columns] = rows
    poor = overlaps < config.stranger_iou
    doubts[columns[poor]] = np.minimum(doubts[columns[poor]], overlaps[poor])
    odd = (frame.ages[rows] > _MISSED) | unknown[rows]
    doubts[columns[odd]] = 0
    free = confident & (expected == NOBODY)
    if np.count_nonzero(free):
        new = (table.rows["status"] == Status.TENTATIVE) & unknown
        again = frame.possible(new, free, frame.overlaps > config.tentative_min_iou)
        doubts[frame.columns[again]] = 0
        gone = revivable(table, frame, config)
        gone[rows] = False
        tracklets, columns = gone.nonzero()[0], free.nonzero()[0]
        near = within_reach(table, frame, view, tracklets, columns, config).any(axis=0)
        doubts[columns[near]] = 0
    doubts -= _TIE * frame.detections.scores  # of equal doubts, the better seen first
    return doubts, expected


def find_benefits(table: TrackletTable, frame: Frame, expected: Rows, config: AssociationConfig) -> Array:
    """What looks would teach: more the more views of the expected tracklet were let pass since the last look.

    Who begins to be covered comes first: the next to be seen may be who comes out again, and the last view is
    the most like that.

    Args:
        table: of the tracklets.
        frame: at hand.
        expected: ``(M,)`` the tracklet of each detection, or -1.
        config: for how much of a box may be covered.

    Returns:
        ``(M,)``, 0 for nothing.
    """
    benefits = np.zeros(len(expected))
    clear = ((expected != NOBODY) & (frame.covered <= config.max_occlusion)).nonzero()[0]
    rows = expected[clear]
    views = 1 + table.rows["unlooked"][rows]
    benefits[clear] = (
        views * frame.detections.scores[clear] * np.where(frame.covered[clear] > 0, _LAST_VIEW, 1)
    )
    return benefits
