"""A small person detector: Ultralytics' trainer on one class, fed with pictures that are made up for it.

The start is a COCO checkpoint cut down to its person class, so it finds people exactly as the COCO model does
before the first step. It learns from real pictures and from crowds pasted into them. What it knew is kept in
two ways: on some pictures the start's answers count as well, and the result is a mean of start and fine-tuned
weights (WiSE-FT, Wortsman et al., CVPR 2022). The fine-tuned weights are themselves a mean, of several runs:
what one happens to get wrong another does not (model soups, Wortsman et al., ICML 2022).
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from mot_reid.detection.yolo import import_ultralytics, keep_torch_threads, load_ultralytics
from mot_reid.files import same_file, sole_writer
from mot_reid.pickles import require_data_only
from mot_reid.training.detector.crowds import Scene
from mot_reid.training.detector.cutouts import load_cutouts, read_cutouts, save_cutouts
from mot_reid.training.detector.keeping import KeepingLoss
from mot_reid.training.detector.made_pictures import MadePictures, Material, reduced
from mot_reid.training.detector.pictures import (
    MotFrames,
    convert_mot,
    convert_yolo,
    labelled_pictures,
)
from mot_reid.training.detector.settings import FineTuning
from mot_reid.training.detector.weights import average, blend, person_only, save_checkpoint
from mot_reid.training.detector.work_folder import keep_settings, kept_settings, require_own
from mot_reid.training.saved import require_whole
from mot_reid.video.pictures import read_picture

__all__ = ["last_epoch", "train_detector", "work_folder"]

OnStep = Callable[[str, int, int], None]
"""Told what is being done, how many steps of it are done, and of how many."""

_PICTURES, _SEQUENCES, _CUTOUTS = "pictures", "sequences", "cutouts-{}.npz"  # in the work folder
_BACKBONE = 11  # first modules of YOLO11 and YOLO26
_AVERAGE = 0.998  # decay of the moving average a step; Ultralytics' grows to it only over many thousand steps


def train_detector(
    start: str | os.PathLike[str],
    out: str | os.PathLike[str],
    pictures: Sequence[Path] = (),
    sequences: Sequence[MotFrames] = (),
    people: Path | None = None,
    settings: FineTuning | None = None,
    work: str | os.PathLike[str] | None = None,
    resume: bool = False,
    on_step: OnStep = lambda *_: None,
) -> Path:
    """Fine-tunes a COCO checkpoint to people and saves it as a half-precision one-class checkpoint.

    Args:
        start: an Ultralytics detection checkpoint whose class 0 is person.
        out: the ``.pt`` file to write.
        pictures: YOLO-layout folders to learn from.
        sequences: MOTChallenge frames to learn from.
        people: folder of crops of one person each; crowds are made of them.
        settings: epochs, learning rate and the like; a training that is resumed goes on with its own.
        work: folder for the converted pictures and each epoch's weights; by default ``out`` with the suffix
            ``.work``.
        resume: go on after the last epoch in ``work``, with its pictures and settings.
        on_step: told how far it is.

    Returns:
        The path written.

    Raises:
        FileNotFoundError: there is no start, or nothing to resume.
        OSError: another training is at work in ``work``.
        ValueError: the start is no detector, or would be written over; there is nothing to learn from; or
            ``work`` holds what no training of a YOLO has put there, or one that began with another start.
        KeyboardInterrupt: as it came; what the finished runs gave is saved before, or the last whole epoch of
            the first.
    """
    settings = settings or FineTuning()
    out = Path(out)
    work = work_folder(out, work)
    if not Path(start).is_file():
        raise FileNotFoundError(f"no detector weights at {start}")
    if same_file(Path(start), out):
        raise ValueError(f"{start}: would be written over; choose another output")
    if resume and not last_epoch(work).is_file():
        raise FileNotFoundError(f"nothing to resume: no {last_epoch(work)}")
    first = person_only(load_ultralytics(Path(start)).model)
    if resume:
        settings = kept_settings(work, FineTuning, Path(start))
    else:
        folders = (*pictures, *(frames.sequence for frames in sequences), *([people] if people else ()))
        require_own(work, FineTuning, (Path(start), *folders))
    work.mkdir(parents=True, exist_ok=True)
    with sole_writer(work, "training"):
        if not resume:
            _gather(Path(start), pictures, sequences, people, settings, work, on_step)
        finished: list[torch.nn.Module] = []
        try:
            for number in range(settings.runs):
                _fine_tune(first, work, settings, number, on_step)
                finished.append(_weights(last_epoch(work, number)))
        finally:
            if not finished and last_epoch(work).is_file():
                finished.append(_weights(last_epoch(work)))
            if finished:
                save_checkpoint(blend(first, average(finished), settings.tuned_share), out, asdict(settings))
    return out


def work_folder(out: Path, work: str | os.PathLike[str] | None = None) -> Path:
    """Where a training keeps its pictures and weights: ``work``, or beside ``out``."""
    return Path(work or out.with_suffix(".work")).resolve()


def last_epoch(work: Path, run: int = 0) -> Path:
    """What the last whole epoch of a run gave, Ultralytics' checkpoint, if there was one."""
    return work / f"run-{run}" / "weights" / "last.pt"


