"""The files that a run writes, and what keeps them whole: one writer, whole frames, nothing left over."""

from __future__ import annotations

import itertools
import logging
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from stat import S_ISREG

from mot_reid.association.associator import Associator
from mot_reid.association.presets import CASCADES
from mot_reid.concurrency import ENDINGS
from mot_reid.config import Config
from mot_reid.files import atomic
from mot_reid.offline.recorder import OfflineRecorder
from mot_reid.pipeline.counting import ANALYTICS_FILES
from mot_reid.pipeline.id_changes import ID_CHANGES_FILE
from mot_reid.pipeline.summary_file import BEGUN
from mot_reid.tracker import Tracker
from mot_reid.video.formats import FORMATS, Format, SinkInfo, files_of
from mot_reid.video.sinks import MotSink, Sink, TrackedFrame

_log = logging.getLogger(__name__)

__all__ = [
    "OFFLINE_FILE",
    "OUTPUT_FILES",
    "FailsAlone",
    "files_read",
    "first_overwritten",
    "open_sinks",
    "whole",
    "write_refined",
]

OFFLINE_FILE = "tracks_offline.txt"
OUTPUT_FILES = (
    *files_of(FORMATS.values()),
    *(OFFLINE_FILE, ID_CHANGES_FILE, *ANALYTICS_FILES, "summary.json", BEGUN),
)
"""The files that a run writes, or removes if an earlier run left them."""


_MOST_LOOKED_AT = 100_000  # files of a folder that is read


def files_read(config: Config) -> list[str]:
    """What a run with these settings reads, besides its source, where it is a file."""
    files = config.detector.weights, config.embedder.weights, config.camera.motion, config.output.analytics
    return [name for name in files if name and Path(name).is_file()]


def first_overwritten(folders: Iterable[Path], inputs: Iterable[str | Path]) -> Path | None:
    """The first input that runs into these folders would write over; None where there is none.

    Args:
        folders: of the runs.
        inputs: files that are read, folders of pictures, and names of other sources.
    """
    written = [folder / name for folder in folders for name in OUTPUT_FILES]
    names = {path.resolve() for path in written}
    taken = {identity for path in written if (identity := _identity(path))}  # hard links have other names
    for path in inputs:
        files = [Path(path)]
        if taken and files[0].is_dir():  # of pictures, or a sequence
            files += itertools.islice(files[0].rglob("*"), _MOST_LOOKED_AT)
        for file in files:
            if file.resolve() in names or (taken and _identity(file) in taken):
                return file
    return None


def _identity(path: Path) -> tuple[int, int] | None:
    """What a file's names, hard links, have in common; None where there is no such file."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # a webcam's number, a URL
        return None
    return (status.st_dev, status.st_ino) if S_ISREG(status.st_mode) else None


def write_refined(path: Path, recorder: OfflineRecorder, tracker: Tracker, fps: float, stride: int) -> None:
    """Writes the tracks with hindsight, whole or not at all; Ctrl-C waits, for this is the end of the run.

    They are followed back from the end, too, which takes about as long as to follow them took, unless the
    tracker used appearance, for then it knows better, or the cascade is the caller's own: a gate or cost term
    may keep something from frame to frame.

    Args:
        path: of the file.
        recorder: has all frames.
        tracker: as it is at the end.
        fps: frames a second of the source.
        stride: every how many frames one was tracked.
    """
    config, association, associator = tracker.config, tracker.config.association, None
    if not tracker.embedding_counts[0] and tracker.cascade == CASCADES[association.cascade]:
        associator = Associator(association, config.motion, fps)
    with whole(), atomic(path) as part, MotSink(part) as sink:
        for number, tracks in recorder.refined(config.offline, fps / stride, associator).items():
            sink.write(number, None, tracks)


@contextmanager
def whole() -> Iterator[None]:
    """Puts Ctrl-C and the other signals that end a run off to the end of the block."""
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread only
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in ENDINGS}
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
    formats: Mapping[str, Format], folder: Path, info: SinkInfo, stack: ExitStack
) -> list[tuple[Path, Sink]]:
    """The sinks of formats and their files; an earlier run's files would pass for this one's, and go."""
    for name in files_of(FORMATS.values()):  # a link would lead the writing out of the folder
        _clear(folder / name)
    sinks: list[tuple[Path, Sink]] = []
    for entry in formats.values():
        path = folder / entry.file
        sink = entry.open(path, info)
        sinks.append((path, stack.enter_context(FailsAlone(path, sink) if entry.pictures else sink)))
    return sinks


class FailsAlone(Sink):
    """A sink whose failure is told and costs nothing but its own file.

    Attributes:
        failure: why it failed; None as long as it has not.
    """

    def __init__(self, path: Path, sink: Sink) -> None:
        self.failure: Exception | None = None
        self._path, self._sink = path, sink

    @property
    def told(self) -> str:
        """The failure, for a person: the output and the cause."""
        cause = getattr(self.failure, "strerror", None) or str(self.failure)
        return f"{self._path.name} ends early: {cause.removeprefix(f'{self._path}: ')}"

    def put(self, frame: TrackedFrame) -> None:
        """Writes one frame, if all before it could be written."""
        if self.failure is not None:
            return
        try:
            self._sink.put(frame)
        except Exception as error:
            self._fail(error)
            with suppress(Exception):
                self._sink.close()

    def _fail(self, error: Exception) -> None:
        self.failure = error
        _log.warning("%s: %s; the tracks go on", self._path.parent, self.told)

    def close(self) -> None:
        """Completes the file, if nothing failed."""
        if self.failure is not None:
            return
        try:
            self._sink.close()
        except Exception as error:
            self._fail(error)


def _clear(path: Path) -> None:
    """Removes what an earlier run left: a file, or a folder's files of frames; what is not its stays."""
    if path.is_dir() and not path.is_symlink():
        for file in path.glob("[0-9]*.txt"):
            file.unlink()
        with suppress(OSError):
            path.rmdir()
    else:
        path.unlink(missing_ok=True)
