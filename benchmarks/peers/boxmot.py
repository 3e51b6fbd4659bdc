"""BoxMOT's trackers, with the settings of its configuration files (which its command line uses).

Their warping of tracks by the camera's motion, one by one through numerical derivatives, takes two to four
times as long as all the rest (and DeepOCSORT warps every box that a track ever had). So they are spared it,
but for one row.
"""

from functools import partial
from typing import Any

import numpy as np

from peers.base import BLANK, Answer, Contender, GivenCamera, Runner
from peers.scene import SceneFrame

__all__ = ["CONTENDERS"]


def boxmot(name: str, appearance: bool, camera: bool) -> Runner:
    import torch
    from boxmot.structures import Boxes, Detections
    from boxmot.trackers.factory import create_tracker
    from boxmot.trackers.specs import TrackerSpec

    tracker = create_tracker(TrackerSpec(name=name))
    given_camera = GivenCamera()
    tracker.cmc = given_camera if camera else None

    def prepare(frame: SceneFrame) -> tuple[Any, np.ndarray]:
        detections = Detections(
            geometry=Boxes(torch.from_numpy(frame.xyxy)),
            scores=torch.from_numpy(frame.scores),
            class_ids=torch.zeros(len(frame.scores), dtype=torch.int64),
            sample_id="frame",
            embeddings=torch.from_numpy(frame.embeddings) if appearance else None,
        )
        return detections, frame.affine

    def step(given: tuple[Any, np.ndarray]) -> Any:
        detections, given_camera.affine = given
        return tracker.update(detections, BLANK)

    def read(tracks: Any) -> Answer:
        return tracks.track_ids.numpy(), tracks.geometry.values.numpy().astype(np.float64)

    return Runner(prepare, step, read)


def _contender(title: str, name: str, appearance: bool = True, camera: bool = False) -> Contender:
    make = partial(boxmot, name, appearance, camera)
    return Contender(f"boxmot {title}", "boxmot", make, appearance, camera)


CONTENDERS = (
    _contender("BoT-SORT", "botsort"),
    _contender("BoT-SORT, camera", "botsort", camera=True),
    _contender("StrongSORT", "strongsort"),
    _contender("DeepOCSORT", "deepocsort"),
    _contender("BoostTrack", "boosttrack"),
    _contender("OccluBoost", "occluboost"),
    _contender("ByteTrack", "bytetrack", appearance=False),
    _contender("OC-SORT", "ocsort", appearance=False),
)
