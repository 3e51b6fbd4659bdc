"""The embedding budget: for which detections of a frame an embedding is worth asking for.

An embedding costs more than all the rest of association. It can change something where two candidates are
close, where an object is new or comes back, and now and then for every track, so that its appearance stays
known: most of all for one that is about to be hidden, for by its appearance it will be known again. (Bayar
and Aker 2024, arXiv 2409.06617, skip the detections that overlap one track only; here a share is set, and
what is saved in calm frames is spent where objects meet.)
"""

import numpy as np

from mot_reid import kernels
from mot_reid.association.candidates import (
    close_to_track,
    confirmed_of_known_appearance,
    reachable,
)
from mot_reid.association.cascade import Stage
from mot_reid.association.reentry import YOUNG
from mot_reid.association.state import UNMATCHED, FrameState
from mot_reid.association.tracklets import Status
from mot_reid.rollback import KeepsAttributes
from mot_reid.typing import Floats, Indices, Mask

__all__ = ["EmbeddingBudget", "find_ambiguity", "find_gain"]


# A candidate whose cost leads its rivals' by this much is clear.
_CLEAR_LEAD = 0.3
# A track that was missed for more usual frames was out of sight.
_MISSED = 3
# So many first views of who may have been here before are asked for: the very first are often of an arm.
_FIRST_VIEWS = 10
# Weight of the score between equal ambiguities.
_TIE = 1e-3
# Savings never exceed what this many usual frames bring in.
_MOST_SAVED = 60.0
# What this many usual frames bring in is kept back for ambiguity, the more strictly the less would be gained.
_RESERVE = 20.0
# As many views in the open does a last one count for, of what begins to be covered.
_LAST_VIEW = 3.0
# How fast the usual number of detections is forgotten, a frame.
_DECAY = 0.95


