"""Multi-object tracking with appearance re-identification.

`Tracker` turns frames, or `Detections` of your own, into `Tracks`; a `Config`, read by `load_config`, has its
settings::

    tracker = Tracker()
    tracks = tracker.update(frame)  # (H, W, 3) uint8 BGR
    print(tracks.ids, tracks.xyxy)

The public names are loaded when first asked for, so that ``import mot_reid`` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mot_reid.config import Config as Config
    from mot_reid.config import load_config as load_config
    from mot_reid.structures import Detections as Detections
    from mot_reid.structures import Tracks as Tracks
    from mot_reid.tracker import Tracker as Tracker

__version__ = "0.1.0"

_HOMES = {
    "Config": "mot_reid.config",
    "Detections": "mot_reid.structures",
    "Tracker": "mot_reid.tracker",
    "Tracks": "mot_reid.structures",
    "load_config": "mot_reid.config",
}
__all__ = ["Config", "Detections", "Tracker", "Tracks", "__version__", "load_config"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mot_reid' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
