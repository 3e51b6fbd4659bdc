"""The training of an embedder on labelled crops, in one process or several."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mot_reid.appearance.checkpoints import EmbeddingNetwork
from mot_reid.appearance.crops import IMAGENET_MEAN, IMAGENET_STD
from mot_reid.appearance.mgn import MGN
from mot_reid.files import atomic
from mot_reid.training.reid.augmentation import augmented_batch, normalise
from mot_reid.training.reid.centring import centred
from mot_reid.training.reid.data import Progress, TrainingData
from mot_reid.training.reid.distributed import ALONE, Group
from mot_reid.training.reid.evaluation import evaluate_network
from mot_reid.training.reid.head_fit import fit_heads, fit_projection
from mot_reid.training.reid.logbook import EpochMetrics, Logbook
from mot_reid.training.reid.networks import Network, body_of, build_network, embedder_file, save_embedder
from mot_reid.training.reid.objective import MEASURES, Objective, Trainee
from mot_reid.training.reid.optimisation import autocast_type, build_optimiser, on_device
from mot_reid.training.reid.sampling import balanced_batches
from mot_reid.training.reid.schedule import learning_rate
from mot_reid.training.reid.settings import AugmentationSettings, TrainingSettings
from mot_reid.training.reid.state import data_key, differences, portable
from mot_reid.training.reid.warm_start import backbone_state, blend_backbone, start_from
from mot_reid.training.saved import read_state, write_state
from mot_reid.typing import Ints
from mot_reid.wording import counted

__all__ = ["Trainer", "TrainingResult"]

STATE = "last.pt"
_ENTRIES = ("settings", "trainee", "average", "start", "optimiser", "scaler", "history")
_PLAIN = AugmentationSettings(brightness=0, contrast=0, saturation=0, gamma=1, coarse=0)


class TrainingResult(NamedTuple):
    """The embedder that a training wrote, and its metrics, one for each epoch and one for the start."""

    embedder: Path
    history: tuple[EpochMetrics, ...]


class Trainer:
    """The state of one training: network, its moving average, optimiser, history.

    After every epoch it is written to `last.pt`, from which the next `Trainer` in the same folder goes on;
    interrupted or not, on a CPU the result is the same to the last bit.

    Args:
        data: what to learn from.
        output: folder to write: `embedder.safetensors` (or `.onnx`, see `save_embedder`), `metrics.csv`,
            TensorBoard's event files, and `last.pt`.
        settings: of the training.
        group: the processes that share each batch; batch normalisation and the search for hard triplets act
            in each process's share, gradients are averaged.
        resume: go on from `last.pt` if it is there.
        progress: told how far it is.
        on_epoch: told of every epoch.

    Raises:
        FileNotFoundError: the initial weights are missing.
        ValueError: settings contradict each other, the data or the machine, or `last.pt` is damaged or was
            written with other ones, or other data.
    """

    def __init__(
        self,
        data: TrainingData,
        output: Path,
        settings: TrainingSettings,
        *,
        group: Group = ALONE,
        resume: bool = True,
        progress: Progress = lambda *_: None,
        on_epoch: Callable[[EpochMetrics], None] = lambda _: None,
    ) -> None:
        self.data, self.output, self.settings, self.group = data, Path(output), settings, group
        self._progress, self._on_epoch = progress, on_epoch
        self.device = torch.device(group.device)
        self._autocast = autocast_type(settings.precision, self.device)
        if settings.batch.people % group.size:
            raise ValueError(
                f"batch.people {settings.batch.people} cannot be shared out to {group.size} processes"
            )
        if settings.batch.people > data.people:
            raise ValueError(
                f"batch.people is {settings.batch.people}, but the data has "
                f"{counted(data.people, 'identity')}"
            )
        losses = settings.losses
        if (
            not (losses.softmax or losses.triplet or losses.contrastive or losses.attributes)
            and data.teacher is None
        ):
            raise ValueError("losses: all weights are 0 and there is no teacher: nothing to learn")
        kept, fitted = settings.optimiser.keep, settings.distillation.fitted
        if not settings.network.initial and (kept or fitted):
            name = "optimiser.keep" if kept else "distillation.fitted"
            raise ValueError(f"{name}: needs initial weights (network.initial), and there are none")
        self.images = on_device(data.images, self.device)
        saved = self.output / STATE
        going_on = resume and saved.exists()
        self.output.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.seed)
        self.objective = Objective(data, settings, self.device)
        network = build_network(settings.network, data.people if settings.losses.softmax else 0)
        self.trainee = Trainee(network, self.objective)
        if settings.network.initial and not going_on:
            start_from(network, settings.network.initial, self._samples(torch.device("cpu")))
            if settings.distillation.fitted:
                self._fit_heads(network)
        self.start = backbone_state(network) if settings.optimiser.keep else {}
        self.trainee.to(self.device).to(memory_format=torch.channels_last)
        self.average = build_network(settings.network).to(self.device)
        self._update_average(decay=0.0)
        self.body = body_of(network)
        self.frozen = network.stem[: settings.network.frozen].requires_grad_(False)
        self.optimiser = build_optimiser(self.trainee, self.body, settings)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self._autocast == torch.float16)
        self.logbook = Logbook(self.output)
        if going_on:
            self._resume(saved)
        self._forward: nn.Module = self.trainee
        if group.size > 1:
            # Of attributes a process learns those alone that are known of somebody in its share of a batch.
            unused = not losses.softmax or settings.network.wide_softmax or bool(losses.attributes)
            self._forward = DistributedDataParallel(
                self.trainee,
                device_ids=[self.device.index] if self.device.type == "cuda" else None,
                find_unused_parameters=unused,
            )

    @property
    def history(self) -> list[EpochMetrics]:
        """What the epochs measured; the first entry is the start."""
        return self.logbook.history

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return max(1, len(self.data.classes) // (self.settings.batch.people * self.settings.batch.images))

    def run(self) -> TrainingResult:
        """Train the epochs that are left; evaluate and save after each."""
        embedder = embedder_file(self.output, self.settings.network)
        try:
            if not self.history:
                if self.group.leads:  # else it would go on from what another training has left
                    (self.output / STATE).unlink(missing_ok=True)
                self._finish_epoch(EpochMetrics(0))
            for epoch in range(len(self.history), self.settings.schedule.epochs + 1):
                self._finish_epoch(self.train_epoch(epoch))
        finally:
            self.logbook.close()
        if self.group.leads and not embedder.exists():  # removed since the last epoch
            self._save_embedder(embedder, self._evaluated_model(), self.history[-1])
        return TrainingResult(embedder, tuple(self.history))

    def train_epoch(self, epoch: int) -> EpochMetrics:
        """Go once through the labelled crops; the epoch's number (from 1) and the seed decide how."""
        settings, group, start = self.settings, self.group, time.perf_counter()
        sampler = np.random.default_rng((settings.seed, epoch))
        rng = np.random.default_rng((settings.seed, epoch, 1 + group.rank))
        self.trainee.train()
        self.frozen.eval()
        if settings.network.frozen_norms:
            self.body.apply(_freeze_norm)
        sums, rate = torch.zeros(len(MEASURES), device=self.device), 0.0
        batches = balanced_batches(self.data.classes, settings.batch.people, settings.batch.images, sampler)
        total = settings.schedule.epochs * self.steps
        for step, batch in enumerate(batches):
            self._progress(f"epoch {epoch}/{settings.schedule.epochs}", step, self.steps)
            done = (epoch - 1) * self.steps + step
            rate = learning_rate(done, total, settings.optimiser.learning_rate, settings.schedule)
            mine = batch.reshape(settings.batch.people, -1)[group.rank :: group.size].ravel()
            others = self._draw_unlabelled(sampler)[group.rank :: group.size]
            sums += self._step(np.concatenate((mine, others)), rate, rng)
        self._progress(f"epoch {epoch}/{settings.schedule.epochs}", self.steps, self.steps)
        means = dict(zip(MEASURES, (group.mean(sums) / self.steps).tolist(), strict=True))
        return EpochMetrics(epoch, rate, **means, seconds=time.perf_counter() - start)

    def _draw_unlabelled(self, rng: np.random.Generator) -> Ints:
        rows = self.data.unlabelled
        count = min(self.settings.batch.unlabelled, len(rows))
        return rng.choice(rows, count, replace=False) if count else rows

    def _step(self, rows: Ints, rate: float, rng: np.random.Generator) -> Tensor:
        """Learn from a batch of labelled crops, with unlabelled ones behind them; gives `MEASURES`."""
        pixels = augmented_batch(self.images, rows, self.settings.augmentation, rng, self.device)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        with torch.autocast(self.device.type, self._autocast, enabled=self._autocast is not None):
            output = self._forward(normalise(pixels, IMAGENET_MEAN, IMAGENET_STD))
        total, measures = self.objective(output, rows)
        self.optimiser.zero_grad()
        self.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        if self.settings.optimiser.clip:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.trainee.parameters(), self.settings.optimiser.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self._update_average(self.settings.optimiser.ema)
        return measures

    @torch.no_grad()
    def _update_average(self, decay: float) -> None:
        source = self.trainee.network.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(source[name], 1 - decay)
            else:
                value.copy_(source[name])

    def _finish_epoch(self, metrics: EpochMetrics) -> None:
        """Evaluate and save, in the process that leads."""
        if self.group.leads:
            model = self._evaluated_model()
            if self.data.validation is not None:
                size = (self.settings.data.height, self.settings.data.width)
                network = EmbeddingNetwork(model, size, IMAGENET_MEAN, IMAGENET_STD, model.dim)
                scores = evaluate_network(network, self.data.validation)
                metrics = metrics._replace(
                    mean_average_precision=scores.mean_average_precision, rank1=scores.rank1
                )
            path = embedder_file(self.output, self.settings.network)
            self._save_embedder(path, model, metrics)
            if self.settings.schedule.keep_all:
                with atomic(path.with_stem(f"epoch{metrics.epoch:02d}")) as part:
                    shutil.copyfile(path, part)
        self.logbook.add(metrics, write=self.group.leads)
        if self.group.leads:
            self._save(self.output / STATE)
            self._on_epoch(metrics)
        self.group.wait()

    def _evaluated_model(self) -> Network:
        """What the tracker would get now: the moving average, blended with the start, centred."""
        model = self.average.eval()
        if self.settings.optimiser.keep:
            model = blend_backbone(
                model,
                self.start,
                self.settings.optimiser.keep,
                self._samples(self.device),
                self.settings.network.frozen_norms,
            )
        return centred(model, (pixels for pixels, _ in self._sampled(1024, _PLAIN, self.device)))

    def _save_embedder(self, path: Path, model: nn.Module, metrics: EpochMetrics) -> None:
        measured = metrics._asdict()
        del measured["seconds"]  # the file is the same, however long it took
        notes = {"settings": portable(self.settings), "metrics": measured}
        save_embedder(path, model, (self.settings.data.height, self.settings.data.width), notes)

    def _save(self, path: Path) -> None:
        state = {
            "settings": portable(self.settings),
            "data": data_key(self.data),
            "trainee": self.trainee.state_dict(),
            "average": self.average.state_dict(),
            "start": self.start,
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "history": [tuple(metrics) for metrics in self.history],
        }
        write_state(path, state)

    def _resume(self, path: Path) -> None:
        state = read_state(path, _ENTRIES)
        if different := differences(state["settings"], portable(self.settings)):
            raise ValueError(
                f"{path} was written with other settings: {', '.join(different)}; "
                "choose another output folder, or do not resume"
            )
        if state.get("data", data_key(self.data)) != data_key(self.data):  # which older states lack
            raise ValueError(
                f"{path} was written with other crops or labels; choose another folder, or do not resume"
            )
        try:
            self.trainee.load_state_dict(state["trainee"])
        except RuntimeError as error:
            raise ValueError(f"{path} does not fit the data: {str(error)[:200]}") from None
        self.average.load_state_dict(state["average"])
        self.start = state["start"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        self.logbook = Logbook(self.output, [EpochMetrics(*values) for values in state["history"]])

    def _fit_heads(self, network: nn.Module) -> None:
        """Start the heads and the projection with what regression makes of hardly varied crops.

        Heads that come with the initial weights stay.
        """
        teacher, count = self.data.teacher, self.settings.distillation.fitted
        if teacher is None or self.trainee.projection is None or not isinstance(network, MGN):
            raise ValueError("distillation.fitted: needs distillation.teachers and the architecture mgn")
        lessons = (
            (pixels, torch.from_numpy(teacher[rows]))
            for pixels, rows in self._sampled(count, _PLAIN, torch.device("cpu"))
        )
        fit = fit_projection if Path(self.settings.network.initial).suffix == ".safetensors" else fit_heads
        self.trainee.projection.weight.data.copy_(fit(network, lessons))

    def _samples(self, device: torch.device, count: int = 512) -> Iterator[Tensor]:
        """Augmented crops, to measure what batch normalisations see."""
        for pixels, _ in self._sampled(count, self.settings.augmentation, device):
            yield pixels

    def _sampled(
        self, count: int, augmentation: AugmentationSettings, device: torch.device
    ) -> Iterator[tuple[Tensor, Ints]]:
        rng = np.random.default_rng((self.settings.seed, 0))
        chosen = rng.permutation(len(self.images))[:count]
        for rows in np.array_split(chosen, max(1, len(chosen) // 64)):
            pixels = augmented_batch(self.images, rows, augmentation, rng, device)
            yield normalise(pixels, IMAGENET_MEAN, IMAGENET_STD), rows


def _freeze_norm(module: nn.Module) -> None:
    if isinstance(module, nn.BatchNorm2d):
        module.eval()
