"""``mot-reid train-detector`` and ``evaluate-detector``: the shipped detector made again, and scored."""

import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mot_reid.cli.errors import INTERRUPTED, usage_errors
from mot_reid.cli.labels import file_stem, short_names
from mot_reid.cli.options import QuietOption, TrustOption, help_of, setting_option, show_tables, takes
from mot_reid.cli.progress import WorkProgress
from mot_reid.config import Config, DetectorConfig
from mot_reid.extras import require
from mot_reid.provenance import provenance
from mot_reid.training.detector.settings import DetectorTraining, FineTuning
from mot_reid.video.files import prepare_output_file, prepare_output_folder

if TYPE_CHECKING:
    from mot_reid.training.detector.pictures import MotFrames

__all__ = ["evaluate_detector", "train_detector"]

_FRAMES = "FOLDER[:FIRST-LAST[:STEP]]"
_TRAINING = "How it is trained (defaults are a YOLO's)"
_OWN = "How RTMDet is trained, besides"
_SETTINGS = {item.name for kind in (FineTuning, DetectorTraining) for item in fields(kind)}

YoloOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--yolo", help="A folder with images/ and labels/, class 0 = person; ignore/ if there are such areas."
    ),
]
WorkOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder for the converted pictures and each epoch's weights.",
        show_default="beside the output, as NAME.work",
    ),
]
ThreadsOption = Annotated[
    int | None, typer.Option(help="Threads of torch.", show_default="one a core", min=1)
]


def _training_option(name: str) -> Any:
    """An option for a field of `FineTuning`, with its help and default."""
    item = next(item for item in fields(FineTuning) if item.name == name)
    return typer.Option(help=help_of(item, item.default), show_default=False, rich_help_panel=_TRAINING)


def _own_option(name: str) -> Any:
    """An option for a field of `DetectorTraining` alone."""
    item = next(item for item in fields(DetectorTraining) if item.name == name)
    return typer.Option(help=help_of(item, item.default), show_default=False, rich_help_panel=_OWN)


@dataclass(frozen=True)
class TrainDetectorOptions:
    """Options of `mot-reid train-detector`."""

    output: Annotated[
        Path,
        typer.Argument(metavar="OUTPUT", help="The file to write, .safetensors for RTMDet, .pt for a YOLO."),
    ]
    start: Annotated[
        Path,
        typer.Option(
            help="What to start from: OpenMMLab's rtmdet_nano_person.onnx or a .safetensors of ours; for a "
            ".pt, an Ultralytics checkpoint whose class 0 is person."
        ),
    ]
    yolo: YoloOption = None
    mot: Annotated[
        list[str] | None,
        typer.Option(
            metavar=_FRAMES,
            help="A MOTChallenge sequence, or every STEP-th of its frames FIRST to LAST, from 1.",
        ),
    ] = None
    people: Annotated[
        Path | None,
        typer.Option(
            help="A folder of crops of one person each, to be cut out and pasted as crowds.",
        ),
    ] = None
    epochs: Annotated[int | None, _training_option("epochs")] = None
    runs: Annotated[int | None, _training_option("runs")] = None
    pictures: Annotated[int | None, _training_option("pictures")] = None
    image_size: Annotated[int | None, _training_option("image_size")] = None
    image_height: Annotated[int | None, _training_option("image_height")] = None
    batch: Annotated[int | None, _training_option("batch")] = None
    learning_rate: Annotated[float | None, _training_option("learning_rate")] = None
    backbone_rate: Annotated[float | None, _training_option("backbone_rate")] = None
    bf16: Annotated[bool | None, _training_option("bf16")] = None
    cutouts: Annotated[int | None, _training_option("cutouts")] = None
    crowds: Annotated[float | None, _training_option("crowds")] = None
    kept_share: Annotated[float | None, _training_option("kept_share")] = None
    keep_weight: Annotated[float | None, _training_option("keep_weight")] = None
    tuned_share: Annotated[float | None, _training_option("tuned_share")] = None
    seed: Annotated[int | None, _training_option("seed")] = None
    frozen: Annotated[int | None, _own_option("frozen")] = None
    reuse: Annotated[int | None, _own_option("reuse")] = None
    depthwise: Annotated[bool | None, _own_option("depthwise")] = None
    average: Annotated[float | None, _own_option("average")] = None
    calibrate: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder like --yolo's, of other pictures: RTMDet's scores are made precisions on it.",
            rich_help_panel=_OWN,
        ),
    ] = None
    work: WorkOption = None
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on after the last epoch in --work, with its settings.")
    ] = False
    threads: ThreadsOption = None
    trust_weights: TrustOption = False
    quiet: QuietOption = False


