"""The method on one screen: which tracklets are matched with which detections, in which order, by what.

Each stage takes what the stages before it left. A gate of a user's own, or a cost term, is one more function
in a stage::

    cascade = with_terms(CASCADE, "confident", gates=[same_depth], costs=[colour_cost])
    tracker = Tracker(cascade=cascade)

A selector is given the frame's state and says which tracklets ``(T,)`` or detections ``(M,)`` take part; a
gate is given the state and some pairs, and says which of them may be matched ``(K,)``; a cost term says what
each costs ``(K,)``. See `mot_reid.association.state` for what a frame and a pair know.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mot_reid.association.candidates import (
    alike,
    close_to_track,
    confident,
    confirmed,
    confirmed_lately,
    confirmed_of_known_appearance,
    embedded,
    known_appearance,
    long_between_looks,
    near,
    no_stranger,
    no_stranger_near,
    overlapping,
    tentative,
    weak,
    weak_close_to_track,
    within_reach,
)
from mot_reid.association.costs import (
    appearance_cost,
    fused_cost,
    iou_cost,
    lost_age_cost,
    near_cost,
)
from mot_reid.association.state import FrameState, Pairs
from mot_reid.typing import Floats, Mask

__all__ = [
    "CASCADE",
    "Candidates",
    "Condition",
    "Cost",
    "Gate",
    "Selector",
    "Stage",
    "checked_cascade",
    "with_terms",
]

Condition = Callable[[FrameState], bool]
Selector = Callable[[FrameState], Mask]
Candidates = Callable[[FrameState, Mask, Mask], Pairs]
Gate = Callable[[FrameState, Pairs], Mask]
Cost = Callable[[FrameState, Pairs], NDArray[np.floating]]

# What these of our own give is not checked in each frame.
_OURS = frozenset[object](
    [
        *(overlapping, close_to_track, weak_close_to_track, within_reach, near),
        *(no_stranger, no_stranger_near, alike),
        *(iou_cost, fused_cost, lost_age_cost, appearance_cost, near_cost),
    ]
)
# Where appearance is not known, these let all pairs pass.
_OF_APPEARANCE = frozenset[object]((no_stranger, no_stranger_near))


@dataclass(frozen=True)
class Stage:
    """One assignment of tracklets to detections.

    Attributes:
        name: of the stage, in times and messages; settings of its own, if any, are ``association.NAME``.
        tracks: selects the tracklets; those that were matched before are left out.
        detections: selects the detections; likewise.
        gates: a pair must pass all of them, one after the other.
        costs: what a pair costs is the sum of these; pairs that cost 1 or more are not made.
        candidates: the pairs to begin with, of the tracklets and detections given.
        when: the frames in which the stage has its turn; None for all.
        asks: whether the embedder is asked before this stage, for the detections that are worth it here. The
            first such stage of a cascade asks.
        revives: whether a match brings back a track that was out of sight: its motion starts anew, and how
            sure its id is follows from distances and margins of appearance.
    """

    name: str
    tracks: Selector
    detections: Selector
    gates: tuple[Gate, ...]
    costs: tuple[Cost, ...]
    candidates: Candidates = overlapping
    when: Condition | None = None
    asks: bool = False
    revives: bool = False

    def pairs(self, frame: FrameState) -> Pairs:
        """Gives the pairs that pass all gates, of tracklets and detections that are free.

        Raises:
            ValueError: a gate does not give one bool for each pair.
        """
        if self.when is not None and not self.when(frame):
            return Pairs.none(frame)
        detections = self.detections(frame) & frame.free_detections
        if not np.count_nonzero(detections):
            return Pairs.none(frame)
        tracks = self.tracks(frame) & frame.free_tracks
        if not np.count_nonzero(tracks):
            return Pairs.none(frame)
        pairs = self.candidates(frame, tracks, detections)
        count = len(pairs)
        for gate in self.gates:
            if not count:
                break
            if frame.appearance is None and gate in _OF_APPEARANCE:
                continue
            passed = gate(frame, pairs)
            if gate not in _OURS and (getattr(passed, "shape", None) != (count,) or passed.dtype != bool):
                raise ValueError(_wrong(self, "gate", gate, f"({count},) bool", passed))
            left = int(np.count_nonzero(passed))
            if left < count:
                pairs, count = pairs[passed], left
        return pairs

    def cost(self, frame: FrameState, pairs: Pairs) -> Floats:
        """Gives the sum of the cost terms ``(K,)``; without embeddings, as far as motion alone tells.

        Raises:
            ValueError: a term does not give one number for each pair.
        """
        total: NDArray[np.floating] | None = None
        count, ours = len(pairs), self.candidates in _OURS
        for term in self.costs:
            costs = term(frame, pairs)
            if term not in _OURS:
                ours = False
                if getattr(costs, "shape", None) != (count,) or costs.dtype.kind != "f":
                    raise ValueError(_wrong(self, "cost", term, f"({count},) float", costs))
            total = costs if total is None else total + costs
        assert total is not None, "a stage has a cost term"
        if not ours and count and math.isnan(total.min()):
            raise ValueError(f"cascade: the cost of a pair in stage {self.name!r} is nan")
        return total.astype(np.float64, copy=False)

    def match(self, frame: FrameState) -> None:
        """Matches the stage's tracklets with its detections, in the frame's state."""
        pairs = self.pairs(frame)
        if len(pairs):
            made = frame.match(pairs, self.cost(frame, pairs))
            if self.revives:
                before = frame.revived
                frame.revived = pairs[made] if before is None else before.joined(pairs[made])


CASCADE = (
    Stage(
        "confident",  # overlap and appearance together
        tracks=confirmed,
        detections=confident,
        candidates=close_to_track,
        gates=(no_stranger,),
        costs=(fused_cost, lost_age_cost),
        asks=True,
    ),
    Stage(
        "weak",  # a dip of the score is bridged by overlap (ByteTrack: Zhang et al. 2022, arXiv 2110.06864)
        tracks=confirmed_lately,
        detections=weak,
        candidates=weak_close_to_track,
        gates=(),
        costs=(iou_cost,),
    ),
    Stage(
        "near",  # where the detector looks so seldom that boxes need not overlap
        when=long_between_looks,
        tracks=confirmed,
        detections=confident,
        candidates=near,
        gates=(no_stranger_near,),
        costs=(near_cost,),
    ),
    Stage(
        "revive",  # out of sight, and found again elsewhere by appearance alone
        when=known_appearance,
        tracks=confirmed_of_known_appearance,
        detections=embedded,
        candidates=within_reach,
        gates=(alike,),
        costs=(appearance_cost,),
        revives=True,
    ),
    Stage(
        "tentative",  # a second sight confirms
        tracks=tentative,
        detections=confident,
        candidates=close_to_track,
        gates=(),
        costs=(iou_cost,),
    ),
    Stage(
        "tentative near",
        when=long_between_looks,
        tracks=tentative,
        detections=confident,
        candidates=near,
        gates=(no_stranger_near,),
        costs=(near_cost,),
    ),
)
"""The cascade of `mot_reid.Tracker`, in the order in which the stages take their turns."""


def with_terms(
    cascade: Sequence[Stage], name: str, *, gates: Iterable[Gate] = (), costs: Iterable[Cost] = ()
) -> tuple[Stage, ...]:
    """Gives a cascade with further gates and cost terms in one of its stages.

    Args:
        cascade: such as `CASCADE`, which stays as it is.
        name: the stage's.
        gates: added behind those that are there.
        costs: likewise.

    Raises:
        ValueError: there is no stage of this name.
    """
    if name not in [stage.name for stage in cascade]:
        known = ", ".join(stage.name for stage in cascade)
        raise ValueError(f"cascade: there is no stage {name!r}; known: {known}")
    return tuple(
        replace(stage, gates=(*stage.gates, *gates), costs=(*stage.costs, *costs))
        if stage.name == name
        else stage
        for stage in cascade
    )


def checked_cascade(cascade: Sequence[Stage]) -> tuple[Stage, ...]:
    """Gives the same as a tuple.

    Raises:
        TypeError: an entry is not a `Stage`.
        ValueError: two stages have one name, or a stage has no cost term.
    """
    stages = tuple(cascade)
    for stage in stages:
        if not isinstance(stage, Stage):
            raise TypeError(f"cascade: expected stages, got {type(stage).__name__} {stage!r}")
        if not stage.costs:
            raise ValueError(f"cascade: stage {stage.name!r} has no cost term")
    names = [stage.name for stage in stages]
    if len(set(names)) < len(names):
        raise ValueError(f"cascade: expected a name for each stage, got {', '.join(names)}")
    return stages


def _wrong(stage: Stage, what: str, function: object, expected: str, given: object) -> str:
    """Says which function of a user's gave what it should not."""
    name = getattr(function, "__name__", repr(function))
    got = f"{given.shape} {given.dtype}" if isinstance(given, np.ndarray) else type(given).__name__
    return f"cascade: {what} {name} of stage {stage.name!r}: expected an array {expected}, got {got}"
