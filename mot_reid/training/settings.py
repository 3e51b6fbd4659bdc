"""Settings of a training, and the same as options of a command line."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mot_reid.training.reid_data import Augmentation


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training.

    Attributes:
        backbone: one of `mot_reid.appearance.backbones.BACKBONES`.
        reduced_dim: length of each of the eight features.
        relu: whether a ReLU ends the features.
        height: of the input, pixels, a multiple of 96.
        width: of the input, pixels.
        epochs: how often to go through the training images.
        people: identities in a batch.
        images: images of each of them.
        unlabelled: crops without identities in a batch, besides, if there are any; they learn from the
            teacher only.
        fitted: crops on which to fit the first heads to the teacher (see `fit_heads`), if there are initial
            weights and a teacher; 0 leaves the heads random. Heads of `.safetensors` stay as they are.
        learning_rate: Adam's highest, after the warm-up; a cosine takes it to 0.
        backbone_rate: the stem's and the branches' learning rate against that of the heads.
        frozen: how many of the stem's first layers stay as they started, batch statistics included.
        frozen_norms: whether the backbone's batch normalisations keep the statistics that they came with.
        weight_decay: Adam's L2 penalty.
        warmup: share of the steps that the rate needs to rise.
        clip: largest norm of the gradient.
        margin: of the triplet loss.
        smoothing: of the softmax labels.
        triplet_weight: of the triplet loss.
        teacher_weight: of the distillation loss, if there is a teacher.
        relation_weight: of its second part (see `distillation_loss`) against its first.
        ema: decay of the moving average of the weights, which is what is evaluated and saved; 0 for none.
        keep: share of the initial backbone in what is evaluated and saved (see `blend_backbone`): it costs a
            little on the training set's like and gains on other places.
        held_out: identities kept for validation.
        seed: decides the split, the batches, the augmentation and the initial heads.
        augmentation: how crops vary.
    """

    backbone: str = "osnet_x0_25"
    reduced_dim: int = 64
    relu: bool = False
    height: int = 192
    width: int = 96
    epochs: int = 8
    people: int = 16
    images: int = 4
    unlabelled: int = 16
    fitted: int = 0
    learning_rate: float = 1e-3
    backbone_rate: float = 1.0
    frozen: int = 0
    frozen_norms: bool = False
    weight_decay: float = 5e-4
    warmup: float = 0.07
    clip: float = 10.0
    margin: float = 1.2
    smoothing: float = 0.1
    triplet_weight: float = 1.0
    teacher_weight: float = 5.0
    relation_weight: float = 5.0
    ema: float = 0.995
    keep: float = 0.0
    held_out: int = 100
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each setting, with its default."""
    for owner in (TrainingSettings(), Augmentation()):
        for entry in dataclasses.fields(owner):
            value, option = getattr(owner, entry.name), "--" + entry.name.replace("_", "-")
            if isinstance(value, bool):
                parser.add_argument(option, action=argparse.BooleanOptionalAction, default=value)
            elif not isinstance(value, Augmentation):
                parser.add_argument(option, type=type(value), default=value, help=f"default {value}")


def from_options(options: Mapping[str, Any]) -> TrainingSettings:
    """The settings among parsed options."""
    names = [entry.name for entry in dataclasses.fields(TrainingSettings) if entry.name != "augmentation"]
    jitter = Augmentation(**{entry.name: options[entry.name] for entry in dataclasses.fields(Augmentation)})
    return TrainingSettings(**{name: options[name] for name in names}, augmentation=jitter)
