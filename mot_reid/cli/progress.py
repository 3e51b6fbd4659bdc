"""Progress bars of runs and of work in many parts, and the line that says why nothing moves yet."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from mot_reid.wording import counted

if TYPE_CHECKING:
    from mot_reid.pipeline.summary import Summary

__all__ = ["RunProgress", "WorkProgress", "tell_of_compiling"]


LINE_EVERY = 30.0  # seconds between lines of progress where there is no terminal


def tell_of_compiling() -> None:
    """From here on a line on the terminal, if there is one, says when numba compiles: that takes a while."""
    if sys.stderr.isatty():
        log = logging.getLogger("mot_reid.kernels")
        log.addHandler(logging.StreamHandler())
        log.setLevel(logging.INFO)
        log.propagate = False


class _Bar:
    """A progress bar, shown on a terminal only."""

    def __init__(self, quiet: bool, *columns: ProgressColumn) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            *columns,
            TimeRemainingColumn(),
            console=Console(stderr=True),
            redirect_stdout=False,
            redirect_stderr=False,
            disable=quiet or not sys.stderr.isatty(),
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class RunProgress(_Bar):
    """Shows how far runs are, a line for each: frames, frames a second, people in view, time left.

    Without a terminal, as in a log, it writes a line twice a minute.

    Args:
        quiet: show nothing at all.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._lines = not quiet and not sys.stderr.isatty()
        super().__init__(
            quiet,
            TextColumn("{task.fields[speed]:5.1f} frames/s"),
            TextColumn("{task.fields[people]:3d} in view"),
        )

    def add(self, name: str, total: int | None) -> Callable[[Summary], None]:
        """A line for one more run.

        Args:
            name: the source's.
            total: how many frames will come, None if unknown.

        Returns:
            What takes in how far the run is; it may be called from any thread.
        """
        task = self._progress.add_task(name, total=total, speed=0.0, people=0)
        told = time.monotonic()

        def show(summary: Summary) -> None:
            nonlocal told
            if self._lines and time.monotonic() - told >= LINE_EVERY:
                told = time.monotonic()
                seen = counted(summary.frames, "frame")
                if total:
                    seen = f"{summary.frames} of {counted(total, 'frame')}"
                speed, people = summary.frames_per_second, summary.people_in_view
                self.say(f"{name}: {seen}, {speed:.1f} frames/s, {people} in view")
            self._progress.update(
                task,
                completed=summary.frames,
                speed=summary.frames_per_second,
                people=summary.people_in_view,
            )

        return show

    def say(self, message: str) -> None:
        """Prints a line to stderr, above those that show."""
        if self._progress.disable:
            typer.echo(message, err=True)
        else:
            self._progress.console.print(message, markup=False, highlight=False)


class WorkProgress(_Bar):
    """Shows how many parts of some work are done.

    Args:
        quiet: show nothing at all.
    """

    def __init__(self, quiet: bool = False) -> None:
        super().__init__(quiet)
        self._task = self._progress.add_task("", total=None)

    def __call__(self, description: str, done: int, total: int) -> None:
        """Takes in how far the work is; a new description stands for new work."""
        if self._progress.tasks[0].description != description:
            self._progress.reset(self._task, description=description, total=total, completed=done)
        else:
            self._progress.update(self._task, completed=done, total=total)

    def advance(self, parts: int = 1) -> None:
        """More parts are done."""
        self._progress.advance(self._task, parts)

    def say(self, line: str) -> None:
        """Writes a line above the bar, also where no bar is shown."""
        self._progress.console.print(line, highlight=False, markup=False, soft_wrap=True)
