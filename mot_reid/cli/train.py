"""``mot-reid train``: train an appearance embedder on crops of people."""

import math
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mot_reid.cli.errors import INTERRUPTED, usage_errors
from mot_reid.cli.options import QuietOption, build_settings, given_settings, setting_option, takes
from mot_reid.cli.progress import WorkProgress
from mot_reid.extras import require
from mot_reid.files import sole_writer
from mot_reid.training.reid.settings import TrainingSettings
from mot_reid.video.files import prepare_output_folder
from mot_reid.wording import counted

if TYPE_CHECKING:
    from mot_reid.training.reid.logbook import EpochMetrics

__all__ = ["train"]

DATA, NETWORK, LOSSES, TEACHERS, COURSE = "Data", "Network", "Losses", "Teachers", "Course"
option = partial(setting_option, base=TrainingSettings())


@dataclass(frozen=True)
class TrainOptions:
    """Options of `mot-reid train`."""

    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Folder of crops: Market-1501, DukeMTMC-reID, CUHK03-NP (labeled or detected), MSMT17, or "
            "any with --pattern.",
        ),
    ]
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder for the embedder, its metrics, and what resumes it."),
    ] = Path("runs/reid")
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="YAML file with settings; `mot-reid config train` prints one."),
    ] = None
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change any setting: NAME=VALUE, such as losses.contrastive=1."),
    ] = None
    resume: Annotated[
        bool, typer.Option(help="Go on where a training in the output folder was interrupted.")
    ] = True
    threads: Annotated[
        int | None, typer.Option(help="CPU threads.", min=1, show_default="torch's choice")
    ] = None
    quiet: QuietOption = False
    pattern: Annotated[str | None, option("data.pattern", "--pattern", panel=DATA)] = None
    height: Annotated[int | None, option("data.height", "--height", panel=DATA)] = None
    width: Annotated[int | None, option("data.width", "--width", panel=DATA)] = None
    held_out: Annotated[int | None, option("data.held_out", "--held-out", panel=DATA)] = None
    attributes: Annotated[Path | None, option("data.attributes", "--attributes", panel=DATA)] = None
    architecture: Annotated[str | None, option("network.architecture", "--architecture", panel=NETWORK)] = (
        None
    )
    backbone: Annotated[str | None, option("network.backbone", "--backbone", panel=NETWORK)] = None
    reduced_dim: Annotated[int | None, option("network.reduced_dim", "--reduced-dim", panel=NETWORK)] = None
    initial: Annotated[Path | None, option("network.initial", "--initial", panel=NETWORK)] = None
    softmax: Annotated[float | None, option("losses.softmax", "--softmax", panel=LOSSES)] = None
    triplet: Annotated[float | None, option("losses.triplet", "--triplet", panel=LOSSES)] = None
    contrastive: Annotated[float | None, option("losses.contrastive", "--contrastive", panel=LOSSES)] = None
    attribute_weight: Annotated[
        float | None, option("losses.attributes", "--attribute-weight", panel=LOSSES)
    ] = None
    teacher: Annotated[list[Path] | None, option("distillation.teachers", "--teacher", panel=TEACHERS)] = None
    unlabelled: Annotated[
        list[Path] | None, option("distillation.unlabelled", "--unlabelled", panel=TEACHERS)
    ] = None
    teacher_weight: Annotated[
        float | None, option("distillation.weight", "--teacher-weight", panel=TEACHERS)
    ] = None
    epochs: Annotated[int | None, option("schedule.epochs", "--epochs", panel=COURSE)] = None
    people: Annotated[int | None, option("batch.people", "--people", panel=COURSE)] = None
    images: Annotated[int | None, option("batch.images", "--images", panel=COURSE)] = None
    learning_rate: Annotated[
        float | None, option("optimiser.learning_rate", "--learning-rate", panel=COURSE)
    ] = None
    erase: Annotated[float | None, option("augmentation.erase", "--erase", panel=COURSE)] = None
    device: Annotated[str | None, option("device", "--device", panel=COURSE)] = None
    precision: Annotated[str | None, option("precision", "--precision", panel=COURSE)] = None
    seed: Annotated[int | None, option("seed", "--seed", panel=COURSE)] = None


