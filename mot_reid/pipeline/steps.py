"""The stages of a run, each ahead of the next: decode, detect, embed, track, draw."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mot_reid.association.reentry import IdChange
from mot_reid.concurrency import Ahead, Overlap, batched, side_by_side
from mot_reid.config import Config
from mot_reid.offline.lag import Lag
from mot_reid.structures import Detections, Tracks
from mot_reid.timing import Stopwatch
from mot_reid.tracker import Tracker
from mot_reid.typing import Affine, Image, Ints
from mot_reid.video.frames import Frame, Source

if TYPE_CHECKING:  # what galleries need takes a moment to load, and most runs have none
    from mot_reid.gallery.recorder import TrackletRecorder

__all__ = [
    "FoundAhead",
    "Step",
    "detected_steps",
    "drawn_steps",
    "network_threads",
    "open_overlap",
    "tracked_steps",
]

FoundAhead = Callable[[int], Detections | None]
"""Gives the detections of a frame number where somebody has found them already."""

# So many frames of a live source wait at the most while the detector looks at another one (detector.every:
# auto): two seconds at 15 a second.
_MOST_BEHIND = 30
_LONGEST_REST = 10


def network_threads(config: Config, *, live: bool, detects: bool) -> int:
    """The CPU threads of one pass through a network that suit a run best; 0 for one each core.

    Passes of one thread on several frames at the same time make more of the cores than the threads of one
    pass, which wait for each other after every layer. A live source's newest frame, though, shall be answered
    soon, and without a detector there is only one network at work.
    """
    if config.pipeline.threads or live or not detects or not config.pipeline.overlap:
        return config.pipeline.threads
    return 1


@dataclass(eq=False)
class Step:
    """One frame on its way through the stages.

    Attributes:
        frame: as the source gives it, with its time.
        found: its detections.
        looked: whether the detector looked at it.
        tracks: its tracks, once it is tracked.
        affine: camera motion ``(2, 3)`` since the frame before, or None where it is not known.
        time: of the frame as the tracker counts it, seconds.
        id_changes: what is told with it of earlier frames.
        at_once: tracks and id changes as the tracker gave them, before ``output.lag`` changes them.
        embeddings: rows of its detections and their embeddings, see `Tracker.last_embeddings`.
        picture: what is drawn of it, where anything is.
        identities: ``(N,)`` of the tracks, as far as known; None where nobody identifies.
    """

    frame: Frame
    found: Detections
    looked: bool = True
    tracks: Tracks = field(default_factory=Tracks.empty)
    affine: Affine | None = None
    time: float = 0.0
    id_changes: list[IdChange] = field(default_factory=list)
    at_once: tuple[Tracks, list[IdChange]] = field(default_factory=lambda: (Tracks.empty(), []))
    embeddings: tuple[NDArray[np.intp], NDArray[np.float32]] | None = None
    picture: Image | None = None
    identities: Ints | None = None


def open_overlap(source: Source, tracker: Tracker) -> Overlap:
    """The threads of a run, as ``tracker.config.pipeline`` has it; a live source's newest frame counts."""
    config = tracker.config.pipeline
    return Overlap(1 if source.info.live else config.queue, threads=config.overlap)


def tracked_steps(
    source: Source,
    tracker: Tracker,
    overlap: Overlap,
    detections: Mapping[int, Detections] | None = None,
    memory: TrackletRecorder | None = None,
    found_ahead: FoundAhead | None = None,
) -> Iterator[Step]:
    """Decodes, detects, embeds and tracks, each ahead of the other in `Overlap`.

    Args:
        source: open.
        tracker: reset; its stopwatch takes the times.
        overlap: entered; it drops frames of a live source.
        detections: of each frame number, instead of the tracker's detector; frames left out have none.
        memory: takes in the tracks for a gallery; None where nothing shall be remembered.
        found_ahead: as for `track_source`.
    """
    live = source.info.live
    steps = detected_steps(source, tracker, overlap, detections, found_ahead)
    ahead = 1 if tracker.embedder is None else tracker.embedder.frames_at_once
    # What is worth embedding selectively shows only when the frames before are tracked.
    if ahead > 1 and not live and tracker.config.association.embedding.share == 1:
        steps = overlap.ahead(_embedded(steps, tracker, ahead))
    steps = _tracked(steps, tracker)
    return overlap.ahead(steps if memory is None else _remembered(steps, tracker, memory))


