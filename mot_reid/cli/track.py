"""``mot-reid track``: follow people through videos, pictures, webcams and streams."""

import itertools
import sys
import traceback
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from mot_reid.cli.errors import FAILED, UsageError, debugging, one_line, usage_errors
from mot_reid.cli.options import (
    ConfigOption,
    PresetOption,
    TrustOption,
    build_config,
    format_option,
    given_formats,
    given_settings,
    setting_option,
    takes,
    with_formats,
)
from mot_reid.cli.remembering import (
    EVENTS_FILE,
    CameraOption,
    GalleryOption,
    IdentifyOption,
    Remembering,
    ReplaceOption,
    StartedOption,
    StoreOption,
    identify_runs,
    remembering,
)
from mot_reid.cli.runs import Runs
from mot_reid.config import Config
from mot_reid.detection.motchallenge import read_detections
from mot_reid.pipeline.counting import check_scene
from mot_reid.pipeline.outputs import files_read, first_overwritten
from mot_reid.pipeline.steps import network_threads
from mot_reid.tracker import NONE, Tracker
from mot_reid.video.files import prepare_output_folder
from mot_reid.video.formats import chosen_formats
from mot_reid.video.frames import Selection, SourceError
from mot_reid.video.sources import DEFAULT_RECONNECT, check_fps, is_live, open_source, source_name
from mot_reid.wording import counted

__all__ = ["track"]

_FILES = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".txt", ".csv", ".json", ".jsonl", ".parquet")
"""How the names of files end that somebody may take --output for."""
_STILLS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
MODELS, FRAMES, OUTPUTS = "Models", "Frames", "Outputs"


@dataclass(frozen=True)
class TrackOptions:
    """Options of `mot-reid track`."""

    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Video files, folders of images or with one video, MOTChallenge sequence folders, webcam "
            "numbers, rtsp or http URLs.",
        ),
    ]
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder for the results; of several sources each has a folder in it."
        ),
    ] = Path("out")
    preset: PresetOption = None
    config: ConfigOption = None
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change any setting: NAME=VALUE, such as detector.nms_iou=0.6."),
    ] = None
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no closing line.")] = False
    trust_weights: TrustOption = False
    detector: Annotated[str | None, setting_option("detector.weights", "--detector", panel=MODELS)] = None
    detections: Annotated[
        Path | None,
        typer.Option(help="Take detections from this MOTChallenge file instead.", rich_help_panel=MODELS),
    ] = None
    embedder: Annotated[str | None, setting_option("embedder.weights", "--embedder", panel=MODELS)] = None
    camera_motion: Annotated[str | None, setting_option("camera.motion", "--camera-motion", panel=MODELS)] = (
        None
    )
    device: Annotated[str | None, setting_option("device", "--device", panel=MODELS)] = None
    classes: Annotated[list[str] | None, setting_option("detector.classes", "--classes", panel=MODELS)] = None
    score: Annotated[float | None, setting_option("detector.score", "--score", panel=MODELS)] = None
    image_size: Annotated[int | None, setting_option("detector.image_size", "--image-size", panel=MODELS)] = (
        None
    )
    every: Annotated[str | None, setting_option("detector.every", "--every", panel=MODELS)] = None
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            help="Most sources tracked at the same time; they share the models.",
            show_default="1, with a webcam or stream all",
        ),
    ] = None
    gallery: GalleryOption = None
    camera: CameraOption = None
    started: StartedOption = None
    replace: ReplaceOption = False
    store: StoreOption = None
    identify: IdentifyOption = False
    start: Annotated[int, typer.Option(help="First frame, counted from 1.", rich_help_panel=FRAMES)] = 1
    stop: Annotated[
        int | None, typer.Option(help="Last frame, included.", show_default="the end", rich_help_panel=FRAMES)
    ] = None
    stride: Annotated[int, typer.Option(help="Take each n-th frame.", rich_help_panel=FRAMES)] = 1
    fps: Annotated[
        float | None,
        typer.Option(
            help="Frames a second: of a folder of pictures, or where a video says them wrong.",
            show_default="what the source says; 30 for pictures",
            rich_help_panel=FRAMES,
        ),
    ] = None
    reconnect: Annotated[
        int,
        typer.Option(
            min=0,
            help="How often in a row a webcam or stream that breaks off is opened again, after 0.5, 1, 2 ... "
            "30 s; 0 for never.",
            rich_help_panel=FRAMES,
        ),
    ] = DEFAULT_RECONNECT
    stretch: Annotated[
        bool,
        typer.Option("--stretch", help="16-bit pictures: use all of the range.", rich_help_panel=FRAMES),
    ] = False
    formats: Annotated[list[str] | None, setting_option("output.formats", "--formats", panel=OUTPUTS)] = None
    video: Annotated[bool | None, format_option("video")] = None
    jsonl: Annotated[bool | None, format_option("jsonl")] = None
    csv: Annotated[bool | None, format_option("csv")] = None
    parquet: Annotated[bool | None, format_option("parquet")] = None
    lag: Annotated[float | None, setting_option("output.lag", "--lag", panel=OUTPUTS)] = None
    offline: Annotated[
        bool | None, setting_option("output.offline", "--offline/--no-offline", panel=OUTPUTS)
    ] = None
    analytics: Annotated[Path | None, setting_option("output.analytics", "--analytics", panel=OUTPUTS)] = None
    labels: Annotated[bool | None, setting_option("output.labels", "--labels/--no-labels", panel=OUTPUTS)] = (
        None
    )
    trail: Annotated[int | None, setting_option("output.trail", "--trail", panel=OUTPUTS)] = None
    show: Annotated[
        bool,
        typer.Option("--show", help="Show a window while it tracks; q ends it.", rich_help_panel=OUTPUTS),
    ] = False


