"""The lifecycle of tracklets, once a frame's matches are made: update, start, confirm, report, retire."""

from operator import itemgetter

import numpy as np

from mot_reid import kernels
from mot_reid.association.candidates import LONGER
from mot_reid.association.classes import doubles, vote
from mot_reid.association.confidence import revival_confidence
from mot_reid.association.innovations import Innovations
from mot_reid.association.reentry import Returns
from mot_reid.association.state import UNMATCHED, FrameState
from mot_reid.association.tracklets import Status, TrackletTable
from mot_reid.boxes import iou
from mot_reid.config import MotionConfig
from mot_reid.structures import Tracks
from mot_reid.typing import Floats, Indices, Mask

__all__ = ["confirm", "predicted", "report", "retire", "start", "update"]


# So many detections in a row confirm a track whose scores never reached ``activation_share``: an object that
# stays just below it is followed in the end (half as many let false positives through, see
# docs/notes/2026-11-28-tracking-trials.md).
_UNACTIVATED_HITS = 30
# So many are remembered at the most of those who may return: however many pass, a frame costs no more.
_MOST_LOST = 300
# Detections after which a filter has settled.
_SETTLED = 4
# A box of which less is covered is not hidden, and its object would be seen.
_HIDDEN_COVER = 0.5
# A hidden track is reported for half as many frames as it was seen in, at most: of those reported for longer
# fewer than half were there (docs/notes/2026-11-29-association.md).
_SEEN_PER_HIDDEN = 2
# Columns that a detection changes, as `mot_reid.kernels.mark_seen` takes them.
_SEEN = itemgetter(
    *("activated", "hits", "status", "drift", "carried", "score", "at_edge", "last_seen", "newcomers")
)


def update(frame: FrameState, motion: MotionConfig, returns: Returns, innovations: Innovations) -> None:
    """Moves the matched tracklets to where their detections are, and remembers how these look."""
    rows, states = frame.tracklets.rows, frame.tracklets.states
    matched = (~frame.free_tracks).nonzero()[0]
    if not matched.size:
        return
    chosen = frame.detection_of[matched]
    measured = frame.measured.take(chosen, axis=0)
    if frame.revived is not None and len(frame.revived):
        if frame.gates_after is not None:
            returns.begin(frame, frame.revived.tracks)
        _revive(frame, motion)
    if frame.rules.filter_share is None:
        again = (frame.ages[matched] <= 1.01 * frame.elapsed) & (rows["hits"][matched] >= _SETTLED)
        innovations.take(states, matched, measured, rows["innovation"], again)
    sure = (frame.levels[chosen], frame.certainty) if frame.rules.score_noise else ()
    frame.rules.motion.update(states, matched, measured, motion, *sure)
    classes = frame.detections.classes
    if kernels.disputed(rows["class_id"], rows["votes"], matched, classes, chosen):
        vote(frame.tracklets, matched, classes[chosen], frame.detections.scores[chosen])
    seen = frame.activating, frame.detections.scores, frame.at_edge
    kernels.mark_seen(matched, chosen, *seen, frame.time, frame.tracklets.given_ids, _SEEN(rows))
    _remember_appearance(frame, matched, chosen)


def _revive(frame: FrameState, motion: MotionConfig) -> None:
    """Starts the motion of the revived anew: where they were says nothing about how they move now."""
    revived = frame.revived
    assert revived is not None
    fresh = frame.rules.motion.initiate(frame.measured.take(revived.detections, axis=0), motion)
    frame.tracklets.states.values[:, :, revived.tracks] = fresh.values
    confidence = revival_confidence(revived.distances, revived.margins)
    frame.tracklets.rows["id_confidence"][revived.tracks] *= confidence


def _remember_appearance(frame: FrameState, rows: Indices, detections: Indices) -> None:
    """Blends embeddings in where the view is clear; the first of a tracklet counts as it is."""
    if not frame.appearance_share:
        return
    columns, settings = frame.tracklets.rows, frame.settings.embedding
    of_tracklets = columns["has_embedding"], columns["unembedded_views"]
    appearance = frame.appearance
    if appearance is None:
        views = frame.covered, frame.confident, None
        kernels.remembered(rows, detections, views, of_tracklets, settings.max_occlusion)
        return
    # One embedding after five clear views stands for all five, but for no more than are usual; the first
    # views of who may return, of an arm at the edge perhaps, count no more than the next.
    momentum = settings.momentum, 1 / frame.appearance_share, frame.settings.reentry == "same"
    frame.tracklets.forget_mean()
    rows, detections = kernels.remember(
        *(frame.tracklets.embeddings, (*of_tracklets, columns["embedded_views"]), rows, detections),
        *((frame.covered, frame.confident, appearance.known), appearance.vectors, appearance.places),
        *(settings.max_occlusion, momentum),
    )
    frame.tracklets.keep_views(rows, detections, appearance.vectors, appearance.places)


def start(frame: FrameState, motion: MotionConfig) -> None:
    """Starts tentative tracklets of free detections, unless they double a box that is already followed."""
    table, detections, free = frame.tracklets, frame.detections, frame.free_detections
    starting = (free & frame.confident).nonzero()[0]
    if not starting.size:
        return
    shared = kernels.most_shared(detections.xyxy, detections.classes, starting, (~free).nonzero()[0])
    starting = starting[shared <= frame.rules.duplicate_iou]
    starting = starting[~_by_another_name(frame, starting)]
    states = frame.rules.motion.initiate(frame.measured.take(starting, axis=0), motion)
    classes, scores = detections.classes[starting], detections.scores[starting]
    rows = table.append(states, classes, scores, frame.number, frame.time)
    frame.track_of[starting] = rows
    table.rows["at_edge"][rows] = frame.at_edge[starting]
    table.rows["activated"][rows] = frame.activating[starting]
    _remember_appearance(frame, rows, starting)