def detected_steps(
    source: Source,
    tracker: Tracker,
    overlap: Overlap,
    detections: Mapping[int, Detections] | None = None,
    found_ahead: FoundAhead | None = None,
    before: int = 0,
) -> Iterator[Step]:
    """Decodes and detects as `tracked_steps` does, and no more than that.

    Args:
        source: as there, like the others.
        tracker: likewise.
        overlap: likewise.
        detections: likewise.
        found_ahead: likewise.
        before: how many frames came before the source's first one: where the detector looks at each n-th
            (``detector.every``), it is that of all.
    """
    live = source.info.live
    holds = live and tracker.config.detector.every == "auto" and detections is None
    decoded = _decoded(source, tracker.stopwatch)
    frames = overlap.ahead(decoded, newest=live, depth=_MOST_BEHIND if holds else None)
    if holds:
        return overlap.ahead(_detected_newest(frames, tracker))
    if detections is not None:
        given = detections
        return overlap.ahead(Step(frame, given.get(frame.number, Detections.empty())) for frame in frames)
    return overlap.ahead(_detected(frames, tracker, found_ahead, before, live=live))


def _decoded(source: Source, watch: Stopwatch) -> Iterator[Frame]:
    frames = iter(source)
    while True:
        with watch("decode"):
            frame = next(frames, None)
        if frame is None:
            return
        frame = replace(frame, time=source.info.time_of(frame))
        yield frame
        del frame


def _detected(
    frames: Iterator[Frame], tracker: Tracker, found_ahead: FoundAhead | None, before: int, *, live: bool
) -> Iterator[Step]:
    looks_at = tracker.config.detector.looks_at
    placed = ((place, frame, _at_hand(found_ahead, frame)) for place, frame in enumerate(frames, before))
    # A live source's frames shall be answered one by one, as fast as can be.
    batch_size = 1 if live else tracker.detector.batch_size
    if batch_size > 1:

        def detected(batch: list[tuple[int, Frame, Detections | None]]) -> list[Step]:
            images = [frame.image for place, frame, known in batch if known is None and looks_at(place)]
            found = iter(tracker.detect_batch(images) if images else [])

            def one(place: int, frame: Frame, known: Detections | None) -> Step:
                if not looks_at(place):
                    return Step(frame, Detections.empty(), looked=False)
                return Step(frame, next(found) if known is None else known)

            return [one(*entry) for entry in batch]

        return batched(detected, placed, batch_size)

    def detected_one(entry: tuple[int, Frame, Detections | None]) -> Step:
        place, frame, known = entry
        if not looks_at(place):
            return Step(frame, Detections.empty(), looked=False)
        return Step(frame, tracker.detect(frame.image) if known is None else known)

    one_by_one = live or not tracker.config.pipeline.overlap
    workers = 1 if one_by_one else tracker.detector.calls_at_once
    return side_by_side(detected_one, placed, workers)


def _at_hand(found_ahead: FoundAhead | None, frame: Frame) -> Detections | None:
    return None if found_ahead is None else found_ahead(frame.number)


def _detected_newest(frames: Iterator[Frame], tracker: Tracker) -> Iterator[Step]:
    """Detects in a frame of a live source where none that is newer waits, so that the tracker keeps up.

    Where all the rest is too slow as well, each `_LONGEST_REST`-th is looked at, and some are dropped.
    """
    waiting = frames.waiting if isinstance(frames, Ahead) else int
    rest = _LONGEST_REST
    for frame in frames:
        looks = not waiting() or rest >= _LONGEST_REST
        rest = 1 if looks else rest + 1
        yield Step(frame, tracker.detect(frame.image) if looks else Detections.empty(), looks)
        del frame


