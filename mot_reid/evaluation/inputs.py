"""What the tracking of a sequence starts from: detections, embeddings and camera motion, computed once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from mot_reid.config import Config
from mot_reid.detection.motchallenge import ScoreError, read_detections
from mot_reid.evaluation.cache import ArrayCache
from mot_reid.evaluation.sequence_frames import SequenceFrames, find_frames
from mot_reid.evaluation.sequences import Sequence
from mot_reid.evaluation.stages import (
    DetectStage,
    EmbedStage,
    FlowStage,
    Outcome,
    Progress,
    Stage,
    pack,
    run_stages,
    unpack,
)
from mot_reid.motion.camera import IDENTITY, MotionFile
from mot_reid.structures import Detections
from mot_reid.timing import Stopwatch
from mot_reid.typing import Affine, Embeddings
from mot_reid.wording import counted

__all__ = [
    "SCORE_MAPS",
    "ScoreMap",
    "SequenceInputs",
    "detection_file",
    "needs_pixels",
    "prepare_inputs",
]

ScoreMap = Literal["auto", "as-is", "logistic"]
SCORE_MAPS: tuple[ScoreMap, ...] = get_args(ScoreMap)
Affines = list[Affine | None]

_NONE, _FLOW, _STILL = "none", "flow", "still"
_PUBLIC = Path("det", "det.txt")


@dataclass(frozen=True)
class SequenceInputs:
    """Everything that the association of one sequence needs, frame by frame.

    Attributes:
        detections: of each of ``sequence.frames``. Where there is an embedder, all have embeddings, and those
            below ``association.low_score``, which association drops first, are left out.
        affines: camera motion ``(2, 3)`` of each frame, or None.
        milliseconds: of the stages there are: ``decode``, ``detect`` and ``camera motion`` a frame, ``embed``
            a crop; as they were measured when they were computed.
        cached: the stages that were read back: ``detect``, ``embed``, ``camera motion``.
        models: the ``detector``, ``embedder`` and ``camera motion``, for tables.
    """

    detections: list[Detections]
    affines: Affines
    milliseconds: Mapping[str, float]
    cached: tuple[str, ...]
    models: Mapping[str, str]


def prepare_inputs(
    sequence: Sequence,
    config: Config,
    cache: ArrayCache,
    *,
    detections: str | None = None,
    scores: ScoreMap = "auto",
    on_progress: Progress | None = None,
) -> SequenceInputs:
    """Reads or computes all that tracking a sequence needs; what takes pixels comes from the cache if it can.

    Args:
        sequence: which, and which of its frames.
        config: its detector, embedder and camera parts count, the device, ``association.low_score``, and
            whether ``association.embedding.share`` is 0: then nothing is embedded.
            ``camera.motion`` may be a file as in ``detections``.
        cache: keeps what is computed from pixels.
        detections: file of the detections instead of the detector, see `detection_file`.
        scores: how a file's scores are read: as they are, or through 1 / (1 + exp(-2 s)); ``auto`` does that
            for DPM's, told by the file's name or MOT17's sequence names.
        on_progress: called after each frame that is computed, with what is computed (such as
            ``"detect, embed"``), the frames done, and of how many.

    Raises:
        FileNotFoundError: there is no such detection file, camera motion file or weights.
        ValueError: a file is wrong, frames are missing and something needs them, or there is no detector.
        SourceError: a frame cannot be read.
    """
    given = _given_detections(sequence, detections, scores)
    affines, milliseconds = _given_affines(sequence, config.camera.motion)
    stages = _stages(config, detections)
    outcomes, cached = _outcomes(stages, sequence, given, cache, on_progress)
    models = {
        "detector": f"{detections} (file)",
        "embedder": _NONE,
        "camera motion": config.camera.motion,
    }
    for stage in stages:
        outcome = outcomes[stage.name]
        milliseconds |= {"decode": outcome.decode_milliseconds, stage.name: outcome.milliseconds}
        models[stage.role] = outcome.model
    if given is None:
        given = outcomes[DetectStage.name].results
    if EmbedStage.name in outcomes:
        given = _with_embeddings(config, given, outcomes[EmbedStage.name].results)
    if affines is None:
        affines = outcomes[FlowStage.name].results
    return SequenceInputs(given, affines, milliseconds, cached, models)


def needs_pixels(config: Config, detections: str | None) -> bool:
    """Whether anything is to be computed from frames; ``detections`` as in `prepare_inputs`."""
    return bool(_stages(config, detections))


def _stages(config: Config, detections: str | None) -> list[Stage[Any]]:
    """What must be computed from frames; the detector first."""
    stages: list[Stage[Any]] = []
    if detections is None:
        if config.detector.weights == _NONE:
            raise ValueError("there is no detector (detector.weights is none) and no --detections")
        stages.append(DetectStage(config))
    if config.embeds:
        stages.append(EmbedStage(config))
    if config.camera.motion == _FLOW:
        stages.append(FlowStage(config.camera))
    return stages


def _outcomes(
    stages: list[Stage[Any]],
    sequence: Sequence,
    detections: list[Detections] | None,
    cache: ArrayCache,
    on_progress: Progress | None,
) -> tuple[dict[str, Outcome], tuple[str, ...]]:
    """What each stage gives, and the names of those that were read back.

    Where detections must be computed, so is all else, in one pass: its key holds their boxes.
    """
    if not stages:
        return {}, ()
    frames = _complete_frames(sequence, stages)
    span = [sequence.frames[0], sequence.frames[-1]]
    source = {"sequence": sequence.name, "frames": span, "files": frames.fingerprint()}
    outcomes: dict[str, Outcome] = {}
    missing: list[Stage[Any]] = []
    for stage in stages:
        arrays = None
        if detections is not None or isinstance(stage, DetectStage):
            arrays = cache.load(_label(sequence, stage), _key(stage, source, detections))
        if arrays is None:
            missing.append(stage)
            continue
        outcomes[stage.name] = unpack(stage, arrays)
        if isinstance(stage, DetectStage):
            detections = outcomes[stage.name].results
    cached = tuple(outcomes)
    if missing:
        computed = run_stages(missing, frames, detections, on_progress)
        if detections is None:
            detections = computed["detect"].results
        for stage in missing:
            arrays = pack(stage, computed[stage.name])
            cache.store(_label(sequence, stage), _key(stage, source, detections), arrays)
            outcomes[stage.name] = unpack(stage, arrays)
    return outcomes, cached


def _label(sequence: Sequence, stage: Stage[Any]) -> str:
    return f"{sequence.name} {sequence.half} {stage.name}"


def _key(stage: Stage[Any], source: Mapping[str, Any], detections: list[Detections] | None) -> dict[str, Any]:
    return {"stage": stage.name, "source": source, **stage.key(detections or [])}


def _complete_frames(sequence: Sequence, stages: list[Stage[Any]]) -> SequenceFrames:
    """The sequence's frames; an error that tells who needs them where they are not all there."""
    frames = find_frames(sequence)
    if not frames.complete:
        users = [stage.user for stage in stages]
        listed = users[0] if len(users) == 1 else ", ".join(users[:-1]) + f" and {users[-1]}"
        raise ValueError(
            f"{sequence.name}: {frames.count or 'none'} of {counted(len(sequence.frames), 'frame')} present "
            f"({frames.place}), and {listed} {'needs' if len(users) == 1 else 'need'} them; "
            f"use {', '.join(stage.way_out for stage in stages)}"
        )
    return frames


