"""Keeping what a detector knows while it learns: on some pictures the start's answers count, too."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["KeepingLoss", "drift"]

_SCORES = 0.5  # weight of the scores against the boxes', as that of Ultralytics' own losses


def drift(maps: dict[str, Tensor], before: dict[str, Tensor]) -> Tensor:
    """How far scores and boxes of a YOLO's raw maps have moved from those of another.

    Args:
        maps: ``scores`` (B, C, A), logits, and ``boxes`` (B, 4 * bins, A), logits of each side's distance.
        before: those to keep.

    Returns:
        The divergence of the scores, over their sum before, and that of the distances' distributions, where
        there were people (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015).
    """
    scores = before["scores"].float().sigmoid()
    changed = F.binary_cross_entropy_with_logits(maps["scores"].float(), scores, reduction="sum")
    least = F.binary_cross_entropy(scores, scores, reduction="sum")
    batch, sides, anchors = before["boxes"].shape
    shape = (batch, 4, sides // 4, anchors)
    old = before["boxes"].float().view(shape).log_softmax(dim=2)
    new = maps["boxes"].float().view(shape).log_softmax(dim=2)
    moved = F.kl_div(new, old, reduction="none", log_target=True).sum(dim=2).mean(dim=1)
    people = scores.amax(dim=1)
    return _SCORES * (changed - least) / scores.sum().clamp(min=1) + (
        moved * people
    ).sum() / people.sum().clamp(min=1)


class KeepingLoss:
    """Ultralytics' losses of a batch, and the drift from the start on those of its pictures that are kept.

    Args:
        losses: Ultralytics' criterion.
        start: the detector before training.
        weight: of the drift.
    """

    def __init__(
        self,
        losses: Callable[[Any, dict[str, Any]], tuple[Tensor, dict[str, Tensor]]],
        start: Any,
        weight: float,
    ) -> None:
        self.losses, self.weight = losses, weight
        self.start: Any = deepcopy(start).eval().requires_grad_(False)
        self.start.model[-1].training = True  # gives its maps; its normalisation does not train

    def __call__(self, maps: dict[str, Tensor], batch: dict[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """The losses of a batch of `MadePictures`, times its size, and each by itself for the record."""
        loss, parts = self.losses(maps, batch)
        kept = batch["kept"]
        moved = loss.new_zeros(())
        if self.weight and bool(kept.any()):
            with torch.no_grad():
                before = self.start(batch["img"][kept])
            moved = self.weight * drift({name: maps[name][kept] for name in ("scores", "boxes")}, before)
        total = loss.sum() + len(kept) * moved
        return total, {**parts, "keep": moved.detach()}
