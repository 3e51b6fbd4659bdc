"""BoxMOT's BoT-SORT and OSNet x0.25 behind a YOLO of Ultralytics', as its documentation joins them.

Its weights for OSNet lie on a drive that needs a network; without a file of them the network is untrained,
which changes its answers, not its speed.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

os.environ |= {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}

from serve import Run, serve


def load(settings: dict[str, Any]) -> tuple[str, Run]:
    import boxmot
    import cv2
    import numpy as np
    import torch
    import ultralytics
    from boxmot.reid.core.runtime import ReID
    from boxmot.structures import Boxes, Detections
    from boxmot.trackers.factory import create_tracker
    from boxmot.trackers.specs import TrackerSpec

    detector = ultralytics.YOLO(settings["detector"], task="detect")
    reid = ReID(settings.get("osnet") or _untrained(), device="cpu", half=False)
    state: dict[str, Any] = {"shape": None}

    def run(folder: str) -> dict[str, Any]:
        frames = rows = 0
        for path in sorted(Path(folder).iterdir()):
            image = cv2.imread(str(path))
            if image.shape != state["shape"]:  # another video
                state.update(shape=image.shape, tracker=create_tracker(TrackerSpec(name="botsort")))
            result = detector.predict(
                image,
                imgsz=settings["image_size"],
                conf=settings["score"],
                classes=[0],
                device="cpu",
                verbose=False,
            )[0]
            found = result.boxes.data.float()
            looks = reid(image, found[:, :4].numpy()) if len(found) else np.zeros((0, 512))
            detections = Detections(
                geometry=Boxes(found[:, :4].contiguous()),
                scores=found[:, 4].contiguous(),
                class_ids=torch.zeros(len(found), dtype=torch.int64),
                sample_id="frame",
                embeddings=torch.as_tensor(np.asarray(looks, np.float32)),
            )
            rows += len(state["tracker"].update(detections, image).track_ids)
            frames += 1
        return {"frames": frames, "rows": rows}

    return boxmot.__version__, run


def _untrained() -> Path:
    """A checkpoint of OSNet x0.25 with the weights that it starts training from."""
    import torch
    from boxmot.reid.backbones.families.osnet import osnet_x0_25

    torch.manual_seed(0)
    path = Path(tempfile.mkdtemp()) / "osnet_x0_25_msmt17.pt"
    torch.save(osnet_x0_25(num_classes=1, pretrained=False).state_dict(), path)
    return path


if __name__ == "__main__":
    serve(load)