@takes(TrackOptions)
def track(given: TrackOptions) -> None:
    r"""Track people through videos, image folders, webcams and streams.

    Decoding, detection, tracking, drawing and writing overlap. No frame of a file is left out, unless it
    is damaged; of a webcam or a stream the newest one is taken. summary.json says how many were damaged or
    came too fast.

    Writes frame by frame, so that Ctrl-C (exit code 130; it completes the run of a live source) keeps what
    is there: tracks.txt (MOTChallenge format), tracks.mp4,
    and on request tracks.jsonl, tracks.csv and tracks.parquet; at the end summary.json, and with --offline
    tracks_offline.txt, the same tracks linked, pruned, filled and smoothed with hindsight.

    For example

    \b
    mot-reid track street.mp4 -o out
    mot-reid track a.mp4 b.mp4 -o out --detector yolo11m.pt --classes 0,bicycle
    mot-reid track a.mp4 b.mp4 c.mp4 --jobs 3
    mot-reid track 0 --csv --no-video --show
    mot-reid track MOT17-02 --detections det.txt --set association.tentative.min_hits=3
    mot-reid track door.mp4 yard.mp4 --gallery shop/
    """
    _require_sources(given.sources, given.classes or [])
    missing = _tell_missing(given.sources)
    failed = len(missing)
    if failed < len(given.sources):
        failed += _run(given, missing)
    if failed:
        if len(given.sources) > 1:
            typer.echo(f"error: {failed} of {counted(len(given.sources), 'source')} failed", err=True)
        raise typer.Exit(FAILED)


def _run(given: TrackOptions, missing: Collection[str]) -> int:
    """Tracks through the sources that are there; how many failed."""
    if given.detections is not None and len(given.sources) > 1:
        raise UsageError(f"--detections: one file cannot serve {len(given.sources)} sources")
    with usage_errors():
        selection = Selection(given.start, given.stop, given.stride)
        live = any(map(is_live, given.sources))
        check_fps(given.fps, live=live)
        at_once = min(given.jobs or (len(given.sources) if live else 1), len(given.sources))
        tracker = _tracker(given, live=live, at_once=at_once)
        detections = None if given.detections is None else read_detections(given.detections)
        _load(tracker, detects=detections is None, quiet=given.quiet)
        names = {0: "person"} if detections is not None else tracker.class_names
        check_scene(tracker.config, names, given.sources)
    folders = _folders(given)
    _keep_inputs(folders, _read_by(given, tracker.config))
    memory = _remember(given, tracker, folders, names)
    new = [folder for folder in (given.output, *given.output.parents) if not folder.exists()]
    with usage_errors():
        prepare_output_folder(given.output)
    runs = Runs(
        tracker,
        selection,
        detections,
        given.detections,
        given.quiet,
        given.fps,
        memory,
        given.stretch,
        given.reconnect,
        given.show,
    )
    pairs = [pair for pair in zip(given.sources, folders, strict=True) if pair[0] not in missing]
    failed = runs.one_by_one(pairs) if at_once == 1 else runs.side_by_side(pairs, at_once)
    for folder in new if failed else ():  # of sources that could not be opened nothing is in them
        with suppress(OSError):
            folder.rmdir()
    if given.identify and memory is not None:
        identify_runs(memory, given.output)
    return failed


def _is_missing(source: str) -> bool:
    return not is_live(source) and not Path(source).exists()


def _tell_missing(sources: Sequence[str]) -> list[str]:
    """Tells of the sources that do not exist, before anything is loaded or made and not after the others."""
    missing = list(filter(_is_missing, sources))
    for source in missing:
        try:
            open_source(source)
        except SourceError as error:
            if debugging():
                traceback.print_exc()
            typer.echo(f"error: {one_line(error)}", err=True)
    return missing


