"""The tracker: wires detector, camera motion, embedder and associator together. Frame in, tracks out."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.appearance.base import Embedder, EmbedderLike, as_embedder
from mot_reid.association.associator import Associator, Embed
from mot_reid.association.cascade import Stage, checked_cascade
from mot_reid.association.clock import Place, checked_rate, next_frame
from mot_reid.association.presets import CASCADES
from mot_reid.association.reentry import IdChange
from mot_reid.columns import unit_rows
from mot_reid.config import Config, load_config
from mot_reid.detection.base import Detector, DetectorLike, as_detector, checked_answer
from mot_reid.elsewhere import METHODS, TRACKER, Elsewhere, arguments_told
from mot_reid.exchange import require_detections
from mot_reid.motion.camera import load_camera_motion
from mot_reid.notices import Notices
from mot_reid.pixels import checked_frame, usable_frame
from mot_reid.rollback import unchanged_on_failure
from mot_reid.structures import Detections, Tracks
from mot_reid.timing import Stopwatch
from mot_reid.typing import Affine, Embeddings, Image, Indices

__all__ = ["Tracker"]

NONE = "none"


class Tracker(Elsewhere):
    """Tracks people through the frames of one video.

    Models are loaded when first needed, or by `load`. Two trackers share no state, unless one is given the
    other's models: ``Tracker(first.detector, first.embedder)``. One tracker is for one thread at a time;
    models may be shared by threads.

    A tracker can be copied and pickled between two frames: to try something from here, to save a run and go
    on later, to move it to another process. ``copy.deepcopy`` shares the models. A pickle leaves them out:
    those that the configuration names are loaded again when needed, those handed in are handed in again, by
    `attach`. Only unpickle what you have saved yourself: Python's pickles can run code.

    Args:
        detector: weights that ship, a file (ONNX, a YOLO's .pt), ``"none"``, or an object with ``detect`` and
            ``class_names`` (see `mot_reid.detection.base.Detector`); by default what the configuration names.
        embedder: a checkpoint, an ONNX export, ``"none"``, or an object with ``embed``
            (see `mot_reid.appearance.base.Embedder`); by default what the configuration names.
        camera_motion: ``"flow"``, ``"none"``, ``"still"`` or a file; by default what the configuration names.
        config: a configuration, the path of a YAML file, or a known method such as ``"bytetrack"``.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"`` or ``"auto"``.
        threads: CPU threads of one pass through a network; None for what the configuration says.
        fps: frames a second of the video, if known, for frames whose time is not given; else 30.
        cascade: the stages of matching, with gates and cost terms of the caller's own if need be
            (see `mot_reid.association.cascade`); by default what the configuration names.

    Attributes:
        config: its settings.
        cascade: its stages of matching.
        stopwatch: seconds spent in each stage.
        notices: what looked wrong in the input since the last `reset`; each is an `InputWarning` too.
        time: of the last frame, seconds of the source; 0 before the first.
        id_changes: rows of earlier frames that, as the last frame shows, belong to another id.
        affine: camera motion ``(2, 3)`` into the last frame, or None where it is not known.
        last_embeddings: rows ``(K,)`` of the last frame's detections that have embeddings, and those
            ``(K, D)``; None where there are none. A loop over `mot_reid.track` is some frames behind them.

    Raises:
        FileNotFoundError: a configuration or camera motion file does not exist.
        ValueError: a setting does not exist or is out of range.

    Example:
        >>> tracker = Tracker(detector="none", embedder="none", camera_motion="none")
        >>> tracker.update(None, Detections([[10, 20, 50, 120]], [0.9])).ids
        array([1])
    """

    _elsewhere = METHODS

    @arguments_told(TRACKER)
    def __init__(
        self,
        detector: DetectorLike | str | Path | None = None,
        embedder: EmbedderLike | str | Path | None = None,
        camera_motion: str | Path | None = None,
        config: Config | str | Path | None = None,
        device: str | None = None,
        threads: int | None = None,
        fps: float | None = None,
        cascade: Sequence[Stage] | None = None,
    ) -> None:
        if config is not None and not isinstance(config, Config | str | Path):
            raise TypeError(f"config: expected a Config or a YAML file, got {type(config).__name__}")
        settings = config if isinstance(config, Config) else load_config(config)
        settings = settings if device is None else replace(settings, device=device)
        if isinstance(detector, str | Path):
            settings = replace(settings, detector=replace(settings.detector, weights=str(detector)))
        if isinstance(embedder, str | Path):
            settings = replace(settings, embedder=replace(settings.embedder, weights=str(embedder)))
        if camera_motion is not None:
            settings = replace(settings, camera=replace(settings.camera, motion=str(camera_motion)))
        if threads is not None:
            settings = replace(settings, pipeline=replace(settings.pipeline, threads=threads))
        self.config = settings
        self.cascade = checked_cascade(CASCADES[settings.association.cascade] if cascade is None else cascade)
        self._fps: float | None = None
        self.stopwatch, self.notices = Stopwatch(), Notices()
        self._detector = None if isinstance(detector, str | Path | None) else as_detector(detector)
        self._embedder = None if isinstance(embedder, str | Path | None) else as_embedder(embedder)
        self._camera = load_camera_motion(settings.camera)
        self._has_detector = self._detector is not None or settings.detector.weights != NONE
        given = self._embedder is not None
        self._has_embedder = settings.embeds or (given and settings.association.embedding.share > 0)
        self._given = frozenset(n for n in ("detector", "embedder") if vars(self)[f"_{n}"] is not None)
        self._missing: frozenset[str] = frozenset()  # given ones that a pickle has left behind
        self._turn = threading.Lock()
        self.reset(fps)

    def __repr__(self) -> str:
        return f"Tracker({self.model_names()}, frame {self._frame_number})"

    def attach(self, detector: DetectorLike | None = None, embedder: EmbedderLike | None = None) -> None:
        """Hands in models again, for a tracker that was pickled without them; tracks stay as they are.

        Args:
            detector: as for `Tracker`; None leaves it as it is.
            embedder: likewise. Another one than before makes embeddings that cannot be compared.

        Raises:
            TypeError: one has no ``detect`` or no ``embed``.
        """
        if detector is not None:
            self._detector, self._has_detector = as_detector(detector), True
            self._missing -= {"detector"}
        if embedder is not None:
            self._embedder, self._missing = as_embedder(embedder), self._missing - {"embedder"}
            self._has_embedder = self.config.association.embedding.share > 0

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the models and the lock.

        Raises:
            RuntimeError: another thread is in `update`.
        """
        if not self._turn.acquire(blocking=False):
            raise RuntimeError("pickle: another thread is in update; a tracker is saved between two frames")
        try:
            state = vars(self) | {"_missing": self._given}
        finally:
            self._turn.release()
        for name in ("_turn", "_detector", "_embedder"):
            del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _detector=None, _embedder=None, _turn=threading.Lock())

    def __copy__(self) -> Tracker:
        return deepcopy(self)  # two trackers share no state

    def __deepcopy__(self, memo: dict[int, Any]) -> Tracker:
        twin = object.__new__(type(self))
        twin.__setstate__(deepcopy(self.__getstate__(), memo))
        twin._detector, twin._embedder, twin._missing = self._detector, self._embedder, self._missing
        return twin

    def reset(self, fps: float | None = None) -> None:
        """Starts over, as for a new video: ids begin at 1 again. Loaded models stay.

        Args:
            fps: the new video's frames a second; by default as before.

        Raises:
            TypeError, ValueError: it is no positive number.
        """
        self._fps = self._fps if fps is None else checked_rate(fps)
        association, motion = self.config.association, self.config.motion
        self._associator = Associator(association, motion, self._fps, cascade=self.cascade)
        self._frame_number, self._updates, self.time = 0, 0, 0.0
        self._last_boxes, self.id_changes = Tracks.empty().xyxy, list[IdChange]()
        self.notices = Notices(self.notices.warns)
        self._shape: tuple[int, ...] | None = None
        self.affine: Affine | None = None
        self.last_embeddings: tuple[NDArray[np.intp], NDArray[np.float32]] | None = None
        if self._camera is not None:
            self._camera.reset()

    def load(self, detector: bool = True) -> None:
        """Loads the models, and compiles what is compiled, now: errors in files show before the first frame.

        Args:
            detector: False where all detections will be handed in.

        Raises:
            FileNotFoundError: there are no such weights.
            ValueError: a file does not fit, or a class is not known to the detector.
        """
        if detector and self._has_detector:
            self._loaded_detector()
        if self._has_embedder:
            self._loaded_embedder()
        kernels.compiled()

    @property
    def detector(self) -> Detector:
        """What detects; loaded if need be.

        Raises:
            ValueError: this tracker has no detector.
        """
        if not self._has_detector:
            raise ValueError("detections: expected Detections, as this tracker has no detector")
        return self._loaded_detector()

    @property
    def embedder(self) -> Embedder | None:
        """What embeds, loaded if need be; None where there is none."""
        return self._loaded_embedder() if self._has_embedder else None

    @property
    def class_names(self) -> Mapping[int, str]:
        """The name of each class number that the detector knows; loads it if need be."""
        return self._loaded_detector().class_names if self._has_detector else {0: "person"}

    def model_names(self) -> dict[str, str]:
        """What detects, embeds and estimates camera motion, for reports."""

        def name(model: Detector | Embedder | None, has_one: bool, configured: str) -> str:
            return NONE if not has_one else configured if model is None else model.name

        return {
            "detector": name(self._detector, self._has_detector, self.config.detector.weights),
            "embedder": name(self._embedder, self._has_embedder, self.config.embedder.weights),
            "camera motion": self.config.camera.motion,
        }

    @property
    def embedding_counts(self) -> tuple[int, int]:
        """How many detections were embedded since the last `reset`, and of how many confident ones."""
        return self._associator.embedded, self._associator.embeddable

    def update(
        self,
        frame: NDArray[Any] | None,
        detections: Detections | None = None,
        *,
        time: float | None = None,
        frame_number: int | None = None,
        looked: bool = True,
    ) -> Tracks:
        """Takes the next frame and returns the tracks seen in it.

        If it fails, also in a detector or embedder of the caller's, the tracker is as it was before: go on
        with the same frame or the next one.

        Args:
            frame: ``(H, W, 3)`` uint8 BGR. None is fine when nothing needs pixels: detections are given, with
                embeddings unless there is no embedder, and camera motion is not estimated from frames.
            detections: this frame's; by default the detector finds them, in every n-th frame
                (``detector.every``). ``Detections.empty()`` says that nothing was there.
            time: of the frame in seconds of the source: its presentation time stamp, or the wall clock of a
                live source. All ages and gates count by it. By default it goes on with the frame number,
                from 0 at frame 1, at ``fps`` frames a second; 30 where that is not known.
            frame_number: the frame's number in its video, from 1; by default one more than the last. A file
                of camera motion is read by it.
            looked: False for no look at this frame. There, where the detector rests, and with neither a
                detector nor detections, nobody is taken to have gone.

        Returns:
            The tracks seen in this frame; ``detection_index`` leads back to the rows of ``detections``. With
            no look those of the last one, where they should be now, and -1.

        Raises:
            TypeError: the frame is not an array, or detections are not `Detections`.
            ValueError: the frame's dtype or shape is wrong or has changed, frame numbers or times do not
                ascend, or pixels are needed and there is no frame.
            RuntimeError: another thread is in it.
        """
        if not self._turn.acquire(blocking=False):
            raise RuntimeError("update: another thread is in it; a tracker follows one video, frame by frame")
        try:
            return self._update(frame, detections if looked else None, (frame_number, time), looked)
        finally:
            self._turn.release()

    def _update(
        self, frame: NDArray[Any] | None, detections: Detections | None, place: Place, looked: bool
    ) -> Tracks:
        """Does the work of `update`; ``place`` is the frame's number and time, as given."""
        frame = usable_frame(frame, self._shape, self._camera is not None and self._camera.needs_pixels)
        shape, last = self._shape if frame is None else frame.shape, (self._frame_number, self.time)
        number, seconds = next_frame(place, last, self._fps)
        self.notices.of_time(last, (number, seconds), self._fps)
        looked = looked and self._has_detector and self.config.detector.looks_at(self._updates)
        if detections is None and looked:
            if frame is None:
                raise ValueError("frame: the detector needs the pixels; pass frame, or your own detections")
            detections = self.detect(frame)
        elif detections is not None:
            require_detections(detections)
        if detections is not None:
            self.notices.of_boxes(detections, shape, number)
            self.notices.of_scores(detections, self.config.association.low_score, number)
        embedded: list[tuple[Indices, Embeddings]] = []
        if detections is not None and detections.embeddings is not None and len(detections):
            embedded.append((np.arange(len(detections)), detections.embeddings))
        embed = self._embed_callable(frame, detections, embedded)
        moving = self._last_boxes if detections is None else detections.xyxy
        camera, affine = self._camera, None
        with unchanged_on_failure(camera):
            if camera is not None:
                with self.stopwatch("camera motion"):
                    affine = camera.estimate(frame, moving, number)
            with self.stopwatch("associate"):
                on_crowd = partial(self.notices.of_crowd, number=number)
                tracks = self._associator.step(detections, affine, embed, time=seconds, on_crowd=on_crowd)
        self.affine, self._frame_number, self.time = affine, number, seconds
        self._last_boxes, self._updates = tracks.xyxy, self._updates + 1
        self._shape, self.id_changes = shape, self._associator.id_changes
        self.last_embeddings = embedded[-1] if embedded else None
        return tracks

    def detect(self, frame: NDArray[Any]) -> Detections:
        """What the detector finds in a frame ``(H, W, 3)`` uint8 BGR, by itself; no track takes note of it.

        Raises:
            TypeError: the frame is not an array, or the detector gives anything but a list of `Detections`.
            ValueError: this tracker has no detector, or the frame's dtype or shape is wrong.
        """
        return self.detect_batch([frame])[0]

    def detect_batch(self, frames: Sequence[NDArray[Any]]) -> list[Detections]:
        """As `detect`, for several frames of one size at once."""
        checked, detector = [checked_frame(frame) for frame in frames], self.detector
        with self.stopwatch("detect"):
            return checked_answer(detector.detect(checked), len(checked))

    def embed_batch(
        self, frames: Sequence[NDArray[Any]], detections: Sequence[Detections]
    ) -> list[Detections]:
        """The detections of several frames with the embeddings that `update` would ask for, in one batch.

        Worth it on an accelerator, and only where all confident detections are embedded anyway.

        Raises:
            ValueError: an embedding is zero or not finite, or there is no embedder.
        """
        embedder = self.embedder
        if embedder is None:
            raise ValueError("embed_batch: this tracker has no embedder")
        with self.stopwatch("embed"):
            rows = embedder.embed_batch(frames, [found.xyxy for found in detections])
        return [found.with_embeddings(of) for found, of in zip(detections, rows, strict=True)]

    def _embed_callable(
        self, frame: Image | None, detections: Detections | None, told: list[tuple[Indices, Embeddings]]
    ) -> Embed | None:
        """What gives embeddings, and tells them; None where detections carry them, or nobody embeds."""
        if not self._has_embedder or not detections or detections.embeddings is not None:
            return None
        if frame is None:
            raise ValueError("frame: the embedder needs the pixels; pass embedder='none' or embeddings")
        pixels, embedder = frame, self._loaded_embedder()

        def embed(rows: Indices) -> Embeddings:
            with self.stopwatch("embed"):
                found = unit_rows(embedder.embed(pixels, detections.xyxy[rows]), len(rows))
            told.append((rows, found))
            return found

        return embed

    def _loaded_detector(self) -> Detector:
        if self._detector is None:
            self._require_attached("detector")
            from mot_reid.detection.loading import load_detector

            self._detector = load_detector(self.config)
        return self._detector

    def _require_attached(self, name: str) -> None:
        if name in self._missing:
            raise ValueError(f"{name}: this tracker was pickled without it; attach({name}=...) hands it in")

    def _loaded_embedder(self) -> Embedder:
        if self._embedder is None:
            self._require_attached("embedder")
            from mot_reid.appearance.loading import load_embedder

            self._embedder = load_embedder(self.config)
        return self._embedder
