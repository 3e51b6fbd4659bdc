"""``mot-reid batch``: track many videos on this machine's cores or on a Ray cluster."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mot_reid.cli.errors import FAILED, INTERRUPTED, usage_errors
from mot_reid.cli.options import QuietOption, build_config, given_settings, setting_option, with_formats
from mot_reid.cluster.batch import BATCH_FILE, LOGS, Batch, Plan
from mot_reid.cluster.engines import Engine, LocalEngine, RayEngine
from mot_reid.cluster.manifest import Video, read_manifest
from mot_reid.cluster.places import is_remote, plain
from mot_reid.concurrency import available_cores
from mot_reid.video.files import prepare_output_folder
from mot_reid.wording import counted

__all__ = ["batch"]

WORK = "Work"
MODELS = "Models"


ManifestArgument = Annotated[
    str,
    typer.Argument(
        metavar="MANIFEST",
        help="A CSV file (columns source, and if wanted name, camera, group), JSON lines with these keys, a "
        "folder, or a quoted pattern; local, mounted, or in object storage (s3://... and the like).",
    ),
]
OutputOption = Annotated[
    str, typer.Option("--output", "-o", help="Folder or URL for the results; each video has a folder in it.")
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="YAML file with settings; `mot-reid config` prints one."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change any setting: NAME=VALUE, such as detector.score=0.2."),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        help="A Ray cluster's address (auto, HOST:PORT, ray://HOST:PORT), or local: one on this machine.",
        show_default="processes on this machine, without Ray",
        rich_help_panel=WORK,
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        help="Videos at the same time, without --ray.",
        show_default="one a core",
        rich_help_panel=WORK,
    ),
]
CoresOption = Annotated[int, typer.Option(min=1, help="Cores that each takes.", rich_help_panel=WORK)]
GpusOption = Annotated[
    float,
    typer.Option(
        min=0,
        help="Accelerators that each takes with --ray; 0.25 lets four share one.",
        rich_help_panel=WORK,
    ),
]
PieceOption = Annotated[
    float,
    typer.Option(
        min=0,
        help="Workers without a video of their own detect ahead in those that others track, in pieces of "
        "about this length; 0 for never.",
        rich_help_panel=WORK,
    ),
]
TriesOption = Annotated[
    int, typer.Option(min=1, help="How often a video that fails is tried.", rich_help_panel=WORK)
]
DetectorOption = Annotated[str | None, setting_option("detector.weights", "--detector", panel=MODELS)]
EmbedderOption = Annotated[str | None, setting_option("embedder.weights", "--embedder", panel=MODELS)]
ClassesOption = Annotated[str | None, setting_option("detector.classes", "--classes", panel=MODELS)]
DeviceOption = Annotated[str | None, setting_option("device", "--device", panel=MODELS)]
VideoOption = Annotated[
    bool,
    typer.Option("--video/--no-video", help="Write annotated videos too."),
]
GalleryOption = Annotated[
    str | None,
    typer.Option(
        help="Remember every tracklet in this gallery, a folder or LanceDB (s3://... and the like)."
    ),
]
IdentifyOption = Annotated[
    bool,
    typer.Option(
        "--identify",
        help="With --gallery: join everything in it to identities at the end, and write tracks_global.txt "
        "beside each tracks.txt: the same number is the same person in every video.",
    ),
]


def batch(
    manifest: ManifestArgument,
    output: OutputOption = "out",
    config: ConfigOption = None,
    set_: SetOption = None,
    quiet: QuietOption = False,
    ray: RayOption = None,
    workers: WorkersOption = None,
    cores: CoresOption = 1,
    gpus: GpusOption = 0.0,
    piece_minutes: PieceOption = 1.0,
    tries: TriesOption = 3,
    detector: DetectorOption = None,
    embedder: EmbedderOption = None,
    classes: ClassesOption = None,
    device: DeviceOption = None,
    video: VideoOption = False,
    gallery: GalleryOption = None,
    identify: IdentifyOption = False,
) -> None:
    r"""Track many videos, on this machine's cores or on a Ray cluster.

    Each video gets a folder with the files that `mot-reid track` writes, with --video the annotated video,
    too, when they are whole and not before. What is complete is not done again: the same command goes on
    where an earlier one, or its machine, stopped, and does anew what another video or another setting makes
    different. A worker that dies is replaced; a video that fails is tried again and then set aside, and the
    others go on. Workers that have no video left detect ahead in the long ones that others still track.

    Writes batch.json (how far each video came, and why one failed) and logs/NAME.log.

    For example

    \b
    mot-reid batch videos/ -o out
    mot-reid batch "cameras/*/2026-11-*.mp4" -o out --jobs 8
    mot-reid batch shop/ -o out --gallery people/ --identify
    mot-reid batch list.csv -o s3://bucket/tracks --ray auto --gpus 0.25
    """
    options = given_settings(batch, locals())
    with usage_errors():
        settings = with_formats(build_config(config, options, set_ or []), {"video": video})
        if identify and gallery is None:
            raise ValueError("--identify: needs --gallery, which remembers who was seen")
        videos = read_manifest(manifest)
        if gallery is not None:
            _check_gallery(gallery, settings.embeds, videos, manifest)
        if not is_remote(output):
            prepare_output_folder(plain(output))
        engine = _engine(ray, workers, cores, gpus)
    plan = Plan(piece_seconds=60 * piece_minutes, tries=tries, cores=cores)
    with engine, _Bar(quiet) as bar:
        work = Batch(videos, output, settings, engine, plan, bar.show, gallery)
        try:
            work.run()
        except KeyboardInterrupt:
            typer.echo(
                f"interrupted with {work.count('done', 'already done')} of "
                f"{counted(len(videos), 'video')} complete in {output}; the same command goes on",
                err=True,
            )
            raise typer.Exit(INTERRUPTED) from None
    if not quiet:
        _tell(work)
    if identify and gallery is not None:
        _identify(gallery, videos, output)
    failed = [state for state in work.states if state.status == "failed"]
    for state in failed:
        typer.echo(
            f"error: {state.video.name}: {state.error} (tried {counted(max(state.failures, 1), 'time')})",
            err=True,
        )
    if failed:
        typer.echo(
            f"error: {len(failed)} of {counted(len(videos), 'video')} failed; see {output}/{LOGS}", err=True
        )
        raise typer.Exit(FAILED)


def _check_gallery(gallery: str, embeds: bool, videos: list[Video], manifest: str) -> None:
    """Refuses what a gallery cannot remember: of a video named twice each run would replace the other's."""
    from mot_reid.gallery.opening import require_place  # takes a moment to load

    if not embeds:
        raise ValueError("--gallery: needs an embedder: with --embedder none nobody could be found again")
    require_place(gallery)
    names: dict[str, str] = {}
    for video in videos:
        if video.source in names:
            raise ValueError(
                f"--gallery: {video.source} is in {manifest} as {names[video.source]} and as {video.name}; "
                "a gallery remembers one run of a video"
            )
        names[video.source] = video.name


