"""A whole run over one source: read, track, draw, write, and a summary of it all."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mot_reid.config import OfflineConfig, OutputConfig
from mot_reid.offline.recorder import Recorder
from mot_reid.provenance import versions
from mot_reid.structures import Detections, Tracks
from mot_reid.timing import Stopwatch
from mot_reid.tracker import Tracker
from mot_reid.video.files import prepare_output_folder
from mot_reid.video.frames import Source, SourceInfo
from mot_reid.video.sinks import CsvSink, JsonLinesSink, MotSink, ParquetSink, Sink

__all__ = ["OUTPUT_FILES", "STAGES", "Summary", "track_source"]

OFFLINE_FILE = "tracks_offline.txt"
OUTPUT_FILES = (
    "tracks.txt",
    OFFLINE_FILE,
    "tracks.jsonl",
    "tracks.csv",
    "tracks.parquet",
    "tracks.arrows",
    "tracks.mp4",
    "summary.json",
)
"""The files that a run writes, or removes if an earlier run left them."""

STAGES = ("decode", "detect", "embed", "camera motion", "associate", "draw", "write")


@dataclass
class Summary:
    """What a run did; ``summary.json`` holds it.

    Attributes:
        source: what was read.
        outputs: names of the files written, in the output folder.
        frames: how many frames were tracked and written.
        last_frame: the source's number of the last of them, 0 before the first.
        rows: boxes of tracks in all frames.
        tracks: how many tracks there were; ids count from 1, so it is the highest.
        people_in_view: tracks seen in the last frame.
        seconds: wall time of the run so far.
        stages: seconds spent in each stage.
        error: why the run ended early; None if it did not.
    """

    source: SourceInfo
    outputs: list[str] = field(default_factory=list)
    frames: int = 0
    last_frame: int = 0
    rows: int = 0
    tracks: int = 0
    people_in_view: int = 0
    seconds: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None

    def count(self, frame_number: int, tracks: Tracks) -> None:
        """Takes in one more frame."""
        self.frames += 1
        self.last_frame = frame_number
        self.rows += len(tracks)
        self.tracks = max(self.tracks, int(tracks.ids.max(initial=0)))
        self.people_in_view = len(tracks)

    @property
    def frames_per_second(self) -> float:
        """Frames tracked in a second of wall time."""
        return self.frames / self.seconds if self.seconds else 0.0

    def milliseconds(self) -> dict[str, float]:
        """Mean milliseconds a frame spent in each stage."""
        per_frame = 1000 / max(self.frames, 1)
        return {stage: round(self.stages.get(stage, 0.0) * per_frame, 3) for stage in STAGES}

    def to_dict(self, tracker: Tracker) -> dict[str, Any]:
        """The summary as JSON can hold it, with versions, models and the configuration."""
        return {
            "source": asdict(self.source),
            "complete": self.error is None,
            "error": self.error,
            "frames": self.frames,
            "last_frame": self.last_frame,
            "tracks": self.tracks,
            "rows": self.rows,
            "seconds": round(self.seconds, 3),
            "frames_per_second": round(self.frames_per_second, 2),
            "milliseconds_per_frame": self.milliseconds(),
            "outputs": self.outputs,
            "models": tracker.model_names(),
            "versions": versions(),
            "configuration": asdict(tracker.config),
        }


def track_source(
    source: Source,
    tracker: Tracker,
    folder: str | Path,
    *,
    stride: int = 1,
    detections: Mapping[int, Detections] | None = None,
    on_frame: Callable[[Summary], None] | None = None,
) -> Summary:
    """Tracks through a source and writes what ``tracker.config.output`` asks for, frame by frame.

    However the run ends, what was written up to there stays readable, and ``summary.json`` says how far it
    came and why it ended.

    Args:
        source: open, read from its beginning; it is not closed here.
        tracker: it is reset first.
        folder: where the outputs go; made if need be, files of an earlier run are replaced.
        stride: the source's, so that the video plays at its own speed.
        detections: of each frame number, instead of the tracker's detector; frames left out have none.
        on_frame: called after each frame.

    Returns:
        What was done.

    Raises:
        OSError: an output cannot be written, or another run is writing there.
        SourceError: the source breaks off.
        ValueError: as `Tracker.update`.
    """
    folder = prepare_output_folder(folder)
    tracker.reset()
    tracker.stopwatch = Stopwatch()
    summary = Summary(source.info, stages=tracker.stopwatch.seconds)
    start = time.perf_counter()
    with ExitStack() as stack:
        stack.enter_context(_sole_writer(folder))
        (folder / "summary.json").unlink(missing_ok=True)  # an earlier run's would speak for this one
        stack.callback(_write_summary, summary, tracker, folder)
        try:
            _run(source, tracker, folder, stride, detections, summary, start, on_frame)
        except BaseException as error:
            summary.error = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
            raise
    return summary


def _run(
    source: Source,
    tracker: Tracker,
    folder: Path,
    stride: int,
    detections: Mapping[int, Detections] | None,
    summary: Summary,
    start: float,
    on_frame: Callable[[Summary], None] | None,
) -> None:
    watch, output = tracker.stopwatch, tracker.config.output
    names = {0: "person"} if detections is not None else tracker.class_names
    with ExitStack() as stack:
        sinks = _open_sinks(output, folder, source.info.fps / stride, names, stack)
        summary.outputs[:] = [path.name for path, _ in sinks]
        overlay = None
        if output.video:
            from mot_reid.video.overlay import Overlay

            overlay = Overlay(output.labels, output.trail, names)
        frames = iter(source)
        (folder / OFFLINE_FILE).unlink(missing_ok=True)  # an earlier run's would pass for this one's
        recorder = Recorder() if output.offline else None
        if recorder is not None:
            summary.outputs.append(OFFLINE_FILE)
            fps = source.info.fps / stride
            stack.callback(_write_refined, folder / OFFLINE_FILE, recorder, tracker.config.offline, fps)
        while True:
            with watch("decode"):
                frame = next(frames, None)
            if frame is None:
                return
            if detections is None:
                found = tracker.detect(frame.image)
            else:
                found = detections.get(frame.number, Detections.empty())
            tracks = tracker.update(frame.image, found, frame_number=frame.number)
            if recorder is not None:
                recorder.add(frame.number, tracks, found, tracker.affine)
            image = frame.image
            if overlay is not None:
                with watch("draw"):
                    image = overlay.draw(image, tracks)
            with watch("write"), _whole():  # all outputs end with the same frame
                for _, sink in sinks:
                    sink.write(frame.number, image, tracks)
                summary.count(frame.number, tracks)
            summary.seconds = time.perf_counter() - start
            if on_frame is not None:
                on_frame(summary)


def _write_refined(path: Path, recorder: Recorder, config: OfflineConfig, fps: float) -> None:
    """Writes the tracks with hindsight, whole or not at all; Ctrl-C waits, for this is the end of the run."""
    partial = path.with_name(path.name + ".partial")
    with _whole():
        try:
            with MotSink(partial) as sink:
                for number, tracks in recorder.refined(config, fps).items():
                    sink.write(number, None, tracks)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def _whole() -> Iterator[None]:
    """Puts Ctrl-C and SIGTERM off to the end of the block."""
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread only
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in handlers:
        signal.signal(number, lambda caught, _: came.append(caught))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: not set from Python
    for caught in came:
        signal.raise_signal(signal.Signals(caught))


def _open_sinks(
    output: OutputConfig, folder: Path, fps: float, names: Mapping[int, str], stack: ExitStack
) -> list[tuple[Path, Sink]]:
    """The sinks asked for and their files; text first: a full disk shall not cost the tracks."""
    (folder / "tracks.arrows").unlink(missing_ok=True)  # left over where a run was killed
    makers: dict[str, tuple[bool, Callable[[Path], Sink]]] = {
        "tracks.txt": (True, MotSink),
        "tracks.jsonl": (output.jsonl, lambda path: JsonLinesSink(path, names)),
        "tracks.csv": (output.csv, lambda path: CsvSink(path, names)),
        "tracks.parquet": (output.parquet, lambda path: ParquetSink(path, names)),
        "tracks.mp4": (output.video, lambda path: _video_sink(path, fps, output.crf)),
    }
    sinks = []
    for name, (wanted, make) in makers.items():
        path = folder / name
        if wanted:
            sinks.append((path, stack.enter_context(make(path))))
        else:
            path.unlink(missing_ok=True)  # an earlier run's would pass for this one's
    return sinks


def _video_sink(path: Path, fps: float, crf: int) -> Sink:
    from mot_reid.video.video_sink import VideoSink

    return VideoSink(path, fps, crf)


def _sole_writer(folder: Path) -> ExitStack:
    """Holds the folder against a second run that would write into the same files."""
    stack = ExitStack()
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        stack.callback(lock.release)
        lock.acquire()
    except Timeout:
        raise OSError(f"output folder {folder}: another run is writing there") from None
    stack.callback((folder / ".lock").unlink, missing_ok=True)
    return stack


def _write_summary(summary: Summary, tracker: Tracker, folder: Path) -> None:
    """Whole or not at all: written beside its place and moved there."""
    partial = folder / "summary.json.partial"
    try:
        partial.write_text(json.dumps(summary.to_dict(tracker), indent=2) + "\n", encoding="utf-8")
        os.replace(partial, folder / "summary.json")
    except OSError:
        partial.unlink(missing_ok=True)
        if summary.error is None:  # else the disk is full, say, and the run has said so already
            raise
