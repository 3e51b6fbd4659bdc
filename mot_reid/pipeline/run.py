"""A whole run over one source: read, detect, track, draw, write, and a summary of it all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mot_reid.files import sole_writer
from mot_reid.offline.recorder import OfflineRecorder
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
    whole,
    write_refined,
)
from mot_reid.pipeline.steps import FoundAhead, drawn_steps, open_overlap, tracked_steps
from mot_reid.pipeline.summary import Summary, write_begun, write_summary
from mot_reid.structures import Detections
from mot_reid.timing import Stopwatch
from mot_reid.tracker import Tracker
from mot_reid.typing import Image
from mot_reid.video.files import prepare_output_folder
from mot_reid.video.formats import SinkInfo, chosen_formats
from mot_reid.video.frames import Source
from mot_reid.video.sinks import TrackedFrame

if TYPE_CHECKING:  # what galleries need takes a moment to load, and most runs have none
    from mot_reid.gallery.recorder import TrackletRecorder

__all__ = [
    "OUTPUT_FILES",
    "Summary",
    "track_source",
]


def track_source(
    source: Source,
    tracker: Tracker,
    folder: str | Path,
    *,
    stride: int = 1,
    detections: Mapping[int, Detections] | None = None,
    detections_from: str = "",
    found_ahead: FoundAhead | None = None,
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
    came and why it ended; further signals wait. Until then ``begun.json`` says what the source is.

    Args:
        source: open, read from its beginning; it is not closed here.
        tracker: it is reset first.
        folder: where the outputs go; made if need be, files of an earlier run are replaced.
        stride: the source's, so that the video plays at its own speed.
        detections: of each frame number, instead of the tracker's detector; frames left out have none.
        detections_from: where those come from, for the summary.
        found_ahead: gives what somebody has found already; in other frames the tracker's detector looks.
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
    summary = Summary(source.info, stride=stride, stages=tracker.stopwatch.seconds)
    given = _Given(None if detections is None else matched_to_frames(detections, source), found_ahead)
    if detections is not None:
        summary.detections = detections_from or "given"
    with ExitStack() as end, ExitStack() as stack:
        stack.enter_context(sole_writer(folder))
        write_begun(summary, folder)
        stack.callback(_conclude, summary, source, tracker, folder)
        try:
            try:
                _run(source, tracker, folder, stride, given, summary, cancelled, on_frame, memory, show, end)
            finally:
                _close(memory, summary)
        except KeyboardInterrupt:
            summary.interrupted = True
            if not source.info.live:
                summary.error = "interrupted"
            raise
        except BaseException as error:
            summary.error = str(error) or type(error).__name__
            raise
    return summary


def _close(memory: TrackletRecorder | None, summary: Summary) -> None:
    if memory is not None:
        try:
            memory.close()
        finally:  # where it fails, some may have been written
            summary.remembered, summary.gallery_run = memory.written, memory.run


def _conclude(summary: Summary, source: Source, tracker: Tracker, folder: Path) -> None:
    """Writes the summary; Ctrl-C waits."""
    with whole():
        summary.damaged = source.damaged
        summary.notes[:0] = [*source.notes, *tracker.notices.texts]
        summary.embedded, summary.embeddable = tracker.embedding_counts
        write_summary(summary, tracker, folder)


def _note_failures(summary: Summary, alone: list[FailsAlone]) -> None:
    summary.notes.extend(sink.told for sink in alone if sink.failure is not None)


@dataclass(frozen=True)
class _Given:
    """Detections that the detector need not find: instead of its own, or found ahead of it."""

    instead: Mapping[int, Detections] | None
    ahead: FoundAhead | None


def _sink_info(source: Source, names: Mapping[int, str], crf: int, stride: int) -> SinkInfo:
    """What the sinks of a run are told before its first frame."""
    seen = source.info
    return SinkInfo(
        seen.fps / stride, names, seen.name, seen.width, seen.height, crf, source.sound, stride=stride
    )


def _run(
    source: Source,
    tracker: Tracker,
    folder: Path,
    stride: int,
    given: _Given,
    summary: Summary,
    cancelled: Callable[[], bool],
    on_frame: Callable[[Summary], None] | None,
    memory: TrackletRecorder | None,
    show: Callable[[Image], bool] | None,
    end: ExitStack,
) -> None:
    watch, output, detections = tracker.stopwatch, tracker.config.output, given.instead
    names = {0: "person"} if detections is not None else tracker.class_names
    start = time.perf_counter()
    alone: list[FailsAlone] = []
    with ExitStack() as stack:
        stack.callback(_note_failures, summary, alone)
        formats = chosen_formats(output.formats)
        about = _sink_info(source, names, output.crf, stride)
        sinks = open_sinks(formats, folder, about, stack)
        alone.extend(sink for _, sink in sinks if isinstance(sink, FailsAlone))
        if output.analytics:
            counting = AnalyticsSink(output.analytics, folder, about, live=source.info.live)
            sinks.append((folder / "events.jsonl", stack.enter_context(counting)))
        summary.outputs[:] = [path.name for path, _ in sinks]
        (folder / OFFLINE_FILE).unlink(missing_ok=True)  # an earlier run's would pass for this one's
        id_changes = stack.enter_context(closing(IdChangesFile(folder)))
        recorder = OfflineRecorder() if output.offline else None
        if recorder is not None:
            summary.outputs.append(OFFLINE_FILE)
            stack.callback(write_refined, folder / OFFLINE_FILE, recorder, tracker, source.info.fps, stride)
        overlap = stack.enter_context(open_overlap(source, tracker))
        stack.callback(source.stop)  # before the threads are waited for: one may wait for a connection
        steps = tracked_steps(source, tracker, overlap, detections, memory, given.ahead)
        if show is not None or any(entry.pictures for entry in formats.values()):
            steps = overlap.ahead(drawn_steps(steps, tracker, names))
        stack.callback(lambda: end.enter_context(whole()))  # from here on Ctrl-C waits
        for step in steps:
            if recorder is not None:
                tracks, told = step.at_once
                found_in = step.found if step.looked else None
                recorder.add(step.frame.number, tracks, found_in, step.affine, told, time=step.time)
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
                    summary.count(frame.number, step.tracks, frame.time)
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
        if source.info.live and cancelled():  # it was stopped while a frame was waited for
            raise KeyboardInterrupt
    for sink in alone:
        if isinstance(sink.failure, OSError):
            raise sink.failure
