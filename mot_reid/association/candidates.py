"""The candidates of a stage: its tracklets, its detections, the pairs to begin with, and its gates."""

import numpy as np

from mot_reid import kernels
from mot_reid.association.state import FrameState, Pairs
from mot_reid.typing import Floats, Indices, Mask

__all__ = [
    "alike",
    "close_to_track",
    "confident",
    "confirmed",
    "confirmed_lately",
    "confirmed_of_known_appearance",
    "embedded",
    "far_apart",
    "known_appearance",
    "near",
    "near_reach",
    "no_stranger",
    "not_strange",
    "overlapping",
    "reachable",
    "tentative",
    "weak",
    "weak_close_to_track",
    "within_reach",
]


# Heights by which the camera must have moved on for edges to say nothing about who went through them.
_CARRIED_AWAY = 0.5
# A pair must beat its rivals' distances of appearance by this: twins are not told apart by guessing.
LEAST_MARGIN = 0.05
# Where who returns counts as new, distance up to which a track that left or comes in at the edge returns.
_EDGE_GATE = 0.2
# Where who returns is the same, nobody does from further away, however far apart those in view lie.
LARGEST_GATE = 0.85
# Where who returns is the same: so many times as long may it take as to come back inside the picture.
LONGER = 9.0
# Heights a second that somebody out of sight can go at the most, once one height away.
SPEED = 4.5
# Heights a second by which somebody in view can be off from where he is expected.
_OFF_COURSE = 2.0
# Where that is less from one look to the next, boxes overlap, or it was somebody else.
_LEAST_REACH = 0.1
# Distance of appearance from which on nobody is taken for who was near.
_STRANGE = 0.85


# In which frames.


def far_apart(frame: FrameState) -> bool:
    """Tells whether looks are so far apart in time that boxes need not overlap."""
    return near_reach(frame) >= _LEAST_REACH


def known_appearance(frame: FrameState) -> bool:
    """Tells whether the appearance of any detection is known."""
    return frame.appearance is not None


# Which tracklets (T,).


def confirmed(frame: FrameState) -> Mask:
    """Selects the tracklets that were confirmed once and are not gone for too long for overlap to count."""
    return frame.settled & frame.within(frame.settings.lifecycle.lost_time)


def confirmed_lately(frame: FrameState) -> Mask:
    """Selects those that were seen a moment ago."""
    return frame.settled & frame.within(frame.settings.weak.lost_time)


def confirmed_of_known_appearance(frame: FrameState) -> Mask:
    """Selects those with an embedding, as long as appearance may bring them back."""
    known: Mask = frame.settled & frame.tracklets.rows["has_embedding"]
    longest = frame.settings.revive.lost_time * (1.0 if frame.settings.reentry == "new" else LONGER)
    return known & frame.within(longest)


def tentative(frame: FrameState) -> Mask:
    """Selects those that wait for confirmation."""
    return frame.tentative


# Which detections (M,).


def confident(frame: FrameState) -> Mask:
    """Selects the detections with a score that is high for this detector."""
    return frame.confident


def weak(frame: FrameState) -> Mask:
    """Selects the others."""
    return ~frame.confident


def embedded(frame: FrameState) -> Mask:
    """Selects the confident ones with an embedding."""
    if frame.appearance is None:
        return np.zeros(len(frame.confident), bool)
    return frame.confident & frame.appearance.known


# Which pairs to begin with.


def overlapping(frame: FrameState, tracks: Mask, detections: Mask) -> Pairs:
    """Pairs tracklets ``(T,)`` and detections ``(M,)`` whose boxes share some area."""
    return _above(frame, tracks, detections, -1.0, -1.0)


def close_to_track(frame: FrameState, tracks: Mask, detections: Mask) -> Pairs:
    """Pairs those ``(T,)`` and ``(M,)`` that overlap enough for a confident detection."""
    least = frame.settings.confident.min_iou
    return _above(frame, tracks, detections, least, least)


def weak_close_to_track(frame: FrameState, tracks: Mask, detections: Mask) -> Pairs:
    """Pairs those ``(T,)`` and ``(M,)`` that overlap enough for a weak one; a lost track takes more."""
    settings = frame.settings.weak
    return _above(frame, tracks, detections, settings.min_iou, settings.lost_min_iou)


def _above(frame: FrameState, tracks: Mask, detections: Mask, least: float, least_of_lost: float) -> Pairs:
    """Pairs those that overlap by more than ``least``, with lost tracklets by more than ``least_of_lost``."""
    rows, columns, overlaps = frame.overlapping
    status = frame.tracklets.rows["status"]
    some, others, shared = kernels.candidates(
        rows, columns, overlaps, tracks, detections, least, status, least_of_lost
    )
    return Pairs(frame, some, others, shared)


