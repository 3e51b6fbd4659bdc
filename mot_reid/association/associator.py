"""Association: takes one frame's detections after the other and says which tracks they are."""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar, TypeVarTuple

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.association import lifecycle
from mot_reid.association.appearance import AppearanceDistances
from mot_reid.association.border import ImageBorder
from mot_reid.association.budget import EmbeddingBudget
from mot_reid.association.cascade import Stage, checked_cascade
from mot_reid.association.classes import agreement
from mot_reid.association.clock import Clock
from mot_reid.association.crowding import MOST_ON_A_SPOT, best_of_each_spot
from mot_reid.association.innovations import Innovations
from mot_reid.association.presets import CASCADES, RULES
from mot_reid.association.reentry import IdChange, Returns
from mot_reid.association.rhythm import DetectorRhythm
from mot_reid.association.rules import Rules
from mot_reid.association.scene_shift import GOES_ON, scene_shift
from mot_reid.association.scores import UsualScore, activation_shares
from mot_reid.association.state import FrameState
from mot_reid.association.tracklets import Status, TrackletTable
from mot_reid.association.whole_boxes import WholeBoxes
from mot_reid.config import AssociationConfig, MotionConfig
from mot_reid.motion import kalman
from mot_reid.motion.camera import IDENTITY
from mot_reid.rollback import KeepsAttributes, unchanged_on_failure
from mot_reid.structures import Detections, Tracks
from mot_reid.timing import Stopwatch
from mot_reid.typing import Floats, Floats32, Indices, Ints, Mask

__all__ = ["Associator", "Embed"]

Embed = Callable[[Indices], Floats32]
"""Asks for the embeddings ``(K, D)``, L2-normalised, of the detections with these row numbers ``(K,)``."""

# A side of which less than this share would be left in the next frame, or less than nothing, stays as it was.
_LEAST_LEFT = 0.1

Given = TypeVarTuple("Given")
Result = TypeVar("Result")


def _untimed(name: str, part: Callable[[*Given], Result], *given: *Given) -> Result:
    """Does one part of a frame."""
    return part(*given)


