"""A small person detector: Ultralytics' trainer on one class, fed from MOTChallenge and YOLO folders.

The start is a COCO checkpoint cut down to its person class, so it finds people exactly as the COCO model does
before the first step. The result is a mean of start and fine-tuned weights (WiSE-FT, Wortsman et al., CVPR
2022), which keeps what fine-tuning would forget.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml

from mot_reid.detection.yolo import import_ultralytics, load_ultralytics
from mot_reid.training.detector.pictures import MotFrames, convert_mot, convert_yolo
from mot_reid.training.detector.settings import FineTuning
from mot_reid.training.detector.weights import blend, person_only, save_checkpoint

__all__ = ["last_epoch", "train_detector", "work_folder"]

OnStep = Callable[[int, int], None]
"""Told how many steps are done, and of how many."""


def train_detector(
    start: str | os.PathLike[str],
    out: str | os.PathLike[str],
    pictures: Sequence[Path] = (),
    sequences: Sequence[MotFrames] = (),
    settings: FineTuning | None = None,
    work: str | os.PathLike[str] | None = None,
    resume: bool = False,
    on_step: OnStep | None = None,
) -> Path:
    """Fine-tunes a COCO checkpoint to people and saves it as a half-precision one-class checkpoint.

    Args:
        start: an Ultralytics detection checkpoint whose class 0 is person.
        out: the ``.pt`` file to write.
        pictures: YOLO-layout folders to learn from.
        sequences: MOTChallenge frames to learn from.
        settings: epochs, learning rate and the like.
        work: folder for the converted pictures and each epoch's weights; by default ``out`` with the suffix
            ``.work``.
        resume: go on after the last epoch in ``work``, with its pictures and settings.
        on_step: told how many steps are done, and of how many.

    Returns:
        The path written.

    Raises:
        FileNotFoundError: there is no start, or nothing to resume.
        ValueError: the start is no detector, or there is nothing to learn from.
        KeyboardInterrupt: as it came; what the last whole epoch gave is saved before.
    """
    settings = settings or FineTuning()
    out = Path(out)
    work = work_folder(out, work)
    last = last_epoch(work)
    if not Path(start).is_file():
        raise FileNotFoundError(f"no detector weights at {start}")
    if resume and not last.is_file():
        raise FileNotFoundError(f"nothing to resume: no {last}")
    first = person_only(load_ultralytics(Path(start)).model)
    if not resume:
        _convert(pictures, sequences, work)
        last.unlink(missing_ok=True)
    try:
        _fine_tune(first, work, settings, last if resume else None, on_step)
    finally:
        if last.is_file():
            tuned = torch.load(last, map_location="cpu", weights_only=False)["ema"].float()
            save_checkpoint(blend(first, tuned, settings.tuned_share), out, asdict(settings))
    return out


def work_folder(out: Path, work: str | os.PathLike[str] | None = None) -> Path:
    """Where a training keeps its pictures and weights: ``work``, or beside ``out``."""
    return Path(work or out.with_suffix(".work")).resolve()


def last_epoch(work: Path) -> Path:
    """What the last whole epoch gave, Ultralytics' checkpoint, if there was one."""
    return work / "run" / "weights" / "last.pt"


def _convert(pictures: Sequence[Path], sequences: Sequence[MotFrames], work: Path) -> None:
    """Gathers all pictures in ``work/train``."""
    if not (pictures or sequences):
        raise ValueError("pictures, sequences: nothing to learn from, both are empty")
    for part in ("train", "mot"):
        shutil.rmtree(work / part, ignore_errors=True)
    for folder in pictures:
        convert_yolo(folder, work / "train")
    for frames in sequences:
        convert_mot(frames, work / "mot")
    if sequences:
        convert_yolo(work / "mot", work / "train")


def _fine_tune(
    start: torch.nn.Module, work: Path, settings: FineTuning, resumed: Path | None, on_step: OnStep | None
) -> None:
    """Ultralytics' training loop on ``work/train``; leaves ``work/run/weights/last.pt`` after each epoch.

    Its own ``YOLO(...).train()`` will not do: it builds a narrower one-class head and loses the
    classification branch, and its batch statistics ruin a checkpoint whose normalisation is folded into the
    convolutions.
    """
    import_ultralytics()
    from ultralytics.models.yolo.detect import DetectionTrainer

    class PersonTrainer(DetectionTrainer):
        """Starts from a given model, keeps its normalisation, and trains to the end without validation."""

        def get_model(self, cfg: object = None, weights: Any = None, verbose: bool = True) -> torch.nn.Module:
            model = deepcopy(start)
            if weights is not None:  # those of the run that is resumed
                model.load_state_dict(weights.float().state_dict())
            return model

        @contextmanager
        def _own_scale(self) -> Iterator[None]:
            """A range of scales, where Ultralytics' configuration only knows 1 plus or minus something."""
            symmetric, self.args.scale = self.args.scale, (settings.least_scale, settings.most_scale)
            yield
            self.args.scale = symmetric

        def build_dataset(self, *arguments: Any, **options: Any) -> Any:
            with self._own_scale():
                return super().build_dataset(*arguments, **options)

        def _close_dataloader_mosaic(self) -> None:
            with self._own_scale():
                super()._close_dataloader_mosaic()  # type: ignore[no-untyped-call]

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

    data = work / "data.yaml"
    layout = {"path": str(work), "train": "train", "val": "train", "names": ["person"]}
    data.write_text(yaml.safe_dump(layout))
    overrides = {
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
        "close_mosaic": settings.plain_epochs,
        "seed": settings.seed,
        "amp": False,
        "val": False,
        "plots": False,
        "project": str(work),
        "name": "run",
        "exist_ok": True,
        "verbose": False,
    }
    if resumed is not None:
        overrides["resume"] = str(resumed)
    trainer: Any = PersonTrainer(overrides=overrides)
    if on_step is not None:
        counted = itertools.count(1)

        def report(running: Any) -> None:
            steps = len(running.train_loader)
            on_step(running.start_epoch * steps + next(counted), running.epochs * steps)

        trainer.add_callback("on_train_batch_end", report)
    trainer.train()
