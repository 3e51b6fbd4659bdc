"""What fills a gallery by itself: the actions add, merge and embed of ``mot-reid gallery``."""

from pathlib import Path
from typing import Any

import typer

from mot_reid.cli.errors import UsageError, usage_errors
from mot_reid.cli.progress import WorkProgress
from mot_reid.cli.remembering import clock_time, nobody_instead, to_replace, warn_of_other_runs
from mot_reid.gallery.opening import require_place
from mot_reid.wording import counted

__all__ = ["add", "embed", "merge", "warn_of_damage"]


def add(
    kept: Any,
    video: str,
    results: Path,
    camera: str | None,
    started: str | None,
    replace: bool,
    quiet: bool,
) -> None:
    """Takes in a video with its tracks."""
    from mot_reid.gallery.results import record_tracks
    from mot_reid.gallery.sources import source_label
    from mot_reid.video.sources import open_source, source_name
    from mot_reid.video.track_files import read_tracks

    with usage_errors():
        epoch = float("nan") if started is None else clock_time(started)
        kept.embedder  # noqa: B018  # a gallery of another embedder is refused before the work
        before = to_replace(kept, video, replace)
        tracks, opened = read_tracks(results).tracks, open_source(video)
        require_place(kept.place)
    with opened as source, WorkProgress(quiet) as progress:
        recorder = kept.recorder(camera or source_name(video), source_label(video), epoch=epoch)
        total = source.info.frame_count or 0
        try:
            with recorder:
                missing = record_tracks(
                    *(source, tracks, recorder, kept.embedder), lambda done: progress("looking", done, total)
                )
        except BaseException:
            if recorder.written:
                _tell_of_part(recorder.written, video, kept, len(before))
            raise
    if missing:
        typer.echo(
            f"warning: {results}: {counted(missing, 'row')} of frames that {video} does not have", err=True
        )
    if recorder.left_out:
        told = f"{counted(recorder.left_out, 'track')} left out: no box shows anybody in the picture"
        typer.echo(f"warning: {results}: {told}", err=True)
    if before and not recorder.written:
        raise UsageError(nobody_instead(kept, results, video, before))
    if before:  # not until the others are there
        kept.forget(before)
    if kept.exists():
        warn_of_other_runs(kept, video, [recorder.run])
    if not quiet:
        typer.echo(f"{counted(recorder.written, 'tracklet')} of {video} added to {kept.place}")
    if not tracks:
        typer.echo(f"warning: {results}: there is no track in it", err=True)


def _tell_of_part(written: int, video: str, kept: Any, before: int) -> None:
    """Says what an `add` that is not brought to its end leaves in the gallery."""
    beside = f", beside {counted(before, 'tracklet')} that it had" if before else ""
    typer.echo(
        f"{counted(written, 'tracklet')} of a part of {video} went into {kept.place}{beside}; the same with "
        "--replace puts all of it in their place",
        err=True,
    )


def merge(kept: Any, other: Any) -> None:
    """Takes in another gallery, and says what of it could not be, and what is there twice now."""
    from mot_reid.gallery.sources import files_of_several_runs

    before = files_of_several_runs(kept.table()) if kept.exists() else set()
    typer.echo(f"{counted(kept.merge(other), 'tracklet')} taken in from {other.place}")
    for source in sorted(files_of_several_runs(kept.table()) - before):
        typer.echo(
            f"warning: {source} is there by two runs: its people are in {kept.place} twice until it is"
            " tracked once more with --replace",
            err=True,
        )
    warn_of_damage(other)
    _tell_damaged(other, kept)


def embed(kept: Any, new: Any, quiet: bool) -> None:
    """Embeds a gallery's pictures again, into another one."""
    from mot_reid.gallery.embedding_again import embed_again

    at = (0, 0)

    def tell(done: int, total: int) -> None:
        nonlocal at
        at = done, total
        progress("embedding", done, total)

    try:
        with WorkProgress(quiet) as progress:
            added, left_out = embed_again(kept, new, tell)
    except BaseException:
        if at[0]:
            told = f"{at[0]} of {counted(at[1], 'tracklet')} of {kept.place} done"
            typer.echo(f"{told}: the same again goes on, until then {new.place} is a part", err=True)
        raise
    if not quiet:
        typer.echo(f"{counted(added, 'tracklet')} of {kept.place} embedded again, in {new.place}")
    if left_out:
        typer.echo(
            f"warning: {counted(left_out, 'tracklet')} without pictures left out: keep {kept.place} while"
            " they are wanted",
            err=True,
        )
    _tell_damaged(kept, new)


def _tell_damaged(other: Any, kept: Any) -> None:
    """Says what of a gallery could not be taken into another one."""
    if damaged := other.store.damaged:
        typer.echo(
            f"warning: {other.place}: the records of {counted(len(damaged), 'damaged part')} were not taken"
            f" in; they are not in {kept.place}, so keep {other.place} while they are wanted",
            err=True,
        )


def warn_of_damage(kept: Any) -> None:
    """Names the damaged parts of a gallery, if it is there."""
    for line in kept.store.damaged if kept.exists() else ():
        typer.echo(f"warning: {line}", err=True)
