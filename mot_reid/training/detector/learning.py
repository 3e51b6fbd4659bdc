"""The training of the shipped detector: RTMDet's matching and losses in plain torch.

The start is OpenMMLab's RTMDet-nano, so before the first step it finds exactly what that finds. It learns
from labelled pictures, at sizes from 320 to 960 pixels, and from crowds of people cut out of the same
pictures. What it knew is kept: on some pictures the start's answers count beside the labels; the backbone,
or its early layers, and the depthwise filters unless they are asked for, stay as they are; the result is a
moving average of the weights.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mot_reid.detection.rtmdet import MEAN, STD, STRIDES, Maps, RtmDet
from mot_reid.files import atomic
from mot_reid.training.detector.assignment import places
from mot_reid.training.detector.examples import Examples, Material, make_examples
from mot_reid.training.detector.gradients import with_quick_gradients
from mot_reid.training.detector.losses import detection_loss, forgetting
from mot_reid.training.detector.settings import DetectorTraining
from mot_reid.training.saved import read_state, write_state

__all__ = ["STATE", "Learner", "blended"]

STATE = "last.pt"
_LOG = "log.csv"
_COLUMNS = ("epoch", "step", "scores", "boxes", "keep", "seconds")
_WARM_UP = 60  # steps
_LEAST_RATE = 0.05
_LONGEST = 5.0  # of the gradient
_WEIGHT_DECAY = 1e-3


class _Prepared(NamedTuple):
    """A batch: what the network sees, and what it is to say.

    Attributes:
        seen: maps of the frozen backbone, or the pixels alone.
        spots: the places of the maps.
        people: of each picture, boxes.
        kept: which pictures' answers of the start count.
        before: these answers.
    """

    seen: list[Tensor]
    spots: Tensor
    people: list[Tensor]
    kept: Tensor
    before: Maps | None


class Learner:
    """A training: network, its moving average and optimiser, written to ``last.pt`` after each epoch.

    Args:
        start: the network to start from.
        material: what to learn from.
        settings: how.
        work: a folder for ``last.pt`` and ``log.csv``.
        device: such as ``cpu`` or ``cuda:0``.
        resume: go on from ``last.pt``.

    Raises:
        ValueError: settings contradict each other, or ``last.pt`` is damaged or was written with other ones.
    """

    def __init__(
        self,
        start: RtmDet,
        material: Material,
        settings: DetectorTraining,
        work: Path,
        device: str = "cpu",
        resume: bool = False,
    ) -> None:
        self.material, self.settings, self.work = material, settings, work
        self.device = torch.device(device)
        self.start = deepcopy(start).eval().requires_grad_(False).to(self.device)
        self.network = deepcopy(start).train().to(self.device)
        for network in (self.start, self.network):
            network.to(memory_format=torch.channels_last)
        freeze(self.network, settings)
        self.average = deepcopy(self.network).requires_grad_(False)
        if self.device.type == "cpu":
            with_quick_gradients(self.network)
        self.optimiser = _optimiser(self.network, settings)
        self._sees_as_before = settings.frozen > len(self.network.backbone.stages)
        if settings.reuse > 1 and not self._sees_as_before:
            raise ValueError(
                "reuse: pictures are learnt from once where the backbone is trained (frozen < 5)"
            )
        self._maps_kept: dict[int, _Prepared] = {}
        self.step = 0
        self.steps_an_epoch = max(1, round(settings.pictures / settings.batch))
        work.mkdir(parents=True, exist_ok=True)
        if resume:
            self._resume()

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self.settings.epochs * self.steps_an_epoch

    def run(self, on_step: Callable[[int, int], None] = lambda *_: None) -> RtmDet:
        """Trains to the end.

        Args:
            on_step: told how many steps are done, and of how many.

        Returns:
            The moving average of the weights.
        """
        sums, began = np.zeros(3), time.monotonic()
        for batch in self._batches():
            sums += self._learn(batch)
            on_step(self.step, self.steps)
            if self.step % self.steps_an_epoch == 0:
                self._log(sums / self.steps_an_epoch, time.monotonic() - began)
                self._save()
                sums, began = np.zeros(3), time.monotonic()
        return self.average

    def _batches(self) -> Iterator[_Prepared]:
        """Every step's batch, made while the one before it is learnt from; the same for the same seed."""

        def make(step: int) -> Examples | None:
            batch = self._batch_of(step) if step < self.steps else None
            if batch is None or batch in self._maps_kept:
                return None
            return make_examples(
                self.material, self.settings, np.random.default_rng((self.settings.seed, batch))
            )

        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(make, self.step)
            for step in range(self.step, self.steps):
                examples = coming.result()
                batch = self._batch_of(step)
                prepared = self._prepare(examples) if examples is not None else self._maps_kept[batch]
                if self.settings.reuse > 1:
                    self._maps_kept[batch] = prepared
                coming = pool.submit(make, step + 1)
                yield prepared

    def _batch_of(self, step: int) -> int:
        """Which batch a step learns from: each once, in order, and then all again, each time in another."""
        different = math.ceil(self.steps / self.settings.reuse)
        turn, place = divmod(step, different)
        if not turn:
            return place
        order = np.random.default_rng((self.settings.seed, turn, different)).permutation(different)
        return int(order[place])

    def _prepare(self, examples: Examples) -> _Prepared:
        pixels = _normalised(examples, self.device)
        kept = torch.from_numpy(examples.kept).to(self.device)
        with torch.no_grad(), self._precision():
            seen = self.start.backbone(pixels) if self._sees_as_before or bool(kept.any()) else []
            before = None
            if self.settings.keep_weight and bool(kept.any()):
                before = self.start.say([x[kept] for x in seen])
        return _Prepared(
            [x.detach() for x in seen] if self._sees_as_before else [pixels],
            places(pixels.shape[2], pixels.shape[3], STRIDES, self.device),
            [torch.from_numpy(boxes).to(self.device) for boxes in examples.people],
            kept,
            before,
        )

    def _learn(self, batch: _Prepared) -> tuple[float, float, float]:
        for group in self.optimiser.param_groups:
            group["lr"] = group["highest"] * _share_of_rate(self.step, self.steps)
        with self._precision():
            maps = self.network.say(batch.seen) if self._sees_as_before else self.network(batch.seen[0])
        scores, boxes = detection_loss(maps, batch.spots, batch.people)
        moved = scores.new_zeros(())
        if batch.before is not None:
            now = Maps(maps.logits[batch.kept], maps.distances[batch.kept])
            moved = forgetting(now, batch.before, batch.spots) * float(batch.kept.float().mean())
        loss = scores + boxes + self.settings.keep_weight * moved
        if not torch.isfinite(loss):
            raise FloatingPointError(f"step {self.step}: the loss is {loss.item()}; try a smaller rate")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), _LONGEST)
        self.optimiser.step()
        self.step += 1
        decay = min(self.settings.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now_ in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now_, 1 - decay)
        return float(scores.detach()), float(boxes.detach()), float(moved.detach())

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bf16)

    def _save(self) -> None:
        state = {
            "settings": asdict(self.settings),
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        write_state(self.work / STATE, state)

    def _resume(self) -> None:
        path = self.work / STATE
        state = read_state(path, ("settings", "step", "network", "average", "optimiser"), self.device)
        if state["settings"] != asdict(self.settings):
            raise ValueError(f"{path}: written by a training with other settings")
        try:
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step = int(state["step"])
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())[:100]
            raise ValueError(f"{path}: not of such a training ({reason})") from None

    def _log(self, means: np.ndarray[Any, Any], seconds: float) -> None:
        """Adds an epoch; takes out what a kill before its `_save` has left of the same one."""
        path, rows = self.work / _LOG, list[Sequence[Any]]()
        if path.is_file():
            with path.open(newline="") as file:
                rows = [row for row in csv.reader(file) if row[1:2] and row[1].isdigit()]
        rows = [row for row in rows if int(row[1]) < self.step]
        epoch = self.step // self.steps_an_epoch
        rows.append([epoch, self.step, *(f"{mean:.4f}" for mean in means), f"{seconds:.1f}"])
        with atomic(path) as part, part.open("w", newline="") as file:
            csv.writer(file).writerows([_COLUMNS, *rows])


