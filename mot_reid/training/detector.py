"""A small person detector: Ultralytics' trainer on one class, fed from MOTChallenge and YOLO folders.

Run ``python -m mot_reid.training.detector --help``. The start is a COCO checkpoint cut down to its person
class, so it finds people exactly as the COCO model does before the first step. The result is a mean of start
and fine-tuned weights (WiSE-FT, Wortsman et al., CVPR 2022), which keeps what fine-tuning would forget.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from mot_reid.detection.yolo import import_ultralytics
from mot_reid.training.detection_pictures import MotFrames, convert_mot, convert_yolo
from mot_reid.training.detection_scores import evaluate_detector, load_yolo

__all__ = ["FineTuning", "blend", "fold_normalisation", "person_only", "save_checkpoint", "train_detector"]


@dataclass(frozen=True)
class FineTuning:
    """How the detector is fine-tuned.

    Attributes:
        epochs: passes over the pictures.
        image_size: side of the square training pictures, pixels.
        batch: pictures in a step.
        learning_rate: AdamW's, at its height; it falls linearly to a tenth.
        freeze: number of first modules that stay as they are (YOLO11's and YOLO26's backbone: 11).
        mosaic: share of the training pictures pieced together from four; the last epoch has none.
        tuned_share: weight of the fine-tuned weights in the mean with the start's; 1 keeps them alone.
        seed: of shuffling and augmentation.
    """

    epochs: int = 12
    image_size: int = 640
    batch: int = 8
    learning_rate: float = 2e-4
    freeze: int = 11
    mosaic: float = 0.7
    tuned_share: float = 0.5
    seed: int = 0


def person_only(model: torch.nn.Module) -> torch.nn.Module:
    """A copy of an Ultralytics detection model, cut down to class 0.

    Only the last convolution of the classification branch knows the classes; of it the first channel stays.
    The branch keeps its width (a model built for one class would have a narrower one), so no score changes.

    Args:
        model: an Ultralytics ``DetectionModel``, for instance one trained on COCO, whose class 0 is person.
    """
    cut: Any = deepcopy(model).float()
    head = cut.model[-1]
    for branches in (head.cv3, getattr(head, "one2one_cv3", None) or ()):
        for branch in branches:
            last = branch[-1]
            kept = torch.nn.Conv2d(last.in_channels, 1, kernel_size=1)
            kept.load_state_dict({"weight": last.weight[:1].float(), "bias": last.bias[:1].float()})
            branch[-1] = kept
    head.nc = cut.nc = 1
    head.no = 1 + 4 * head.reg_max
    cut.names = {0: "person"}
    cut.yaml = {**cut.yaml, "nc": 1}
    return cut


def blend(start: torch.nn.Module, tuned: torch.nn.Module, tuned_share: float) -> torch.nn.Module:
    """A copy of ``tuned`` with the weights ``(1 - tuned_share) * start + tuned_share * tuned``."""
    mixed = deepcopy(tuned).float()
    before = start.float().state_dict()
    state = mixed.state_dict()
    for name, value in state.items():
        if value.is_floating_point():
            value.lerp_(before[name], 1 - tuned_share)
    return mixed


def fold_normalisation(model: torch.nn.Module) -> None:
    """Moves batch normalisation into the convolutions before it, in place; what is left is the identity.

    Rounded to half precision afterwards, convolutions are the same with normalisation and fused with it: an
    export can store them so, and gives the boxes that the checkpoint gives.
    """
    for module in model.modules():
        if not isinstance(getattr(module, "bn", None), torch.nn.BatchNorm2d):
            continue
        convolution: Any = module.conv
        norm: Any = module.bn
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        with torch.no_grad():
            convolution.weight.mul_(scale[:, None, None, None])
            norm.bias.sub_(norm.running_mean * scale)
            norm.weight.fill_(1)
        norm.running_mean.zero_()
        norm.running_var.fill_(1)
        norm.eps = 0.0


def save_checkpoint(model: torch.nn.Module, path: Path, settings: Mapping[str, Any]) -> None:
    """Writes a model as Ultralytics loads it: half precision, normalisation folded, no path of this machine.

    Args:
        model: an Ultralytics ``DetectionModel``.
        path: the ``.pt`` file to write.
        settings: how it was trained, kept beside the weights.
    """
    bare: Any = deepcopy(model).float().eval().requires_grad_(False)
    fold_normalisation(bare)
    bare.half()
    bare.criterion = bare.pt_path = None
    bare.args = {"task": "detect", "imgsz": settings.get("image_size", 640)}
    path.parent.mkdir(parents=True, exist_ok=True)
    licence = "AGPL-3.0 (https://ultralytics.com/license)"
    about = {"train_args": dict(bare.args), "settings": dict(settings), "license": licence}
    torch.save({"model": bare, **about}, path)


def train_detector(
    start: str | os.PathLike[str],
    out: str | os.PathLike[str],
    pictures: Sequence[Path] = (),
    sequences: Sequence[MotFrames] = (),
    settings: FineTuning | None = None,
    work: Path | None = None,
) -> Path:
    """Fine-tunes a COCO checkpoint to people and saves it as a half-precision one-class checkpoint.

    Args:
        start: an Ultralytics detection checkpoint whose class 0 is person.
        out: the ``.pt`` file to write.
        pictures: YOLO-layout folders to learn from.
        sequences: MOTChallenge frames to learn from.
        settings: epochs, learning rate and the like.
        work: folder for the converted pictures and for each epoch's weights; a temporary one if not given.

    Returns:
        The path written.
    """
    settings = settings or FineTuning()
    if not (pictures or sequences):
        raise ValueError("pictures, sequences: nothing to learn from, both are empty")
    first = person_only(load_yolo(start).model)
    with tempfile.TemporaryDirectory() as temporary:
        work = (work or Path(temporary)).resolve()
        for part in ("train", "mot"):
            shutil.rmtree(work / part, ignore_errors=True)
        for folder in pictures:
            convert_yolo(folder, work / "train")
        for frames in sequences:
            convert_mot(frames, work / "mot")
        if sequences:
            convert_yolo(work / "mot", work / "train")
        tuned = _fine_tune(first, work, settings)
    save_checkpoint(blend(first, tuned, settings.tuned_share), Path(out), vars(settings))
    return Path(out)


def _fine_tune(start: torch.nn.Module, work: Path, settings: FineTuning) -> torch.nn.Module:
    """Ultralytics' training loop on ``work/train``; the averaged weights after the last epoch."""
    import_ultralytics()
    from ultralytics.models.yolo.detect import DetectionTrainer

    class PersonTrainer(DetectionTrainer):
        """Starts from a given model, keeps its normalisation, and trains to the end without validation."""

        def get_model(self, *_: object, **__: object) -> torch.nn.Module:
            # Ultralytics would build the one-class head anew, narrower, and lose the classification branch.
            return deepcopy(start)

        def _model_train(self) -> None:
            # Batch statistics would ruin a checkpoint recovered from an export, whose normalisation is folded
            # into the convolutions (mean 0, variance 1); and small mixed batches estimate them badly.
            model: Any = self.model
            model.train()
            for module in model.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.eval()

        def validate(self) -> tuple[dict[str, float], None]:
            return {}, None

        def final_eval(self) -> None:
            pass

    data = work / "data.yaml"
    layout = {"path": str(work), "train": "train", "val": "train", "names": ["person"]}
    data.write_text(yaml.safe_dump(layout))
    trainer: Any = PersonTrainer(
        overrides={
            "model": "yolo11n.yaml",  # a name that Ultralytics knows; get_model decides
            "data": str(data),
            "epochs": settings.epochs,
            "imgsz": settings.image_size,
            "batch": settings.batch,
            "nbs": settings.batch,
            "optimizer": "AdamW",
            "lr0": settings.learning_rate,
            "lrf": 0.1,
            "warmup_epochs": 1,
            "warmup_bias_lr": 0.0,
            "freeze": settings.freeze,
            "mosaic": settings.mosaic,
            "close_mosaic": 1,
            "seed": settings.seed,
            "amp": False,
            "val": False,
            "plots": False,
            "save_period": 1,
            "project": str(work),
            "name": "run",
            "exist_ok": True,
            "verbose": False,
        }
    )
    trainer.train()
    return trainer.ema.ema


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: ``train`` makes a checkpoint, ``score`` compares checkpoints."""
    parser = argparse.ArgumentParser(prog="python -m mot_reid.training.detector", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="fine-tune a COCO checkpoint to one class, person")
    train.add_argument("start", type=Path, help="Ultralytics checkpoint, class 0 = person")
    train.add_argument("out", type=Path, help="the .pt file to write")
    train.add_argument("--work", type=Path, help="folder for converted pictures and each epoch's weights")
    for name, default in vars(FineTuning()).items():
        option = f"--{name.replace('_', '-')}"
        train.add_argument(option, type=type(default), default=default, help="(%(default)s)")
    score = commands.add_parser("score", help="AP50, recall and time of checkpoints, as a Markdown table")
    score.add_argument("weights", type=Path, nargs="+")
    score.add_argument("--sizes", type=int, nargs="+", default=[640, 960])
    score.add_argument("--low-score", type=float, default=0.1)
    spec = "FOLDER[:FIRST-LAST[:STEP]]"
    train.add_argument(
        "--mot", type=MotFrames.parse, action="append", default=[], metavar=spec, help="MOTChallenge sequence"
    )
    score.add_argument(
        "--mot",
        action="append",
        default=[],
        metavar=f"NAME={spec}",
        help="MOTChallenge sequence; a NAME pools",
    )
    for command in (train, score):
        command.add_argument("--yolo", type=Path, action="append", default=[], help="YOLO-layout folder")
        command.add_argument("--threads", type=int, help="torch threads on the CPU")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.command == "train":
        settings = FineTuning(**{name: getattr(options, name) for name in vars(FineTuning())})
        train_detector(options.start, options.out, options.yolo, options.mot, settings, options.work)
    else:
        _print_scores(options)


def _print_scores(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        sets = {f"{folder.parent.name}/{folder.name}": folder for folder in options.yolo}
        for text in options.mot:
            name, _, spec = text.partition("=")
            sets[name] = Path(temporary) / name
            convert_mot(MotFrames.parse(spec), sets[name])
        print("| weights | size | set | pictures | people | AP50 | recall | ms |")
        print("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |")
        for path in options.weights:
            scores = evaluate_detector(path, sets, options.sizes, options.low_score)
            for (name, size), score in scores.items():
                figures = f"{score.ap50:.3f} | {score.recall:.3f} | {score.milliseconds:.0f}"
                counts = f"{score.pictures} | {score.people}"
                print(f"| {path.name} | {size} | {name} | {counts} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