class EmbeddingBudget(KeepsAttributes):
    """How many embeddings may be asked for: a share of the detections, saved up from frame to frame.

    It starts with a full reserve, for in the beginning no appearance is known.

    Args:
        share: of the detections, in [0, 1]; with 1 all are asked for.
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self._saved = 0.0
        self._usual = 0.0

    def spend(self, frame: FrameState, stage: Stage) -> Mask:
        """Chooses the confident detections ``(M,)`` of a frame to embed before a stage."""
        if self.share >= 1:
            return frame.confident
        ambiguity, expected = find_ambiguity(frame, stage)
        return self.choose(frame.confident, ambiguity, find_gain(frame, expected))

    def choose(self, worth: Mask, ambiguity: Floats, gain: Floats) -> Mask:
        """Chooses the detections of the next frame to embed.

        Args:
            worth: ``(M,)`` detections that can be embedded at all; they are what the share is of.
            ambiguity: ``(M,)`` for those where appearance may decide how clear they are, the least number
                first; infinite for the others.
            gain: ``(M,)`` what embeddings of the others would tell, the largest number first; 0 for nothing.

        Returns:
            ``(M,)``: the ambiguous as far as the savings go, then by gain. Where a gain is the inverse of the
            share, which is what it comes to if every track has a turn, the reserve must be full; where it is
            twice that, half of it is enough, and so on.
        """
        count = int(np.count_nonzero(worth))
        if not count:  # while there is nothing to see nothing is earned, and nothing forgotten
            return np.zeros(len(worth), bool)
        if self._usual:
            self._usual = _DECAY * self._usual + (1 - _DECAY) * count
        else:
            self._usual, self._saved = float(count), _RESERVE * self.share * count
        most = _MOST_SAVED * self.share * max(self._usual, count)
        self._saved = min(self._saved + self.share * count, max(most, 1.0))
        chosen = np.zeros(len(worth), bool)
        ambiguous = (worth & (ambiguity < np.inf)).nonzero()[0]
        self._take(chosen, ambiguous[ambiguity[ambiguous].argsort(kind="stable")])
        needed = _RESERVE * self._usual  # a gain of 1 / share comes up to it with a full reserve
        useful = (worth & ~chosen & (gain * self._saved >= needed)).nonzero()[0]
        useful = useful[(-gain[useful]).argsort(kind="stable")]
        left = self._saved - np.arange(len(useful))
        self._take(chosen, useful[gain[useful] * left >= needed])
        return chosen

    def _take(self, chosen: Mask, order: Indices) -> None:
        """Marks the detections ``(K,)`` in their order, as far as the savings go, and pays for them."""
        order = order[: int(self._saved)]
        chosen[order] = True
        self._saved -= len(order)


def find_ambiguity(frame: FrameState, stage: Stage) -> tuple[Floats, Indices]:
    """Finds where appearance may decide, and which tracklet a stage expects where by motion alone.

    Ambiguous are: candidates at close costs, overlaps so loose that a stranger would be refused, what comes
    back from out of sight, by overlap or because a lost track is within reach, tracklets of unknown
    appearance, and the first clear views of who may turn out to be somebody who was here before.

    Args:
        frame: at hand, nothing matched yet and no embedding known.
        stage: prices its own pairs.

    Returns:
        How clear each detection ``(M,)`` is, infinite where nothing is ambiguous, and the tracklet ``(M,)``
        that it should belong to, or `UNMATCHED`.
    """
    settings, confident, rows = frame.settings, frame.confident, frame.tracklets.rows
    unknown = ~rows["has_embedding"]
    ambiguity, expected = np.full(len(confident), np.inf), np.full(len(confident), UNMATCHED)
    if not len(frame.ages):  # the first ones get their ids at once
        ambiguity[confident] = 0
    pairs = stage.pairs(frame)
    costs = stage.cost(frame, pairs)
    leads = kernels.leads(pairs.tracks, pairs.detections, costs)
    np.minimum.at(ambiguity, pairs.detections, leads)
    ambiguity[ambiguity >= _CLEAR_LEAD] = np.inf
    made = pairs[kernels.assign_pairs(pairs.tracks, pairs.detections, costs, 1.0)]
    expected[made.detections] = made.tracks
    loose = made[made.overlaps < settings.confident.stranger_iou]
    ambiguity[loose.detections] = np.minimum(ambiguity[loose.detections], loose.overlaps)
    odd = (made.ages > (_MISSED + 0.5) * frame.interval) | unknown[made.tracks]
    clear = frame.covered[made.detections] <= settings.embedding.max_occlusion
    odd |= clear & _may_be_lost_ones(frame)[made.tracks]
    ambiguity[made.detections[odd]] = 0
    free = confident & (expected == UNMATCHED)
    if np.count_nonzero(free):
        again = close_to_track(frame, frame.tentative & unknown, free)
        ambiguity[again.detections] = 0
        gone = confirmed_of_known_appearance(frame)
        gone[made.tracks] = False
        columns = free.nonzero()[0]
        near = reachable(frame, gone.nonzero()[0], columns).any(axis=0)
        ambiguity[columns[near]] = 0
    ambiguity -= _TIE * frame.detections.scores  # of equal ones, the better seen first
    return ambiguity, expected


def _may_be_lost_ones(frame: FrameState) -> Mask:
    """Tells which tracklets ``(T,)`` may still get the id of a lost one, and were hardly seen until now."""
    rows, count = frame.tracklets.rows, len(frame.ages)
    nobody = np.zeros(count, bool)
    if frame.gates_after is None:
        return nobody
    lost = (rows["status"][:count] == Status.LOST) & rows["has_embedding"][:count]
    if not np.count_nonzero(lost):
        return nobody
    earliest = max(frame.time - YOUNG, rows["last_seen"][:count][lost].min())
    young: Mask = frame.settled & (rows["born"][:count] > earliest) & ~rows["returned"][:count]
    return young & (rows["embedded_views"][:count] < _FIRST_VIEWS)


def find_gain(frame: FrameState, expected: Indices) -> Floats:
    """Finds what embeddings would tell: more the more views of a tracklet were let pass since its last one.

    What begins to be covered comes first: the next to be seen may be what comes out again, and the last view
    is the most like that.

    Args:
        frame: at hand.
        expected: ``(M,)`` the tracklet of each detection, or `UNMATCHED`.

    Returns:
        ``(M,)``, 0 for nothing.
    """
    gain = np.zeros(len(expected))
    clear = ((expected != UNMATCHED) & (frame.covered <= frame.settings.embedding.max_occlusion)).nonzero()[0]
    views = 1 + frame.tracklets.rows["unembedded_views"][expected[clear]]
    last = np.where(frame.covered[clear] > 0, _LAST_VIEW, 1)
    gain[clear] = views * frame.detections.scores[clear] * last
    return gain