def _by_another_name(frame: FrameState, starting: Indices) -> Mask:
    """Which detections ``(K,)`` double a matched one that the detector has called by their class, too."""
    votes = frame.tracklets.rows["votes"][:, 0]
    if not starting.size or not np.count_nonzero(votes):
        return np.zeros(len(starting), bool)
    matched = (~frame.free_detections).nonzero()[0]
    matched = matched[votes[frame.track_of[matched]] > 0]
    if not matched.size:
        return np.zeros(len(starting), bool)
    same = doubles(frame.tracklets, frame.track_of[matched], frame.detections.classes[starting])
    close = iou(frame.xyxy[matched], frame.xyxy[starting]) > frame.rules.duplicate_iou
    found: Mask = np.any(same & close, axis=0)
    return found


def confirm(frame: FrameState) -> None:
    """Gives ids to tentative tracklets seen often enough; to activated ones in the first frame at once."""
    rows, settings = frame.tracklets.rows, frame.settings
    least = settings.tentative.min_hits
    soon = 1 if frame.first and frame.rules.confirms_first else least
    enough = soon, max(_UNACTIVATED_HITS, least)
    columns = rows["status"], rows["last_seen"], rows["hits"], rows["activated"]
    confirmed = kernels.confirmable(*columns, frame.time, enough)
    if confirmed.size:
        frame.tracklets.confirm(confirmed)


def report(frame: FrameState, innovations: Innovations) -> Tracks:
    """Gives the confirmed tracks seen in this frame, then those just hidden by them."""
    rows = frame.tracklets.rows
    index, chosen = kernels.reported(frame.track_of, rows["status"])
    position = frame.tracklets.states.position
    share = frame.rules.filter_share
    shares = innovations.filter_shares if share is None else np.full(4, float(share))
    xyxy = kernels.smoothed(frame.measured, index, position, chosen, shares)
    detection_index = frame.original_rows[index]
    hidden, hidden_boxes = _hidden(frame, xyxy)
    if hidden.size:
        chosen, xyxy = np.concatenate([chosen, hidden]), np.concatenate([xyxy, hidden_boxes])
        detection_index = np.concatenate([detection_index, np.full(len(hidden), UNMATCHED)])
    return Tracks.unchecked(
        ids=rows["id"][chosen],
        xyxy=xyxy.astype(np.float32),
        scores=rows["score"][chosen],
        classes=rows["class_id"][chosen],
        detection_index=detection_index.astype(np.int64, copy=False),
        id_confidence=rows["id_confidence"][chosen],
        velocity=kernels.velocities(frame.tracklets.states.values, chosen),
        age=frame.number - rows["first_seen"][chosen],
    )


def predicted(table: TrackletTable, rows: Indices, number: int) -> Tracks:
    """Gives some confirmed tracklets ``(K,)`` where they should be in frame ``number``, with no detection."""
    columns = table.rows
    return Tracks(
        ids=columns["id"][rows],
        xyxy=kernels.corners(table.states.position[rows]).astype(np.float32),
        scores=columns["score"][rows],
        classes=columns["class_id"][rows],
        detection_index=np.full(len(rows), UNMATCHED, np.int64),
        id_confidence=columns["id_confidence"][rows],
        velocity=table.states.velocity[rows, :2].astype(np.float32),
        age=number - columns["first_seen"][rows],
    )


def _hidden(frame: FrameState, seen: Floats) -> tuple[Indices, Floats]:
    """The tracklets that went behind a box of ``seen`` ``(K, 4)`` just now, and where they should be.

    Whom the picture's edge cut off has left, whoever stands there. Of a track that was hardly seen too little
    is known to say where it is.
    """
    settings, rows = frame.settings, frame.tracklets.rows
    longest = min(settings.report.hidden_time, settings.lifecycle.lost_time)
    if not longest:
        return np.zeros(0, np.intp), np.zeros((0, 4))
    tracks = frame.free_tracks, frame.settled, frame.ages, frame.longest(longest)
    since = frame.interval / 2, frame.interval / _SEEN_PER_HIDDEN
    candidates = kernels.missed_lately(*tracks, rows["hits"], rows["at_edge"], *since)
    if not candidates.size:
        return candidates, np.zeros((0, 4))
    boxes = kernels.corners(frame.tracklets.states.position[candidates])
    behind = kernels.covered_in_front(boxes, seen) >= _HIDDEN_COVER
    return candidates[behind], boxes[behind]


def retire(frame: FrameState) -> None:
    """Removes tentative tracklets as soon as they are missed, and lost ones when their time is up."""
    rows, settings = frame.tracklets.rows, frame.settings
    lost = max(settings.lifecycle.lost_time, frame.interval)
    longer = 1.0 if settings.reentry == "new" else LONGER
    longest = lost, max(lost, settings.revive.lost_time * longer)
    slack = frame.interval / 2
    columns = rows["status"], rows["last_seen"], rows["has_embedding"]
    stays = kernels.retire(*columns, frame.time, longest[0] + slack, longest[1] + slack)
    if len(stays) > _MOST_LOST:
        gone = ((rows["status"] == Status.LOST) & stays).nonzero()[0]
        stays[gone[np.argsort(rows["last_seen"][gone], kind="stable")[: max(len(gone) - _MOST_LOST, 0)]]] = (
            False
        )
    frame.tracklets.keep(stays)
