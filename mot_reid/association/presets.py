"""Known methods as cascades of our own parts: ByteTrack, BoT-SORT and DeepSORT.

Their published numbers are in ``configs/NAME.yaml``, which `mot_reid.load_config` reads by its name. Here is
what no setting says: plain IoU, costs that a detection's score weighs, the cosine distance as it is, and
DeepSORT's turns by age. Tracks and detections of different classes are never matched, in any of them.

ByteTrack: Zhang et al. 2022, arXiv 2110.06864. BoT-SORT: Aharon et al. 2022, arXiv 2206.14651. DeepSORT:
Wojke et al. 2017, arXiv 1703.07402.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mot_reid import kernels
from mot_reid.association.candidates import confident, confirmed, confirmed_lately, overlapping, weak
from mot_reid.association.cascade import CASCADE, Stage
from mot_reid.association.rules import Rules
from mot_reid.association.state import FrameState, Pairs
from mot_reid.boxes import iou
from mot_reid.motion import aspect
from mot_reid.typing import Floats, Mask

__all__ = ["BOTSORT", "BYTETRACK", "CASCADES", "DEEPSORT", "RULES", "InTurn"]


# BoT-SORT's proximity threshold: below this IoU appearance has no say.
_NEAR = 0.5
# Least overlap with a tentative track: 1 - 0.7 in all three.
_TENTATIVE_IOU = 0.3
# DeepSORT's gate: the 95 % quantile of chi-squared with four degrees of freedom.
_CHI2_95 = 9.4877


@dataclass(frozen=True)
class InTurn(Stage):
    """A stage in which the tracklets take turns: those seen last come first (DeepSORT's matching cascade)."""

    def match(self, frame: FrameState) -> None:
        """Matches the tracklets of one age after the other with the detections that are left."""
        pairs = self.pairs(frame)
        for age in np.unique(pairs.ages):
            turn = pairs[(pairs.ages == age) & frame.free_detections[pairs.detections]]
            if len(turn):
                frame.match(turn, self.cost(frame, turn))


# Which tracklets (T,).


def started(frame: FrameState) -> Mask:
    """Selects those that wait for confirmation, if their score was enough to start a track at all."""
    chosen: Mask = frame.tentative & frame.tracklets.rows["activated"]
    return chosen


def started_or_just_seen(frame: FrameState) -> Mask:
    """Selects those, and the confirmed ones that were seen in the last frame."""
    return started(frame) | (~frame.tentative & frame.within(0))


# Which pairs to begin with.


def plainly_overlapping(frame: FrameState, tracks: Mask, detections: Mask) -> Pairs:
    """Pairs tracklets ``(T,)`` and detections ``(M,)`` that share some area; the overlap is plain IoU."""
    pairs = overlapping(frame, tracks, detections)
    pairs = pairs[
        frame.tracklets.rows["class_id"][pairs.tracks] == frame.detections.classes[pairs.detections]
    ]
    rows, columns = tracks.nonzero()[0], detections.nonzero()[0]
    overlaps = np.zeros((len(tracks), len(detections)))
    boxes = kernels.corners(frame.tracklets.states.position[rows])
    overlaps[np.ix_(rows, columns)] = iou(boxes, frame.xyxy[columns])
    return Pairs(frame, pairs.tracks, pairs.detections, overlaps[pairs.tracks, pairs.detections])


def of_one_class(frame: FrameState, tracks: Mask, detections: Mask) -> Pairs:
    """Pairs all tracklets ``(T,)`` and detections ``(M,)`` of one class, wherever they are."""
    same = frame.tracklets.rows["class_id"][:, None] == frame.detections.classes
    return Pairs(frame, *(same & tracks[:, None] & detections).nonzero())


# Gates (K,).


def within_motion(frame: FrameState, pairs: Pairs) -> Mask:
    """Keeps pairs whose place and size the motion model expects: squared Mahalanobis distance up to 9.49."""
    states, measured = frame.tracklets.states, frame.measured[pairs.detections]
    return aspect.squared_distances(states, pairs.tracks, measured, frame.motion) <= _CHI2_95


def similar(frame: FrameState, pairs: Pairs) -> Mask:
    """Keeps pairs of known appearance that look alike."""
    return cosine_distances(frame, pairs) <= frame.settings.confident.appearance_gate


# Costs (K,). A published threshold is a cost from which on no pair is made; here that cost is 1.


def scored_cost(frame: FrameState, pairs: Pairs) -> Floats:
    """Gives 1 - IoU times the detection's score, of confident detections with confirmed tracklets."""
    return _limited(1 - _scored(frame, pairs), frame.settings.confident.min_iou)


def scored_tentative_cost(frame: FrameState, pairs: Pairs) -> Floats:
    """Gives the same for tentative tracklets."""
    return _limited(1 - _scored(frame, pairs), _TENTATIVE_IOU)


def weak_cost(frame: FrameState, pairs: Pairs) -> Floats:
    """Gives 1 - IoU of weak detections."""
    return _limited(1 - pairs.overlaps, frame.settings.weak.min_iou)


def tentative_cost(frame: FrameState, pairs: Pairs) -> Floats:
    """Gives 1 - IoU of tentative tracklets."""
    return _limited(1 - pairs.overlaps, _TENTATIVE_IOU)


def lesser_cost(frame: FrameState, pairs: Pairs) -> Floats:
    """Gives BoT-SORT's cost: of scored overlap or appearance the lesser one."""
    return _limited(_lesser(frame, pairs), frame.settings.confident.min_iou)


def lesser_tentative_cost(frame: FrameState, pairs: Pairs) -> Floats:
    """Gives the same for tentative tracklets."""
    return _limited(_lesser(frame, pairs), _TENTATIVE_IOU)


def cosine_cost(frame: FrameState, pairs: Pairs) -> Floats:
    """Gives the cosine distance as a share of the largest that is allowed."""
    return cosine_distances(frame, pairs) / max(frame.settings.confident.appearance_gate, 1e-9)


def cosine_distances(frame: FrameState, pairs: Pairs) -> Floats:
    """Gives 1 - cosine ``(K,)`` in [0, 2], nothing taken off as `Pairs.distances` does; nan for not known.

    The published thresholds are of this distance. What it is for two strangers depends on the embedder.
    """
    distances = np.full(len(pairs), np.nan)
    appearance, table = frame.appearance, frame.tracklets
    if appearance is not None:
        known = appearance.known[pairs.detections] & table.rows["has_embedding"][pairs.tracks]
        theirs = appearance.embeddings(pairs.detections[known])
        distances[known] = 1 - table.similarities(pairs.tracks[known], theirs)
    return distances


def _scored(frame: FrameState, pairs: Pairs) -> Floats:
    return pairs.overlaps * frame.detections.scores[pairs.detections]


def _lesser(frame: FrameState, pairs: Pairs) -> Floats:
    costs, distances = 1 - _scored(frame, pairs), cosine_distances(frame, pairs)
    counts = (pairs.overlaps >= _NEAR) & (distances <= frame.settings.confident.appearance_gate)
    return np.where(counts, np.minimum(costs, distances / 2), costs)


def _limited(costs: Floats, least: float) -> Floats:
    """Scales costs ``(K,)`` so that 1 is what a pair with an overlap of ``least`` costs."""
    return costs / max(1 - least, 1e-9)


_PLAIN = Stage(
    "plain",
    tracks=confirmed,
    detections=confident,
    candidates=plainly_overlapping,
    gates=(),
    costs=(weak_cost,),
)

BYTETRACK = (
    replace(_PLAIN, name="confident", costs=(scored_cost,)),
    replace(_PLAIN, name="weak", tracks=confirmed_lately, detections=weak),
    replace(_PLAIN, name="tentative", tracks=started, costs=(scored_tentative_cost,)),
)
"""ByteTrack: every detection counts, weak ones for tracks that the confident ones left."""

BOTSORT = (
    replace(BYTETRACK[0], costs=(lesser_cost,), asks=True),
    BYTETRACK[1],
    replace(BYTETRACK[2], costs=(lesser_tentative_cost,)),
)
"""BoT-SORT: ByteTrack with appearance, and with camera motion, which is a setting."""

DEEPSORT = (
    InTurn(
        "cascade",
        tracks=confirmed,
        detections=confident,
        candidates=of_one_class,
        gates=(within_motion, similar),
        costs=(cosine_cost,),
        asks=True,
    ),
    replace(_PLAIN, name="tentative", tracks=started_or_just_seen, costs=(tentative_cost,)),
)
"""DeepSORT: appearance within the gate of motion, the lately seen first; then overlap for what is new or was
seen in the last frame. A track keeps its last 100 embeddings; the nearest counts."""

_PUBLISHED = Rules(plain_scores=True, score_noise=False, duplicate_iou=1, filter_share=1, whole_boxes=False)

RULES: Mapping[str, Rules] = {
    "bytetrack": _PUBLISHED,
    "botsort": _PUBLISHED,
    "deepsort": replace(_PUBLISHED, aspect_ratio=True, confirms_first=False, gallery=100),
}
"""What is different outside of the stages."""

CASCADES: Mapping[str, tuple[Stage, ...]] = {
    "default": CASCADE,
    "bytetrack": BYTETRACK,
    "botsort": BOTSORT,
    "deepsort": DEEPSORT,
}
"""What ``association.cascade`` names."""
