"""One frame in the making: what is known about its tracklets and detections, and who was matched so far."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.association.looks import Looks
from mot_reid.structures import Detections

__all__ = ["NOBODY", "Frame"]

Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]

NOBODY = -1


@dataclass
class Frame:
    """What is known and decided about one frame, for T tracklets, M detections, P pairs of them that overlap.

    Attributes:
        detections: all that count.
        xyxy: ``(M, 4)`` their boxes, in double precision.
        measured: ``(M, 4)`` the same, centre x, centre y, width, height.
        ages: ``(T,)`` frames since each tracklet was last seen.
        rows: ``(P,)`` the tracklet of each pair.
        columns: ``(P,)`` the detection of each pair, of the same class.
        overlaps: ``(P,)`` how alike the two boxes lie.
        detection_of: ``(T,)`` the detection of each tracklet, or -1.
        track_of: ``(M,)`` the tracklet of each detection, or -1.
        at_edge: ``(M,)`` detections that the picture's edge cuts off, or nearly.
        convincing: ``(M,)`` confident detections whose score is enough to start a track soon.
        looks_share: the share of the confident detections whose looks there are, all in all; 0 for no looks.
        embeddable: ``(M,)`` who could be asked about, the confident ones; empty without looks.
        looks: what tracklets and detections look like, of those that were asked for, if any.
        covered: ``(M,)`` the share of each detection that another one covers; not known without looks.
        revived: the tracklets found by appearance alone, if any.
    """

    detections: Detections
    xyxy: NDArray[np.float64]
    measured: NDArray[np.float64]
    ages: NDArray[np.int64]
    rows: Indices
    columns: Indices
    overlaps: NDArray[np.float64]
    detection_of: Indices = field(init=False)
    track_of: Indices = field(init=False)
    at_edge: Mask = field(init=False)
    convincing: Mask = field(init=False)
    looks_share: float = 0.0
    embeddable: Mask = field(default_factory=lambda: np.zeros(0, bool))
    looks: Looks | None = None
    covered: NDArray[np.floating] = field(init=False)
    revived: Indices | None = None

    def __post_init__(self) -> None:
        self.detection_of = np.full(len(self.ages), NOBODY)
        self.track_of = np.full(len(self.detections), NOBODY)

    def possible(self, tracks: Mask, detections: Mask, alike: Mask) -> Indices:
        """Numbers of the pairs ``alike`` ``(P,)``, of such tracklets and detections as are still free."""
        return kernels.possible(
            self.rows, self.columns, alike, tracks, detections, self.detection_of, self.track_of
        )

    def match(self, pairs: Indices, costs: NDArray[np.float64]) -> None:
        """Makes the best of some pairs, given by their numbers ``(K,)``, at these costs ``(K,)``, below 1."""
        if len(pairs):
            rows, columns = self.rows[pairs], self.columns[pairs]
            chosen = kernels.assign_pairs(rows, columns, costs, 1.0)
            self.take(rows[chosen], columns[chosen])

    def take(self, rows: Indices, columns: Indices) -> None:
        """Matches tracklets ``(K,)`` with detections ``(K,)``."""
        self.detection_of[rows], self.track_of[columns] = columns, rows