def near(frame: FrameState, tracks: Mask, detections: Mask) -> Pairs:
    """Pairs those ``(T,)`` seen in the last look with those ``(M,)`` that lie where they can have come to.

    How far is near grows with the time between two looks.
    """
    rows = (tracks & (frame.ages <= 1.01 * frame.elapsed)).nonzero()[0]
    columns = detections.nonzero()[0]
    some, others = _within(frame, rows, columns, near_reach(frame)).nonzero()
    return Pairs(frame, rows[some], columns[others])


def near_reach(frame: FrameState) -> float:
    """How far from the expected place who was seen in the last look can be, heights."""
    return min(_OFF_COURSE * frame.elapsed, frame.settings.revive.reach)


def within_reach(frame: FrameState, tracks: Mask, detections: Mask) -> Pairs:
    """Pairs those ``(T,)`` and ``(M,)`` that distance and class allow, all of known appearance.

    Overlap has no say. A pair must beat its rivals, the others within reach, by a margin of appearance, and
    knows by how much it does.
    """
    if frame.appearance is None:
        return Pairs.none(frame)
    rows, columns = tracks.nonzero()[0], detections.nonzero()[0]
    possible = reachable(frame, rows, columns)
    near = possible.any(axis=1)
    if not near.any():
        return Pairs.none(frame)
    rows, possible = rows[near], possible[near]
    distances = frame.appearance.each_with_each(rows, columns)
    margins = kernels.margins(distances, possible)
    some, others = (margins >= LEAST_MARGIN).nonzero()
    return Pairs(
        frame, rows[some], columns[others], distances=distances[some, others], margins=margins[some, others]
    )


def reachable(frame: FrameState, tracks: Indices, detections: Indices) -> Mask:
    """Tells which tracklets ``(R,)`` and detections ``(C,)`` are near enough to be one object, ``(R, C)``.

    Both are of one class, too.
    """
    if frame.gates_after is not None:  # speed alone says how far away who returns can be, see `alike`
        classes = frame.detections.classes[detections]
        same: Mask = frame.tracklets.rows["class_id"][tracks][:, None] == classes
        return same
    return _within(frame, tracks, detections, frame.settings.revive.reach)


def _within(frame: FrameState, tracks: Indices, detections: Indices, reach: float) -> Mask:
    """Which ``(R, C)`` of them lie within so many heights of the expected place, and are of one class."""
    classes = frame.tracklets.rows["class_id"][tracks], frame.detections.classes[detections]
    places = frame.tracklets.states.position[tracks], frame.measured[detections]
    return kernels.within_reach(*places, *classes, frame.border, reach)


# Gates: which of some pairs (K,) may be matched.


def no_stranger(frame: FrameState, pairs: Pairs) -> Mask:
    """Keeps pairs that do not look like strangers, or overlap enough all the same."""
    if frame.appearance is None:
        anybody = np.empty(len(pairs), bool)
        anybody.fill(True)
        return anybody
    settings = frame.settings
    gates = settings.confident.appearance_gate, settings.confident.stranger_iou
    return ~kernels.strangers(pairs.distances, pairs.overlaps, *gates)


def not_strange(frame: FrameState, pairs: Pairs) -> Mask:
    """Keeps pairs that do not look like strangers, as far as appearance is known."""
    if frame.appearance is None:
        return np.ones(len(pairs), bool)
    return ~(pairs.distances >= _STRANGE)


def alike(frame: FrameState, pairs: Pairs) -> Mask:
    """Keeps pairs that look alike.

    What turns up in the middle of the picture was hidden there, and so was the track that vanished there;
    through the picture's edge strangers come and go, and appearance must agree more. Unless it was the camera
    that left.
    """
    settings, rows = frame.settings, frame.tracklets.rows
    nearest = pairs.distances <= max(settings.revive.gate, _EDGE_GATE, LARGEST_GATE)
    if not np.count_nonzero(nearest):
        return nearest
    through_edge = rows["at_edge"][pairs.tracks] | frame.at_edge[pairs.detections]
    through_edge &= rows["carried"][pairs.tracks] < _CARRIED_AWAY
    if frame.gates_after is None:
        return pairs.distances <= np.where(through_edge, _EDGE_GATE, settings.revive.gate)
    gates, heights = frame.gates(pairs.tracks), _heights_away(frame, pairs)
    hidden = ~through_edge & (pairs.ages <= settings.revive.lost_time) & (heights <= settings.revive.reach)
    close = pairs.distances <= np.where(hidden, settings.revive.gate, gates)
    return close & (heights <= 1 + SPEED * pairs.ages)


def _heights_away(frame: FrameState, pairs: Pairs) -> Floats:
    """How far pairs ``(K,)`` lie from where they are expected, in heights."""
    expected = frame.tracklets.states.position[pairs.tracks]
    offset = np.clip(expected[:, :2], frame.border[:2], frame.border[2:])
    offset -= frame.measured.take(pairs.detections, axis=0)[:, :2]
    away: Floats = np.hypot(offset[:, 0], offset[:, 1]) / np.maximum(expected[:, 3], 1)
    return away