@takes(TrainDetectorOptions)
def train_detector(given: TrainDetectorOptions) -> None:
    r"""Train a detector to people on pictures and MOTChallenge frames: RTMDet-nano, or an Ultralytics YOLO.

    Boxes are those of the labels; of MOTChallenge's frames, full bodies. Part of the training pictures is
    filled with crowds, which teaches small people and those behind others. RTMDet (OUTPUT.safetensors) learns
    in plain torch, its crowds are people cut out of --yolo's pictures, and the export that a CPU runs is
    written beside it. A YOLO (OUTPUT.pt) learns in Ultralytics' loop, its crowds are --people's; `mot-reid
    export` makes its export. Ctrl-C keeps what the finished epochs or runs gave; --resume goes on from there.

    For example

    \b
    mot-reid train-detector person.safetensors --start rtmdet_nano_person.onnx --yolo pictures/train
    mot-reid train-detector person.pt --start yolo11n.pt --yolo pictures/train --people bounding_box_train
    """
    require(*(("onnx", "RTMDet's export") if given.output.suffix != ".pt" else ("ultralytics", "a YOLO")))
    from mot_reid.training.detector import trainer as training
    from mot_reid.training.detector.pictures import MotFrames

    with usage_errors():
        chosen = {
            name: value for name, value in vars(given).items() if name in _SETTINGS and value is not None
        }
        settings = _settings(given.output, chosen, given.people)
        ours = isinstance(settings, DetectorTraining)
        if given.calibrate and not ours:
            raise ValueError("--calibrate: not for a YOLO")
        sequences = [MotFrames.parse(entry) for entry in given.mot or []]
        prepare_output_file(given.output)
        _check_inputs(given)
        folder = training.work_folder(given.output, given.work)
        last = folder / "last.pt" if ours else training.last_epoch(folder)
        if given.resume and not last.is_file():
            raise FileNotFoundError(f"nothing to resume: no {last}")
        if given.resume:
            _require_same(chosen, settings, given.start, folder)
    before = _state_of(given.output)
    try:
        _train(given, settings, sequences, folder)
    except KeyboardInterrupt:
        told = "before the end of the first epoch"
        if _state_of(given.output) != before:
            told = f"what was learnt is kept in {given.output}; --resume goes on"
        elif given.resume:
            told = f"before anything was learnt; {folder} is as it was, and --resume goes on"
        typer.echo(f"interrupted: {told}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    typer.echo(f"written: {given.output}")


def _state_of(path: Path) -> tuple[int, int] | None:
    """What tells a file from the one that it was before; None where there is none."""
    found = path.stat() if path.exists() else None
    return None if found is None else (found.st_ino, found.st_mtime_ns)


def _check_inputs(given: TrainDetectorOptions) -> None:
    if not given.start.is_file():
        raise FileNotFoundError(f"--start {given.start}: no such file")
    if given.people is not None and not given.people.is_dir():
        raise FileNotFoundError(f"--people {given.people}: no such folder")
    if not (given.yolo or given.mot or given.resume):
        raise ValueError("nothing to learn from; give --yolo or --mot")


def _require_same(
    given: dict[str, Any], settings: DetectorTraining | FineTuning, start: Path, work: Path
) -> None:
    """Raises ValueError if a setting that was given is not that of the training to go on with."""
    from mot_reid.training.detector.work_folder import kept_settings

    ours = isinstance(settings, DetectorTraining)
    kept = kept_settings(work, DetectorTraining, start) if ours else kept_settings(work, FineTuning, start)
    for name, value in given.items():
        own = getattr(kept, name)
        if value != own:
            raise ValueError(
                f"--{name.replace('_', '-')} {value}: the training in {work} goes on with its own {own};"
                " leave it out, or begin anew without --resume"
            )


def _train(
    given: TrainDetectorOptions,
    settings: DetectorTraining | FineTuning,
    sequences: "list[MotFrames]",
    folder: Path,
) -> None:
    import torch

    from mot_reid.training.detector import trainer as training
    from mot_reid.training.detector.rtmdet_training import train_rtmdet

    if given.threads:
        torch.set_num_threads(given.threads)
    start, output, pictures = given.start, given.output, given.yolo or []
    with WorkProgress(given.quiet) as progress:
        if isinstance(settings, DetectorTraining):
            with usage_errors():
                train_rtmdet(
                    *(start, output, pictures, sequences, settings, folder, given.resume),
                    on_step=progress,
                    calibration=given.calibrate or [],
                )
        else:
            training.train_detector(
                *(start, output, pictures, sequences, given.people, settings, given.work, given.resume),
                progress,
            )


def _settings(output: Path, given: dict[str, Any], people: Path | None) -> DetectorTraining | FineTuning:
    """Those of the kind of detector that the output's name means.

    Raises:
        ValueError: the name means none, or an option is one of the other kind.
    """
    if output.suffix not in (".pt", ".safetensors"):
        raise ValueError(f"{output}: expected a name that ends in .safetensors (RTMDet) or .pt (a YOLO)")
    ours = output.suffix == ".safetensors"
    kind = DetectorTraining if ours else FineTuning
    for name in sorted(given.keys() - {item.name for item in fields(kind)}):
        raise ValueError(f"--{name.replace('_', '-')}: not for {'RTMDet' if ours else 'a YOLO'}")
    if ours and people is not None:
        raise ValueError("--people: RTMDet's crowds are made of the people in --yolo's pictures")
    return kind(**given)


def evaluate_detector(
    weights: Annotated[
        list[str], typer.Argument(metavar="WEIGHTS...", help="Checkpoints or exports to compare.")
    ],
    yolo: YoloOption = None,
    mot: Annotated[
        list[str] | None,
        typer.Option(
            metavar=f"NAME={_FRAMES}",
            help="Frames of a MOTChallenge sequence; those of one NAME are one set.",
        ),
    ] = None,
    sizes: Annotated[
        str, typer.Option(help="Longer sides of the network's input, pixels, with commas between.")
    ] = "640,960,1280",
    low_score: Annotated[
        float, typer.Option(help="Least score of the boxes that count for the recall.", min=0, max=1)
    ] = 0.1,
    runtime: Annotated[str | None, setting_option("detector.runtime", "--runtime")] = None,
    device: Annotated[str | None, setting_option("device", "--device")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Save the table there as JSON, CSV and Markdown.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the saved files.")] = "detectors",
    trust_weights: TrustOption = False,
    quiet: QuietOption = False,
) -> None:
    r"""Score detectors on labelled pictures: AP50, recall at a low score, and the time of a picture.

    For example

    \b
    mot-reid evaluate-detector yolo11n.pt person_yolo11n.pt --yolo pictures/check --mot mot17=MOT17-02:1-8
    """
    from mot_reid.devices import resolve_device
    from mot_reid.training.detector import scores as detection_scores
    from mot_reid.training.detector.pictures import MotFrames, convert_mot

    with tempfile.TemporaryDirectory(prefix="mot_reid-") as temporary:
        with usage_errors():
            lengths = _sizes(sizes)
            where = resolve_device(device or Config().device)
            file_stem(name)
            folders = dict.fromkeys(folder.resolve() for folder in yolo or [])
            sets = dict(zip(short_names(folders, parts=2), folders, strict=True))
            for entry in mot or []:
                label, equals, spec = entry.partition("=")
                if not equals:
                    raise ValueError(f"--mot {entry}: expected NAME={_FRAMES}")
                sets[label] = Path(temporary) / label
                convert_mot(MotFrames.parse(spec), sets[label])
            if not sets:
                raise ValueError("nothing to score on; give --yolo or --mot")
            if output is not None:
                prepare_output_folder(output)
        rows: list[dict[str, Any]] = []
        try:
            with WorkProgress(quiet) as progress:
                paths = dict.fromkeys(weights)
                for stem, path in zip(short_names(paths), paths, strict=True):

                    def report(done: int, total: int, stem: str = stem) -> None:
                        progress(stem, done, total)

                    with usage_errors():
                        scores = detection_scores.evaluate_detector(
                            path, sets, lengths, low_score, runtime or "auto", where, report
                        )
                    rows += [
                        {"weights": stem, "size": size, "set": label, **vars(score)}
                        for (label, size), score in scores.items()
                    ]
        finally:  # a file that cannot be run, or Ctrl-C, does not cost what was scored before
            if rows:
                _print_scores(rows, low_score, output, name)


def _print_scores(rows: list[dict[str, Any]], low_score: float, output: Path | None, name: str) -> None:
    from mot_reid.evaluation.tables import Column, Table

    columns = [Column(key) for key in ("weights", "size", "set", "pictures", "people")]
    columns += [Column("ap50", 3), Column("recall", 3), Column("milliseconds", 1)]
    title = f"Detectors: AP50, recall of boxes with score >= {low_score}, milliseconds a picture"
    show_tables({name: Table(title, columns, rows, provenance())}, output)


def _sizes(text: str) -> list[int]:
    sides = [entry.strip() for entry in text.split(",")]
    if not all(side.isdecimal() for side in sides):
        raise ValueError(f"--sizes {text!r}: expected whole numbers with commas between, such as 640,960")
    return [DetectorConfig(image_size=int(side)).image_size for side in sides]
