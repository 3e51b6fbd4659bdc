"""Ultralytics' ``model.track`` with BoT-SORT and ReID, its settings otherwise as they come."""

import os
import tempfile
from pathlib import Path
from typing import Any

os.environ |= {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}

from serve import Run, serve


def load(settings: dict[str, Any]) -> tuple[str, Run]:
    import ultralytics
    from ultralytics.utils import YAML
    from ultralytics.utils.checks import check_yaml

    # An embedder asks for no less: a `.pt` of Ultralytics' own, or an ONNX file.
    options = YAML.load(check_yaml("botsort.yaml")) | {"with_reid": True, "model": settings["embedder"]}
    tracker = Path(tempfile.mkdtemp()) / "botsort.yaml"
    YAML.save(tracker, options)
    model = ultralytics.YOLO(settings["detector"], task="detect")

    def run(folder: str) -> dict[str, Any]:
        results = model.track(
            source=folder,
            stream=True,
            persist=True,  # else the embedder would be loaded for each folder
            tracker=str(tracker),
            imgsz=settings["image_size"],
            conf=settings["score"],
            classes=[0],
            device="cpu",
            verbose=False,
            save=False,
        )
        counts = [0 if result.boxes.id is None else len(result.boxes.id) for result in results]
        return {"frames": len(counts), "rows": sum(counts)}

    return ultralytics.__version__, run


if __name__ == "__main__":
    serve(load)
