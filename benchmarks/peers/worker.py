"""A process that holds one tracker's package and times it, profiles it or runs it for long, as it is told."""

import gc
import os
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mot_reid.timing import Stopwatch
from peers import CONTENDERS, Contender
from peers.base import Answer, Runner
from peers.scene import Scene, SceneFrame, load_frames

__all__ = ["CLOCKS", "Endurance", "Failed", "LongTask", "Progress", "Ready", "Task", "Timing", "serve"]

CLOCKS: dict[str, Callable[[], float]] = {"cpu": time.process_time, "wall": time.perf_counter}
"""``cpu`` counts all threads of the process and is not disturbed by what else the machine does."""

_PROGRESS = 100  # frames from one report to the next


@dataclass(frozen=True)
class Ready:
    """The tracker is installed."""

    version: str


@dataclass(frozen=True)
class Failed:
    """Something went wrong."""

    reason: str
    missing: bool = False


@dataclass(frozen=True)
class Progress:
    """Frames that are done."""

    frames: int


@dataclass(frozen=True)
class Task:
    """Run a fresh tracker over a scene.

    Attributes:
        scene: file of its frames.
        budget: seconds after which to stop short.
        clock: a key of `CLOCKS`.
        profile: whether to time our stages too.
    """

    scene: Path
    budget: float
    clock: str
    profile: bool = False


@dataclass(frozen=True)
class Timing:
    """What a `Task` gave.

    Attributes:
        seconds: by the clock asked for, frame by frame.
        answers: frame by frame.
        elapsed: seconds of the wall that it took, beside preparation.
        stages: seconds by stage, frame by frame, where asked for.
    """

    seconds: NDArray[np.float64]
    answers: list[Answer]
    elapsed: float
    stages: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class LongTask:
    """Run one tracker for very long, then beside a fresh one.

    Attributes:
        people: in the scene.
        warm: frames after which a tracker is in its stride.
        frames: how many in all.
        seed: of the scene.
        clock: a key of `CLOCKS`.
    """

    people: int
    warm: int
    frames: int
    seed: int
    clock: str


@dataclass(frozen=True)
class Endurance:
    """What a `LongTask` gave.

    Attributes:
        early: median seconds a frame around frame ``warm``, of a fresh tracker.
        late: on the same frames, of the tracker that is at ``frames``; both take turns.
        resident: bytes of the whole process after the frames given.
        held: bytes that Python and NumPy held then, as traced.
    """

    early: float
    late: float
    resident: dict[int, int]
    held: dict[int, int]


def serve(name: str, pipe: Connection) -> None:
    """Answers tasks about one of `CONTENDERS` until the pipe is closed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # some packages chatter
    contender = CONTENDERS[name]
    try:
        contender.make()
        _use_one_thread()
        pipe.send(Ready(contender.version))
    except ImportError as error:
        return pipe.send(Failed(f"{error}", missing=True))
    except Exception as error:  # whatever a peer may raise
        return pipe.send(Failed(_describe(error)))
    with suppress(EOFError, KeyboardInterrupt):  # nobody is there any more
        while True:
            pipe.send(_answer(contender, pipe.recv(), pipe))
    return None


def _answer(contender: Contender, task: Task | LongTask, pipe: Connection) -> Timing | Endurance | Failed:
    try:
        return endure(contender, task, pipe) if isinstance(task, LongTask) else run(contender, task)
    except Exception as error:  # whatever a peer may raise; the others go on
        return Failed(_describe(error))


def run(contender: Contender, task: Task) -> Timing:
    """Times a fresh tracker frame by frame; what it takes in is prepared before."""
    stopwatch = Stopwatch() if task.profile and contender.timed is not None else None
    runner = contender.make() if stopwatch is None else contender.timed(stopwatch)
    given = [runner.prepare(frame) for frame in load_frames(task.scene)]
    gc.collect()
    return _timed(runner, given, task, stopwatch)


def _timed(runner: Runner, given: list[object], task: Task, stopwatch: Stopwatch | None) -> Timing:
    clock, step = CLOCKS[task.clock], runner.step
    began = time.perf_counter()
    seconds, answers, stages = [], [], []
    for frame in given:
        start = clock()
        answer = step(frame)
        seconds.append(clock() - start)
        answers.append(runner.read(answer))
        if stopwatch is not None:
            stages.append(dict(stopwatch.seconds))
            stopwatch.seconds.clear()
        if time.perf_counter() - began > task.budget:
            break
    return Timing(np.array(seconds), answers, time.perf_counter() - began, stages)


def endure(contender: Contender, task: LongTask, pipe: Connection) -> Endurance:
    """Runs one tracker for long, its memory traced; then a fresh one takes the same frames in turn with it.

    So early and late are timed within the same minute and on the same frames, whatever else the machine does.
    The scene is drawn frame by frame, as long as it goes on.
    """
    scene = Scene(task.people, task.seed)
    old = contender.make()
    marks = {task.warm, *(task.frames * tenth // 10 for tenth in range(1, 11))}
    resident, held = {}, {}
    tracemalloc.start()
    try:
        for number, frame in enumerate(islice(scene, task.frames), start=1):
            old.step(old.prepare(frame))
            if number in marks:
                gc.collect()
                resident[number], held[number] = _resident(), tracemalloc.get_traced_memory()[0]
            if number % _PROGRESS == 0:
                pipe.send(Progress(number))
    finally:
        tracemalloc.stop()
    early, late = _in_turn([contender.make(), old], islice(scene, 2 * task.warm), CLOCKS[task.clock])
    medians = (float(np.median(seconds[task.warm :])) for seconds in (early, late))
    return Endurance(*medians, resident, held)


def _in_turn(
    runners: list[Runner], frames: Iterator[SceneFrame], clock: Callable[[], float]
) -> NDArray[np.float64]:
    """Seconds ``(R, F)`` of each tracker on each frame; who comes first changes from frame to frame."""
    seconds = []
    for number, frame in enumerate(frames):
        row = [0.0] * len(runners)
        order = range(len(runners)) if number % 2 else reversed(range(len(runners)))
        for place in order:
            given = runners[place].prepare(frame)
            start = clock()
            runners[place].step(given)
            row[place] = clock() - start
        seconds.append(row)
    return np.array(seconds).T


def _resident() -> int:
    """Bytes of memory that this process holds; 0 where the system does not tell."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if status.exists() else 0


def _use_one_thread() -> None:
    """For packages that do not go by the environment; only those that are loaded."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
    if cv2 := sys.modules.get("cv2"):
        cv2.setNumThreads(1)


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