@takes(TrainOptions)
def train(given: TrainOptions) -> None:
    r"""Train an appearance embedder on crops of people, for `mot-reid track --embedder`.

    Writes embedder.safetensors (MGN) or embedder.onnx (other architectures) after every epoch, with the
    metrics in metrics.csv and, if the package tensorboard is installed, for `tensorboard --logdir`. Ctrl-C
    loses no more than the epoch that runs; the same command then goes on, and on a CPU ends in the same file.

    The seeds of the field are a matter of settings. Softmax, triplets, pairs, strips (PCB), and MGN:

    \b
    mot-reid train market1501 --architecture plain --triplet 0
    mot-reid train market1501 --architecture plain --softmax 0
    mot-reid train market1501 --architecture plain --softmax 0 --triplet 0 --contrastive 1
    mot-reid train market1501 --architecture pcb --triplet 0
    mot-reid train market1501

    A large network, crops of your own, teachers, and four GPUs that share each batch:

    \b
    mot-reid train MSMT17_V1 --backbone resnet50 --reduced-dim 256 --height 384 --width 128
    mot-reid train crops --pattern '(?P<identity>\d+)_(?P<camera>\d+)_(?P<frame>\d+)'
    mot-reid train market1501 --initial osnet.pth --teacher big.onnx --unlabelled more
    torchrun --nproc-per-node 4 --no-python mot-reid train market1501
    """
    options = given_settings(TrainOptions, vars(given))
    with usage_errors():
        settings = build_settings(TrainingSettings(), given.config, options, given.set_ or [])
        if not given.data.is_dir():
            raise FileNotFoundError(f"no such folder: {given.data}")
    _run(given, settings)


def _run(given: TrainOptions, settings: TrainingSettings) -> None:
    network = settings.network
    if network.architecture != "mgn" or network.initial.endswith(".onnx"):
        require("onnx", "to train it")  # its extra brings torch, too
    import torch

    from mot_reid.devices import resolve_device
    from mot_reid.training.reid.data import read_training_data
    from mot_reid.training.reid.distributed import join_group
    from mot_reid.training.reid.trainer import STATE, Trainer

    data, output, quiet = given.data, given.output, given.quiet
    if given.threads is not None:
        torch.set_num_threads(given.threads)
    with usage_errors():
        device = resolve_device(settings.device)
        prepare_output_folder(output)  # told before thousands of crops are read
    with ExitStack() as held, join_group(device) as group, WorkProgress(quiet or not group.leads) as progress:
        if group.leads:
            held.enter_context(sole_writer(output, "training"))
        try:
            with usage_errors():
                if group.leads:  # the others find in the folder what the teachers said
                    learnt = read_training_data(data, output, settings, progress)
                group.wait()
                if not group.leads:
                    learnt = read_training_data(data, output, settings)
                trainer = Trainer(
                    learnt,
                    output,
                    settings,
                    group=group,
                    resume=given.resume,
                    progress=progress,
                    on_epoch=lambda metrics: progress.say(_line(metrics)),
                )
            if group.leads and not quiet:
                progress.say(_overview(trainer))
            result = trainer.run()
        except KeyboardInterrupt:
            if group.leads:
                hint = "nothing was learnt yet"
                if (output / STATE).exists():
                    without = "" if given.resume else " without --no-resume"
                    hint = f"the same command{without} goes on after the last whole epoch"
                typer.echo(f"interrupted; {hint}", err=True)
            raise typer.Exit(INTERRUPTED) from None
    if group.leads:
        typer.echo(f"written: {result.embedder}")


def _overview(trainer: Any) -> str:
    data = trainer.data
    parts = [f"{counted(len(data.classes), 'crop')} of {counted(data.people, 'person')} on {trainer.device}"]
    if len(data.unlabelled):
        parts.append(counted(len(data.unlabelled), "unlabelled crop"))
    if trainer.history:
        parts.append(f"going on after epoch {trainer.history[-1].epoch}")
    if not trainer.logbook.tensorboard:
        parts.append("for TensorBoard's logs beside metrics.csv: pip install tensorboard")
    return "; ".join(parts)


def _line(metrics: "EpochMetrics") -> str:
    """An epoch on one line; what was not measured is left out."""
    if metrics.epoch == 0:
        text = "start"
    else:
        text = f"epoch {metrics.epoch}: loss {metrics.loss:.3f}"
        for name in ("softmax", "triplet", "contrastive", "attributes", "distillation"):
            if value := getattr(metrics, name):
                text += f", {name} {value:.3f}"
        text += f", accuracy {metrics.accuracy:.3f}, {metrics.seconds:.0f} s"
    if not math.isnan(metrics.rank1):
        text += f", held out: mAP {metrics.mean_average_precision:.4f}, rank-1 {metrics.rank1:.4f}"
    return text