def _identify(gallery: str, videos: list[Video], output: str) -> None:
    from mot_reid.cluster.identities import identify_batch

    made = identify_batch(gallery, videos, output)
    if made is None:
        typer.echo(f"{gallery}: nobody was seen, so there is nobody to identify", err=True)
        return
    found, written = made
    typer.echo(
        f"{counted(len(found), 'identity')} of {counted(len(found.table), 'tracklet')} in {gallery}; "
        f"tracks_global.txt beside {len(written)} tracks.txt"
    )


def _engine(ray: str | None, workers: int | None, cores: int, gpus: float) -> Engine:
    if ray is not None:
        return RayEngine(ray, cores, gpus)
    if gpus:
        raise ValueError("--gpus: has no effect without --ray; --device chooses an accelerator here")
    return LocalEngine(workers or max(1, available_cores() // cores))


class _Bar:
    """How far the batch is, on a terminal: videos, frames a second, failures, time left."""

    def __init__(self, quiet: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("videos"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]:.1f} frames/s, {task.fields[failed]} failed"),
            TimeRemainingColumn(),
            console=console,
            disable=quiet or not os.isatty(2),
        )
        self._task = self._progress.add_task("", total=None, speed=0.0, failed=0)

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, work: Batch) -> None:
        """Shows how far a batch is now."""
        failed = work.count("failed")
        self._progress.update(
            self._task,
            total=len(work.states),
            completed=work.count("done", "already done") + failed,
            speed=work.frames / max(work.seconds, 1e-9),
            failed=failed,
        )


def _tell(work: Batch) -> None:
    """The closing table; of many videos only what needs attention."""
    table = Table()
    for name in ("video", "status", "frames", "tracks", "pieces ahead", "tries"):
        table.add_column(name, justify="left" if name in ("video", "status") else "right")
    shown = [state for state in work.states if state.status == "failed" or len(work.states) <= 40]
    for state in shown:
        figures = [str(state.figures.get(key, "-")) for key in ("frames", "tracks")]
        pieces = str(state.figures.get("pieces_ahead", 0))
        table.add_row(state.video.name, state.status, *figures, pieces, str(state.tries))
    if shown:
        Console().print(table)
    typer.echo(
        f"{counted(work.count('done'), 'video')} done, {work.count('already done')} already done, "
        f"{work.count('failed')} failed; {counted(work.frames, 'frame')} in {work.seconds:.0f} s, "
        f"{work.frames / max(work.seconds, 1e-9):.1f} frames/s; written to {work.out} ({BATCH_FILE})"
    )