def _embedded(steps: Iterator[Step], tracker: Tracker, ahead: int) -> Iterator[Step]:
    """Embeds everybody in several frames at once; what `Tracker.update` would leave out is cheap enough."""

    def embedded(batch: list[Step]) -> list[Step]:
        without = [step for step in batch if step.looked and step.found.embeddings is None]
        if not without:
            return batch
        found = tracker.embed_batch([step.frame.image for step in without], [step.found for step in without])
        for step, with_looks in zip(without, found, strict=True):
            step.found = with_looks
        return batch

    return batched(embedded, steps, ahead)


def _tracked(steps: Iterator[Step], tracker: Tracker) -> Iterator[Step]:
    """Tracks each frame; with ``output.lag`` it comes so much later, with what is known by then."""
    steps = _tracked_at_once(steps, tracker)
    return _lagged(steps, tracker) if tracker.config.output.lag else steps


def _tracked_at_once(steps: Iterator[Step], tracker: Tracker) -> Iterator[Step]:
    last = -math.inf
    for step in steps:
        number, image = step.frame.number, step.frame.image
        # None for a time stamp that stands twice, or goes back.
        seconds = step.frame.time if step.frame.time > last else None
        step.tracks = tracker.update(image, step.found, time=seconds, frame_number=number, looked=step.looked)
        last = tracker.time
        step.affine, step.id_changes, step.time = tracker.affine, tracker.id_changes, tracker.time
        step.at_once, step.embeddings = (step.tracks, step.id_changes), tracker.last_embeddings
        yield step
        del step


def _lagged(steps: Iterator[Step], tracker: Tracker) -> Iterator[Step]:
    """Holds tracked frames back by ``output.lag``; where the source breaks off those held still come."""
    lag = Lag[Step](tracker.config.output.lag, tracker.config.offline)
    failed: Exception | None = None
    told: list[IdChange] = []  # with the next frame that is given out: not each one that comes completes one
    while True:
        try:
            step = next(steps, None)
        except Exception as error:
            step, failed = None, error
        if step is None:
            break
        with tracker.stopwatch("associate"):
            given = lag.put(step, step.tracks, step.found, step.affine, tracker.time, step.id_changes)
        del step
        told += lag.id_changes
        if given:
            yield from _as_known(given, told)
            told = []
    yield from _as_known(lag.rest(), told)
    if failed is not None:
        raise failed


def _as_known(given: list[tuple[Step, Tracks]], changes: list[IdChange]) -> Iterator[Step]:
    """The steps with their tracks as they are known now; the first of them tells the changes."""
    while given:
        step, tracks = given.pop(0)
        step.tracks, step.id_changes = tracks, changes
        changes = []
        yield step
        del step


def _remembered(steps: Iterator[Step], tracker: Tracker, memory: TrackletRecorder) -> Iterator[Step]:
    """Puts the tracks into a gallery's memory, and takes who they are from it."""
    for step in steps:
        with tracker.stopwatch("remember"):
            image, number, seconds = step.frame.image, step.frame.number, step.frame.time
            memory.update(step.tracks, image, number, seconds, step.embeddings)
            step.identities = memory.identities
        yield step
        del step


def drawn_steps(steps: Iterator[Step], tracker: Tracker, names: Mapping[int, str]) -> Iterator[Step]:
    """Draws each frame's tracks; ``names`` are those of the classes."""
    from mot_reid.video.overlay import Overlay

    output = tracker.config.output
    overlay = Overlay(output.labels, output.trail, names)
    for step in steps:
        with tracker.stopwatch("draw"):
            step.picture = overlay.draw(step.frame.image, step.tracks)
        yield step
        del step
