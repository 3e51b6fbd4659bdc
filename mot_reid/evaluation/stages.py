"""What is computed from a sequence's frames, stage by stage, and all that the results depend on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np

from mot_reid.appearance.backends import CHECKPOINTS
from mot_reid.appearance.loading import load_embedder
from mot_reid.config import CameraConfig, Config, DetectorConfig, EmbedderConfig
from mot_reid.detection.loading import load_detector
from mot_reid.devices import resolve_device
from mot_reid.evaluation.cache import Arrays
from mot_reid.evaluation.fingerprints import (
    IMAGE_PACKAGES,
    NETWORK_PACKAGES,
    boxes_digest,
    code_digest,
    package_versions,
    weights_digest,
)
from mot_reid.evaluation.sequence_frames import SequenceFrames
from mot_reid.motion.camera import SparseFlow
from mot_reid.resources import EMBEDDERS, find_weights
from mot_reid.structures import Detections
from mot_reid.timing import Stopwatch
from mot_reid.typing import Affine, Embeddings

if TYPE_CHECKING:
    from mot_reid.appearance.base import Embedder
    from mot_reid.detection.base import Detector
    from mot_reid.video.frames import Frame

__all__ = [
    "DetectStage",
    "EmbedStage",
    "FlowStage",
    "Outcome",
    "Progress",
    "Stage",
    "pack",
    "run_stages",
    "unpack",
]

Progress = Callable[[str, int, int], None]
"""Told what is computed, how many frames are done, and of how many."""
Result = TypeVar("Result")

_FRAMES = "mot_reid.evaluation.sequence_frames"
_DETECTION, _APPEARANCE = "mot_reid.detection.loading", "mot_reid.appearance.loading"
_CAMERA = "mot_reid.motion.camera"


class Stage(ABC, Generic[Result]):
    """Computes one thing for each frame, in order.

    Attributes:
        name: in tables and in the cache.
        role: of what computes it, for tables.
        user: who needs the frames, for error messages.
        way_out: the options that do without.
    """

    name: ClassVar[str]
    role: ClassVar[str]
    user: ClassVar[str]
    way_out: ClassVar[str]

    @abstractmethod
    def key(self, detections: list[Detections]) -> dict[str, Any]:
        """All but the frames that the results depend on, as JSON can hold it.

        Args:
            detections: of each frame; none for the stage that finds them.
        """

    @abstractmethod
    def load(self) -> str:
        """Loads what computes, and returns its name for tables.

        Raises:
            FileNotFoundError, ValueError: as the model's class.
        """

    @abstractmethod
    def take(self, frame: Frame, detections: Detections) -> Result:
        """The result for the next frame."""

    @abstractmethod
    def pack(self, results: list[Result]) -> Arrays:
        """The results of all frames as arrays."""

    @abstractmethod
    def unpack(self, arrays: Arrays) -> list[Result]:
        """The results that were packed."""

    def units(self, results: list[Result]) -> int:
        """How many of what is timed there were: frames."""
        return len(results)


class DetectStage(Stage[Detections]):
    """The configuration's detector."""

    name = "detect"
    role = "detector"
    user = "the detector"
    way_out = "--detections"

    def __init__(self, config: Config) -> None:
        self._config, self._device = replace(config.detector, every=1), config.device

    @cached_property
    def _network(self) -> dict[str, Any]:
        from mot_reid.detection.yolo import find_detector

        return _network_key(self._config, self._device, find_detector(self._config.weights))

    def key(self, detections: list[Detections]) -> dict[str, Any]:
        """See `Stage.key`."""
        return {
            **self._network,
            "versions": package_versions("ultralytics", *NETWORK_PACKAGES),
            "code": code_digest(_DETECTION, _FRAMES, alone=(__name__,)),
        }

    def load(self) -> str:
        """See `Stage.load`."""
        device = resolve_device(self._device)
        self._detector = _load_detector(self._config, device, self._network["weights"])
        return self._detector.name

    def take(self, frame: Frame, detections: Detections) -> Detections:
        """See `Stage.take`."""
        return self._detector.detect([frame.image])[0]

    def pack(self, results: list[Detections]) -> Arrays:
        """See `Stage.pack`."""
        empty = Detections.empty()
        return {
            "counts": np.array([len(result) for result in results]),
            "xyxy": np.concatenate([empty.xyxy, *(result.xyxy for result in results)]),
            "scores": np.concatenate([empty.scores, *(result.scores for result in results)]),
            "classes": np.concatenate([empty.classes, *(result.classes for result in results)]),
        }

    def unpack(self, arrays: Arrays) -> list[Detections]:
        """See `Stage.unpack`."""
        whole = Detections(arrays["xyxy"], arrays["scores"], arrays["classes"])
        ends = np.cumsum(arrays["counts"])
        return [whole[end - count : end] for count, end in zip(arrays["counts"], ends, strict=True)]