def detection_file(sequence: Sequence, detections: str) -> Path:
    """The detection file of a sequence.

    Args:
        sequence: whose.
        detections: a name such as ``frcnn`` for ``det/frcnn.txt`` (or ``det/det.txt`` where the sequence's
            own name ends in it, as MOT17-02-FRCNN's does), ``public`` for ``det/det.txt``, or a path, told by
            a slash or a suffix: ``{sequence}`` in it stands for the sequence's name, and it starts from the
            sequence's folder if it is not absolute.

    Raises:
        FileNotFoundError: there is no such file; the message lists those in ``det``.
    """
    folder = sequence.folder
    if _is_path(detections):
        places = [_from_pattern(sequence, detections)]
    elif detections.lower() == "public":
        places = [folder / _PUBLIC]
    else:
        places = [folder / "det" / f"{name}.txt" for name in (detections, detections.lower())]
        if sequence.name.lower().endswith(f"-{detections.lower()}"):
            places.append(folder / _PUBLIC)
    for place in places:
        if place.is_file():
            return place
    there = sorted(path.name for path in folder.glob("det/*.txt"))
    raise FileNotFoundError(
        f"{sequence.name}: detection file not found: {places[0]}; "
        f"in {folder / 'det'} there are: {', '.join(there) or 'none'}"
    )


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text or bool(Path(text).suffix)


def _from_pattern(sequence: Sequence, pattern: str) -> Path:
    return sequence.folder / Path(pattern.replace("{sequence}", sequence.name)).expanduser()


def _given_detections(
    sequence: Sequence, detections: str | None, scores: ScoreMap
) -> list[Detections] | None:
    """The detections of each frame from their file; None where the detector is to find them."""
    if scores not in SCORE_MAPS:
        raise ValueError(f"scores {scores!r} is not known; known: {', '.join(SCORE_MAPS)}")
    if detections is None:
        return None
    path = detection_file(sequence, detections)
    logistic = scores == "logistic" or (scores == "auto" and _from_dpm(sequence, detections, path))
    try:
        by_frame = read_detections(path, logistic=logistic)
    except ScoreError as error:
        raise ValueError(f"{error}; use --scores logistic") from None
    nothing = Detections.empty()
    return [by_frame.get(number, nothing) for number in sequence.frames]


def _from_dpm(sequence: Sequence, detections: str, path: Path) -> bool:
    """Whether a file's name says that DPM made it; a sequence's name speaks for its own det.txt only."""
    name = Path(detections).stem if _is_path(detections) else path.stem
    if path == sequence.folder / _PUBLIC:
        name = sequence.name
    return re.search(r"(?<![a-z])dpm(?![a-z])", name, re.IGNORECASE) is not None


def _with_embeddings(
    config: Config, detections: list[Detections], embeddings: list[Embeddings]
) -> list[Detections]:
    chosen = map(EmbedStage(config).chosen, detections)
    return [
        Detections(frame.xyxy, frame.scores, frame.classes, rows)
        for frame, rows in zip(chosen, embeddings, strict=True)
    ]


def _given_affines(sequence: Sequence, motion: str) -> tuple[Affines | None, dict[str, float]]:
    """Camera motion of each frame from its file, and the milliseconds that took; None where it is estimated.

    As for `mot_reid.tracker.Tracker`, the first frame has no frame before it, and so no motion.
    """
    if motion == _FLOW:
        return None, {}
    if motion == _NONE:
        return [None] * len(sequence.frames), {}
    if motion == _STILL:
        return [IDENTITY] * len(sequence.frames), {}
    path = _from_pattern(sequence, motion)
    try:
        reader = MotionFile(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{sequence.name}: {error}") from None
    watch, no_boxes = Stopwatch(), np.zeros((0, 4), np.float32)
    with watch("camera motion"):
        affines = [reader.estimate(None, no_boxes, number) for number in sequence.frames]
    return affines, {stage: 1000 * spent / len(affines) for stage, spent in watch.seconds.items()}