def _weights(checkpoint: Path) -> torch.nn.Module:
    """The moving average in a checkpoint of Ultralytics' loop."""
    return _loaded(checkpoint)["ema"].float()


def _loaded(checkpoint: Path) -> dict[str, Any]:
    """A checkpoint of Ultralytics' loop; the work folder may be somebody else's."""
    require_whole(checkpoint)
    require_data_only(checkpoint)
    found: Any = torch.load(checkpoint, map_location="cpu", weights_only=False)
    kinds = {"ema": torch.nn.Module, "epoch": int}
    if not isinstance(found, dict) or not all(isinstance(found.get(key), kinds[key]) for key in kinds):
        raise ValueError(f"{checkpoint}: not of such a training")
    return found


def _gather(
    start: Path,
    pictures: Sequence[Path],
    sequences: Sequence[MotFrames],
    people: Path | None,
    settings: FineTuning,
    work: Path,
    on_step: OnStep,
) -> None:
    """Gathers in ``work`` all that is learnt from."""
    if not (pictures or sequences):
        raise ValueError("pictures, sequences: nothing to learn from, both are empty")
    for last in work.glob("run-*/weights/last.pt"):
        last.unlink()
    keep_settings(work, settings, start)
    for part in (_PICTURES, _SEQUENCES, "mot"):
        shutil.rmtree(work / part, ignore_errors=True)
    for cutouts in work.glob(_CUTOUTS.format("*")):
        cutouts.unlink()
    for folder in pictures:
        convert_yolo(folder, work / _PICTURES)
    for number, frames in enumerate(sequences):
        convert_mot(frames, work / "mot" / str(number))
        convert_yolo(work / "mot" / str(number), work / _SEQUENCES / str(number))
    shutil.rmtree(work / "mot", ignore_errors=True)
    if people is None:
        return
    for run in range(settings.runs):

        def cut(done: int, total: int, before: int = run) -> None:
            on_step("cutting people out", before * total + done, settings.runs * total)

        found = read_cutouts(people, settings.cutouts, settings.seed + run, cut)
        save_cutouts(found, work / _CUTOUTS.format(run))


def _material(work: Path, run: int) -> Material:
    """What `_gather` gathered for a run, in memory."""
    cutouts = work / _CUTOUTS.format(run)
    sequences = work / _SEQUENCES
    return Material(
        _scenes(work / _PICTURES) if (work / _PICTURES).is_dir() else [],
        [_scenes(folder) for folder in sorted(sequences.iterdir())] if sequences.is_dir() else [],
        load_cutouts(cutouts) if cutouts.is_file() else [],
    )


def _scenes(folder: Path) -> list[Scene]:
    scenes = []
    for path, people, _ in labelled_pictures(folder):
        picture = read_picture(path)
        sides = np.array([picture.shape[1], picture.shape[0]] * 2, np.float64)
        scenes.append(reduced(Scene(picture, people * sides)))
    return scenes


def _fine_tune(
    start: torch.nn.Module,
    work: Path,
    settings: FineTuning,
    run: int,
    on_step: OnStep,
) -> None:
    """Ultralytics' training loop, or what is left of it; leaves `last_epoch` after each epoch.

    Its own ``YOLO(...).train()`` will not do: it builds a narrower one-class head and loses the
    classification branch, its batch statistics ruin a checkpoint whose normalisation is folded into the
    convolutions, and its pictures and losses are others.
    """
    last = last_epoch(work, run)
    resumed = last.is_file()
    if resumed and _loaded(last)["epoch"] + 1 >= settings.epochs:
        return
    with keep_torch_threads():
        trainer: Any = _person_trainer(start, _material(work, run), settings)(
            overrides=_overrides(work, settings, run, last if resumed else None)
        )
    trainer.add_callback("on_train_start", partial(_prepare, start, settings))
    counted = itertools.count(1)

    def report(running: Any) -> None:
        steps = len(running.train_loader)
        before = run * running.epochs + running.start_epoch
        on_step("training", before * steps + next(counted), settings.runs * running.epochs * steps)

    trainer.add_callback("on_train_batch_end", report)
    trainer.train()


