"""The state of one frame: what is known about its tracklets and detections, and who was matched so far."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.association.appearance import AppearanceDistances
from mot_reid.association.rules import Rules
from mot_reid.association.tracklets import TrackletTable
from mot_reid.config import AssociationConfig, MotionConfig
from mot_reid.structures import Detections
from mot_reid.typing import Floats, Floats32, Indices, Ints, Mask

__all__ = ["UNMATCHED", "FrameState", "Pairs"]


UNMATCHED = -1
"""Stands for no detection, and for no tracklet."""
_NONE, _NO_OVERLAPS = np.zeros(0, np.intp), np.zeros(0)


@dataclass
class FrameState:
    """What is known and decided about one frame, for T tracklets and M detections.

    Attributes:
        settings: the associator's.
        number: how many frames there were, this one included.
        time: of this frame, seconds of the source.
        first: whether it is the first that the detector looked at.
        elapsed: seconds since the frame that the detector looked at before this one.
        interval: what ``elapsed`` usually is: seconds from frame to frame, times frames from look to look.
        tracklets: the table of all of them, moved to where they are expected in this frame.
        tentative: ``(T,)`` tracklets that were not confirmed before this frame.
        settled: ``(T,)`` the others.
        ages: ``(T,)`` seconds since each tracklet was last seen.
        detections: those of this frame that count.
        original_rows: ``(M,)`` their row numbers as they came in.
        xyxy: ``(M, 4)`` their boxes, in double precision.
        measured: ``(M, 4)`` the same, centre x, centre y, width, height.
        levels: ``(M,)`` their scores, stretched where the detector is modest; see `UsualScore.levels`.
        confident: ``(M,)`` those whose score is high for this detector; the others are weak.
        activating: ``(M,)`` confident ones whose score is enough to start a track soon.
        at_edge: ``(M,)`` those that the picture's edge cuts off, or nearly.
        border: ``(4,)`` the edges of the picture, infinite where they are not known.
        overlapping: the tracklet, the detection and the overlap ``(P,)`` of each pair whose boxes share some
            area, tracklets ascending. The overlap is IoU times the squared IoU of heights, and less where
            their classes differ, see `mot_reid.association.classes.agreement`.
        motion: settings of the Kalman filter.
        certainty: ``(4,)`` how sure a measured place is, by coordinate; see
            `mot_reid.motion.kalman.certainty`.
        rules: of the method.
        appearance_share: the share of the confident detections whose embeddings there are, all in all; 0 for
            motion alone.
        appearance: distances of appearance, or None: nobody has asked yet, or there are no embeddings.
        gates_after: gives the largest distances of appearance at which tracks return through the picture's
            edges, by how many ids were given out since they were last seen; None where whoever does is new.
        given_ids: how many ids were given out before this frame.
        detection_of: ``(T,)`` the detection of each tracklet so far, or `UNMATCHED`.
        track_of: ``(M,)`` the tracklet of each detection so far, or `UNMATCHED`.
        free_tracks: ``(T,)`` tracklets without a detection so far.
        free_detections: ``(M,)`` detections without a tracklet so far.
        revived: the pairs that reviving stages matched, or None.
    """

    settings: AssociationConfig
    number: int
    time: float
    first: bool
    elapsed: float
    interval: float
    tracklets: TrackletTable
    tentative: Mask
    ages: Floats
    detections: Detections
    original_rows: Indices
    xyxy: Floats
    measured: Floats
    levels: NDArray[np.floating]
    confident: Mask
    activating: Mask
    at_edge: Mask
    border: Floats
    overlapping: tuple[Indices, Indices, Floats]
    motion: MotionConfig = field(default_factory=MotionConfig)
    certainty: Floats | None = None
    rules: Rules = field(default_factory=Rules)
    appearance_share: float = 0.0
    appearance: AppearanceDistances | None = None
    gates_after: Callable[[Ints], Floats] | None = None
    given_ids: int = 0
    detection_of: Indices = field(init=False)
    track_of: Indices = field(init=False)
    settled: Mask = field(init=False)
    free_tracks: Mask = field(init=False)
    free_detections: Mask = field(init=False)
    revived: "Pairs | None" = None

    def __post_init__(self) -> None:
        tracks, detections = len(self.ages), len(self.xyxy)  # np.full and np.ones take three times as long
        self.settled = ~self.tentative
        self.detection_of, self.track_of = np.empty(tracks, np.intp), np.empty(detections, np.intp)
        self.free_tracks, self.free_detections = np.empty(tracks, bool), np.empty(detections, bool)
        self.detection_of.fill(UNMATCHED)
        self.track_of.fill(UNMATCHED)
        self.free_tracks.fill(True)
        self.free_detections.fill(True)

    @cached_property
    def covered(self) -> NDArray[np.floating]:
        """The share ``(M,)`` of each detection's box that another one in front of it covers."""
        return kernels.covered_in_front(self.xyxy, self.xyxy)

    def gates(self, tracks: Indices) -> Floats:
        """Gives the largest distances ``(K,)`` at which some lost tracklets return, see ``gates_after``."""
        assert self.gates_after is not None
        return self.gates_after(self.given_ids - self.tracklets.rows["newcomers"][tracks])

    def within(self, seconds: float) -> Mask:
        """Tells which tracklets ``(T,)`` were seen this many seconds ago or later.

        Time stamps are rounded and rates differ: half an interval more is no more. What was seen one usual
        interval ago was always seen lately enough.
        """
        within: Mask = self.ages <= self.longest(seconds)
        return within

    def longest(self, seconds: float) -> float:
        """Gives the age up to which `within` tells so."""
        return max(seconds, self.interval) + self.interval / 2

    def match(self, pairs: "Pairs", costs: Floats) -> Indices:
        """Matches one to one, at the least sum of (cost - 1); what costs 1 or more is left apart.

        Args:
            pairs: of free tracklets and detections, tracklets ascending.
            costs: ``(K,)``; infinite for never.

        Returns:
            The numbers of the pairs that were made.
        """
        made = kernels.assign_pairs(pairs.tracks, pairs.detections, costs, 1.0)
        free = self.free_tracks, self.free_detections
        kernels.mark_matched(pairs.tracks, pairs.detections, made, self.detection_of, self.track_of, *free)
        return made


