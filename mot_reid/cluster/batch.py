"""A batch of videos: what is still to do, who does it, what is tried again, and what came of it."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from mot_reid.cluster.engines import Engine, Report
from mot_reid.cluster.lookahead import Lookahead
from mot_reid.cluster.manifest import BATCH_FILE, LOGS, Video
from mot_reid.cluster.pieces import Piece, cut
from mot_reid.cluster.places import PARTIAL, is_remote, join, plain, remote, remove
from mot_reid.cluster.work import (
    PIECES,
    Job,
    detect_piece,
    done,
    fingerprint,
    probe,
    progress_of,
    settings_digest,
    track_whole,
)
from mot_reid.config import Config
from mot_reid.files import atomic
from mot_reid.provenance import versions

__all__ = ["BATCH_FILE", "LOGS", "Batch", "Plan", "VideoState"]


# Losses of whole machines are nobody's fault, but one video cannot use up a cluster for ever either.
_MOST_BLAMELESS = 100
_SAVE_SECONDS = 5.0
# Of a video that must be fetched first the pieces are so many times as long.
_REMOTE_PIECES = 10

Status = Literal["waiting", "running", "done", "already done", "failed"]


@dataclass(frozen=True)
class Plan:
    """How a batch is done.

    Attributes:
        piece_seconds: workers without a video of their own detect ahead in those that others track, in pieces
            of about this length, seconds; 0 for never.
        tries: how often a video that fails, or whose worker dies, is tried in all.
        cores: processor cores of one call.
    """

    piece_seconds: float = 60.0
    tries: int = 3
    cores: int = 1


@dataclass
class VideoState:
    """How far a video is.

    Attributes:
        video: which.
        status: where it stands.
        failures: tries that went wrong so far.
        losses: machines lost with it so far.
        ahead: frames in which others have detected already.
        error: the last failure.
        figures: frames, rows, tracks and seconds, once it is done.
    """

    video: Video
    status: Status = "waiting"
    failures: int = 0
    losses: int = 0
    error: str | None = None
    figures: dict[str, Any] = field(default_factory=dict)
    ahead: int = 0

    @property
    def tries(self) -> int:
        """How often it was tried by this batch: its failures, and the try that went well."""
        return self.failures + (self.status == "done")


@dataclass(frozen=True)
class _Call:
    """One call of one video."""

    index: int
    kind: Literal["probe", "whole", "piece"]
    piece: Piece | None = None


class Batch:
    """Tracks many videos on an engine; what is complete from an earlier run is left as it is.

    Args:
        videos: which.
        out: folder or URL of all results: a folder in it for each video, ``logs/``, and ``batch.json``.
        config: all settings.
        engine: who does the work.
        plan: how.
        gallery: remembers the tracklets of all videos.
        on_change: called whenever something has ended.

    Attributes:
        states: of each video, in their order.
    """

    def __init__(
        self,
        videos: Sequence[Video],
        out: str,
        config: Config,
        engine: Engine,
        plan: Plan | None = None,
        on_change: Callable[[Batch], None] = lambda batch: None,
        gallery: str | None = None,
    ) -> None:
        self.states = [VideoState(video) for video in videos]
        self.out, self.config, self.engine, self.plan = plain(out), config, engine, plan or Plan()
        self.frames = 0  # done by this run, those included in which others detected ahead
        self.started = time.time()
        self._on_change, self._gallery = on_change, gallery
        self._ready: deque[_Call] = deque()
        self._jobs: dict[int, Job] = {}
        self._pieces: dict[int, tuple[Piece, ...]] = {}
        self._ahead: dict[int, Lookahead] = {}  # for workers that have nothing better to do
        self._begun: dict[_Call, float] = {}
        self._seen = float("-inf")
        self._saved = 0.0

    def run(self) -> None:
        """Does all that is still to do.

        However it ends, ``batch.json`` tells how far each video came, and the same batch goes on from there.

        Raises:
            OSError: the output cannot be written, or another batch is at work there.
            KeyboardInterrupt: Ctrl-C; what is finished is kept.
        """
        with ExitStack() as stack:
            stack.enter_context(_only_batch(self.out))
            remove(join(self.out, PARTIAL))  # left over by workers that were killed
            stack.callback(self._save, force=True)
            self._plan_all()
            self._on_change(self)
            while self.count("waiting", "running"):
                self._see()
                while self.engine.room > 0 and (call := self._next()) is not None:
                    self._submit(call)
                for call, report in self.engine.reports(timeout=0.5):
                    self._take(call, report)
                    self._on_change(self)
                self._save()
            remove(join(self.out, PIECES))

    def count(self, *statuses: Status) -> int:
        """How many videos stand there."""
        return sum(state.status in statuses for state in self.states)

    @property
    def seconds(self) -> float:
        """Wall time since the batch was made."""
        return time.time() - self.started

    def _plan_all(self) -> None:
        settings = settings_digest(self.config)
        whole = self.plan.piece_seconds <= 0
        for index, state in enumerate(self.states):
            wanted = settings
            if self._gallery is not None:  # whoever asks for one does not mean results without it
                wanted += f" gallery {self._gallery} camera {state.video.camera}"
            try:
                made_from = fingerprint(state.video, wanted)
            except (OSError, ImportError, ValueError) as error:
                state.status, state.error = "failed", f"{state.video.source}: cannot be read ({error})"
                continue
            job = self._jobs[index] = Job(state.video, self.out, self.config, made_from, self._gallery)
            figures = done(job.place, job.fingerprint)
            if figures is not None:
                state.status, state.figures = "already done", figures
            else:
                self._ready.append(_Call(index, "whole" if whole else "probe"))

    def _next(self) -> _Call | None:
        """What is to be done next; None where a worker must wait."""
        if self._ready:
            return self._ready.popleft()
        for index, ahead in self._ahead.items():
            if (piece := ahead.choose(time.monotonic())) is not None:
                return _Call(index, "piece", piece)
        return None

    def _see(self) -> None:
        """Looks how far those are whose videos others look ahead in."""
        now = time.monotonic()
        if self._ready:  # as long as videos wait nobody looks ahead
            return
        if now - self._seen < (_SAVE_SECONDS if is_remote(self.out) else 0):  # there each look is a request
            return
        self._seen = now
        for index, ahead in self._ahead.items():
            ahead.see(progress_of(self._jobs[index]), now)

    def _submit(self, call: _Call) -> None:
        self._begun[call] = time.monotonic()
        job, cores = self._jobs[call.index], self.plan.cores
        if call.kind != "piece":
            self.states[call.index].status = "running"
        if call.kind == "probe":
            self.engine.submit(call, probe, job.video.source)
        elif call.kind == "whole":
            self.engine.submit(call, track_whole, job, cores, self._pieces.get(call.index, ()))
        else:
            self.engine.submit(call, detect_piece, job, call.piece, cores)

    def _take(self, call: _Call, report: Report) -> None:
        """Takes in what came of a call: the next one of its video, another try, or its end."""
        state = self.states[call.index]
        self._log(state, call, report)
        seconds = time.monotonic() - self._begun.pop(call)
        if call.kind == "piece":  # what nobody finds ahead is found by who tracks the video
            if (ahead := self._ahead.get(call.index)) is not None and call.piece is not None:
                ahead.came(seconds) if report.error is None else ahead.failed(call.piece)
            if report.error is None and state.status == "running":
                state.ahead += report.value["frames"]
                self.frames += report.value["frames"]
        elif report.error is not None:
            self._try_again(state, call, report)
        elif call.kind == "probe":
            self._cut(call.index, *report.value)
        else:
            state.status, state.figures, state.error = "done", report.value, None
            self.frames += max(report.value["frames"] - state.ahead, 0)
            self._ahead.pop(call.index, None)

    def _cut(self, index: int, frames: int | None, fps: float) -> None:
        """Decides on the pieces of a video; in those that are there already nobody detects again."""
        state, job, seconds = self.states[index], self._jobs[index], self.plan.piece_seconds
        if is_remote(state.video.source):  # each piece takes a copy of it
            seconds *= _REMOTE_PIECES
        pieces = tuple(cut(frames, fps, seconds)) if frames else ()
        self._ready.appendleft(_Call(index, "whole"))
        if len(pieces) < 2:
            return
        self._pieces[index] = pieces
        there = (done(job.piece_place(piece), job.fingerprint) is not None for piece in pieces)
        missing = [piece.number for piece, found in zip(pieces, there, strict=True) if not found]
        self._ahead[index] = Lookahead(pieces, missing)

    def _try_again(self, state: VideoState, call: _Call, report: Report) -> None:
        state.error = report.error
        if report.blameless:
            state.losses += 1
        else:
            state.failures += 1
        if state.failures >= self.plan.tries or state.losses >= _MOST_BLAMELESS:
            state.status = "failed"
            self._ahead.pop(call.index, None)
        else:
            self._ready.append(call)

    def _log(self, state: VideoState, call: _Call, report: Report) -> None:
        """Adds what a worker had to say to the video's log; a remote output keeps errors alone."""
        if is_remote(self.out):
            return
        part = f"piece {call.piece.number}" if call.piece is not None else call.kind
        told = "done" if report.error is None else f"failed: {report.error}"
        when = datetime.now(UTC).isoformat(timespec="seconds")
        lines = [f"{when} {part} on {report.worker or 'a lost worker'}: {told}", *report.log]
        lines += report.trace.splitlines() if report.error is not None else []
        path = Path(self.out) / LOGS / f"{state.video.name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def report(self) -> dict[str, Any]:
        """The batch as JSON can hold it: ``batch.json``."""
        return {
            "started": datetime.fromtimestamp(self.started, UTC).isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 1),
            "engine": self.engine.name,
            "plan": asdict(self.plan),
            "videos": len(self.states),
            "done": self.count("done"),
            "already_done": self.count("already done"),
            "failed": self.count("failed"),
            "left": self.count("waiting", "running"),
            "frames": self.frames,
            "versions": versions(),
            "configuration": asdict(self.config),
            "results": [
                {
                    **asdict(state.video),
                    "status": state.status,
                    "pieces_ahead": state.figures.get("pieces_ahead", 0),
                    "tries": state.tries,
                    "machines_lost": state.losses,
                    "error": state.error,
                    **{
                        key: state.figures[key]
                        for key in ("frames", "rows", "tracks")
                        if key in state.figures
                    },
                }
                for state in self.states
            ],
        }

    def _save(self, force: bool = False) -> None:
        """Writes ``batch.json``, whole or not at all, every few seconds."""
        if not force and time.monotonic() - self._saved < _SAVE_SECONDS:
            return
        self._saved = time.monotonic()
        text = json.dumps(self.report(), indent=2) + "\n"
        if is_remote(self.out):
            system, path = remote(join(self.out, BATCH_FILE))
            system.pipe_file(path, text.encode())
            return
        with atomic(Path(self.out) / BATCH_FILE) as part:
            part.write_text(text, encoding="utf-8")


def _only_batch(out: str) -> ExitStack:
    """Holds a local output against a second batch; object storage has no locks."""
    stack = ExitStack()
    if not is_remote(out):
        Path(out).mkdir(parents=True, exist_ok=True)
        lock = FileLock(Path(out) / ".batch.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise OSError(f"output folder {out}: another batch is at work there") from None
        stack.callback(lock.release)
    return stack
