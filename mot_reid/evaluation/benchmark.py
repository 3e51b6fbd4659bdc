"""Benchmark runs: track the sequences of a data set from cached inputs, and score what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from mot_reid import kernels
from mot_reid.association.associator import Associator
from mot_reid.association.reentry import IdChange
from mot_reid.config import Config
from mot_reid.evaluation.cache import ArrayCache
from mot_reid.evaluation.inputs import ScoreMap, SequenceInputs, needs_pixels, prepare_inputs
from mot_reid.evaluation.metrics import Scores
from mot_reid.evaluation.motchallenge import BoxRows
from mot_reid.evaluation.parallel import map_tasks
from mot_reid.evaluation.scoring import score_rows
from mot_reid.evaluation.sequences import Sequence
from mot_reid.files import atomic
from mot_reid.offline.id_changes import with_id_changes
from mot_reid.offline.lag import Lag
from mot_reid.offline.refine import refine_tracks
from mot_reid.offline.rows import TrackRows
from mot_reid.offline.way_back import tracked_backward
from mot_reid.structures import Detections, Tracks
from mot_reid.timing import Stopwatch
from mot_reid.typing import Embeddings, Indices
from mot_reid.video.sinks import MotSink

__all__ = [
    "InputChoice",
    "SequenceRun",
    "as_reported",
    "prepare_all",
    "run_all",
    "track_inputs",
    "tracked",
]


_FEW_FRAMES = 1000  # tracked in less time than a process takes to start
PrepareProgress = Callable[[Sequence, str, int, int], None]


@dataclass(frozen=True)
class InputChoice:
    """Where the inputs come from.

    Attributes:
        cache: folder in which computed inputs are kept.
        detections: name or path pattern of detection files, None for the configuration's detector.
        scores: how the files' scores are read.
    """

    cache: Path
    detections: str | None = None
    scores: ScoreMap = "auto"


@dataclass(frozen=True)
class SequenceRun:
    """One sequence, tracked and scored.

    Attributes:
        sequence: which.
        scores: its.
        frames: how many were tracked.
        milliseconds: of each stage, a frame; stages that did not run are left out.
        crops: embeddings asked for, a frame.
        models: what detected, embedded and estimated camera motion.
    """

    sequence: Sequence
    scores: Scores
    frames: int
    milliseconds: dict[str, float]
    crops: float
    models: dict[str, str]


@dataclass(frozen=True)
class _Task:
    sequence: Sequence
    configs: tuple[Config, ...]
    inputs: InputChoice
    results: Path | None
    offline: bool


def prepare_all(
    sequences: list[Sequence],
    configs: list[Config],
    inputs: InputChoice,
    on_progress: PrepareProgress | None = None,
) -> set[str]:
    """Fills the cache with what needs pixels, one sequence after the other: the models use all cores.

    Returns:
        The stages that an earlier run had computed, of some sequence at least.

    Raises:
        FileNotFoundError, ValueError: as `prepare_inputs`.
    """
    cached: set[str] = set()
    for config in _distinct_inputs(configs):
        if not needs_pixels(config, inputs.detections):
            continue
        for sequence in sequences:

            def report(stage: str, done: int, total: int, sequence: Sequence = sequence) -> None:
                if on_progress is not None:
                    on_progress(sequence, stage, done, total)

            cached.update(_prepare(sequence, config, inputs, report).cached)
    return cached


def run_all(
    sequences: list[Sequence],
    configs: list[Config],
    inputs: InputChoice,
    *,
    results: Path | None = None,
    offline: bool = False,
    jobs: int = 0,
    on_done: Callable[[int], None] | None = None,
) -> list[list[SequenceRun]]:
    """Tracks and scores each sequence with each configuration, several side by side.

    Args:
        sequences: what to track.
        configs: all of them are run on each sequence.
        inputs: where detections and the rest come from; see `prepare_all`.
        results: folder for the results as ``NAME.txt``; for a single configuration.
        offline: score the tracks as they are with hindsight, see `mot_reid.offline.refine`.
        jobs: most processes; 0 for one a core, or a single one for little work.
        on_done: called now and then with the number of runs done since the last call.

    Returns:
        For each configuration the runs, in the order of ``sequences``.

    Raises:
        FileNotFoundError, ValueError: as `prepare_inputs`.
    """
    if results is not None:
        results.mkdir(parents=True, exist_ok=True)
    if not jobs and len(configs) * sum(len(sequence.frames) for sequence in sequences) < _FEW_FRAMES:
        jobs = 1
    order = sorted(sequences, key=lambda entry: -entry.ground_truth.stat().st_size)  # the longest first
    # A worker that has a sequence's inputs keeps them; still, no core shall wait for another's last task.
    size = max(1, min(16, len(configs) // 4))
    chunks = [range(start, min(start + size, len(configs))) for start in range(0, len(configs), size)]
    places = [(sequence, chunk) for sequence in order for chunk in chunks]
    tasks = [
        _Task(entry, tuple(configs[i] for i in chunk), inputs, results, offline) for entry, chunk in places
    ]

    def done(number: int) -> None:
        if on_done is not None:
            on_done(len(tasks[number].configs))

    by_place: dict[tuple[int, Path], SequenceRun] = {}
    for (sequence, chunk), runs in zip(places, map_tasks(_run, tasks, jobs=jobs, on_done=done), strict=True):
        for i, run in zip(chunk, runs, strict=True):
            by_place[i, sequence.folder] = run
    return [[by_place[i, sequence.folder] for sequence in sequences] for i in range(len(configs))]


def _run(task: _Task) -> list[SequenceRun]:
    return [_run_one(task, config) for config in task.configs]


def _run_one(task: _Task, config: Config) -> SequenceRun:
    sequence, watch = task.sequence, Stopwatch()
    inputs = _prepare(sequence, config, task.inputs)
    frames = len(sequence.frames)
    kernels.compiled()  # once a process, and no frame's time
    with watch("associate"):
        tracks, crops, told = tracked(sequence, inputs, config)
    if task.offline or config.output.lag:
        with watch("refine"):
            tracks = as_reported(sequence, inputs, config, tracks, told, offline=task.offline)
    milliseconds = dict(inputs.milliseconds)
    if "detect" in milliseconds:
        milliseconds["detect"] *= sum(map(config.detector.looks_at, range(frames))) / frames
    if "embed" in milliseconds:
        milliseconds["embed"] *= crops / frames
    milliseconds |= {stage: 1000 * spent / frames for stage, spent in watch.seconds.items()}
    if task.results is not None:
        write_results(task.results / f"{sequence.name}.txt", tracks)
    scores = score_rows(sequence, BoxRows.from_tracks(tracks))
    return SequenceRun(sequence, scores, frames, milliseconds, crops / frames, dict(inputs.models))


def as_reported(
    sequence: Sequence,
    inputs: SequenceInputs,
    config: Config,
    tracks: dict[int, Tracks],
    told: Mapping[int, list[IdChange]],
    *,
    offline: bool = False,
) -> dict[int, Tracks]:
    """The tracks of each frame number as they come out in the end, of those that `tracked` gives.

    Args:
        sequence: which.
        inputs: its.
        config: the settings: ``output.lag`` and ``offline``.
        tracks: as the tracker reported them.
        told: what it said of earlier frames.
        offline: with all hindsight, and the way back where the tracker had no appearance, as a run has it
            (`mot_reid.pipeline.outputs.write_refined`); else with that of ``output.lag``, if there is any.
    """
    if not offline:
        return _late(sequence, inputs, config, tracks, told) if config.output.lag else tracks
    rows, first, looks_at = TrackRows.from_tracks(tracks), sequence.frames[0], config.detector.looks_at
    looked = [found if looks_at(place) else None for place, found in enumerate(inputs.detections)]
    backward = None
    if not config.association.embedding.share or all(one.embeddings is None for one in inputs.detections):
        associator = Associator(config.association, config.motion, sequence.fps)
        backward = tracked_backward(looked, inputs.affines, associator, first_frame=first)
    refined = refine_tracks(
        with_id_changes(rows[~rows.interpolated], told, first),
        config.offline,
        fps=sequence.fps,
        affines=inputs.affines,
        first_frame=first,
        detections={number: found for number, found in enumerate(looked, first) if found is not None},
        backward=backward,
    )
    return refined.to_tracks(sequence.frames)


def _late(
    sequence: Sequence,
    inputs: SequenceInputs,
    config: Config,
    tracks: dict[int, Tracks],
    told: Mapping[int, list[IdChange]],
) -> dict[int, Tracks]:
    """The tracks as they are reported with ``output.lag``."""
    lag, given = Lag[int](config.output.lag, config.offline), list[tuple[int, Tracks]]()
    for place, number in enumerate(sequence.frames):
        found, affine = inputs.detections[place], inputs.affines[place]
        found = found if config.detector.looks_at(place) else Detections.empty()
        given += lag.put(number, tracks[number], found, affine, place / sequence.fps, told.get(number, ()))
    return dict(given + lag.rest())


def track_inputs(sequence: Sequence, inputs: SequenceInputs, config: Config) -> tuple[dict[int, Tracks], int]:
    """Tracks through one sequence as `mot_reid.tracker.Tracker` does, which asks for embeddings.

    Where the detector rests (``detector.every``), its detections are left out, those of files too. With
    ``output.lag`` the tracks are those that are known so much later.

    Returns:
        The tracks of each frame number, and how many embeddings were asked for.
    """
    tracks, crops, told = tracked(sequence, inputs, config)
    return as_reported(sequence, inputs, config, tracks, told), crops


def tracked(
    sequence: Sequence, inputs: SequenceInputs, config: Config
) -> tuple[dict[int, Tracks], int, dict[int, list[IdChange]]]:
    """As `track_inputs`, at once, and what became known of earlier rows' ids, by frame number."""
    told: dict[int, list[IdChange]] = {}
    associator = Associator(config.association, config.motion, sequence.fps)
    tracks, crops = {}, 0
    frames = zip(sequence.frames, inputs.detections, inputs.affines, strict=True)
    for place, (number, detections, affine) in enumerate(frames):
        if not config.detector.looks_at(place):
            tracks[number] = associator.step(None, affine)
            continue
        embeddings = detections.embeddings

        def embed(rows: Indices, embeddings: Embeddings | None = embeddings) -> Embeddings:
            nonlocal crops
            assert embeddings is not None
            crops += len(rows)
            return embeddings[rows]

        tracks[number] = associator.step(
            detections.without_embeddings(), affine, None if embeddings is None else embed
        )
        if associator.id_changes:
            told[number] = associator.id_changes
    return tracks, crops, told