class Pairs:
    """K pairs of a tracklet and a detection in one frame, as a structure of arrays.

    Args:
        frame: the frame's state.
        tracks: ``(K,)`` row numbers of tracklets, ascending.
        detections: ``(K,)`` row numbers of detections.
        overlaps: ``(K,)`` of their boxes, see `FrameState.overlapping`; nan where not given.
        distances: ``(K,)`` of appearance; by default `AppearanceDistances.of_pairs` gives them.
        margins: ``(K,)`` by how much the distance of each beats its best rival's; nan where not given.

    Attributes:
        tracks: the same.
        detections: the same.
    """

    __slots__ = ("_distances", "_frame", "_margins", "_overlaps", "detections", "tracks")

    def __init__(
        self,
        frame: FrameState,
        tracks: Indices,
        detections: Indices,
        overlaps: Floats | None = None,
        distances: Floats32 | None = None,
        margins: Floats32 | None = None,
    ) -> None:
        self._frame = frame
        self.tracks, self.detections = tracks, detections
        self._overlaps, self._distances, self._margins = overlaps, distances, margins

    @classmethod
    def none(cls, frame: FrameState) -> Self:
        """No pair at all."""
        return cls(frame, _NONE, _NONE, _NO_OVERLAPS)

    def __len__(self) -> int:
        return len(self.tracks)

    def __getitem__(self, chosen: Mask | Indices) -> Self:
        """Selects pairs by a mask or by their numbers."""
        overlaps, distances, margins = self._overlaps, self._distances, self._margins
        return type(self)(
            self._frame,
            self.tracks[chosen],
            self.detections[chosen],
            None if overlaps is None else overlaps[chosen],
            None if distances is None else distances[chosen],
            None if margins is None else margins[chosen],
        )

    def joined(self, others: Self) -> Self:
        """These pairs and, behind them, others of the same frame."""
        overlaps, distances, margins = (
            np.concatenate([getattr(self, name), getattr(others, name)])
            for name in ("overlaps", "distances", "margins")
        )
        rows = np.concatenate([self.tracks, others.tracks])
        columns = np.concatenate([self.detections, others.detections])
        return type(self)(self._frame, rows, columns, overlaps, distances, margins)

    @property
    def overlaps(self) -> Floats:
        """How much the boxes overlap ``(K,)``, in [0, 1]; nan where they were not compared."""
        return np.full(len(self), np.nan) if self._overlaps is None else self._overlaps

    @property
    def distances(self) -> Floats32:
        """How far apart they are in appearance ``(K,)``, in [0, 2], strangers about 1; nan for not known."""
        if self._distances is None:
            appearance = self._frame.appearance
            if appearance is None:
                return np.full(len(self), np.nan, np.float32)
            self._distances = appearance.of_pairs(self.tracks, self.detections)
        return self._distances

    @property
    def margins(self) -> Floats32:
        """By how much each distance beats the best rival of its tracklet and detection ``(K,)``; or nan."""
        return np.full(len(self), np.nan, np.float32) if self._margins is None else self._margins

    @property
    def ages(self) -> Floats:
        """Seconds since each pair's tracklet was last seen ``(K,)``."""
        return self._frame.ages[self.tracks]