def _person_trainer(start: torch.nn.Module, material: Material, settings: FineTuning) -> Any:
    """Ultralytics' trainer with a given model, pictures of ours and no validation, as a class."""
    import_ultralytics()
    from ultralytics.models.yolo.detect import DetectionTrainer

    class PersonTrainer(DetectionTrainer):
        """Starts from a given model, keeps its normalisation, and trains to the end without validation."""

        def get_model(self, cfg: object = None, weights: Any = None, verbose: bool = True) -> torch.nn.Module:
            model = deepcopy(start)
            if weights is not None:  # those of the run that is resumed
                model.load_state_dict(weights.float().state_dict())
            return model

        def build_dataset(self, *_: Any, **__: Any) -> MadePictures:
            return MadePictures(material, settings)

        def build_optimizer(self, model: torch.nn.Module, *arguments: Any, **options: Any) -> Any:
            optimiser: Any = super().build_optimizer(model, *arguments, **options)  # type: ignore[no-untyped-call]
            _slow_down(optimiser, model, settings.backbone_rate)
            return optimiser

        def _model_train(self) -> None:
            # Small mixed batches estimate statistics badly, and folded normalisation has none to estimate.
            model: Any = self.model
            model.train()
            for module in model.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.eval()

        def validate(self) -> tuple[dict[str, float], None]:
            return {}, None

        def final_eval(self) -> None:
            pass

    return PersonTrainer


def _overrides(work: Path, settings: FineTuning, run: int, last: Path | None) -> dict[str, Any]:
    """Ultralytics' settings of a run, which goes on after ``last`` where that is given."""
    data = work / "data.yaml"
    pictures = next(folder.parent for folder in sorted(work.glob("**/images")))  # has to exist; is not read
    layout = {"path": str(work), "train": str(pictures), "val": str(pictures), "names": ["person"]}
    data.write_text(yaml.safe_dump(layout))
    overrides: dict[str, Any] = {
        "model": "yolo11n.yaml",  # a name that Ultralytics knows; get_model decides
        "data": str(data),
        "epochs": settings.epochs,
        "imgsz": settings.image_size,
        "batch": settings.batch,
        "nbs": settings.batch,
        "optimizer": "AdamW",
        "lr0": settings.learning_rate,
        "lrf": 0.05,
        "warmup_epochs": 0.5,
        "warmup_bias_lr": 0.0,
        "freeze": 0 if settings.backbone_rate else _BACKBONE,
        "close_mosaic": 0,
        "workers": 8 if torch.cuda.is_available() else 0,  # a CPU has better things to do
        "seed": settings.seed + run,
        "amp": False,
        "val": False,
        "plots": False,
        "project": str(work),
        "name": f"run-{run}",
        "exist_ok": True,
        "verbose": False,
    }
    if last is not None:
        overrides["resume"] = str(last)
    return overrides


def _prepare(start: torch.nn.Module, settings: FineTuning, running: Any) -> None:
    """Gives a training that is about to start its average and its losses.

    Not before: the moving average, which is saved, shall have no part of it.
    """
    running.ema.decay = lambda steps: min(_AVERAGE, (1 + steps) / (10 + steps))
    losses = running.model.init_criterion()
    keeping = KeepingLoss(losses, start, settings.keep_weight)
    keeping.start.to(running.device)  # the copy: the start itself is blended on the CPU in the end
    running.model.criterion = keeping
    if settings.bf16:
        for model in (running.model, keeping.start):
            model.to(memory_format=torch.channels_last)
            model.forward = _in_bfloat16(model.forward, running.device.type)


def _in_bfloat16(forward: Callable[[Any], Any], device: str) -> Callable[[Any], Any]:
    """A detector's ``forward`` with its layers in bfloat16; its maps are in float32 again."""

    def mixed(given: Any) -> Any:
        if isinstance(given, dict):  # a batch, whose losses are computed as before
            return forward(given)
        with torch.autocast(device, torch.bfloat16):
            maps = forward(given)
        return {name: _float(value) for name, value in maps.items()}

    return mixed


def _float(value: Any) -> Any:
    return [tensor.float() for tensor in value] if isinstance(value, list) else value.float()


def _slow_down(optimiser: torch.optim.Optimizer, model: torch.nn.Module, rate: float) -> None:
    """Gives the backbone its own learning rate, in place."""
    backbone = {
        parameter for name, parameter in model.named_parameters() if int(name.split(".")[1]) < _BACKBONE
    }
    for group in list(optimiser.param_groups):
        slow = [parameter for parameter in group["params"] if parameter in backbone]
        group["params"] = [parameter for parameter in group["params"] if parameter not in backbone]
        optimiser.add_param_group({**group, "params": slow, "lr": rate * group["lr"]})