def freeze(network: RtmDet, settings: DetectorTraining) -> None:
    """Leaves out of the training what the settings say, in place."""
    parts = [network.backbone.stem, *network.backbone.stages]
    for part in parts[: settings.frozen]:
        part.requires_grad_(False)
    if not settings.depthwise:
        for module in network.modules():
            if isinstance(module, nn.Conv2d) and module.groups > 1:
                module.requires_grad_(False)


def blended(start: RtmDet, trained: RtmDet, share: float) -> RtmDet:
    """A network with the weights ``(1 - share) * start + share * trained``."""
    mixed = deepcopy(trained)
    with torch.no_grad():
        for mine, before in zip(mixed.parameters(), start.parameters(), strict=True):
            mine.lerp_(before.to(mine.device), 1 - share)
    return mixed


def _normalised(examples: Examples, device: torch.device) -> Tensor:
    pixels = torch.from_numpy(examples.pictures).to(device).permute(0, 3, 1, 2).float()
    mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (MEAN, STD))
    return ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)


def _optimiser(network: RtmDet, settings: DetectorTraining) -> torch.optim.Optimizer:
    """AdamW; vectors do not decay."""
    groups = []
    for part, rate in ((network.backbone, settings.backbone_rate), (network.neck, 1), (network.heads, 1)):
        trained = [parameter for parameter in part.parameters() if parameter.requires_grad]
        for matrices, decay in ((True, _WEIGHT_DECAY), (False, 0.0)):
            chosen = [parameter for parameter in trained if (parameter.ndim > 1) is matrices]
            if chosen:
                highest = rate * settings.learning_rate
                groups.append({"params": chosen, "highest": highest, "lr": highest, "weight_decay": decay})
    return torch.optim.AdamW(groups)


def _share_of_rate(step: int, steps: int) -> float:
    """Linear from nothing, then half a cosine down to a twentieth."""
    if step < _WARM_UP:
        return (step + 1) / _WARM_UP
    done = (step - _WARM_UP) / max(1, steps - _WARM_UP)
    return _LEAST_RATE + (1 - _LEAST_RATE) * (1 + math.cos(math.pi * done)) / 2
