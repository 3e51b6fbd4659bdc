"""The trackers' processes, and a progress bar over what they do."""

import multiprocessing
import sys
from collections.abc import Iterable
from multiprocessing.connection import Connection
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from peers import worker
from peers.worker import LongTask, Task

__all__ = ["Team"]


class Team:
    """The trackers' processes; one works at a time.

    Attributes:
        ready: versions of those that are installed, by name.
        missing: why others are not, by name.
        failures: what went wrong later.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.ready: dict[str, str] = {}
        self.missing: dict[str, str] = {}
        self.failures: dict[str, str] = {}
        self._names = list(names)
        self._pipes: dict[str, Connection] = {}
        self._processes: list[Any] = []
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._bar = self._progress.add_task("")

    def __enter__(self) -> "Team":
        self._progress.start()
        self.total("loading", len(self._names))
        for name in self._names:
            self._start(name)
            self.advance()
        return self

    def __exit__(self, *error: object) -> None:
        for pipe in self._pipes.values():
            pipe.close()  # which ends its process
        for process in self._processes:
            process.join(timeout=5)
            process.terminate()
        self._progress.stop()

    def total(self, description: str, steps: int) -> None:
        """Starts the progress bar anew."""
        self._progress.reset(self._bar, description=description, total=steps)

    def advance(self) -> None:
        """One more step is done."""
        self._progress.advance(self._bar)

    def describe(self, description: str) -> None:
        """Says what is being done."""
        self._progress.update(self._bar, description=description)

    def ask(self, name: str, task: Task | LongTask) -> Any:
        """What the tracker's process answers; None if it failed, now or before."""
        if name in self.failures:
            return None
        pipe = self._pipes[name]
        answer = self._receive(pipe, task)
        while isinstance(answer, worker.Progress):
            self._progress.update(self._bar, completed=answer.frames)
            answer = self._receive(pipe)
        if isinstance(answer, worker.Failed):
            self.failures[name] = answer.reason
            self._progress.console.print(f"{name} failed: {answer.reason}", markup=False, style="red")
            return None
        return answer

    def notes(self) -> list[str]:
        """Who is not in the table, and why."""
        notes = [f"{name} failed: {reason}" for name, reason in self.failures.items()]
        if self.missing:
            notes.append(f"Not installed: {'; '.join(self.missing)}.")
        return notes

    def _start(self, name: str) -> None:
        self.describe(f"loading {name}")
        context = multiprocessing.get_context("spawn")
        pipe, theirs = context.Pipe()
        process = context.Process(target=worker.serve, args=(name, theirs), daemon=True)
        process.start()
        theirs.close()
        answer = self._receive(pipe)
        self._processes.append(process)
        self._pipes[name] = pipe
        if isinstance(answer, worker.Ready):
            self.ready[name] = answer.version
        elif answer.missing:
            self.missing[name] = answer.reason
        else:
            self.failures[name] = answer.reason

    @staticmethod
    def _receive(pipe: Connection, task: Task | LongTask | None = None) -> Any:
        try:
            if task is not None:
                pipe.send(task)
            return pipe.recv()
        except (EOFError, ConnectionError):
            return worker.Failed("its process ended")