class EmbedStage(Stage[Embeddings]):
    """The configuration's embedder, on every detection that the associator may ask for."""

    name = "embed"
    role = "embedder"
    user = "the embedder"
    way_out = "--embedder none"

    def __init__(self, config: Config) -> None:
        self._config, self._device = config.embedder, config.device
        self._low_score = config.association.low_score

    def chosen(self, detections: Detections) -> Detections:
        """The detections that get an embedding; the others are dropped before association."""
        return detections[detections.scores >= self._low_score]

    @cached_property
    def _network(self) -> dict[str, Any]:
        path = find_weights(self._config.weights, (*CHECKPOINTS, ".onnx"), EMBEDDERS)
        return _network_key(self._config, self._device, path)

    def key(self, detections: list[Detections]) -> dict[str, Any]:
        """See `Stage.key`."""
        return {
            **self._network,
            "versions": package_versions(*NETWORK_PACKAGES),
            "code": code_digest(_APPEARANCE, _FRAMES, alone=(__name__,)),
            "boxes": boxes_digest(self.chosen(frame) for frame in detections),
        }

    def load(self) -> str:
        """See `Stage.load`."""
        device = resolve_device(self._device)
        self._embedder = _load_embedder(self._config, device, self._network["weights"])
        return self._embedder.name

    def take(self, frame: Frame, detections: Detections) -> Embeddings:
        """See `Stage.take`: ``(K, D)``, one batch a frame."""
        boxes = self.chosen(detections).xyxy
        return self._embedder.embed(frame.image, boxes) if len(boxes) else np.zeros((0, 0), np.float32)

    def pack(self, results: list[Embeddings]) -> Arrays:
        """See `Stage.pack`."""
        filled = [rows for rows in results if len(rows)] or [np.zeros((0, 0), np.float32)]
        return {"counts": np.array([len(rows) for rows in results]), "embeddings": np.concatenate(filled)}

    def unpack(self, arrays: Arrays) -> list[Embeddings]:
        """See `Stage.unpack`."""
        return np.split(arrays["embeddings"], np.cumsum(arrays["counts"])[:-1])

    def units(self, results: list[Embeddings]) -> int:
        """How many crops there were."""
        return sum(map(len, results))


class FlowStage(Stage["Affine | None"]):
    """Camera motion by optical flow."""

    name = "camera motion"
    role = "camera motion"
    user = "optical flow"
    way_out = "--camera-motion none or a file"

    def __init__(self, config: CameraConfig) -> None:
        self._config = config

    def key(self, detections: list[Detections]) -> dict[str, Any]:
        """See `Stage.key`."""
        return {
            "settings": asdict(self._config),
            "versions": package_versions(*IMAGE_PACKAGES),
            "code": code_digest(_CAMERA, _FRAMES, alone=(__name__,)),
            "boxes": boxes_digest(detections),
        }

    def load(self) -> str:
        """See `Stage.load`."""
        self._flow = SparseFlow(self._config)
        return self._config.motion

    def take(self, frame: Frame, detections: Detections) -> Affine | None:
        """See `Stage.take`: ``(2, 3)``, or None where it is not known."""
        return self._flow.estimate(frame.image, detections.xyxy, frame.number)

    def pack(self, results: list[Affine | None]) -> Arrays:
        """See `Stage.pack`."""
        unknown = np.full((2, 3), np.nan)
        affines = np.array([unknown if affine is None else affine for affine in results], np.float64)
        return {"known": np.array([affine is not None for affine in results], bool), "affines": affines}

    def unpack(self, arrays: Arrays) -> list[Affine | None]:
        """See `Stage.unpack`."""
        pairs = zip(arrays["known"], arrays["affines"], strict=True)
        return [affine if known else None for known, affine in pairs]