def _require_sources(sources: Sequence[str], classes: Sequence[str]) -> None:
    """Refuses options written as Ultralytics' are; tells of classes and pictures given one by one."""
    for source in filter(_is_missing, sources):
        name, equals, value = source.partition("=")
        if equals and name.isidentifier():
            raise UsageError(
                f"{source}: no such file or folder; options are given as --name VALUE and a source by "
                f"itself, as in mot-reid track {value if name == 'source' else 'street.mp4 --show'}"
            )
    numbers = all(entry.isdecimal() for entry in classes)
    strays = [s for s in sources if (s.isdecimal() if numbers else s.isidentifier() and _is_missing(s))]
    if classes and 0 < len(strays) < len(sources):
        typer.echo(
            f"{', '.join(strays)}: taken for a source; if a class is meant, write them as one: "
            f"--classes {','.join([*classes, *strays])}",
            err=True,
        )
    pictures = [Path(source) for source in sources if Path(source).suffix.lower() in _STILLS]
    if len(pictures) > 1:
        typer.echo(
            f"{len(pictures)} pictures, each a source of one frame; to track through them as one sequence "
            f"give their folder: mot-reid track {pictures[0].parent}",
            err=True,
        )


def _require_window(at_once: int) -> None:
    """Refuses to show what cannot be shown, before anything is loaded."""
    from mot_reid.video.window import require_display

    if at_once > 1:
        raise UsageError("--show: one source at a time has a window; give one, or --jobs 1")
    require_display()


def _tracker(given: TrackOptions, *, live: bool, at_once: int) -> Tracker:
    """The tracker that the options ask for, its models not loaded yet."""
    options = given_settings(TrackOptions, vars(given))
    settings = build_config(given.config, options, given.set_ or [], given.preset)
    settings = with_formats(settings, given_formats(TrackOptions, vars(given)))
    if given.identify and given.offline is None and not live:  # who is who is said with hindsight
        settings = replace(settings, output=replace(settings.output, offline=True))
    if _motion_file(settings) is not None and len(given.sources) > 1:
        raise UsageError(f"--camera-motion: one file cannot serve {len(given.sources)} sources")
    if given.show:
        _require_window(at_once)
    detects = given.detections is None
    tracker = Tracker(config=settings, threads=network_threads(settings, live=live, detects=detects))
    if detects and tracker.config.detector.weights == NONE:
        raise UsageError("--detector none: needs --detections FILE")
    if not detects:
        unused = {
            "--classes": given.classes or None,
            "--score": given.score,
            "--image-size": given.image_size,
            "--every": given.every,
        }
        unused["--detector"] = None if given.detector == NONE else given.detector
        _refuse(unused)
    chosen_formats(tracker.config.output.formats)
    return tracker


def _motion_file(settings: Config) -> str | None:
    return None if settings.camera.motion in ("flow", "still", NONE) else settings.camera.motion


def _folders(given: TrackOptions) -> list[Path]:
    """Where the results of each source go."""
    if len(given.sources) == 1:
        return [given.output]
    return [given.output / name for name in _unique(map(source_name, given.sources))]


def _read_by(given: TrackOptions, settings: Config) -> list[str | Path]:
    """Everything that the runs read."""
    files = (given.detections, given.config, *files_read(settings))
    return [*given.sources, *(path for path in files if path)]


def _remember(
    given: TrackOptions, tracker: Tracker, folders: list[Path], class_names: Mapping[int, str]
) -> Remembering | None:
    """What makes the recorder of each source, where there is a gallery."""
    if given.gallery is None:
        for name in ("identify", "camera", "started", "replace", "store"):
            if getattr(given, name):
                raise UsageError(f"--{name}: needs --gallery")
        return None
    names = given.camera or _unique(map(source_name, given.sources))
    if len(names) != len(folders):
        raise UsageError(f"--camera: {counted(len(names), 'name')} for {counted(len(folders), 'source')}")
    cameras = dict(zip(folders, names, strict=True))
    events = given.output / EVENTS_FILE if given.identify else None
    return remembering(
        *(given.gallery, tracker, cameras, given.sources, given.started, given.replace, given.store),
        class_names=class_names,
        events=events,
    )


def _refuse(options: Mapping[str, object]) -> None:
    """Refuses options of the detector that were given where none runs."""
    for option, value in options.items():
        if value is not None:
            raise UsageError(f"{option}: has no effect with --detections, which runs no detector")


def _unique(names: Iterable[str]) -> list[str]:
    """The names, with a number behind those that were there before: on some disks capitals are the same."""
    taken: dict[str, str] = {}
    for name in names:
        choices = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
        new = next(choice for choice in choices if choice.casefold() not in taken)
        taken[new.casefold()] = new
    return list(taken.values())


def _keep_inputs(folders: list[Path], inputs: list[str | Path]) -> None:
    """Refuses folders in which one of the runs would write over what it or another one reads."""
    for folder in folders:
        if folder.name == "-":
            raise UsageError("--output -: expected a folder; nothing is written to standard output")
        if folder.suffix.lower() in _FILES and not folder.is_dir() and len(folders) == 1:
            raise UsageError(f"--output {folder}: expected a folder; the video in it is tracks.mp4")
    lost = first_overwritten(folders, inputs)
    if lost is not None:
        raise UsageError(f"{lost}: would be overwritten by the results; choose another --output folder")


def _load(tracker: Tracker, *, detects: bool, quiet: bool) -> None:
    """Loads the models; on a terminal a line says why nothing moves yet."""
    if not quiet and sys.stderr.isatty():
        typer.echo("loading models", err=True)
    tracker.load(detector=detects)
