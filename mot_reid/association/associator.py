"""One frame of association, stage by stage: predict, match, revive, start, update, retire."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from copy import copy

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.association.assignment import assign
from mot_reid.association.claims import at_frame_rate, overlap_claims, revivable, within_reach
from mot_reid.association.confidence import revival_confidence
from mot_reid.association.costs import fused_costs
from mot_reid.association.frame import NOBODY, Frame
from mot_reid.association.looks import Looks
from mot_reid.association.scene_shift import scene_shift
from mot_reid.association.scores import UsualScore, start_shares
from mot_reid.association.selection import Allowance, find_benefits, find_doubts
from mot_reid.association.tracklets import Status, TrackletTable
from mot_reid.association.view import View
from mot_reid.config import AssociationConfig, MotionConfig
from mot_reid.motion import kalman
from mot_reid.motion.camera import AT_REST
from mot_reid.structures import Detections, Tracks

__all__ = ["Associator", "Embed"]

Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]
Embed = Callable[[Indices], NDArray[np.float32]]
"""Asks for the embeddings ``(K, D)``, L2-normalised, of the detections with these row numbers ``(K,)``."""

# Heights by which the camera must have moved on for edges to say nothing about who went through them.
_CARRIED_AWAY = 0.5


class Associator:
    """Follows people from frame to frame, from boxes, scores and embeddings alone.

    State: the table of tracklets, the detector's usual score, the picture's edges, the embeddings saved and
    the frame's number. Two associators share nothing.

    Args:
        association: settings; the defaults where None.
        motion: settings of the Kalman filter likewise.
        fps: frames a second, for settings in seconds; None where nobody knows: only those in frames count.

    Attributes:
        embeddable: how many detections could have been asked about so far, all confident ones.
        embedded: how many of them were.
    """

    def __init__(
        self,
        association: AssociationConfig | None = None,
        motion: MotionConfig | None = None,
        fps: float | None = None,
    ) -> None:
        self.association = at_frame_rate(association or AssociationConfig(), fps)
        self.motion = motion or MotionConfig()
        self._table = TrackletTable()
        self._usual_score = UsualScore()
        self._view = View()
        self._allowance = Allowance(self.association.embed_share)
        self._frame = 0
        self.embeddable = self.embedded = 0

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
            embed: gives the embeddings of the detections it is asked for, at most once a frame, and for a
                share of them (`AssociationConfig.embed_share`). None for motion alone, unless the detections
                carry embeddings: those cost nothing, so all are used.

        Returns:
            The confirmed tracks seen in this frame, in the order of their detections, then those that are
            hidden behind them (``detection_index`` -1).

        Raises:
            ValueError: embeddings do not have the shape they had before.
        """
        embeddings, detections = detections.embeddings, detections.without_embeddings()
        if embeddings is not None and len(detections):
            self._table.require_dimension(embeddings.shape[1])
        kept = (detections.scores >= self.association.low_score).nonzero()[0]
        if len(kept) < len(detections):
            detections = detections[kept]
        usual_score = self._usual_score.after(detections.scores)
        usual = usual_score.value
        confident = detections.scores >= self.association.high_share * usual
        xyxy = detections.xyxy.astype(np.float64)
        measured = kernels.centres(xyxy)
        asks = embed is not None and embeddings is None and self.association.embed_share > 0
        with self._unless_it_fails() if asks else nullcontext():
            self._frame += 1
            self._predict(affine, measured, confident)
            frame = self._compare(detections, xyxy, measured)
            if embeddings is not None:
                self._prepare_looks(frame, confident, 1.0)
                if len(detections):
                    self._take_in(frame, confident, embeddings[kept[confident]])
            elif embed is not None and asks:
                self._ask(frame, confident, embed, kept)
        self._usual_score = usual_score
        self._view.extend(xyxy)
        frame.at_edge = self._view.at_edge(xyxy, self.association.edge_margin)
        known_by_looks = frame.looks_share > 0 and self._frame > 1
        shares = start_shares(frame.at_edge, known_by_looks, self.association)
        frame.convincing = confident & (detections.scores >= shares * usual)
        self._match_confident(frame, confident)
        self._match_weak(frame, ~confident)
        self._revive(frame, confident)
        self._match_tentative(frame, confident)
        self._update(frame)
        self._start(frame, confident)
        self._confirm()
        seen = self._report(frame, kept)
        self._retire()
        return seen

    @contextmanager
    def _unless_it_fails(self) -> Iterator[None]:
        """Takes everything back to where it was if the block fails: embedders can."""
        table, allowance = self._table.saved(), copy(self._allowance)
        numbers = self._frame, self.embeddable, self.embedded
        try:
            yield
        except BaseException:
            self._table.restore(table)
            self._allowance = allowance
            self._frame, self.embeddable, self.embedded = numbers
            raise

    def _predict(
        self, affine: NDArray[np.float64] | None, measured: NDArray[np.float64], confident: Mask
    ) -> None:
        """Moves all tracklets to this frame; the confident boxes stand in for a missing affine."""
        rows, states = self._table.rows, self._table.states
        lost = (rows["status"] == Status.LOST).nonzero()[0]
        if lost.size:
            velocity = states.velocity
            velocity[lost, 2:] = 0  # an unseen box keeps its size
            velocity[lost[self._ages()[lost] > self.association.max_age]] = 0  # nor wanders off for ever
        kalman.predict(states, self.motion)
        if affine is None:
            shift = scene_shift(states.position[rows["status"] == Status.CONFIRMED], measured[confident])
            affine = np.column_stack([np.eye(2), shift]) if shift.any() else AT_REST
        if affine is not AT_REST:
            self._warp(affine)

    def _warp(self, affine: NDArray[np.float64]) -> None:
        """Moves all tracklets as the camera moved, and keeps how far it carried each while out of sight."""
        rows, states = self._table.rows, self._table.states
        before = states.values[0, :2].copy()
        kalman.warp(states, affine)
        if not self._table.embeddings.shape[1]:
            return  # without looks nobody needs to know
        kernels.carry(rows["drift"], rows["carried"], before, states.values)

    def _compare(
        self, detections: Detections, xyxy: NDArray[np.float64], measured: NDArray[np.float64]
    ) -> Frame:
        """The pairs of tracklets and detections that overlap; the stages take their parts of them."""
        table = self._table
        predicted = kernels.corners(table.states.position)
        rows, columns, overlaps = kernels.similar_pairs(
            predicted, xyxy, table.rows["class_id"], detections.classes
        )
        return Frame(
            detections=detections,
            xyxy=xyxy,
            measured=measured,
            ages=self._ages(),
            rows=rows,
            columns=columns,
            overlaps=overlaps,
        )

    def _ask(self, frame: Frame, confident: Mask, embed: Embed, kept: Indices) -> None:
        """Asks for the looks that are worth it; ``kept`` numbers the detections as they came in."""
        share, known = self.association.embed_share, confident
        self._prepare_looks(frame, confident, share)
        if share < 1:
            doubts, expected = find_doubts(self._table, frame, self._view, confident, self.association)
            benefits = find_benefits(self._table, frame, expected, self.association)
            known = self._allowance.choose(confident, doubts, benefits)
        wanted = known.nonzero()[0]
        if wanted.size:
            self._take_in(frame, known, embed(kept[wanted]))

    def _prepare_looks(self, frame: Frame, confident: Mask, share: float) -> None:
        """Makes the frame ready for the looks of a ``share`` of the confident detections."""
        frame.looks_share, frame.embeddable = share, confident
        frame.covered = kernels.covered_in_front(frame.xyxy, frame.xyxy)
        self.embeddable += int(np.count_nonzero(confident))

    def _take_in(self, frame: Frame, known: Mask, embeddings: NDArray[np.float32]) -> None:
        """Puts the embeddings ``(K, D)`` of the ``known`` detections ``(M,)`` in."""
        self._table.require_dimension(embeddings.shape[1])
        self.embedded += len(embeddings)
        frame.looks = Looks(self._table.embeddings, embeddings, known, self._table.rows["has_embedding"])

    def _ages(self) -> NDArray[np.int64]:
        """Frames since each tracklet was last seen, ``(T,)``."""
        return self._frame - self._table.rows["last_seen"]

    def _match_confident(self, frame: Frame, confident: Mask) -> None:
        """Confident detections with all but tentative tracklets, by overlap and appearance together."""
        pairs, costs = overlap_claims(self._table, frame, confident, self.association)
        tracklets, columns, overlaps = frame.rows[pairs], frame.columns[pairs], frame.overlaps[pairs]
        if frame.looks is None:
            costs += 1 - overlaps
        else:
            known = frame.looks.known[columns] & self._table.rows["has_embedding"][tracklets]
            distances = np.zeros(len(pairs), np.float32)
            distances[known] = frame.looks.pair_distances(tracklets[known], columns[known])
            costs += fused_costs(overlaps, distances, known, self.association)
            strangers = known & (distances >= self.association.stranger_distance)
            costs[strangers & (overlaps < self.association.stranger_iou)] = np.inf
        frame.match(pairs, costs)

    def _match_weak(self, frame: Frame, weak: Mask) -> None:
        """Weak detections with tracklets seen lately, by overlap (ByteTrack, arXiv 2110.06864)."""
        config = self.association
        free = weak[frame.columns] & (frame.detection_of[frame.rows] == NOBODY)
        pairs = free.nonzero()[0]
        if not pairs.size:
            return
        rows, overlaps = frame.rows[pairs], frame.overlaps[pairs]
        status = self._table.rows["status"][rows]
        least = np.where(status == Status.LOST, config.weak_lost_min_iou, config.weak_min_iou)
        near = (status != Status.TENTATIVE) & (frame.ages[rows] <= config.weak_age) & (overlaps > least)
        frame.match(pairs[near], 1 - overlaps[near])

    def _revive(self, frame: Frame, confident: Mask) -> None:
        """Confident detections nobody claims with tracklets out of sight, by appearance.

        Overlap has no say: the gates are time, distance, size and class, and no rival may look alike. Who
        turns up in the middle of the picture was hidden there, and so was the track that vanished there;
        through the picture's edge strangers come and go, and looks must agree more.
        """
        config, rows = self.association, self._table.rows
        if frame.looks is None:
            return
        columns = (confident & frame.looks.known & (frame.track_of == NOBODY)).nonzero()[0]
        if not columns.size:
            return
        tracklets = revivable(self._table, frame, config).nonzero()[0]
        if not tracklets.size:
            return
        possible = within_reach(self._table, frame, self._view, tracklets, columns, config)
        near = possible.any(axis=1)
        if not near.any():
            return
        tracklets, possible = tracklets[near], possible[near]
        distances = frame.looks.distances(tracklets, columns)
        through_edge = rows["at_edge"][tracklets, None] | frame.at_edge[columns]
        # Unless it was the camera that left.
        through_edge &= (rows["carried"][tracklets] < _CARRIED_AWAY)[:, None]
        alike = distances <= np.where(through_edge, config.revive_edge_gate, config.revive_gate)
        alike &= possible
        if not alike.any():
            return
        margin = kernels.margins(distances, possible)
        alike &= margin >= config.revive_margin
        found, by = assign(distances / 2, alike, limit=1.0)
        frame.revived = tracklets[found]
        frame.take(frame.revived, columns[by])
        rows["id_confidence"][frame.revived] *= revival_confidence(distances[found, by], margin[found, by])

    def _match_tentative(self, frame: Frame, confident: Mask) -> None:
        """The confident detections left with tentative tracklets, by overlap."""
        tracks = self._table.rows["status"] == Status.TENTATIVE
        if np.count_nonzero(tracks):
            pairs = frame.possible(tracks, confident, frame.overlaps > self.association.tentative_min_iou)
            frame.match(pairs, 1 - frame.overlaps[pairs])

    def _update(self, frame: Frame) -> None:
        """The matched tracklets take over where their detections are and what they look like."""
        rows, states = self._table.rows, self._table.states
        matched = (frame.detection_of != NOBODY).nonzero()[0]
        if not matched.size:
            return
        chosen = frame.detection_of[matched]
        measured, scores = frame.measured[chosen], frame.detections.scores[chosen]
        if frame.revived is not None:  # where they were says nothing about how they move now
            fresh = kalman.initiate(frame.measured[frame.detection_of[frame.revived]], self.motion)
            states.values[:, :, frame.revived] = fresh.values
        kalman.update(states, matched, measured, self.motion, scores)
        rows["score"][matched] = scores
        rows["last_seen"][matched] = self._frame
        rows["at_edge"][matched] = frame.at_edge[chosen]
        newly = matched[frame.convincing[chosen] & ~rows["convinced"][matched]]
        rows["convinced"][newly], rows["hits"][newly] = True, 0
        rows["drift"][matched], rows["carried"][matched] = 0, 0
        rows["hits"][matched] += 1
        lost = rows["status"][matched] == Status.LOST
        if np.count_nonzero(lost):
            rows["status"][matched[lost]] = Status.CONFIRMED
        self._remember_appearance(frame, matched, chosen)

    def _remember_appearance(self, frame: Frame, rows: Indices, detections: Indices) -> None:
        """Blends embeddings in where the view is clear; the first of a tracklet counts as it is."""
        if not frame.looks_share:
            return
        unlooked = self._table.rows["unlooked"]
        usable = frame.embeddable[detections]
        hidden = frame.covered[detections] > self.association.max_occlusion
        usable &= ~(hidden & self._table.rows["has_embedding"][rows])
        unlooked[rows[usable]] += 1
        if frame.looks is None:
            return
        usable &= frame.looks.known[detections]
        rows, embeddings = rows[usable], frame.looks.of_detections(detections[usable])
        # One embedding after five clear views stands for all five, but for no more than are usual.
        views = np.minimum(unlooked[rows], 1 / frame.looks_share)
        momentum = (self.association.embedding_momentum**views).astype(np.float32)
        self._table.blend_embeddings(rows, embeddings, momentum)
        unlooked[rows] = 0

    def _start(self, frame: Frame, confident: Mask) -> None:
        """Free detections start tentative tracklets unless they double a box that is already followed."""
        config, detections = self.association, frame.detections
        free = frame.track_of == NOBODY
        starting = (free & confident).nonzero()[0]
        if not starting.size:
            return
        shared = kernels.most_shared(detections.xyxy, detections.classes, starting, (~free).nonzero()[0])
        starting = starting[shared <= config.duplicate_iou]
        states = kalman.initiate(frame.measured[starting], self.motion)
        classes, scores = detections.classes[starting], detections.scores[starting]
        rows = self._table.append(states, classes, scores, self._frame)
        frame.track_of[starting] = rows
        self._table.rows["at_edge"][rows] = frame.at_edge[starting]
        self._table.rows["convinced"][rows] = frame.convincing[starting]
        self._remember_appearance(frame, rows, starting)

    def _confirm(self) -> None:
        """Tentative tracklets seen often enough get their ids; convincing ones in the first frame at once."""
        rows, config = self._table.rows, self.association
        tentative = ((rows["status"] == Status.TENTATIVE) & (rows["last_seen"] == self._frame)).nonzero()[0]
        if tentative.size:
            soon = 1 if self._frame == 1 else config.min_hits
            late = max(config.patient_hits, config.min_hits)
            enough = np.where(rows["convinced"][tentative], soon, late)
            self._table.confirm(tentative[rows["hits"][tentative] >= enough])

    def _report(self, frame: Frame, kept: Indices) -> Tracks:
        """The confirmed tracklets seen in this frame, then those hidden by them.

        ``kept`` numbers their detections as they came in.
        """
        rows = self._table.rows
        index = (frame.track_of != NOBODY).nonzero()[0]
        chosen = frame.track_of[index]
        reported = rows["status"][chosen] == Status.CONFIRMED
        index, chosen = index[reported], chosen[reported]
        position, share = self._table.states.position, self.association.smoothing
        xyxy, detection_index = kernels.smoothed(frame.measured, index, position, chosen, share), kept[index]
        hidden, hidden_boxes = self._hidden(xyxy)
        if hidden.size:
            chosen, xyxy = np.concatenate([chosen, hidden]), np.concatenate([xyxy, hidden_boxes])
            detection_index = np.concatenate([detection_index, np.full(len(hidden), NOBODY)])
        return Tracks(
            ids=rows["id"][chosen],
            xyxy=xyxy.astype(np.float32),
            scores=rows["score"][chosen],
            classes=rows["class_id"][chosen],
            detection_index=detection_index.astype(np.int64, copy=False),
            id_confidence=rows["id_confidence"][chosen],
        )

    def _hidden(self, seen: NDArray[np.float64]) -> tuple[Indices, NDArray[np.float64]]:
        """The tracklets that went behind a box of ``seen`` ``(K, 4)`` just now, and where they should be."""
        config, rows = self.association, self._table.rows
        ages = self._ages()
        missed = (rows["status"] != Status.TENTATIVE) & (ages > 0)
        candidates = (missed & (ages <= min(config.hidden_age, config.max_age))).nonzero()[0]
        if not candidates.size:
            return candidates, np.zeros((0, 4))
        boxes = kernels.corners(self._table.states.position[candidates])
        behind = kernels.covered_in_front(boxes, seen) >= config.hidden_cover
        return candidates[behind], boxes[behind]

    def _retire(self) -> None:
        """Tentative tracklets that were missed go at once, lost ones when their time is up."""
        rows, config = self._table.rows, self.association
        longest = config.max_age, max(config.max_age, config.revive_age)
        stays = kernels.retire(rows["status"], self._ages(), rows["has_embedding"], *longest)
        self._table.keep(stays)
