"""Our presets, and the packages whose methods they are with the thresholds of the papers.

Times are not given to any of them, so that a second is 30 frames, as the published numbers have it.
"""

from collections.abc import Callable

import numpy as np

from mot_reid import Detections, Tracks
from mot_reid.association.associator import Associator
from mot_reid.boxes import xyxy_to_tlwh
from mot_reid.config import load_config
from peers.base import Answer, Contender, Runner
from peers.others import deep_sort_realtime, pyxtrackers
from peers.scene import SceneFrame
from peers.ultralytics import ultralytics

__all__ = ["CONTENDERS", "PAIRS"]

PAIRS = {
    "bytetrack": "pyxtrackers ByteTrack, paper's thresholds",
    "botsort": "roboflow BoT-SORT",
    "deepsort": "deep-sort-realtime, paper's thresholds",
}
"""The peer that each preset is held to."""

_STILL = np.eye(2, 3)


def preset(name: str, appearance: bool, camera: bool) -> Runner:
    config = load_config(name)
    associator = Associator(config.association, config.motion)

    def step(frame: SceneFrame) -> Tracks:
        embeddings = frame.embeddings if appearance and frame.embeddings.shape[1] else None
        given = Detections(frame.xyxy, frame.scores, embeddings=embeddings)
        return associator.step(given, affine=frame.affine if camera else _STILL)

    def read(tracks: Tracks) -> Answer:
        return tracks.ids, tracks.xyxy.astype(np.float64)

    return Runner(lambda frame: frame, step, read)


def deep_sort_realtime_published() -> Runner:
    """Detections from a score of 0.3 on, and galleries of 100 embeddings, as for the paper's results."""
    from deep_sort_realtime.deepsort_tracker import DeepSort

    plain, tracker = deep_sort_realtime(), DeepSort(embedder=None, nn_budget=100)

    def prepare(frame: SceneFrame) -> tuple[list[object], list[np.ndarray]]:
        chosen = frame.scores >= 0.3
        rows = zip(xyxy_to_tlwh(frame.xyxy[chosen]).tolist(), frame.scores[chosen].tolist(), strict=True)
        return [(box, score, "person") for box, score in rows], list(frame.embeddings[chosen])

    return Runner(prepare, lambda given: tracker.update_tracks(given[0], embeds=given[1]), plain.read)


def _ours(name: str, title: str, appearance: bool, camera: bool) -> Contender:
    make: Callable[[], Runner] = lambda: preset(name, appearance, camera)  # noqa: E731
    return Contender(title, "mot_reid", make, appearance, camera)


CONTENDERS = (
    _ours("bytetrack", "preset bytetrack", appearance=False, camera=False),
    Contender(PAIRS["bytetrack"], "pyxtrackers", lambda: pyxtrackers(track_thresh=0.6)),
    _ours("botsort", "preset botsort, no appearance", appearance=False, camera=True),
    Contender(
        "ultralytics BoT-SORT, paper's thresholds",
        "ultralytics",
        lambda: ultralytics("botsort", False, track_high_thresh=0.6, new_track_thresh=0.7),
        camera=True,
    ),
    _ours("botsort", "preset botsort", appearance=True, camera=True),
    _ours("deepsort", "preset deepsort", appearance=True, camera=False),
    Contender(PAIRS["deepsort"], "deep-sort-realtime", deep_sort_realtime_published, appearance=True),
)
