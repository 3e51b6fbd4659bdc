"""From a configuration to its detector; `mot_reid.detection.yolo` tells the kinds of weights apart."""

from mot_reid.config import Config
from mot_reid.detection.base import Detector
from mot_reid.devices import resolve_device

__all__ = ["load_detector"]


def load_detector(config: Config) -> Detector:
    """Loads the detector that a configuration names.

    Args:
        config: its parts ``detector`` and ``device``, and ``pipeline.threads``, say what and how.

    Raises:
        FileNotFoundError: there are no such weights.
        ImportError: what they need is not installed.
        ValueError: the file cannot be loaded, it is no detector, a class is not known, this machine has no
            such device, or the runtime cannot run it.
    """
    from mot_reid.detection.yolo import YoloDetector

    return YoloDetector(config.detector, resolve_device(config.device), config.pipeline.threads)
