"""Runs over sources, one after the other or several at the same time, and what is told about them."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mot_reid.cli.errors import INTERRUPTED, debugging, one_line
from mot_reid.cli.progress import RunProgress
from mot_reid.cli.remembering import Remembering
from mot_reid.pipeline.outputs import whole
from mot_reid.pipeline.remarks import other_frames, why_nothing
from mot_reid.pipeline.run import track_source
from mot_reid.pipeline.sharing import SharedDetector, SharedEmbedder
from mot_reid.pipeline.summary import Summary
from mot_reid.structures import Detections
from mot_reid.tracker import Tracker
from mot_reid.typing import Image
from mot_reid.video.frames import Selection, Source
from mot_reid.video.sources import DEFAULT_RECONNECT, open_source
from mot_reid.wording import counted

if TYPE_CHECKING:  # what galleries need takes a moment to load, and most runs have none
    from mot_reid.gallery.recorder import TrackletRecorder

__all__ = ["Runs", "closing_line", "run_source"]


@dataclass(frozen=True)
class Runs:
    """How sources are tracked.

    Attributes:
        tracker: with its models loaded.
        selection: which frames are wanted.
        detections: of each frame number, instead of the tracker's detector.
        detections_file: where they come from.
        quiet: no progress and no closing lines.
        fps: frames a second of the sources; None for what they say.
        remember: makes what takes in a source's tracks for a gallery; None where nothing shall be
            remembered.
        stretch: let pictures of 16 bits use all of their range.
        reconnect: how often in a row a live source that breaks off is opened again.
        show: show each source in a window while it is tracked, one after the other.
    """

    tracker: Tracker
    selection: Selection
    detections: Mapping[int, Detections] | None = None
    detections_file: Path | None = None
    quiet: bool = False
    fps: float | None = None
    remember: Remembering | None = None
    stretch: bool = False
    reconnect: int = DEFAULT_RECONNECT
    show: bool = False

    def one_by_one(self, sources: Sequence[tuple[str, Path]]) -> int:
        """Tracks through each source and its folder in turn.

        Returns:
            How many failed; the errors are printed.

        Raises:
            typer.Exit: interrupted; what there was is written.
        """
        failed = 0
        for name, folder in sources:
            with RunProgress(self.quiet) as progress:
                line = self._try(name, folder, self.tracker, progress)
            failed += line is None
            self._tell([(name, line)])
        return failed

    def side_by_side(self, sources: Sequence[tuple[str, Path]], jobs: int) -> int:
        """Tracks through up to ``jobs`` sources at a time; they share the tracker's models.

        Returns:
            How many failed; the errors are printed.

        Raises:
            typer.Exit: interrupted; what there was is written.
        """
        stop, opened = threading.Event(), list[Source]()
        detector = SharedDetector(self.tracker.detector, jobs)
        embedder = None if self.tracker.embedder is None else SharedEmbedder(self.tracker.embedder)

        def on_open(source: Source) -> None:
            opened.append(source)
            if stop.is_set():
                source.stop()

        def work(name: str, folder: Path) -> str | None:
            tracker = Tracker(detector, embedder, config=self.tracker.config)
            return self._try(name, folder, tracker, progress, stop.is_set, on_open)

        with RunProgress(self.quiet) as progress, ThreadPoolExecutor(jobs) as pool:
            futures: list[Future[str | None]] = []
            try:
                futures += [pool.submit(work, *source) for source in sources]
                while wait(futures, timeout=0.5).not_done:  # on Windows Ctrl-C does not end an endless one
                    pass
            except KeyboardInterrupt:  # it reaches this thread only
                with suppress(KeyboardInterrupt), whole():  # others change nothing
                    stop.set()
                    for source in opened:  # one may wait for a connection, and ask for nothing meanwhile
                        source.stop()
                    for future in futures:
                        future.cancel()
                    wait(futures)
                raise typer.Exit(INTERRUPTED) from None
            lines = [future.result() for future in futures]
        self._tell([(name, line) for (name, _), line in zip(sources, lines, strict=True)])
        return lines.count(None)

    def _try(
        self,
        name: str,
        folder: Path,
        tracker: Tracker,
        progress: RunProgress,
        cancelled: Callable[[], bool] = lambda: False,
        on_open: Callable[[Source], None] = lambda source: None,
    ) -> str | None:
        """Runs one source; a closing line, or None where it failed: the others shall have their turn."""
        wanted = self.selection
        given = "" if self.detections_file is None else f"{self.detections_file.name} (file)"
        tracker.notices.warns = False  # they are told below, with the source's name
        try:
            frames = (wanted.start, wanted.stop, wanted.stride)
            with ExitStack() as stack:
                source = stack.enter_context(
                    open_source(name, *frames, fps=self.fps, stretch=self.stretch, reconnect=self.reconnect)
                )
                on_open(source)
                window = _window(source.info.name, stack) if self.show else None
                summary = run_source(
                    source,
                    tracker,
                    folder,
                    progress,
                    stride=wanted.stride,
                    detections=self.detections,
                    detections_from=given,
                    memory=None if self.remember is None else self.remember(name, folder, tracker),
                    show=window,
                    cancelled=cancelled,
                )
            other = other_frames(summary, self.detections, all_wanted=wanted == Selection())
            if other is not None:
                progress.say(f"{self.detections_file}: {other}")
            for notice in tracker.notices.texts:
                progress.say(f"{summary.source.name}: {notice}")
            if (why := why_nothing(summary, tracker.config)) is not None:
                progress.say(f"{summary.source.name}: {why}")
        except typer.Exit:
            raise
        except Exception as error:
            if debugging():
                progress.say("".join(traceback.format_exception(error)).rstrip())
            progress.say(f"error: {one_line(error)}")
            return None
        return closing_line(summary, folder)

    def _tell(self, ended: Sequence[tuple[str, str | None]]) -> None:
        """Says how sources ended, by their closing lines, None of those that failed."""
        for source, line in ended:
            if line is not None and self.remember is not None:
                self.remember.done(source)
            if line is not None and not self.quiet:
                typer.echo(line)


def _window(title: str, stack: ExitStack) -> Callable[[Image], bool]:
    """Opens a window; what shows a picture in it."""
    from mot_reid.video.window import Window

    return stack.enter_context(Window(title)).show


def run_source(
    source: Source,
    tracker: Tracker,
    folder: Path,
    progress: RunProgress,
    *,
    stride: int = 1,
    detections: Mapping[int, Detections] | None = None,
    detections_from: str = "",
    memory: TrackletRecorder | None = None,
    show: Callable[[Image], bool] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Summary:
    """Runs one source with a line of progress; where it ends early, says what is kept.

    Raises:
        typer.Exit: the run was interrupted; what there was is written.
        SourceError, OSError, ValueError: as `mot_reid.pipeline.run.track_source`.
    """
    seen = Summary(source.info)
    tell = progress.add(source.info.name, source.info.frame_count)

    def on_frame(current: Summary) -> None:
        nonlocal seen
        seen = current
        tell(current)

    try:
        return track_source(
            source,
            tracker,
            folder,
            stride=stride,
            detections=detections,
            detections_from=detections_from,
            memory=memory,
            show=show,
            on_frame=on_frame,
            cancelled=cancelled,
        )
    except KeyboardInterrupt:
        if source.info.live:  # it has no other end
            progress.say(f"ended by {'the user' if show else 'Ctrl-C'}: {closing_line(seen, folder)}")
        else:
            progress.say(f"interrupted after {counted(seen.frames, 'frame')}, kept in {folder}")
        raise typer.Exit(INTERRUPTED) from None
    except BaseException:
        if seen.frames:
            progress.say(f"{counted(seen.frames, 'frame')} kept in {folder}")
        raise


def closing_line(summary: Summary, folder: Path) -> str:
    """What came of a run."""
    dropped = f" ({summary.dropped} more came too fast)" if summary.dropped else ""
    dropped += f" ({summary.damaged} damaged left out)" if summary.damaged else ""
    embedded = f"{counted(summary.remembered, 'tracklet')} remembered, " if summary.remembered else ""
    if summary.embeddable:
        embedded += f"{summary.embedded} of {counted(summary.embeddable, 'detection')} embedded, "
    return (
        f"{summary.source.name}: {counted(summary.frames, 'frame')}{dropped}, "
        f"{counted(summary.tracks, 'track')}, {embedded}"
        f"{summary.frames_per_second:.1f} frames/s, written to {folder}"
    )
