"""``mot-reid convert``: tracks from one format into others."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from mot_reid.cli.errors import UsageError, usage_errors

__all__ = ["convert"]

_MOST_FRAMES = 10_000_000  # a week at 15 a second


def convert(
    tracks: Annotated[
        Path,
        typer.Argument(
            metavar="TRACKS",
            help="MOTChallenge's text, CSV, JSON lines, Parquet, COCO's JSON, CVAT's XML or KITTI's text.",
        ),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to", help="Formats to write, such as coco,cvat: those of `mot-reid track --formats`."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path(
        "converted"
    ),
    source: Annotated[
        str | None,
        typer.Option(help="The video or pictures, for the frames' size and rate that some formats need."),
    ] = None,
) -> None:
    r"""Convert tracks from one format into others.

    For example

    \b
    mot-reid convert out/tracks.txt --to cvat,coco -o annotations
    mot-reid convert gt.txt --to yolo,labelstudio --source street.mp4
    mot-reid convert corrected.xml --to mot
    """
    from mot_reid.files import same_file, sole_writer
    from mot_reid.pipeline.summary_file import read_summary
    from mot_reid.structures import Tracks
    from mot_reid.video.files import prepare_output_folder
    from mot_reid.video.formats import FORMATS, SinkInfo, chosen_formats
    from mot_reid.video.sources import open_source
    from mot_reid.video.track_files import read_tracks

    with usage_errors():
        chosen = chosen_formats(name.strip() for name in to.split(",") if name.strip())
        if not chosen or any(entry.pictures for entry in chosen.values()):
            texts = [name for name, entry in FORMATS.items() if not entry.pictures]
            raise UsageError(f"--to {to}: expected some of {', '.join(texts)}; `mot-reid draw` makes videos")
        read = read_tracks(tracks)
        info = SinkInfo(class_names=read.class_names or {0: "person"}, source=tracks.stem)
        stride = int(read_summary(tracks.with_name("summary.json")).get("stride") or 1)
        if source is not None:
            with open_source(source) as opened:
                seen = opened.info
                info = replace(info, fps=seen.fps, source=source, width=seen.width, height=seen.height)
        info = replace(info, fps=info.fps / stride, stride=stride)
        if max(read.tracks, default=0) > _MOST_FRAMES and any(entry.every_frame for entry in chosen.values()):
            raise UsageError(f"{tracks}: has a frame {max(read.tracks)}; yolo makes a file for each frame")
        folder = prepare_output_folder(output)
        for entry in chosen.values():
            written = [folder / name for name in (entry.file, *entry.also)]
            if any(
                same_file(path, read_from) for path in written for read_from in (tracks, source or tracks)
            ):
                raise UsageError(f"{tracks}: would be overwritten by the results; choose another --output")
    nobody, all_frames = Tracks.empty(), info.numbers(max(read.tracks, default=0), read.tracks)
    if not read.tracks:
        typer.echo(f"{tracks}: there is no track in it", err=True)
    with sole_writer(folder):
        for entry in chosen.values():
            with usage_errors():
                try:
                    sink = entry.open(folder / entry.file, info)
                except ValueError as error:  # the frames' size is not known
                    raise UsageError(f"{error}; --source names the video or pictures") from error
            with sink:
                for number in all_frames if entry.every_frame else read.tracks:
                    seen_at = read.times.get(number), read.wall_clocks.get(number)
                    who = read.identities.get(number)
                    sink.write(number, None, read.tracks.get(number, nobody), *seen_at, who)
            typer.echo(f"written: {folder / entry.file}")