class Associator(KeepsAttributes):
    """Follows objects from frame to frame, from boxes, scores and embeddings alone.

    State: the table of tracklets, the detector's usual score, the picture's edges, the embeddings saved and
    the number of frames. Two associators share nothing.

    Args:
        association: settings; the defaults where None.
        motion: settings of the Kalman filter likewise.
        fps: frames a second of the source, if known; see `mot_reid.association.clock.Clock`.
        cascade: the stages of matching; None for those that ``association.cascade`` names. Its
            rules hold in any case.
        stopwatch: times each part of a frame by its name, if given.

    Attributes:
        association: its settings.
        motion: likewise.
        cascade: its stages.
        embeddable: how many detections could have been embedded so far, all confident ones.
        embedded: how many of them were.
        id_changes: what the last frame says about rows of earlier ones, see `mot_reid.association.reentry`.
        left_out: how many detections did not count so far because too many lay on one spot
            (`mot_reid.association.crowding`).
    """

    def __init__(
        self,
        association: AssociationConfig | None = None,
        motion: MotionConfig | None = None,
        fps: float | None = None,
        *,
        cascade: Sequence[Stage] | None = None,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self.association = association or AssociationConfig()
        self.motion = motion or MotionConfig()
        self.cascade = checked_cascade(CASCADES[self.association.cascade] if cascade is None else cascade)
        self._rules = RULES.get(self.association.cascade, Rules())
        self._stopwatch = stopwatch
        self._table = TrackletTable(self._rules.gallery)
        self._usual_score = UsualScore()
        self._border, self._whole_boxes = ImageBorder(), WholeBoxes()
        self._budget = EmbeddingBudget(self.association.embedding.share)
        self._clock = Clock(fps)
        self._rhythm = DetectorRhythm()
        self._returns = Returns()
        self._innovations = Innovations()
        self.id_changes: list[IdChange] = []
        self._number, self._camera_moved = 0, -math.inf
        self._noise_interval, self._noise = 0.0, self.motion
        self.embeddable = self.embedded = self.left_out = 0

    def step(
        self,
        detections: Detections | None,
        affine: Floats | None = None,
        embed: Embed | None = None,
        *,
        time: float | None = None,
        on_crowd: Callable[[int, int], None] | None = None,
    ) -> Tracks:
        """Takes one frame's detections and returns the tracks seen in it.

        If it fails, also in an embedder, a gate or a cost term of the caller's, it is as it was before.

        Args:
            detections: this frame's; None where no detector looked at it. Then nobody is missed in it:
                confirmed tracks go on as they moved, and those that wait for confirmation wait.
            affine: ``(2, 3)`` camera motion, maps pixels of the last frame to this one's; None where nobody
                measured it: a shift that all boxes share is then taken for the camera's motion.
            embed: gives the embeddings of the detections it is asked for, at most once a frame, and for a
                share of them (`mot_reid.config.EmbeddingConfig.share`). None for motion alone, unless the
                detections carry embeddings: those cost nothing, so all are used.
            time: of this frame, seconds of the source; None for one usual interval after the last.
            on_crowd: told `left_out` and how many count on a spot, once any is left out.

        Returns:
            The confirmed tracks seen in this frame, in the order of their detections, then those that are
            hidden behind them (``detection_index`` -1). Where nobody looked, those seen in the last look,
            where they should be now, all with ``detection_index`` -1.

        Raises:
            ValueError: embeddings do not have the shape they had before, a gate or cost term of the cascade
                gives anything but one value for each pair, or time does not go on.
        """
        run = _untimed if self._stopwatch is None else self._timed
        parts = self._table, self._border, self._whole_boxes, self._budget, self._clock, self._rhythm
        with unchanged_on_failure(self, *parts):
            looked = detections is not None and self._rhythm.looked(len(detections))
            self._number += 1
            self._clock.advance(time, looked=looked)
            if self._clock.interval != self._noise_interval:
                self._noise_interval = self._clock.interval
                self._noise = kalman.at_interval(self.motion, self._noise_interval)
            motion = self._noise
            if detections is None or not looked:
                self.id_changes = []
                tracks = run("report", self._coast, affine, motion)
                return tracks if detections is None else Tracks.empty()
            frame = self._matched(detections, affine, embed, motion)
            if self.left_out and on_crowd is not None:
                on_crowd(self.left_out, MOST_ON_A_SPOT)
        run("update", lifecycle.update, frame, motion, self._returns, self._innovations)
        run("start", lifecycle.start, frame, motion)
        run("confirm", lifecycle.confirm, frame)
        self.id_changes = (
            run("return", self._returns.corrected, frame) if frame.gates_after is not None else []
        )
        tracks = run("report", lifecycle.report, frame, self._innovations)
        run("retire", lifecycle.retire, frame)
        return tracks

    def _coast(self, affine: Floats | None, motion: MotionConfig) -> Tracks:
        """Moves all tracklets on through a frame that nobody looked at, and says where they should be."""
        rows, clock = self._table.rows, self._clock
        ages = clock.time - rows["last_seen"]
        self._predict(motion, clock.frames, ages, looked=False)
        self._compensate(affine, np.zeros((0, 4)), np.zeros(0, bool))
        lasting = ages <= self.association.lifecycle.lost_time + clock.interval / 2
        coasting = ((rows["status"] == Status.CONFIRMED) & lasting).nonzero()[0]
        return lifecycle.predicted(self._table, coasting, self._number)

    def _matched(
        self,
        detections: Detections,
        affine: Floats | None,
        embed: Embed | None,
        motion: MotionConfig,
    ) -> FrameState:
        """Matches the detections of a frame that was looked at; for the arguments see `step`."""
        given, run = detections.embeddings, _untimed if self._stopwatch is None else self._timed
        frame = run("state", self._frame_state, detections, affine, embed is not None, motion)
        asks = embed if given is None and frame.appearance_share else None
        if given is not None and len(given):
            run("embeddings", self._take_given, frame, given)
        for stage in self.cascade:
            if asks is not None and stage.asks:
                run("embeddings", self._ask, frame, stage, asks)
                asks = None
            run(stage.name, stage.match, frame)
        return frame

    def _timed(self, name: str, part: Callable[[*Given], Result], *given: *Given) -> Result:
        """Does one part of a frame, and times it."""
        assert self._stopwatch is not None
        with self._stopwatch(name):
            return part(*given)

    def _frame_state(
        self,
        detections: Detections,
        affine: Floats | None,
        asks: bool,
        motion: MotionConfig,
    ) -> FrameState:
        """Moves all tracklets to this frame, and says what is known before anything is matched.

        Args:
            detections: as they came in.
            affine: camera motion, if measured.
            asks: whether somebody can be asked for embeddings.
            motion: the noise of one frame.
        """
        settings, table, clock = self.association, self._table, self._clock
        embedded, frames = detections.embeddings is not None, clock.frames
        if embedded:
            detections = detections.without_embeddings()
        detections, kept, levels = self._counted(detections)
        usual = 1.0 if self._rules.plain_scores else self._usual_score.value
        confident = levels >= settings.confident.score_share * usual
        xyxy = detections.xyxy.astype(np.float64)
        measured = kernels.centres(xyxy)
        ages = clock.time - table.rows["last_seen"]
        self._predict(motion, frames, ages)
        self._compensate(affine, measured, confident)
        self._border.extend(xyxy)
        at_edge = self._border.at_edge(xyxy, settings.edge_margin)
        if self._rules.whole_boxes and np.count_nonzero(at_edge):
            whole = self._whole_boxes.completed(xyxy, detections.classes, self._border.cut(xyxy))
            if whole is not xyxy:
                xyxy, measured = whole, kernels.centres(whole)
                columns = vars(detections) | {"xyxy": whole.astype(np.float32)}
                detections = Detections.unchecked(**columns)
        share = 1.0 if embedded else settings.embedding.share if asks else 0.0
        if share:
            self.embeddable += int(np.count_nonzero(confident))
        same = share > 0 and settings.reentry == "same"
        shares = activation_shares(at_edge, share > 0 and clock.looks > 1, settings)
        return FrameState(
            settings=settings,
            number=self._number,
            time=clock.time,
            first=clock.looks == 1,
            elapsed=clock.since_look,
            interval=clock.interval * clock.rest,
            tracklets=table,
            tentative=table.rows["status"] == Status.TENTATIVE,
            ages=ages,
            detections=detections,
            original_rows=kept,
            xyxy=xyxy,
            measured=measured,
            levels=levels,
            confident=confident,
            activating=confident & (levels >= shares * usual),
            at_edge=at_edge,
            border=self._border.xyxy,
            overlapping=self._overlapping(xyxy, detections.classes),
            motion=motion,
            certainty=kalman.certainty(clock.interval, self._innovations.exponents),
            rules=self._rules,
            appearance_share=share,
            gates_after=self._returns.neighbours.gates if same else None,
            given_ids=table.given_ids,
        )

    def _counted(self, detections: Detections) -> tuple[Detections, Indices, NDArray[np.floating]]:
        """The detections that count, their rows as they came in and their levels; learns what is usual."""
        least, scores = self.association.low_score, detections.scores
        if not self._rules.plain_scores:
            scores = scores.astype(np.float64)
        levels = self._levels(scores)
        told = levels >= least
        kept = told.nonzero()[0]
        heard = scores[:0]
        if len(kept) < len(detections):
            # What a modest detector gives is heard also while it passes for clutter, or it always would.
            heard = scores[~told]
            heard = heard[heard >= least]
            detections, scores = detections[kept], scores[kept]
        best = best_of_each_spot(detections)
        if best is not None:
            self.left_out += len(detections) - len(best)
            kept, detections, scores = kept[best], detections[best], scores[best]
        all_heard = np.concatenate((scores, heard)) if len(heard) else scores
        self._usual_score = self._usual_score.after(all_heard, self._clock.frames)
        return detections, kept, self._levels(scores)

    def _levels(self, scores: NDArray[np.floating]) -> NDArray[np.floating]:
        """The scores ``(N,)``, stretched if the detector is modest and the method asks for it."""
        if self._rules.plain_scores or self._usual_score.is_plain:
            return scores
        self._usual_score = self._usual_score.with_lowest(scores)
        return self._usual_score.levels(scores)

    def _overlapping(self, xyxy: Floats, classes: Ints) -> tuple[Indices, Indices, Floats]:
        """Pairs all tracklets with the detections ``(M, 4)`` that they overlap, see `FrameState`."""
        rows, columns, overlaps = kernels.similar_pairs(kernels.corners(self._table.states.position), xyxy)
        agreed = agreement(self._table, rows, classes[columns])
        return rows, columns, overlaps if agreed is None else overlaps * agreed

    def _predict(self, motion: MotionConfig, frames: float, ages: Floats, looked: bool = True) -> None:
        """Moves all tracklets on by so many usual frames; no further than overlap can bring anything back.

        In more than one frame, or in several that nobody looked at, a box that shrinks could turn inside out.
        """
        clock, longest = self._clock, max(self.association.lifecycle.lost_time, self._clock.interval)
        rows, states = self._table.rows, self._table.states
        # An unseen box keeps its size, nor does it wander off for ever.
        self._rules.motion.coast(states, rows["status"], ages, longest + clock.interval / 2)
        frames = min(frames, max(longest / clock.interval, 1.0))
        before = None if looked and frames == 1 else states.values[0, 2:].copy()
        self._rules.motion.predict(states, motion, frames)
        if before is not None:
            sizes = states.values[0, 2:]
            np.copyto(sizes, before, where=sizes < _LEAST_LEFT * before)

    def _compensate(
        self,
        affine: Floats | None,
        measured: Floats,
        confident: Mask,
    ) -> None:
        """Moves all tracklets as the camera moved; the confident boxes ``(M, 4)`` stand in for no affine."""
        rows, states = self._table.rows, self._table.states
        if affine is None:
            moving = self._clock.time - self._camera_moved <= GOES_ON
            expected = states.position[rows["status"] == Status.CONFIRMED]
            shift = scene_shift(expected, measured[confident], moving)
            if shift.any():
                self._camera_moved = self._clock.time
            affine = np.column_stack([np.eye(2), shift]) if shift.any() else IDENTITY
        if affine is IDENTITY:
            return
        if not self._table.embeddings.shape[1]:  # without appearance nobody needs to know how far
            kalman.warp(states, affine)
        else:
            before = states.values[0, :2].copy()
            kalman.warp(states, affine)
            kernels.carry(rows["drift"], rows["carried"], before, states.values)

    def _ask(self, frame: FrameState, stage: Stage, embed: Embed) -> None:
        """Asks for the embeddings that are worth it before a stage."""
        known = self._budget.spend(frame, stage)
        if np.count_nonzero(known):
            self._take_in(frame, known, embed(frame.original_rows[known]))

    def _take_given(self, frame: FrameState, given: Floats32) -> None:
        """Takes the embeddings ``(N, D)`` that came with the detections: those of the confident ones."""
        self._table.require_dimension(given.shape[1])
        if len(frame.confident):
            self._take_in(frame, frame.confident, given, frame.original_rows)

    def _take_in(
        self,
        frame: FrameState,
        known: Mask,
        embeddings: Floats32,
        places: Indices | None = None,
    ) -> None:
        """Puts the embeddings of the ``known`` detections ``(M,)`` in; see `AppearanceDistances`."""
        table = self._table
        table.require_dimension(embeddings.shape[1])
        self.embedded += int(np.count_nonzero(known))
        remembered, mean = table.rows["has_embedding"], table.mean_embedding()
        frame.appearance = AppearanceDistances(table.embeddings, mean, embeddings, known, remembered, places)
