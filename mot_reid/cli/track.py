"""``mot-reid track``: follow people through videos, pictures, webcams and streams."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from mot_reid.cli.errors import FAILED, INTERRUPTED, UsageError, debugging, one_line, usage_errors
from mot_reid.cli.options import build_config, setting_option
from mot_reid.cli.progress import RunProgress
from mot_reid.detection.motchallenge import read_detections
from mot_reid.pipeline import OUTPUT_FILES, Summary, track_source
from mot_reid.structures import Detections
from mot_reid.tracker import NONE, Tracker
from mot_reid.video.frames import Selection, Source
from mot_reid.video.sinks import import_pyarrow
from mot_reid.video.sources import open_source

__all__ = ["run_source", "track"]

MODELS, FRAMES, OUTPUTS = "Models", "Frames", "Outputs"


def track(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Video files, folders of images, MOTChallenge sequence folders, webcam numbers, "
            "rtsp or http URLs.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder for the results; with several sources, a folder in it each."
        ),
    ] = Path("out"),
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="YAML file with settings; `mot-reid config` prints one."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change any setting: NAME=VALUE, such as association.max_age=90."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress bar and no closing line.")
    ] = False,
    detector: Annotated[str | None, setting_option("detector.weights", "--detector", panel=MODELS)] = None,
    detections: Annotated[
        Path | None,
        typer.Option(help="Take detections from this MOTChallenge file instead.", rich_help_panel=MODELS),
    ] = None,
    embedder: Annotated[str | None, setting_option("embedder.weights", "--embedder", panel=MODELS)] = None,
    camera_motion: Annotated[
        str | None, setting_option("camera.motion", "--camera-motion", panel=MODELS)
    ] = None,
    device: Annotated[str | None, setting_option("device", "--device", panel=MODELS)] = None,
    classes: Annotated[str | None, setting_option("detector.classes", "--classes", panel=MODELS)] = None,
    score: Annotated[float | None, setting_option("detector.score", "--score", panel=MODELS)] = None,
    image_size: Annotated[
        int | None, setting_option("detector.image_size", "--image-size", panel=MODELS)
    ] = None,
    start: Annotated[int, typer.Option(help="First frame, counted from 1.", rich_help_panel=FRAMES)] = 1,
    stop: Annotated[
        int | None, typer.Option(help="Last frame, included.", show_default="the end", rich_help_panel=FRAMES)
    ] = None,
    stride: Annotated[int, typer.Option(help="Take each n-th frame.", rich_help_panel=FRAMES)] = 1,
    video: Annotated[bool | None, setting_option("output.video", "--video/--no-video", panel=OUTPUTS)] = None,
    jsonl: Annotated[bool | None, setting_option("output.jsonl", "--jsonl/--no-jsonl", panel=OUTPUTS)] = None,
    csv: Annotated[bool | None, setting_option("output.csv", "--csv/--no-csv", panel=OUTPUTS)] = None,
    parquet: Annotated[
        bool | None, setting_option("output.parquet", "--parquet/--no-parquet", panel=OUTPUTS)
    ] = None,
    offline: Annotated[
        bool | None, setting_option("output.offline", "--offline/--no-offline", panel=OUTPUTS)
    ] = None,
    labels: Annotated[
        bool | None, setting_option("output.labels", "--labels/--no-labels", panel=OUTPUTS)
    ] = None,
    trail: Annotated[int | None, setting_option("output.trail", "--trail", panel=OUTPUTS)] = None,
) -> None:
    r"""Track people through videos, image folders, webcams and streams.

    Writes frame by frame, so that Ctrl-C keeps what is there: tracks.txt (MOTChallenge format), tracks.mp4,
    and on request tracks.jsonl, tracks.csv and tracks.parquet; at the end summary.json, and with --offline
    tracks_offline.txt, the same tracks linked, filled and smoothed with hindsight.

    For example

    \b
    mot-reid track street.mp4 -o out
    mot-reid track a.mp4 b.mp4 -o out --detector yolo11m.pt --classes 0,bicycle
    mot-reid track 0 --csv --no-video
    mot-reid track MOT17-02 --detections det.txt --set association.max_age=90
    """
    options = {
        "detector.weights": detector,
        "embedder.weights": embedder,
        "camera.motion": camera_motion,
        "device": device,
        "detector.classes": None
        if classes is None
        else [entry.strip() for entry in classes.split(",") if entry.strip()],
        "detector.score": score,
        "detector.image_size": image_size,
        "output.video": video,
        "output.jsonl": jsonl,
        "output.csv": csv,
        "output.parquet": parquet,
        "output.offline": offline,
        "output.labels": labels,
        "output.trail": trail,
    }
    if detections is not None and len(sources) > 1:
        raise UsageError(f"--detections: one file cannot serve {len(sources)} sources")
    with usage_errors():
        Selection(start, stop, stride)
        tracker = Tracker(config=build_config(config, options, set_ or []))
        if detections is None and tracker.config.detector.weights == NONE:
            raise UsageError("--detector none: needs --detections FILE")
        if detections is not None:
            unused = {"--classes": classes, "--score": score, "--image-size": image_size}
            unused["--detector"] = None if detector == NONE else detector
            for option, value in unused.items():
                if value is not None:
                    raise UsageError(f"{option}: has no effect with --detections, which runs no detector")
        if tracker.config.output.parquet:
            import_pyarrow()
        given = None if detections is None else read_detections(detections)
        tracker.load(detector=detections is None)
    failed = 0
    taken: set[str] = set()
    for name in sources:
        try:
            with open_source(name, start, stop, stride) as source:
                folder = output if len(sources) == 1 else output / _unique(source.info.name, taken)
                _keep_inputs(folder, [Path(name), *([detections] if detections else [])])
                run_source(source, tracker, folder, stride=stride, detections=given, quiet=quiet)
        except (typer.Exit, UsageError):
            raise
        except Exception as error:  # whatever went wrong here, the other sources shall have their turn
            if debugging():
                raise
            typer.echo(f"error: {one_line(error)}", err=True)
            failed += 1
    if failed:
        if len(sources) > 1:
            typer.echo(f"error: {failed} of {len(sources)} sources failed", err=True)
        raise typer.Exit(FAILED)


def _unique(name: str, taken: set[str]) -> str:
    """``name``, or with a number behind it where it is taken; takes it."""
    choices = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    free = next(choice for choice in choices if choice not in taken)
    taken.add(free)
    return free


def _keep_inputs(folder: Path, inputs: list[Path]) -> None:
    """Refuses a folder in which a run would write over what it reads."""
    written = {(folder / name).resolve() for name in OUTPUT_FILES}
    for path in inputs:
        if path.resolve() in written:
            raise UsageError(f"{path}: would be overwritten by the results; choose another --output folder")


def run_source(
    source: Source,
    tracker: Tracker,
    folder: Path,
    *,
    stride: int = 1,
    detections: Mapping[int, Detections] | None = None,
    quiet: bool = False,
) -> Summary:
    """Runs one source under a progress bar and prints what came of it.

    Raises:
        typer.Exit: the run was interrupted; what there was is written.
        SourceError, OSError, ValueError: as `mot_reid.pipeline.track_source`.
    """
    summary = Summary(source.info)
    with RunProgress(source.info.name, source.info.frame_count, quiet) as progress:

        def on_frame(current: Summary) -> None:
            nonlocal summary
            summary = current
            progress(current)

        try:
            summary = track_source(
                source, tracker, folder, stride=stride, detections=detections, on_frame=on_frame
            )
        except KeyboardInterrupt:
            typer.echo(f"interrupted after {summary.frames} frames, kept in {folder}", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except BaseException:
            if summary.frames:
                typer.echo(f"{summary.frames} frames are kept in {folder}", err=True)
            raise
    if not quiet:
        typer.echo(
            f"{source.info.name}: {summary.frames} frames, {summary.tracks} tracks, "
            f"{summary.frames_per_second:.1f} frames/s, written to {folder}"
        )
    return summary
