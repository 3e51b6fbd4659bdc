"""One frame of association, stage by stage: predict, match, revive, start, update, retire."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mot_reid.association.assignment import assign
from mot_reid.association.costs import (
    appearance_distances,
    covered_in_front,
    fused_costs,
    occluded_fraction,
    similar_boxes,
    unambiguous,
)
from mot_reid.association.scene_shift import scene_shift
from mot_reid.association.scores import UsualScore
from mot_reid.association.tracklets import Status, TrackletTable
from mot_reid.association.view import View
from mot_reid.boxes import cxcywh_to_xyxy, iou, xyxy_to_cxcywh
from mot_reid.config import AssociationConfig, MotionConfig
from mot_reid.motion import kalman
from mot_reid.structures import Detections, Tracks

__all__ = ["Associator", "Embed"]

Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]
Embed = Callable[[Indices], NDArray[np.float32]]
"""Asks for the embeddings ``(K, D)``, L2-normalised, of the detections with these row numbers ``(K,)``."""

_NOBODY = -1
# Heights by which the camera must have moved on for edges to say nothing about who went through them.
_CARRIED_AWAY = 0.5


@dataclass
class _Frame:
    """What is known and decided about one frame, for T tracklets and M detections."""

    detections: Detections
    measured: NDArray[np.float64]  # (M, 4) their boxes, centre x, centre y, width, height
    overlaps: NDArray[np.float64]  # (T, M) how alike the boxes lie, 0 between different classes
    track_of: Indices  # (M,) the tracklet of each detection, or -1
    detection_of: Indices  # (T,) the detection of each tracklet, or -1
    embedded: Mask  # (M,) detections whose embedding is known
    hidden: Mask  # (M,) detections covered too much to teach an appearance
    at_edge: Mask  # (M,) detections that the picture's edge cuts off, or nearly
    embeddings: NDArray[np.float32] | None = None  # (M, D), valid where embedded
    distances: NDArray[np.float32] | None = None  # (T, M) of appearance, valid where both have embeddings
    revived: Indices = field(default_factory=lambda: np.zeros(0, np.intp))  # tracklets found by appearance

    def match(self, tracks: Mask, detections: Mask, costs: NDArray[np.floating], allowed: Mask) -> Indices:
        """Assigns the chosen tracklets ``(T,)`` and detections ``(M,)`` that are still free; costs below 1.

        Returns:
            The tracklets that were matched.
        """
        rows = np.flatnonzero(tracks & (self.detection_of == _NOBODY))
        columns = np.flatnonzero(detections & (self.track_of == _NOBODY))
        if not (rows.size and columns.size):
            return rows[:0]
        part = np.ix_(rows, columns)
        matched_rows, matched_columns = assign(costs[part], allowed[part], limit=1.0)
        rows, columns = rows[matched_rows], columns[matched_columns]
        self.detection_of[rows], self.track_of[columns] = columns, rows
        return rows


class Associator:
    """Follows people from frame to frame, from boxes, scores and embeddings alone.

    State: the table of tracklets, the detector's usual score, the picture's edges and the frame's number. Two
    associators share nothing.
    """

    def __init__(
        self, association: AssociationConfig | None = None, motion: MotionConfig | None = None
    ) -> None:
        self.association = association or AssociationConfig()
        self.motion = motion or MotionConfig()
        self._table = TrackletTable()
        self._usual_score = UsualScore()
        self._view = View()
        self._frame = 0

    def step(
        self,
        detections: Detections,
        affine: NDArray[np.float64] | None = None,
        embed: Embed | None = None,
    ) -> Tracks:
        """Takes one frame's detections and returns the tracks seen in it.

        Args:
            detections: this frame's.
            affine: ``(2, 3)`` camera motion, maps pixels of the last frame to this one's; None where nobody
                measured it: a shift that all boxes share is then taken for the camera's.
            embed: gives the embeddings of the detections it is asked for; None for motion alone.

        Returns:
            The confirmed tracks seen in this frame, in the order of their detections, then those that are
            hidden behind them (``detection_index`` -1).

        Raises:
            ValueError: embeddings do not have the shape they had before.
        """
        kept = np.flatnonzero(detections.scores >= self.association.low_score)
        detections = detections[kept]
        usual = self._usual_score.preview(detections.scores)
        confident = detections.scores >= self.association.high_share * usual
        wanted = np.flatnonzero(confident)
        embeddings = None
        if embed is not None and wanted.size:  # asked for first: if this fails, nothing has changed
            embeddings = embed(kept[wanted])
            self._table.require_dimension(embeddings.shape[1])
        self._frame += 1
        self._usual_score.update(detections.scores)
        self._view.extend(detections.xyxy)
        measured = xyxy_to_cxcywh(detections.xyxy.astype(np.float64))
        self._predict(affine, measured[confident])
        frame = self._compare(detections, measured)
        if embeddings is not None:
            self._take_in(frame, wanted, embeddings)
        self._match_confident(frame, confident)
        self._match_weak(frame, ~confident)
        self._revive(frame, confident)
        self._match_tentative(frame, confident)
        self._update(frame)
        self._start(frame, confident & (detections.scores >= self._needed_shares(frame) * usual))
        self._confirm()
        seen = self._report(frame, kept)
        self._retire()
        return seen

    def _predict(self, affine: NDArray[np.float64] | None, confident: NDArray[np.float64]) -> None:
        """Moves all tracklets to this frame; ``confident`` boxes ``(K, 4)`` stand in for a missing affine."""
        rows, states = self._table.rows, self._table.states
        lost = rows["status"] == Status.LOST
        states.velocity[lost, 2:] = 0  # an unseen box keeps its size
        states.velocity[lost & (self._ages() > self.association.max_age)] = 0  # nor wanders off for ever
        kalman.predict(states, self.motion)
        if affine is None:
            shift = scene_shift(states.position[rows["status"] == Status.CONFIRMED], confident)
            affine = np.column_stack([np.eye(2), shift]) if shift.any() else None
        if affine is not None:
            self._warp(affine)

    def _warp(self, affine: NDArray[np.float64]) -> None:
        """Moves all tracklets as the camera moved, and keeps how far it carried each while out of sight."""
        rows = self._table.rows
        before = rows["position"][:, :2].copy()
        kalman.warp(self._table.states, affine)
        rows["drift"] += rows["position"][:, :2] - before
        heights = np.maximum(rows["position"][:, 3], 1)
        rows["carried"] = np.maximum(rows["carried"], np.hypot(*rows["drift"].T) / heights)

    def _compare(self, detections: Detections, measured: NDArray[np.float64]) -> _Frame:
        """One overlap matrix for the whole frame; the stages take their parts of it."""
        rows = self._table.rows
        overlaps = similar_boxes(cxcywh_to_xyxy(rows["position"]), detections.xyxy.astype(np.float64))
        overlaps[rows["class_id"][:, None] != detections.classes[None]] = 0
        count = len(detections)
        return _Frame(
            detections=detections,
            measured=measured,
            overlaps=overlaps,
            track_of=np.full(count, _NOBODY),
            detection_of=np.full(len(rows), _NOBODY),
            embedded=np.zeros(count, bool),
            hidden=np.zeros(count, bool),
            at_edge=self._view.at_edge(detections.xyxy, self.association.edge_margin),
        )

    def _take_in(self, frame: _Frame, rows: Indices, embeddings: NDArray[np.float32]) -> None:
        """Puts the embeddings ``(K, D)`` of some detections in, compared once for all stages."""
        frame.embeddings = np.zeros((len(frame.detections), embeddings.shape[1]), np.float32)
        frame.embeddings[rows] = embeddings
        frame.embedded[rows] = True
        frame.hidden = occluded_fraction(frame.detections.xyxy) > self.association.max_occlusion
        usual = self._table.usual_embedding()
        frame.distances = appearance_distances(self._table.embeddings, frame.embeddings, usual)

    def _ages(self) -> NDArray[np.int64]:
        """Frames since each tracklet was last seen, ``(T,)``."""
        return self._frame - self._table.rows["last_seen"]

    def _match_confident(self, frame: _Frame, confident: Mask) -> None:
        """Confident detections with all but tentative tracklets, by overlap and appearance together."""
        rows, config = self._table.rows, self.association
        tracks = (rows["status"] != Status.TENTATIVE) & (self._ages() <= max(config.max_age, 1))
        costs = fused_costs(frame.overlaps, frame.distances, rows["has_embedding"], config)
        # Where a lost track and one in view claim the same detection, the longer loss is the weaker claim.
        costs += config.age_cost * ((self._ages() - 1) / max(config.max_age, 1))[:, None]
        frame.match(tracks, confident, costs, frame.overlaps > config.min_iou)

    def _match_weak(self, frame: _Frame, weak: Mask) -> None:
        """Weak detections with tracklets seen lately, by overlap (ByteTrack, arXiv 2110.06864)."""
        config, status = self.association, self._table.rows["status"]
        tracks = (status != Status.TENTATIVE) & (self._ages() <= config.weak_age)
        least = np.where(status == Status.LOST, config.weak_lost_min_iou, config.weak_min_iou)
        frame.match(tracks, weak, 1 - frame.overlaps, frame.overlaps > least[:, None])

    def _revive(self, frame: _Frame, confident: Mask) -> None:
        """Confident detections nobody claims with tracklets out of sight, by appearance.

        Overlap has no say: the gates are time, distance, size and class, and no rival may look alike. Who
        turns up in the middle of the picture was hidden there, and so was the track that vanished there;
        through the picture's edge strangers come and go, and looks must agree more.
        """
        config, rows = self.association, self._table.rows
        if frame.distances is None:
            return
        tracks = (rows["status"] != Status.TENTATIVE) & rows["has_embedding"]
        tracks &= (frame.detection_of == _NOBODY) & (self._ages() <= config.revive_age)
        candidates = confident & (frame.track_of == _NOBODY)
        if not (tracks.any() and candidates.any()):
            return
        possible = tracks[:, None] & candidates[None] & self._within_reach(frame)
        clear = unambiguous(frame.distances, possible, config.revive_margin)
        through_edge = rows["at_edge"][:, None] | frame.at_edge[None]
        through_edge &= (rows["carried"] < _CARRIED_AWAY)[:, None]  # unless it was the camera that left
        clear &= frame.distances <= np.where(through_edge, config.revive_edge_gate, config.revive_gate)
        frame.revived = frame.match(tracks, candidates, frame.distances / 2, clear)

    def _within_reach(self, frame: _Frame) -> Mask:
        """Pairs ``(T, M)`` near enough for the time that has passed, alike in height and of one class."""
        config, rows = self.association, self._table.rows
        boxes = frame.measured
        height = np.maximum(rows["position"][:, 3], 1)[:, None]
        expected = self._view.nearest(rows["position"][:, :2])  # beyond the edge nobody can be seen
        offset = expected[:, None] - boxes[None, :, :2]
        reach = height * np.minimum(1 + config.revive_speed * self._ages()[:, None], config.revive_reach)
        ratio = boxes[None, :, 3] / height
        alike = (ratio <= config.revive_size_ratio) & (ratio >= 1 / config.revive_size_ratio)
        same_class = rows["class_id"][:, None] == frame.detections.classes[None]
        near = np.hypot(offset[..., 0], offset[..., 1]) <= reach
        return near & alike & same_class

    def _match_tentative(self, frame: _Frame, confident: Mask) -> None:
        """The confident detections left with tentative tracklets, by overlap."""
        tracks = self._table.rows["status"] == Status.TENTATIVE
        frame.match(
            tracks, confident, 1 - frame.overlaps, frame.overlaps > self.association.tentative_min_iou
        )

    def _update(self, frame: _Frame) -> None:
        """The matched tracklets take over where their detections are and what they look like."""
        rows, states = self._table.rows, self._table.states
        matched = np.flatnonzero(frame.detection_of != _NOBODY)
        if not matched.size:
            return
        chosen = frame.detection_of[matched]
        measured, scores = frame.measured[chosen], frame.detections.scores[chosen]
        # Where the revived were says nothing about how they move now.
        fresh = kalman.initiate(measured[np.searchsorted(matched, frame.revived)], self.motion)
        for name, values in vars(fresh).items():
            getattr(states, name)[frame.revived] = values
        kalman.update(states, matched, measured, self.motion, scores)
        rows["score"][matched] = scores
        rows["last_seen"][matched] = self._frame
        rows["at_edge"][matched] = frame.at_edge[chosen]
        rows["drift"][matched], rows["carried"][matched] = 0, 0
        rows["hits"][matched] += 1
        lost = rows["status"][matched] == Status.LOST
        rows["status"][matched[lost]] = Status.CONFIRMED
        self._remember_appearance(frame, matched, chosen)

    def _remember_appearance(self, frame: _Frame, rows: Indices, detections: Indices) -> None:
        """Blends embeddings in where the view is clear; the first of a tracklet counts as it is."""
        if frame.embeddings is None:
            return
        hidden = frame.hidden[detections] & self._table.rows["has_embedding"][rows]
        usable = frame.embedded[detections] & ~hidden
        self._table.blend_embeddings(
            rows[usable], frame.embeddings[detections[usable]], self.association.embedding_momentum
        )

    def _needed_shares(self, frame: _Frame) -> NDArray[np.float64]:
        """Which share of the usual score each detection ``(M,)`` needs to start a track.

        Where appearance is known, people who turn up in the middle of the picture are revived by their looks;
        what is left there and looks like nobody must be more convincing than one who comes in at its edge.
        """
        config = self.association
        suspicious = ~frame.at_edge & (frame.distances is not None) & (self._frame > 1)
        return np.where(suspicious, config.new_share_inside, config.new_share)

    def _start(self, frame: _Frame, convincing: Mask) -> None:
        """Free detections start tentative tracklets unless they double a box that is already followed."""
        config, detections = self.association, frame.detections
        free = frame.track_of == _NOBODY
        starting = np.flatnonzero(free & convincing)
        if not starting.size:
            return
        taken = detections[~free]
        overlaps = iou(detections.xyxy[starting], taken.xyxy)
        overlaps[detections.classes[starting][:, None] != taken.classes[None]] = 0
        starting = starting[overlaps.max(axis=1, initial=0) <= config.duplicate_iou]
        states = kalman.initiate(frame.measured[starting], self.motion)
        born = detections[starting]
        rows = self._table.append(states, born.classes, born.scores, self._frame)
        frame.track_of[starting] = rows
        self._table.rows["at_edge"][rows] = frame.at_edge[starting]
        frame.detection_of = np.concatenate([frame.detection_of, starting])
        self._remember_appearance(frame, rows, starting)

    def _confirm(self) -> None:
        """Tentative tracklets seen often enough get their ids; in the first frame at once."""
        rows = self._table.rows
        enough = 1 if self._frame == 1 else self.association.min_hits
        seen = rows["last_seen"] == self._frame
        ready = (rows["status"] == Status.TENTATIVE) & seen & (rows["hits"] >= enough)
        self._table.confirm(np.flatnonzero(ready))

    def _report(self, frame: _Frame, kept: Indices) -> Tracks:
        """The confirmed tracklets seen in this frame, then those hidden by them.

        ``kept`` numbers their detections as they came in.
        """
        rows = self._table.rows
        reported = (rows["status"] == Status.CONFIRMED) & (rows["last_seen"] == self._frame)
        chosen = np.flatnonzero(reported)
        chosen = chosen[np.argsort(frame.detection_of[chosen])]
        index = frame.detection_of[chosen]
        share = self.association.smoothing
        boxes = (1 - share) * frame.measured[index] + share * rows["position"][chosen]
        seen = cxcywh_to_xyxy(boxes)
        hidden, hidden_boxes = self._hidden(seen)
        chosen = np.concatenate([chosen, hidden])
        return Tracks(
            ids=rows["id"][chosen],
            xyxy=np.concatenate([seen, hidden_boxes]).astype(np.float32),
            scores=rows["score"][chosen],
            classes=rows["class_id"][chosen],
            detection_index=np.concatenate([kept[index], np.full(len(hidden), _NOBODY)]).astype(np.int64),
        )

    def _hidden(self, seen: NDArray[np.float64]) -> tuple[Indices, NDArray[np.float64]]:
        """The tracklets that went behind a box of ``seen`` ``(K, 4)`` just now, and where they should be."""
        config, rows = self.association, self._table.rows
        ages = self._ages()
        missed = (rows["status"] != Status.TENTATIVE) & (ages > 0)
        candidates = np.flatnonzero(missed & (ages <= min(config.hidden_age, config.max_age)))
        boxes = cxcywh_to_xyxy(rows["position"][candidates])
        if not candidates.size:
            return candidates, boxes
        behind = covered_in_front(boxes, seen) >= config.hidden_cover
        return candidates[behind], boxes[behind]

    def _retire(self) -> None:
        """Tentative tracklets that were missed go at once, lost ones when their time is up."""
        rows, config = self._table.rows, self.association
        ages = self._ages()
        unseen = ages > 0
        rows["status"][unseen & (rows["status"] == Status.CONFIRMED)] = Status.LOST
        longest = np.where(rows["has_embedding"], max(config.max_age, config.revive_age), config.max_age)
        gone = unseen & ((rows["status"] == Status.TENTATIVE) | (ages > longest))
        self._table.keep(~gone)
