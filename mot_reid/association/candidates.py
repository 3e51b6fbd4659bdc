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
    "known_appearance",
    "long_between_looks",
    "near",
    "near_reach",
    "no_stranger",
    "no_stranger_near",
    "overlapping",
    "reachable",
    "tentative",
    "weak",
    "weak_close_to_track",
    "within_reach",
]


# Where the camera has carried a lost track's place this far, in heights, it was the camera that left, and the
# picture's edge says nothing about who went through it.
_CARRIED_AWAY = 0.5
# A pair must beat its rivals' distances of appearance by this: twins are not told apart by guessing.
LEAST_MARGIN = 0.05
# Largest distance of appearance at which a track returns through the picture's edge, if ``reentry`` is new.
_EDGE_GATE = 0.2
# If it is same, the largest one at which a track returns at all, however far apart those in view lie.
LARGEST_GATE = 0.85
# If it is same, a lost track is kept for so many times ``revive.lost_time``.
LONGER = 9.0
# An object out of sight gets no further than one height and so many heights a second.
SPEED = 4.5
# From one look of the detector to the next, an object gets so many heights a second off its expected place.
_OFF_COURSE = 2.0
# Where that is less, boxes of the same object overlap, and stages by distance are not needed.
_LEAST_REACH = 0.1
# Distance of appearance from which on nobody is taken for who was near.
_STRANGE = 0.85


# In which frames.


def long_between_looks(frame: FrameState) -> bool:
    """Tells whether the detector looks so seldom that boxes of the same object need not overlap."""
    return near_reach(frame) >= _LEAST_REACH


def known_appearance(frame: FrameState) -> bool:
    """Tells whether the appearance of any detection is known."""
    return frame.appearance is not None


# Which tracklets (T,).


def confirmed(frame: FrameState) -> Mask:
    """Selects the tracklets that were confirmed once and are not gone for too long for overlap to count."""
    return frame.settled & frame.within(frame.settings.lifecycle.lost_time)


def confirmed_lately(frame: FrameState) -> Mask:
    """Selects those of them that were seen within ``weak.lost_time``."""
    return frame.settled & frame.within(frame.settings.weak.lost_time)


def confirmed_of_known_appearance(frame: FrameState) -> Mask:
    """Selects those with an embedding that are not gone for too long for appearance to bring them back."""
    known: Mask = frame.settled & frame.tracklets.rows["has_embedding"]
    longest = frame.settings.revive.lost_time * (1.0 if frame.settings.reentry == "new" else LONGER)
    return known & frame.within(longest)


def tentative(frame: FrameState) -> Mask:
    """Selects the tracklets that wait for confirmation."""
    return frame.tentative


# Which detections (M,).


def confident(frame: FrameState) -> Mask:
    """Selects the detections with a score that is high for this detector."""
    return frame.confident


def weak(frame: FrameState) -> Mask:
    """Selects the detections with a lower score."""
    return ~frame.confident


def embedded(frame: FrameState) -> Mask:
    """Selects the confident detections with an embedding."""
    if frame.appearance is None:
        return np.zeros(len(frame.confident), bool)
    return frame.confident & frame.appearance.known


# Which pairs to begin with.


def overlapping(frame: FrameState, tracks: Mask, detections: Mask) -> Pairs:
    """Pairs tracklets ``(T,)`` and detections ``(M,)`` whose boxes share some area."""
    return _above(frame, tracks, detections, -1.0, -1.0)


def close_to_track(frame: FrameState, tracks: Mask, detections: Mask) -> Pairs:
    """Pairs tracklets ``(T,)`` and detections ``(M,)`` that overlap enough for a confident detection."""
    least = frame.settings.confident.min_iou
    return _above(frame, tracks, detections, least, least)


def weak_close_to_track(frame: FrameState, tracks: Mask, detections: Mask) -> Pairs:
    """Pairs tracklets and detections that overlap enough for a weak detection; a lost track takes more."""
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
    """Pairs tracklets ``(T,)`` with detections ``(M,)`` that lie where these can have come to.

    Tracklets count that were seen when the detector looked last; how far is near grows with the time since.
    """
    rows = (tracks & (frame.ages <= 1.01 * frame.elapsed)).nonzero()[0]
    columns = detections.nonzero()[0]
    some, others = _within(frame, rows, columns, near_reach(frame)).nonzero()
    return Pairs(frame, rows[some], columns[others])


def near_reach(frame: FrameState) -> float:
    """How far an object that was seen in the detector's last look can be off its expected place, heights."""
    return min(_OFF_COURSE * frame.elapsed, frame.settings.revive.reach)


def within_reach(frame: FrameState, tracks: Mask, detections: Mask) -> Pairs:
    """Pairs tracklets ``(T,)`` and detections ``(M,)`` of known appearance that distance and class allow.

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
    """Keeps pairs whose distance of appearance is not that of strangers, and those that overlap a lot."""
    if frame.appearance is None:
        anybody = np.empty(len(pairs), bool)
        anybody.fill(True)
        return anybody
    settings = frame.settings
    gates = settings.confident.appearance_gate, settings.confident.stranger_iou
    return ~kernels.strangers(pairs.distances, pairs.overlaps, *gates)


def no_stranger_near(frame: FrameState, pairs: Pairs) -> Mask:
    """Keeps pairs whose distance of appearance is not that of strangers, for the stages without overlap."""
    if frame.appearance is None:
        return np.ones(len(pairs), bool)
    return ~(pairs.distances >= _STRANGE)


def alike(frame: FrameState, pairs: Pairs) -> Mask:
    """Keeps pairs of so small a distance of appearance that it alone brings a lost track back.

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