def write_results(path: Path, tracks: dict[int, Tracks]) -> None:
    """Writes results in MOTChallenge's format, whole or not at all."""
    with atomic(path) as part, MotSink(part) as sink:
        for number, seen in tracks.items():
            sink.write(number, None, seen)


def _input_settings(config: Config) -> Config:
    """The configuration, the same for all that have the same inputs."""
    plain = Config()
    embedding = replace(plain.association.embedding, share=float(config.association.embedding.share > 0))
    association = replace(plain.association, low_score=config.association.low_score, embedding=embedding)
    return replace(
        config,
        detector=replace(config.detector, every=1),
        association=association,
        motion=plain.motion,
        offline=plain.offline,
        output=plain.output,
    )


def _distinct_inputs(configs: list[Config]) -> list[Config]:
    return list(dict.fromkeys(_input_settings(config) for config in configs))


def _prepare(
    sequence: Sequence,
    config: Config,
    choice: InputChoice,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> SequenceInputs:
    if on_progress is None:
        return _remembered_inputs(sequence, _input_settings(config), choice)
    return prepare_inputs(
        sequence,
        config,
        ArrayCache(choice.cache),
        detections=choice.detections,
        scores=choice.scores,
        on_progress=on_progress,
    )


@lru_cache(maxsize=1)
def _remembered_inputs(sequence: Sequence, config: Config, choice: InputChoice) -> SequenceInputs:
    """The inputs of the sequence at hand: a sweep tracks it many times over."""
    cache = ArrayCache(choice.cache)
    return prepare_inputs(sequence, config, cache, detections=choice.detections, scores=choice.scores)
