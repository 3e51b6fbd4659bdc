"""Training of an MGN embedder on labelled crops, runnable: `python -m mot_reid.training.trainer --help`."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import logging
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mot_reid.appearance.checkpoints import IMAGENET_MEAN, IMAGENET_STD, EmbeddingNetwork, save_checkpoint
from mot_reid.appearance.mgn import MGN, MGNOutput, check_height
from mot_reid.training.head_fit import fit_heads, fit_projection
from mot_reid.training.losses import distillation_loss, mgn_losses
from mot_reid.training.reid_data import (
    Augmentation,
    CropSet,
    IntArray,
    augmented_batch,
    balanced_batches,
    hold_out,
    normalise,
    read_market1501,
)
from mot_reid.training.retrieval import evaluate_retrieval
from mot_reid.training.settings import TrainingSettings, add_options, from_options
from mot_reid.training.teacher import teacher_embeddings
from mot_reid.training.unlabelled import UNLABELLED, read_person_boxes, with_unlabelled
from mot_reid.training.warm_start import backbone_state, blend_backbone, start_from

_LOG = logging.getLogger(__name__)


class EpochMetrics(NamedTuple):
    """One row of `metrics.csv`.

    Attributes:
        epoch: from 1; 0 is the start.
        learning_rate: of the epoch's last step.
        loss: mean of the total.
        softmax: mean of that part.
        triplet: mean of that part.
        distillation: mean of that part; 0 without a teacher.
        accuracy: share of training images that the first head classifies rightly.
        mean_average_precision: on the held-out identities; nan without any.
        rank1: likewise.
        seconds: that the epoch's training took.
    """

    epoch: int
    learning_rate: float = 0.0
    loss: float = math.nan
    softmax: float = math.nan
    triplet: float = math.nan
    distillation: float = math.nan
    accuracy: float = math.nan
    mean_average_precision: float = math.nan
    rank1: float = math.nan
    seconds: float = 0.0


_MEANS = ("loss", "softmax", "triplet", "distillation", "accuracy")  # what a step measures


class TrainingResult(NamedTuple):
    """The checkpoint that a training wrote, and its metrics, one for each epoch."""

    checkpoint: Path
    history: tuple[EpochMetrics, ...]


def train_embedder(
    data: Path,
    output: Path,
    settings: TrainingSettings | None = None,
    *,
    initial: Path | None = None,
    teachers: Sequence[Path] = (),
    unlabelled: Path | None = None,
    resume: bool = True,
) -> TrainingResult:
    """Train an MGN embedder on a folder in Market-1501's format.

    Args:
        data: the folder of crops (see `read_market1501`).
        output: folder to write: `embedder.safetensors` (and that of each epoch), `metrics.csv`, and `last.pt`
            (with `teacher.npy`) to resume from.
        settings: everything else.
        initial: weights to start from (see `mot_reid.training.warm_start.start_from`); None for random ones.
        teachers: files of embedders to learn from as well (see `teacher_embeddings`).
        unlabelled: folder of pictures with person boxes (see `read_person_boxes`), on whose people the
            teachers show more of the world than the crops do.
        resume: go on from `last.pt` if it is there; interrupted or not, it ends alike.

    Raises:
        FileNotFoundError: if the data or the initial weights are missing.
        ValueError: if a setting is out of range, or a file does not fit.
    """
    settings = settings or TrainingSettings()
    check_height(settings.height)
    if unlabelled is not None and not teachers:
        raise ValueError(f"crops without identities ({unlabelled}) need a teacher")
    crops = read_market1501(data, (settings.height, settings.width))
    if unlabelled is not None:
        crops = with_unlabelled(crops, read_person_boxes(unlabelled, (settings.height, settings.width)))

    def read(size: tuple[int, int]) -> NDArray[np.uint8]:
        images = read_market1501(data, size).images
        return images if unlabelled is None else np.concatenate((images, read_person_boxes(unlabelled, size)))

    targets = None
    if teachers:
        cache = Path(output) / "teacher.npy"
        if not (resume and cache.exists()):
            Path(output).mkdir(parents=True, exist_ok=True)
            np.save(cache, teacher_embeddings(teachers, read))
        targets = np.asarray(np.load(cache), np.float32)
    return Trainer(crops, output, settings, initial=initial, teacher=targets, resume=resume).run()


class Trainer:
    """The state of one training: network, its average, optimiser, history. See `train_embedder`."""

    def __init__(
        self,
        crops: CropSet,
        output: Path,
        settings: TrainingSettings,
        *,
        initial: Path | None = None,
        teacher: NDArray[np.float32] | None = None,
        resume: bool = True,
    ) -> None:
        self.output, self.settings = Path(output), settings
        self.output.mkdir(parents=True, exist_ok=True)
        nameless = crops.identities == UNLABELLED
        held_out = np.zeros(len(crops), bool)
        held_out[~nameless] = hold_out(crops.identities[~nameless], settings.held_out, settings.seed)
        self.images = crops.images
        self.rows: IntArray = np.flatnonzero(~held_out & ~nameless)
        self.unlabelled: IntArray = np.flatnonzero(nameless)
        people, self.classes = np.unique(crops.identities[self.rows], return_inverse=True)
        self.validation = (
            CropSet(crops.images[held_out], crops.identities[held_out], crops.cameras[held_out])
            if settings.held_out
            else None
        )
        torch.manual_seed(settings.seed)
        self.model = MGN(settings.backbone, settings.reduced_dim, len(people), settings.relu)
        self.teacher = teacher
        if teacher is not None and len(teacher) != len(crops):
            raise ValueError(f"the teacher has {len(teacher)} embeddings for {len(crops)} crops")
        width = 0 if teacher is None else teacher.shape[1]
        self.projection = nn.Linear(self.model.dim, max(1, width), bias=False)
        self.history: list[EpochMetrics] = []
        saved = self.output / "last.pt"
        going_on = resume and saved.exists()
        if initial is not None and not going_on:
            start_from(self.model, initial, self._samples())
            if self.teacher is not None and settings.fitted:
                fit = fit_projection if Path(initial).suffix == ".safetensors" else fit_heads
                self.projection.weight.data.copy_(fit(self.model, self._lessons(settings.fitted)))
        if settings.keep and initial is None and not going_on:
            raise ValueError(f"keep is {settings.keep}, but there are no initial weights to keep")
        self.start = backbone_state(self.model) if settings.keep else {}
        self.model.to(memory_format=torch.channels_last)
        self.average = MGN(settings.backbone, settings.reduced_dim, 0, settings.relu)
        self._update_average(decay=0.0)
        body = [self.model.stem, self.model.b1, self.model.b2, self.model.b3]
        norms = [norm for part in body for norm in part.modules() if isinstance(norm, nn.BatchNorm2d)]
        frozen = self.model.stem[: settings.frozen].requires_grad_(False)
        self.still: list[nn.Module] = [frozen, *(norms if settings.frozen_norms else [])]
        heads = [self.model.reductions, self.model.classifiers, self.projection]
        groups: list[dict[str, Any]] = [
            {"params": [p for part in parts for p in part.parameters() if p.requires_grad], "share": share}
            for parts, share in ((body, settings.backbone_rate), (heads, 1.0))
        ]
        self.parameters: list[nn.Parameter] = [p for group in groups for p in group["params"]]
        self.optimiser = torch.optim.Adam(groups, settings.learning_rate, weight_decay=settings.weight_decay)
        if going_on:
            self._resume(saved)

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return max(1, len(self.rows) // (self.settings.people * self.settings.images))

    def run(self, until: int | None = None) -> TrainingResult:
        """Train the epochs that are left, or those up to number `until`; evaluate and save after each."""
        if not self.history:
            self._finish_epoch(EpochMetrics(0))
        last = self.settings.epochs if until is None else min(until, self.settings.epochs)
        for epoch in range(len(self.history), last + 1):
            self._finish_epoch(self.train_epoch(epoch))
        return TrainingResult(self.output / "embedder.safetensors", tuple(self.history))

    def train_epoch(self, epoch: int) -> EpochMetrics:
        """Go once through the training images; the epoch's number (from 1) and the seed decide how."""
        settings, start = self.settings, time.perf_counter()
        rng = np.random.default_rng((settings.seed, epoch))
        self.model.train()
        for module in self.still:
            module.eval()
        sums, rate = np.zeros(len(_MEANS)), 0.0
        batches = balanced_batches(self.classes, settings.people, settings.images, rng)
        for step, batch in enumerate(_progress(batches, self.steps, f"epoch {epoch}/{settings.epochs}")):
            rate = self._learning_rate((epoch - 1) * self.steps + step)
            rows = np.concatenate((self.rows[batch], self._draw_unlabelled(rng)))
            pixels = augmented_batch(self.images, rows, settings.augmentation, rng)
            sums += self._step(pixels, rows, self.classes[batch], rate)
        means = dict(zip(_MEANS, (sums / self.steps).tolist(), strict=True))
        return EpochMetrics(epoch, rate, **means, seconds=time.perf_counter() - start)

    def _draw_unlabelled(self, rng: np.random.Generator) -> IntArray:
        count = min(self.settings.unlabelled, len(self.unlabelled))
        return rng.choice(self.unlabelled, count, replace=False) if count else self.unlabelled[:0]

    def _step(self, pixels: Tensor, rows: IntArray, classes: IntArray, rate: float) -> NDArray[np.float64]:
        """Learn from a batch: `rows` of the crops, of which the first have `classes`."""
        settings, targets = self.settings, torch.from_numpy(classes)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        output = self.model(normalise(pixels, IMAGENET_MEAN, IMAGENET_STD))
        assert isinstance(output, MGNOutput)
        named = MGNOutput(*(tuple(head[: len(classes)] for head in heads) for heads in output))
        losses = mgn_losses(
            named,
            targets,
            margin=settings.margin,
            smoothing=settings.smoothing,
            triplet_weight=settings.triplet_weight,
        )
        total, distillation = losses.total, self._distillation(output, rows)
        if distillation is not None:
            total = total + settings.teacher_weight * distillation
        self.optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, settings.clip)
        self.optimiser.step()
        self._update_average(settings.ema)
        accuracy = (named.logits[0].argmax(dim=1) == targets).float().mean()
        values = (total, losses.softmax, losses.triplet, distillation, accuracy)
        return np.array([0.0 if value is None else value.item() for value in values])

    def _distillation(self, output: MGNOutput, rows: IntArray) -> Tensor | None:
        if self.teacher is None:
            return None
        embedding = torch.cat(output.features, dim=1)
        teacher = torch.from_numpy(self.teacher[rows])
        return distillation_loss(
            embedding, self.projection(embedding), teacher, self.settings.relation_weight
        )

    def _learning_rate(self, step: int) -> float:
        total = self.settings.epochs * self.steps
        warm = max(1, round(self.settings.warmup * total))
        rise = min(1.0, (step + 1) / warm)
        fall = 0.5 + 0.5 * math.cos(math.pi * max(0, step - warm) / max(1, total - warm))
        return self.settings.learning_rate * rise * fall

    @torch.no_grad()
    def _update_average(self, decay: float) -> None:
        source = self.model.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(source[name], 1 - decay)
            else:
                value.copy_(source[name])

    def _finish_epoch(self, metrics: EpochMetrics) -> None:
        size = (self.settings.height, self.settings.width)
        model = self.average.eval()
        if self.settings.keep:
            model = blend_backbone(
                model, self.start, self.settings.keep, self._samples(), self.settings.frozen_norms
            )
        network = EmbeddingNetwork(model, size, IMAGENET_MEAN, IMAGENET_STD, model.dim)
        if self.validation is not None:
            scores = evaluate_retrieval(network, self.validation)
            metrics = metrics._replace(
                mean_average_precision=scores.mean_average_precision, rank1=scores.rank1
            )
        self.history.append(metrics)
        _LOG.info(
            "epoch %d: rate %.1e, loss %.3f (softmax %.3f, triplet %.3f, distillation %.3f), accuracy %.3f, "
            "mAP %.3f, rank-1 %.3f, %.0f s",
            *metrics,
        )
        notes = {"settings": dataclasses.asdict(self.settings), "metrics": metrics._asdict()}
        for name in ("embedder", f"epoch{metrics.epoch:02d}"):
            save_checkpoint(self.output / f"{name}.safetensors", model, input_size=size, notes=notes)
        self._save(self.output / "last.pt")
        with (self.output / "metrics.csv").open("w", newline="") as file:
            csv.writer(file).writerows([EpochMetrics._fields, *self.history])

    def _save(self, path: Path) -> None:
        part = path.with_suffix(".part")
        state = {
            "settings": dataclasses.asdict(self.settings),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "projection": self.projection.state_dict(),
            "start": self.start,
            "optimiser": self.optimiser.state_dict(),
            "history": [tuple(metrics) for metrics in self.history],
        }
        torch.save(state, part)
        os.replace(part, path)

    def _resume(self, path: Path) -> None:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if state["settings"] != dataclasses.asdict(self.settings):
            raise ValueError(f"{path} was written with other settings: {state['settings']}")
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.projection.load_state_dict(state["projection"])
        self.start = state["start"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.history = [EpochMetrics(*values) for values in state["history"]]

    def _samples(self, count: int = 512) -> Iterator[Tensor]:
        """Augmented training crops, to measure what batch normalisations see."""
        for pixels, _ in self._sampled(count, self.settings.augmentation):
            yield pixels

    def _lessons(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Training crops, hardly varied, with the teacher's embeddings."""
        assert self.teacher is not None
        plain = Augmentation(brightness=0, contrast=0, saturation=0, gamma=1, coarse=0)
        for pixels, rows in self._sampled(count, plain):
            yield pixels, torch.from_numpy(self.teacher[rows])

    def _sampled(self, count: int, augmentation: Augmentation) -> Iterator[tuple[Tensor, IntArray]]:
        rng = np.random.default_rng((self.settings.seed, 0))
        chosen = rng.permutation(np.concatenate((self.rows, self.unlabelled)))[:count]
        for rows in np.array_split(chosen, max(1, count // 64)):
            pixels = augmented_batch(self.images, rows, augmentation, rng)
            yield normalise(pixels, IMAGENET_MEAN, IMAGENET_STD), rows


def _progress(batches: Iterator[IntArray], total: int, description: str) -> Iterator[IntArray]:
    """The batches, with a progress bar if somebody watches."""
    if not sys.stderr.isatty():
        yield from batches
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(batches, description, total, console=Console(stderr=True), transient=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `train_embedder`: an option for each of its settings."""
    parser = argparse.ArgumentParser(prog="python -m mot_reid.training.trainer", description=__doc__)
    parser.add_argument("data", type=Path, help="folder of crops in Market-1501's format")
    parser.add_argument("output", type=Path, help="folder to write")
    parser.add_argument("--initial", type=Path, help="weights to start from: .safetensors, .onnx or .pth")
    parser.add_argument(
        "--teacher",
        type=Path,
        nargs="+",
        default=[],
        help="embedders to learn from: .onnx or .xml (OpenVINO)",
    )
    parser.add_argument("--boxes", type=Path, help="YOLO-layout pictures with people to learn on, too")
    parser.add_argument("--no-resume", dest="resume", action="store_false", help="do not go on from last.pt")
    parser.add_argument("--threads", type=int, help="of torch; its own choice by default")
    add_options(parser)
    options = vars(parser.parse_args(arguments))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if options["threads"]:
        torch.set_num_threads(options["threads"])
    result = train_embedder(
        options["data"],
        options["output"],
        from_options(options),
        initial=options["initial"],
        teachers=options["teacher"],
        unlabelled=options["boxes"],
        resume=options["resume"],
    )
    _LOG.info("wrote %s", result.checkpoint)


if __name__ == "__main__":
    main()
