"""Ultralytics' trackers, with the settings of their YAML files; appearance on or off, camera motion given."""

from functools import partial
from typing import Any

import numpy as np

from peers.base import BLANK, Answer, Contender, GivenCamera, Runner
from peers.scene import HEIGHT, WIDTH, SceneFrame

__all__ = ["CONTENDERS"]


def ultralytics(name: str, appearance: bool, **changed: float) -> Runner:
    from ultralytics.engine.results import Boxes
    from ultralytics.trackers.track import TRACKER_MAP
    from ultralytics.utils import YAML, IterableSimpleNamespace
    from ultralytics.utils.checks import check_yaml

    settings = IterableSimpleNamespace(**YAML.load(check_yaml(f"{name}.yaml")) | changed)
    settings.with_reid = appearance
    tracker = TRACKER_MAP[name](args=settings)
    camera = GivenCamera()
    if hasattr(tracker, "gmc"):
        tracker.gmc = camera

    def prepare(frame: SceneFrame) -> tuple[Any, np.ndarray | None, np.ndarray]:
        rows = np.column_stack([frame.xyxy, frame.scores, np.zeros_like(frame.scores)])
        features = frame.embeddings if appearance else None
        return Boxes(rows, (HEIGHT, WIDTH)), features, frame.affine

    def step(given: tuple[Any, np.ndarray | None, np.ndarray]) -> np.ndarray:
        boxes, features, camera.affine = given
        return tracker.update(boxes, BLANK, feats=features)

    def read(rows: np.ndarray) -> Answer:
        rows = np.asarray(rows, np.float64).reshape(-1, 8)
        return rows[:, 4].astype(np.int64), rows[:, :4]

    return Runner(prepare, step, read)


def _contender(title: str, name: str, appearance: bool = False, camera: bool = True) -> Contender:
    make = partial(ultralytics, name, appearance)
    return Contender(f"ultralytics {title}", "ultralytics", make, appearance, camera)


CONTENDERS = (
    _contender("BoT-SORT + ReID", "botsort", appearance=True),
    _contender("TrackTrack + ReID", "tracktrack", appearance=True),
    _contender("BoT-SORT", "botsort"),
    _contender("TrackTrack", "tracktrack"),
    _contender("ByteTrack", "bytetrack", camera=False),
)
