"""The files that a run writes, and what keeps them whole: one writer, whole frames, nothing left over."""

from __future__ import annotations

import logging
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from mot_reid.config import OfflineConfig
from mot_reid.files import atomic
from mot_reid.offline.recorder import Recorder
from mot_reid.pipeline.counting import ANALYTICS_FILES
from mot_reid.video.formats import FORMATS, Format, SinkInfo, files_of
from mot_reid.video.sinks import MotSink, Sink, TrackedFrame

_log = logging.getLogger(__name__)

__all__ = [
    "OFFLINE_FILE",
    "OUTPUT_FILES",
    "FailsAlone",
    "open_sinks",
    "sole_writer",
    "whole",
    "write_refined",
]

OFFLINE_FILE = "tracks_offline.txt"
OUTPUT_FILES = (*files_of(FORMATS.values()), OFFLINE_FILE, *ANALYTICS_FILES, "summary.json")
"""The files that a run writes, or removes if an earlier run left them."""


def write_refined(path: Path, recorder: Recorder, config: OfflineConfig, fps: float) -> None:
    """Writes the tracks with hindsight, whole or not at all; Ctrl-C waits, for this is the end of the run."""
    with whole(), atomic(path) as part, MotSink(part) as sink:
        for number, tracks in recorder.refined(config, fps).items():
            sink.write(number, None, tracks)


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
    formats: Mapping[str, Format], folder: Path, info: SinkInfo, stack: ExitStack
) -> list[tuple[Path, Sink]]:
    """The sinks of formats and their files; an earlier run's files would pass for this one's, and go."""
    wanted = {entry.file for entry in formats.values()}
    for name in files_of(FORMATS.values()):
        if name not in wanted:
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
    """Removes a file, or a folder and the files that lie in it, if an earlier run left it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


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
