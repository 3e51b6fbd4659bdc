"""``mot-reid draw``: tracks of any origin, drawn on their video."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mot_reid.cli.errors import INTERRUPTED, UsageError, usage_errors
from mot_reid.cli.options import QuietOption, setting_option
from mot_reid.cli.progress import WorkProgress
from mot_reid.wording import counted

if TYPE_CHECKING:
    from mot_reid.pipeline.drawing import Drawn

__all__ = ["draw"]


def draw(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="The video, folder of images or MOTChallenge sequence, or a run's output folder for what "
            "it tracked.",
        ),
    ],
    tracks: Annotated[
        Path,
        typer.Argument(
            metavar="TRACKS",
            help="Its tracks, in any format that `mot-reid convert` reads.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The video to write, a name that ends in .mp4.")
    ] = Path("drawn.mp4"),
    hide: Annotated[
        str | None, typer.Option(metavar="blur|pixelate", help="Make everybody in a track unrecognisable.")
    ] = None,
    crops: Annotated[
        Path | None,
        typer.Option(help="Folder for pictures of each track, cut out of the video: ID/FRAME.jpg."),
    ] = None,
    every: Annotated[float, typer.Option(help="Seconds between two crops of a track.", min=0.01)] = 0.5,
    boxes: Annotated[bool, typer.Option(help="Draw boxes, ids and trails.")] = True,
    labels: Annotated[bool | None, setting_option("output.labels", "--labels/--no-labels")] = None,
    trail: Annotated[int | None, setting_option("output.trail", "--trail")] = None,
    show: Annotated[bool, typer.Option("--show", help="Show a window while it is drawn; q ends it.")] = False,
    quiet: QuietOption = False,
) -> None:
    r"""Draw tracks on their video: those of a run, its offline ones, or those of another program.

    Nothing is detected or tracked here: a person in no track is not hidden by --hide either. Look at the
    result before you pass it on.

    For example

    \b
    mot-reid draw street.mp4 out/tracks_offline.txt -o offline.mp4
    mot-reid draw street.mp4 out/tracks.txt --hide pixelate --no-boxes
    mot-reid draw street.mp4 out/tracks.txt --crops people
    """
    from mot_reid.files import same_file
    from mot_reid.pipeline.drawing import Drawing, draw_tracks
    from mot_reid.video.files import prepare_output_file, prepare_output_folder
    from mot_reid.video.hiding import HIDINGS
    from mot_reid.video.sources import is_live, open_source
    from mot_reid.video.track_files import read_tracks

    with usage_errors():
        if hide is not None and hide not in HIDINGS:
            raise UsageError(f"--hide {hide}: expected one of {', '.join(HIDINGS)}")
        if output.suffix != ".mp4":
            raise UsageError(f"--output {output}: expected a name that ends in .mp4")
        if is_live(source):
            raise UsageError(f"{source}: tracks of a file are wanted, this one is live")
        source = _tracked(source)
        if same_file(output, source) or same_file(output, tracks):
            raise UsageError(f"{output}: would be overwritten; choose another --output")
        read = read_tracks(tracks)
        how = Drawing(hide, boxes, labels is not False, 30 if trail is None else trail, show, crops, every)
        video = open_source(source)
        if same_file(output, video.info.location):  # the video in a folder
            raise UsageError(f"{output}: would be overwritten; choose another --output")
        prepare_output_file(output)
        if crops is not None:
            prepare_output_folder(crops)
    with video as opened, WorkProgress(quiet) as progress:
        total = opened.info.frame_count or 0
        try:
            drawn = draw_tracks(opened, read, output, how, lambda done: progress("drawing", done, total))
        except KeyboardInterrupt:
            typer.echo(f"interrupted; what was drawn is kept in {output}", err=True)
            raise typer.Exit(INTERRUPTED) from None
    _tell_undrawn(tracks, read.tracks, drawn)
    if not quiet:
        typer.echo(f"written: {output} ({counted(drawn.frames, 'frame')})")


def _tell_undrawn(path: Path, frames: Collection[int], drawn: "Drawn") -> None:
    """Says which of a file's ``frames`` with tracks are in no picture, or that there are none."""
    if not frames:
        typer.echo(f"{path}: there is no track in it", err=True)
    beyond = [number for number in frames if number > drawn.last]
    if beyond and not drawn.closed:
        typer.echo(
            f"{path}: {counted(len(beyond), 'frame')} with tracks behind the video's last, {drawn.last}",
            err=True,
        )


def _tracked(source: str) -> str:
    """What a run tracked, where its output folder is given (its video has boxes); else the same.

    Raises:
        UsageError: it is gone.
        ValueError: the run's summary is broken.
    """
    from mot_reid.pipeline.summary_file import read_summary

    location = (read_summary(Path(source) / "summary.json").get("source") or {}).get("location")
    if not location:
        return source
    if not Path(location).exists():
        raise UsageError(f"{source}: the run's source is not where it was, {location}; give it itself")
    return str(location)
