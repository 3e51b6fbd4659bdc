"""Trackers of packages with few of them: roboflow's trackers, pyxtrackers, norfair, deep-sort-realtime."""

from typing import Any

import numpy as np

from mot_reid.boxes import xyxy_to_tlwh
from peers.base import BLANK, Answer, Contender, GivenCamera, Runner
from peers.scene import SceneFrame

__all__ = ["CONTENDERS"]

_NORFAIR_DISTANCE = 0.7  # 1 - IoU; norfair has no default


def roboflow(name: str, **settings: float) -> Runner:
    import supervision
    import trackers

    tracker = getattr(trackers, name)(**settings)
    camera = GivenCamera()
    moves = hasattr(tracker, "cmc")
    if moves:
        tracker.cmc = camera

    def prepare(frame: SceneFrame) -> tuple[Any, np.ndarray]:
        classes = np.zeros(len(frame.scores), int)
        given = supervision.Detections(frame.xyxy, confidence=frame.scores, class_id=classes)
        return given, frame.affine

    def step(given: tuple[Any, np.ndarray]) -> Any:
        detections, camera.affine = given
        return tracker.update(detections, BLANK if moves else None)

    def read(tracked: Any) -> Answer:
        followed = tracked.tracker_id >= 0
        return tracked.tracker_id[followed].astype(np.int64), tracked.xyxy[followed].astype(np.float64)

    return Runner(prepare, step, read)


def pyxtrackers(**settings: float) -> Runner:
    from pyxtrackers import BYTETracker

    tracker = BYTETracker(**settings)

    def prepare(frame: SceneFrame) -> np.ndarray:
        return np.column_stack([frame.xyxy, frame.scores]).astype(np.float64)

    def read(rows: np.ndarray) -> Answer:
        return rows[:, 4].astype(np.int64), rows[:, :4]

    return Runner(prepare, tracker.update, read)


def norfair() -> Runner:
    from norfair import Detection, Tracker

    tracker = Tracker("iou", distance_threshold=_NORFAIR_DISTANCE)

    def prepare(frame: SceneFrame) -> list[Any]:
        corners = frame.xyxy.reshape(-1, 2, 2)
        scores = np.repeat(frame.scores, 2).reshape(-1, 2)
        return [Detection(points, score) for points, score in zip(corners, scores, strict=True)]

    def read(objects: list[Any]) -> Answer:
        boxes = [found.estimate.reshape(4) for found in objects]
        return np.array([found.id for found in objects], np.int64), np.array(boxes).reshape(-1, 4)

    return Runner(prepare, tracker.update, read)


def deep_sort_realtime() -> Runner:
    from deep_sort_realtime.deepsort_tracker import DeepSort

    tracker = DeepSort(embedder=None)

    def prepare(frame: SceneFrame) -> tuple[list[Any], list[np.ndarray]]:
        tlwh = xyxy_to_tlwh(frame.xyxy)
        rows = zip(tlwh.tolist(), frame.scores.tolist(), strict=True)
        return [(box, score, "person") for box, score in rows], list(frame.embeddings)

    def step(given: tuple[list[Any], list[np.ndarray]]) -> list[Any]:
        detections, embeddings = given
        return tracker.update_tracks(detections, embeds=embeddings)

    def read(tracks: list[Any]) -> Answer:
        seen = [track for track in tracks if track.is_confirmed() and not track.time_since_update]
        boxes = [track.to_ltrb() for track in seen]
        return np.array([int(track.track_id) for track in seen], np.int64), np.array(boxes).reshape(-1, 4)

    return Runner(prepare, step, read)


CONTENDERS = (
    Contender("roboflow BoT-SORT", "trackers", lambda: roboflow("BoTSORTTracker"), camera=True),
    Contender("roboflow ByteTrack", "trackers", lambda: roboflow("ByteTrackTracker")),
    Contender("pyxtrackers ByteTrack (Cython)", "pyxtrackers", pyxtrackers),
    Contender("norfair", "norfair", norfair),
    Contender("deep-sort-realtime", "deep-sort-realtime", deep_sort_realtime, appearance=True),
)
