"""The progress bar of a run: frames, frames a second, people in view, time left."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mot_reid.pipeline import Summary

__all__ = ["RunProgress"]


class RunProgress:
    """Shows how far a run is; on a terminal only.

    Args:
        name: the source's.
        total: how many frames will come, None if unknown.
        quiet: show nothing at all.
    """

    def __init__(self, name: str, total: int | None, quiet: bool = False) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]:5.1f} frames/s"),
            TextColumn("{task.fields[people]:3d} in view"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=quiet or not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task(name, total=total, speed=0.0, people=0)

    def __call__(self, summary: Summary) -> None:
        """Takes in how far the run is."""
        self._progress.update(
            self._task,
            completed=summary.frames,
            speed=summary.frames_per_second,
            people=summary.people_in_view,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
