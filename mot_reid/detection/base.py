"""What a detector is."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeGuard

from mot_reid.structures import Detections
from mot_reid.typing import Image

__all__ = ["Detector", "DetectorLike", "as_detector", "checked_answer"]

_LONGEST = 100  # letters of a model in a message


class Detector(Protocol):
    """Finds people, or other objects, in frames.

    A detector of your own needs `detect` and `class_names` (`DetectorLike`). What it can do besides is
    stated by the other members, which have the defaults below where a class leaves them out (`as_detector`);
    a subclass of this one inherits them. `mot_reid.testing.check_detector` says what is wrong with one.

    Attributes:
        class_names: the name of each class number that it can give.
        name: for reports; empty for the class's.
        batch_size: how many frames it takes best in one call of `detect`.
        calls_at_once: how many threads best call it at the same time; 1 where two never may.
    """

    class_names: Mapping[int, str]
    name: str = ""
    batch_size: int = 1
    calls_at_once: int = 1

    def detect(self, frames: Sequence[Image]) -> list[Detections]:
        """Finds what is in each frame, in order: the same, but for rounding, however frames are batched.

        Args:
            frames: a batch of frames ``(H, W, 3)`` uint8 BGR, any number of them, not all of one shape
                perhaps.
        """
        ...


class DetectorLike(Protocol):
    """What is taken for a detector: the two members of `Detector` that one of your own needs."""

    @property
    def class_names(self) -> Mapping[int, str]:
        """See `Detector.class_names`; a plain attribute will do."""
        ...

    def detect(self, frames: Sequence[Image]) -> Sequence[Detections]:
        """See `Detector.detect`."""
        ...


class _Adapted(Detector):
    """A detector that leaves some members out, with their defaults."""

    def __init__(self, detector: Any) -> None:
        self._detector = detector
        for member in ("name", "batch_size", "calls_at_once"):
            setattr(self, member, getattr(detector, member, getattr(Detector, member)))
        self.name = self.name or type(detector).__name__

    @property
    def class_names(self) -> Mapping[int, str]:  # type: ignore[override]
        """The detector's own, also where they change."""
        names: Mapping[int, str] = self._detector.class_names
        return names

    def detect(self, frames: Sequence[Image]) -> list[Detections]:
        """See `Detector.detect`."""
        found: list[Detections] = self._detector.detect(frames)
        return found


def _is_complete(detector: object) -> TypeGuard[Detector]:
    members = ("class_names", "detect", "name", "batch_size", "calls_at_once")
    return all(hasattr(detector, member) for member in members) and bool(getattr(detector, "name", ""))


def _told(model: object) -> str:
    """A model for a message: whole networks print themselves on hundreds of lines."""
    kind = f"{type(model).__module__.partition('.')[0]}'s {type(model).__name__}"
    if hasattr(model, "predict") and hasattr(model, "names"):  # Ultralytics' YOLO and its kin
        file = getattr(model, "ckpt_path", None) or "model.pt"
        return f"{kind}; its file is what is wanted: Tracker(detector={str(file)!r})"
    text = "" if hasattr(model, "parameters") else repr(model)
    return text if text and len(text) <= _LONGEST and "\n" not in text else f"an object of {kind}"


def as_detector(detector: object) -> Detector:
    """A detector with all members of `Detector`: itself where it has them, or else in a thin wrapper.

    Raises:
        TypeError: it has no ``detect`` or no ``class_names``, or a number of its is none above 0.
    """
    for member in ("detect", "class_names"):
        if not hasattr(detector, member):
            raise TypeError(f"detector: expected weights or an object with {member}, got {_told(detector)}")
    if not callable(detector.detect) or isinstance(detector, type):  # type: ignore[attr-defined]
        raise TypeError(f"detector: expected an object with a method detect, got {_told(detector)}")
    names = detector.class_names  # type: ignore[attr-defined]
    if not isinstance(names, Mapping):
        raise TypeError(f"detector.class_names: expected the name of each class number, got {names!r:.100}")
    whole = detector if _is_complete(detector) else _Adapted(detector)
    for member in ("batch_size", "calls_at_once"):
        value = getattr(whole, member)
        if not isinstance(value, int) or value < 1:
            raise TypeError(f"detector.{member}: expected a whole number from 1, got {value!r}")
    return whole


def checked_answer(found: object, frames: int) -> list[Detections]:
    """What a detector's ``detect`` gave for so many frames, as a list.

    Raises:
        TypeError: it is anything but one `Detections` for each of them.
    """
    right = isinstance(found, list | tuple) and len(found) == frames
    if not right or not all(isinstance(entry, Detections) for entry in found):  # type: ignore[attr-defined]
        expected = "one Detections for one frame" if frames == 1 else f"{frames} Detections"
        raise TypeError(f"detector.detect: expected a list of {expected}, got {_told(found)}")
    return list(found)  # type: ignore[call-overload]
