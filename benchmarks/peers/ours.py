"""This project's associator."""

import numpy as np

from mot_reid import Detections, Tracks
from mot_reid.association.associator import Associator
from mot_reid.timing import Stopwatch
from peers.base import Answer, Contender, Runner
from peers.scene import SceneFrame

__all__ = ["CONTENDERS", "OURS"]

Given = tuple[Detections, np.ndarray]

OURS = "mot_reid"


def ours(appearance: bool, stopwatch: Stopwatch | None = None) -> Runner:
    associator = Associator(stopwatch=stopwatch)

    def prepare(frame: SceneFrame) -> Given:
        embeddings = frame.embeddings if appearance else None
        return Detections(frame.xyxy, frame.scores, embeddings=embeddings), frame.affine

    def step(given: Given) -> Tracks:
        detections, affine = given
        return associator.step(detections, affine=affine)

    def read(tracks: Tracks) -> Answer:
        return tracks.ids, tracks.xyxy.astype(np.float64)

    return Runner(prepare, step, read)


CONTENDERS = (
    Contender(
        OURS,
        "mot_reid",
        lambda: ours(True),
        appearance=True,
        camera=True,
        timed=lambda stopwatch: ours(True, stopwatch),
    ),
    Contender(f"{OURS}, no appearance", "mot_reid", lambda: ours(False), camera=True),
)
