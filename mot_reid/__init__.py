"""Multi-object tracking with appearance re-identification.

`track` goes through a source; `Tracker` turns frames, or `Detections` of your own, into `Tracks`::

    for frame, tracks in mot_reid.track("street.mp4"):
        print(frame.time, tracks.ids, tracks.xyxy)

    tracker = mot_reid.Tracker()
    tracks = tracker.update(frame)  # (H, W, 3) uint8 BGR

A `Config`, read by `load_config`, has the settings; `Detector` and `Embedder` say what models of your own
need; `Gallery` remembers who was seen and finds them again; `evaluate` scores results.

The public names are loaded when first asked for, so that ``import mot_reid`` stays light.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mot_reid.appearance.base import Embedder as Embedder
    from mot_reid.config import Config as Config
    from mot_reid.config import load_config as load_config
    from mot_reid.detection.base import Detector as Detector
    from mot_reid.evaluation.evaluate import evaluate as evaluate
    from mot_reid.gallery.gallery import Gallery as Gallery
    from mot_reid.history import History as History
    from mot_reid.offline.lagged_tracker import LaggedTracker as LaggedTracker
    from mot_reid.structures import Detections as Detections
    from mot_reid.structures import Tracks as Tracks
    from mot_reid.tracker import Tracker as Tracker
    from mot_reid.tracking import track as track

__version__ = "0.1.0"

# ONNX Runtime's official builds report to their maker, and keep an identity of the machine for that in the
# user's cache folder. It reads this once, when it is imported; what the user has set stays.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {
    "Config": "mot_reid.config",
    "Detections": "mot_reid.structures",
    "Detector": "mot_reid.detection.base",
    "Embedder": "mot_reid.appearance.base",
    "Gallery": "mot_reid.gallery.gallery",
    "History": "mot_reid.history",
    "LaggedTracker": "mot_reid.offline.lagged_tracker",
    "Tracker": "mot_reid.tracker",
    "Tracks": "mot_reid.structures",
    "evaluate": "mot_reid.evaluation.evaluate",
    "load_config": "mot_reid.config",
    "track": "mot_reid.tracking",
}
__all__ = [
    "Config",
    "Detections",
    "Detector",
    "Embedder",
    "Gallery",
    "History",
    "LaggedTracker",
    "Tracker",
    "Tracks",
    "__version__",
    "evaluate",
    "load_config",
    "track",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mot_reid' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
