"""A whole run over one source: read, detect, track, draw, write, and a summary of it all."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from mot_reid.association.reentry import IdChange
from mot_reid.concurrency import Ahead, Overlap, batched, side_by_side
from mot_reid.config import Config
from mot_reid.gallery.recorder import Recorder as TrackletRecorder
from mot_reid.offline.recorder import Recorder
from mot_reid.pipeline.counting import AnalyticsSink
from mot_reid.pipeline.given import matched_to_frames
from mot_reid.pipeline.id_changes import ID_CHANGES_FILE, IdChangesFile
from mot_reid.pipeline.outputs import (
    OFFLINE_FILE,
    OUTPUT_FILES,
    FailsAlone,
    files_read,
    first_overwritten,
    open_sinks,
    sole_writer,
    whole,
    write_refined,
)
from mot_reid.pipeline.summary import Summary, write_summary
from mot_reid.structures import Detections, Tracks
from mot_reid.timing import Stopwatch
from mot_reid.tracker import Tracker
from mot_reid.typing import Affine, Image, Ints
from mot_reid.video.files import prepare_output_folder
from mot_reid.video.formats import SinkInfo, chosen_formats
from mot_reid.video.frames import Frame, Source
from mot_reid.video.sinks import TrackedFrame

__all__ = [
    "OUTPUT_FILES",
    "Step",
    "Summary",
    "network_threads",
    "open_overlap",
    "track_source",
    "tracked_steps",
]

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


def track_source(
    source: Source,
    tracker: Tracker,
    folder: str | Path,
    *,
    stride: int = 1,
    detections: Mapping[int, Detections] | None = None,
    detections_from: str = "",
    memory: TrackletRecorder | None = None,
    show: Callable[[Image], bool] | None = None,
    on_frame: Callable[[Summary], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Summary:
    """Tracks through a source and writes what ``tracker.config.output`` asks for, frame by frame.

    Decoding, detection, tracking, drawing and writing overlap, each in a thread
    (``tracker.config.pipeline``); what is written is the same as if they took turns. Files, given frames and
    writing keep their order and lose nothing. Of a live source (``source.info.live``) the newest frame is
    taken: those that came while the detector was busy are dropped, and counted.

    However the run ends, what was written up to there stays readable, and ``summary.json`` says how far it
    came and why it ended.

    Args:
        source: open, read from its beginning; it is not closed here.
        tracker: it is reset first.
        folder: where the outputs go; made if need be, files of an earlier run are replaced.
        stride: the source's, so that the video plays at its own speed.
        detections: of each frame number, instead of the tracker's detector; frames left out have none.
        detections_from: where those come from, for the summary.
        memory: takes in the tracks for a gallery; it is closed here.
        show: is given each picture with its tracks drawn, in the caller's thread; False ends the run as
            Ctrl-C does.
        on_frame: called after each frame, in the caller's thread.
        cancelled: asked after each frame; True ends the run as Ctrl-C does. For runs outside the main thread,
            which Ctrl-C does not reach.

    Returns:
        What was done.

    Raises:
        KeyboardInterrupt: Ctrl-C, or ``cancelled``. Of a live source the run is complete then: there is no
            other end.
        OSError: an output cannot be written, or another run is writing there. A video that cannot be written
            ends alone: the others go on, and if the disk was the cause the error comes at the end.
        SourceError: the source breaks off.
        ValueError: as `Tracker.update`, or the results would overwrite the source.
    """
    read = [*filter(None, [source.info.location]), *files_read(tracker.config)]
    if lost := first_overwritten([Path(folder)], read):
        raise ValueError(f"{lost}: would be overwritten by the results; choose another output folder")
    folder = prepare_output_folder(folder)
    tracker.reset(source.info.fps)
    tracker.stopwatch = Stopwatch()
    summary = Summary(source.info, stages=tracker.stopwatch.seconds)
    if detections is not None:
        summary.detections = detections_from or "given"
        detections = matched_to_frames(detections, source)
    with ExitStack() as stack:
        stack.enter_context(sole_writer(folder))
        (folder / "summary.json").unlink(missing_ok=True)  # an earlier run's would speak for this one
        stack.callback(_conclude, summary, source, tracker, folder)
        try:
            try:
                _run(source, tracker, folder, stride, detections, summary, cancelled, on_frame, memory, show)
            finally:
                if memory is not None:
                    memory.close()
                    summary.remembered = memory.written
        except KeyboardInterrupt:
            summary.interrupted = True
            if not source.info.live:
                summary.error = "interrupted"
            raise
        except BaseException as error:
            summary.error = str(error) or type(error).__name__
            raise
    return summary


def _conclude(summary: Summary, source: Source, tracker: Tracker, folder: Path) -> None:
    """Writes the summary; Ctrl-C waits."""
    with whole():
        summary.damaged = source.damaged
        summary.notes[:0] = [*source.notes, *tracker.notices.texts]
        summary.embedded, summary.embeddable = tracker.embedding_counts
        write_summary(summary, tracker, folder)


def _note_failures(summary: Summary, alone: list[FailsAlone]) -> None:
    summary.notes.extend(sink.told for sink in alone if sink.failure is not None)


@dataclass(eq=False)
class Step:
    """One frame on its way through the stages.

    Attributes:
        frame: as the source gives it, with its time.
        found: its detections.
        looked: whether the detector looked at it.
        tracks: its tracks, once it is tracked.
        affine: camera motion ``(2, 3)`` since the frame before, or None where it is not known.
        id_changes: what the tracker said with it of earlier frames.
        picture: what is drawn of it, where anything is.
        identities: ``(N,)`` of the tracks, as far as known; None where nobody identifies.
    """

    frame: Frame
    found: Detections
    looked: bool = True
    tracks: Tracks = field(default_factory=Tracks.empty)
    affine: Affine | None = None
    id_changes: list[IdChange] = field(default_factory=list)
    picture: Image | None = None
    identities: Ints | None = None


def _run(
    source: Source,
    tracker: Tracker,
    folder: Path,
    stride: int,
    detections: Mapping[int, Detections] | None,
    summary: Summary,
    cancelled: Callable[[], bool],
    on_frame: Callable[[Summary], None] | None,
    memory: TrackletRecorder | None,
    show: Callable[[Image], bool] | None,
) -> None:
    watch, output = tracker.stopwatch, tracker.config.output
    names = {0: "person"} if detections is not None else tracker.class_names
    fps = source.info.fps / stride
    start = time.perf_counter()
    alone: list[FailsAlone] = []
    with ExitStack() as stack:
        stack.callback(_note_failures, summary, alone)
        formats = chosen_formats(output.formats)
        about = SinkInfo(
            fps, names, source.info.name, source.info.width, source.info.height, output.crf, source.sound
        )
        sinks = open_sinks(formats, folder, about, stack)
        alone.extend(sink for _, sink in sinks if isinstance(sink, FailsAlone))
        if output.analytics:
            counting = AnalyticsSink(output.analytics, folder, about, live=source.info.live)
            sinks.append((folder / "events.jsonl", stack.enter_context(counting)))
        summary.outputs[:] = [path.name for path, _ in sinks]
        (folder / OFFLINE_FILE).unlink(missing_ok=True)  # an earlier run's would pass for this one's
        id_changes = stack.enter_context(closing(IdChangesFile(folder)))
        recorder = Recorder() if output.offline else None
        if recorder is not None:
            summary.outputs.append(OFFLINE_FILE)
            stack.callback(write_refined, folder / OFFLINE_FILE, recorder, tracker.config.offline, fps)
        overlap = stack.enter_context(open_overlap(source, tracker))
        stack.callback(source.stop)  # before the threads are waited for: one may wait for a connection
        steps = tracked_steps(source, tracker, overlap, detections, memory)
        if show is not None or any(entry.pictures for entry in formats.values()):
            steps = overlap.ahead(_drawn(steps, tracker, names))
        for step in steps:
            if recorder is not None:
                recorder.add(step.frame.number, step.tracks, step.found, step.affine, step.id_changes)
            with whole():  # all outputs end with the same frame, and so does what is told
                with watch("write"):
                    frame, found = step.frame, step.found
                    tracked = TrackedFrame(
                        frame.number, step.picture, step.tracks, frame.time, frame.wall_clock, step.identities
                    )
                    for _, sink in sinks:
                        sink.put(tracked)
                    if id_changes.put(frame.number, step.id_changes):
                        summary.outputs.append(ID_CHANGES_FILE)
                    summary.count(frame.number, step.tracks)
                    summary.looked += step.looked
                    summary.found += len(found)
                    summary.other_classes.update(found.other_classes)
                    summary.best_score = max(summary.best_score, float(found.scores.max(initial=0.0)))
                    summary.detections_used += detections is not None and frame.number in detections
                summary.dropped = overlap.dropped
                summary.seconds = time.perf_counter() - start
                if on_frame is not None:
                    on_frame(summary)
            closed = show is not None and step.picture is not None and not show(step.picture)
            del step, frame, found, tracked  # or its picture would be held while the next one is waited for
            if closed or cancelled():
                raise KeyboardInterrupt
    for sink in alone:
        if isinstance(sink.failure, OSError):
            raise sink.failure


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
) -> Iterator[Step]:
    """Decodes, detects, embeds and tracks, each ahead of the other in `Overlap`.

    Args:
        source: open.
        tracker: reset; its stopwatch takes the times.
        overlap: entered; it drops frames of a live source.
        detections: of each frame number, instead of the tracker's detector; frames left out have none.
        memory: takes in the tracks for a gallery; None where nothing shall be remembered.
    """
    live = source.info.live
    holds = live and tracker.config.detector.every == "auto" and detections is None
    decoded = _decoded(source, tracker.stopwatch)
    frames = overlap.ahead(decoded, newest=live, depth=_MOST_BEHIND if holds else None)
    if holds:
        steps = overlap.ahead(_detected_newest(frames, tracker))
    else:
        steps = overlap.ahead(_detected(frames, tracker, detections, live=live))
    ahead = 1 if tracker.embedder is None else tracker.embedder.frames_at_once
    # What is worth embedding selectively shows only when the frames before are tracked.
    if ahead > 1 and not live and tracker.config.association.embedding.share == 1:
        steps = overlap.ahead(_embedded(steps, tracker, ahead))
    return overlap.ahead(_tracked(steps, tracker, memory))


def _decoded(source: Source, watch: Stopwatch) -> Iterator[Frame]:
    frames = iter(source)
    while True:
        with watch("decode"):
            frame = next(frames, None)
        if frame is None:
            return
        if frame.time is None:
            frame = replace(frame, time=(frame.number - 1) / source.info.fps)
        yield frame
        del frame


def _detected(
    frames: Iterator[Frame], tracker: Tracker, given: Mapping[int, Detections] | None, *, live: bool
) -> Iterator[Step]:
    if given is not None:
        return (Step(frame, given.get(frame.number, Detections.empty())) for frame in frames)
    looks_at = tracker.config.detector.looks_at
    placed = enumerate(frames)
    # A live source's frames shall be answered one by one, as fast as can be.
    batch_size = 1 if live else tracker.detector.batch_size
    if batch_size > 1:

        def detected(batch: list[tuple[int, Frame]]) -> list[Step]:
            looked = [looks_at(place) for place, _ in batch]
            images = [frame.image for (_, frame), looks in zip(batch, looked, strict=True) if looks]
            found = iter(tracker.detect_batch(images) if images else [])
            return [
                Step(frame, next(found) if looks else Detections.empty(), looks)
                for (_, frame), looks in zip(batch, looked, strict=True)
            ]

        return batched(detected, placed, batch_size)

    def detected_one(entry: tuple[int, Frame]) -> Step:
        looks = looks_at(entry[0])
        found = tracker.detect(entry[1].image) if looks else Detections.empty()
        return Step(entry[1], found, looks)

    one_by_one = live or not tracker.config.pipeline.overlap
    workers = 1 if one_by_one else tracker.detector.calls_at_once
    return side_by_side(detected_one, placed, workers)


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


def _tracked(steps: Iterator[Step], tracker: Tracker, memory: TrackletRecorder | None) -> Iterator[Step]:
    last = -math.inf
    for step in steps:
        number, image, seconds = step.frame.number, step.frame.image, step.frame.time
        if seconds is not None and seconds <= last:  # a time stamp that stands twice, or goes back
            seconds = None
        step.tracks = tracker.update(image, step.found, time=seconds, frame_number=number, looked=step.looked)
        last = tracker.time
        step.affine, step.id_changes = tracker.affine, tracker.id_changes
        if memory is not None:
            with tracker.stopwatch("remember"):
                memory.update(step.tracks, image, number, step.frame.time or 0.0, tracker.last_embeddings)
                step.identities = memory.identities
        yield step
        del step


def _drawn(steps: Iterator[Step], tracker: Tracker, names: Mapping[int, str]) -> Iterator[Step]:
    from mot_reid.video.overlay import Overlay

    output = tracker.config.output
    overlay = Overlay(output.labels, output.trail, names)
    for step in steps:
        with tracker.stopwatch("draw"):
            step.picture = overlay.draw(step.frame.image, step.tracks)
        yield step
        del step