@dataclass(frozen=True)
class Outcome:
    """What a stage gave for a sequence.

    Attributes:
        results: one of each frame.
        model: what computed it, for tables.
        milliseconds: a frame, or a crop where it embeds.
        decode_milliseconds: what it took to decode a frame.
    """

    results: list[Any]
    model: str
    milliseconds: float
    decode_milliseconds: float


def run_stages(
    stages: list[Stage[Any]],
    frames: SequenceFrames,
    detections: list[Detections] | None,
    on_progress: Progress | None,
) -> dict[str, Outcome]:
    """Runs the stages on each frame, in one pass.

    Args:
        stages: what to compute; the detector, if it is among them, first.
        frames: of the sequence, complete.
        detections: of each frame, unless the detector finds them here.
        on_progress: called after each frame.

    Returns:
        What each stage gave, by its name.

    Raises:
        FileNotFoundError, ValueError: a model cannot be loaded, or a frame is missing.
        SourceError: a frame cannot be read.
    """
    models = {stage.name: stage.load() for stage in stages}
    results: dict[str, list[Any]] = {stage.name: [] for stage in stages}
    watch, total = Stopwatch(), len(frames.sequence.frames)
    with closing(frames.read()) as source:
        for done in range(total):
            # The first frame of a video's second half would count the first half's decoding too.
            with watch("decode") if done else nullcontext():
                frame = next(source)
            seen = Detections.empty() if detections is None else detections[done]
            for stage in stages:
                with watch(stage.name):
                    results[stage.name].append(stage.take(frame, seen))
                if isinstance(stage, DetectStage):
                    seen = results[stage.name][-1]
            if on_progress is not None:
                on_progress(", ".join(results), done + 1, total)
    decode = _milliseconds(watch, "decode", total - 1)
    return {
        stage.name: Outcome(
            results[stage.name],
            models[stage.name],
            _milliseconds(watch, stage.name, stage.units(results[stage.name])),
            decode,
        )
        for stage in stages
    }


def _milliseconds(watch: Stopwatch, stage: str, units: int) -> float:
    return 1000 * watch.seconds[stage] / units if units else 0.0


def pack(stage: Stage[Any], outcome: Outcome) -> Arrays:
    """An outcome as arrays, for the cache."""
    return {
        **stage.pack(outcome.results),
        "model": np.array(outcome.model),
        "milliseconds": np.array([outcome.milliseconds, outcome.decode_milliseconds]),
    }


def unpack(stage: Stage[Any], arrays: Arrays) -> Outcome:
    """The outcome that was packed."""
    own, decode = arrays["milliseconds"].tolist()
    return Outcome(stage.unpack(arrays), str(arrays["model"]), own, decode)


@lru_cache(maxsize=1)
def _load_detector(config: DetectorConfig, device: str, weights_digest: str) -> Detector:
    """Loaded once for all sequences; anew if the weights have changed."""
    return load_detector(Config(detector=config, device=device))


@lru_cache(maxsize=1)
def _load_embedder(config: EmbedderConfig, device: str, weights_digest: str) -> Embedder:
    return load_embedder(Config(embedder=config, device=device))


def _network_key(config: DetectorConfig | EmbedderConfig, device: str, path: Path) -> dict[str, Any]:
    """The settings of a network, its weights by name and content, and the kind of device it runs on."""
    kind = (resolve_device(device) if device == "auto" else device).split(":")[0]
    return {
        "settings": {**asdict(config), "weights": path.name},
        "weights": weights_digest(path),
        "device": kind,
    }
