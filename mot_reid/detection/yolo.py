"""YOLO detectors through Ultralytics, kept silent and offline."""

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mot_reid.config import DetectorConfig
from mot_reid.resources import cache_folder, find_weights
from mot_reid.structures import Detections

__all__ = ["YoloDetector", "import_ultralytics", "resolve_classes"]

_SUFFIXES = (".pt", ".onnx", ".torchscript", ".engine")


def import_ultralytics() -> Any:
    """The ultralytics package, told first to stay offline, install nothing, and write to our cache only.

    What the user has set in the environment stays.
    """
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_VERBOSE", "false")
    os.environ.setdefault("YOLO_CONFIG_DIR", str(cache_folder()))
    import ultralytics

    return ultralytics


def resolve_classes(wanted: Sequence[str], names: Mapping[int, str]) -> list[int] | None:
    """Class numbers for names or numbers; None, for all, where nothing is wanted in particular.

    Args:
        wanted: such as ``("person", "3")``.
        names: the name of each class number the detector knows.

    Raises:
        ValueError: a class is not known.
    """
    numbers = {name: number for number, name in names.items()}
    chosen = []
    for entry in wanted:
        if entry in numbers:
            chosen.append(numbers[entry])
        elif entry.isdigit() and int(entry) in names:
            chosen.append(int(entry))
        else:
            close = difflib.get_close_matches(entry, numbers, n=1)
            some = ", ".join(list(numbers)[:10]) + (", ..." if len(numbers) > 10 else "")
            hint = f"did you mean {close[0]}?" if close else f"known: {some}"
            raise ValueError(f"class {entry!r} is not one of the detector's {len(names)}; {hint}")
    return chosen or None


class YoloDetector:
    """Any YOLO weights or export that Ultralytics loads.

    Args:
        config: weights, image size, thresholds and classes.
        device: such as ``cpu`` or ``cuda:0``; half precision on CUDA.

    Raises:
        FileNotFoundError: there are no such weights.
        ValueError: Ultralytics cannot load the file, it is no detector, or a class is not known.
    """

    def __init__(self, config: DetectorConfig | None = None, device: str = "cpu") -> None:
        self.config = config or DetectorConfig()
        self.path: Path = find_weights(self.config.weights, _SUFFIXES)
        self._model = _load(self.path)
        self.class_names: Mapping[int, str] = dict(self._model.names)
        self._options = {
            "imgsz": self.config.image_size,
            "conf": self.config.score,
            "iou": self.config.nms_iou,
            "max_det": self.config.max_detections,
            "classes": resolve_classes(self.config.classes, self.class_names),
            "device": device,
            "half": device.startswith("cuda"),
            "save": False,
            "verbose": False,
        }
        self.name = f"{self.path.name} (ultralytics {device})"
        try:  # many a fault shows only here, and the first frame is slow: it shall not be the user's
            self.detect([np.zeros((64, 64, 3), np.uint8)])
        except Exception as error:
            raise ValueError(f"{self.path}: cannot detect: {' '.join(str(error).split())[:200]}") from None

    def detect(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """See `Detector.detect`. Boxes are cut at the frame's borders; what has no area left is dropped."""
        if not frames:
            return []
        results = self._model.predict(list(frames), **self._options)
        return [_detections(result.boxes.data.cpu().numpy()) for result in results]


def _load(path: Path) -> Any:
    ultralytics = import_ultralytics()
    try:
        model = ultralytics.YOLO(str(path), task=None if path.suffix == ".pt" else "detect", verbose=False)
        names = model.names
    except Exception as error:  # whatever the loaders of a dozen formats may raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: Ultralytics cannot load these weights: {reason[:300]}") from None
    if not hasattr(names, "items") or model.task == "classify":
        raise ValueError(f"{path}: not a detector (task {model.task})")
    return model


def _detections(rows: NDArray[np.float32]) -> Detections:
    """From Ultralytics' rows ``(N, 6)``: x1, y1, x2, y2, score, class."""
    rows = rows[(rows[:, 2] > rows[:, 0]) & (rows[:, 3] > rows[:, 1])]
    return Detections(rows[:, :4], np.clip(rows[:, 4], 0, 1), rows[:, 5].astype(np.int64))
