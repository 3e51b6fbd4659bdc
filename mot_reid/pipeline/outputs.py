"""The files that a run writes, and what keeps them whole: one writer, whole frames, nothing left over."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from mot_reid.config import OfflineConfig, OutputConfig
from mot_reid.offline.recorder import Recorder
from mot_reid.video.sinks import CsvSink, JsonLinesSink, MotSink, ParquetSink, Sink

__all__ = ["OFFLINE_FILE", "OUTPUT_FILES", "open_sinks", "sole_writer", "whole", "write_refined"]

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


def write_refined(path: Path, recorder: Recorder, config: OfflineConfig, fps: float) -> None:
    """Writes the tracks with hindsight, whole or not at all; Ctrl-C waits, for this is the end of the run."""
    partial = path.with_name(path.name + ".partial")
    with whole():
        try:
            with MotSink(partial) as sink:
                for number, tracks in recorder.refined(config, fps).items():
                    sink.write(number, None, tracks)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def whole() -> Iterator[None]:
    """Puts Ctrl-C and SIGTERM off to the end of the block."""
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread only
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in handlers:
            signal.signal(number, lambda caught, _: came.append(caught))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: not set from Python
    for caught in came:
        signal.raise_signal(signal.Signals(caught))


def open_sinks(
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


def sole_writer(folder: Path) -> ExitStack:
    """Holds the folder against a second run that would write into the same files."""
    stack = ExitStack()
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        stack.callback(lock.release)
        lock.acquire()
    except Timeout:
        raise OSError(f"output folder {folder}: another run is writing there") from None
    stack.callback(_remove, folder / ".lock")
    return stack


def _remove(path: Path) -> None:
    """Removes a file that is still open; where that cannot be (on Windows), who closes it removes it."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
