"""The Multiple Granularity Network: one stem, three branches, eight features.

Wang et al., "Learning Discriminative Features with Multiple Granularities for Person Re-Identification",
ACM MM 2018, arXiv:1804.01438.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mot_reid.appearance.backbones import STRIDE, build_backbone, split_backbone

STRIPS = (1, 2, 3)
"""Horizontal strips of the three branches."""

HEADS = ("g1", "g2", "g3", "p2_0", "p2_1", "p3_0", "p3_1", "p3_2")
"""The eight features in the order in which they are concatenated: one global of each branch, then strips."""

GLOBAL_HEADS = 3
"""How many of `HEADS` (the first ones) see the whole body."""

HEIGHT_MULTIPLE = 6 * STRIDE
"""Input heights that give every branch equal strips, two and three to a map."""


class MGNOutput(NamedTuple):
    """What the losses need: of each head, in the order of `HEADS`.

    Attributes:
        features: eight (N, reduced_dim) reduced features.
        logits: eight (N, num_classes) class scores; empty for a network without classifiers.
    """

    features: tuple[Tensor, ...]
    logits: tuple[Tensor, ...]


class MGN(nn.Module):
    """Multiple Granularity Network.

    In evaluation mode it gives the concatenated embedding, in training mode an `MGNOutput`. As most
    public implementations do, and unlike the paper, softmax acts on the reduced global features too, not on
    the wide pooled ones: that trains to a better embedding (GNAYUOHZ/ReID-MGN, issue 5).

    Args:
        backbone: one of `mot_reid.appearance.backbones.BACKBONES`.
        reduced_dim: length of each of the eight features; 256 in the paper.
        num_classes: identities to classify while training; 0 leaves the classifiers out.
        relu: whether a ReLU ends each reduction, as in the paper; without it (fast-reid) the features are
            signed, and the cosines of different people spread around 0.

    Raises:
        ValueError: if the backbone is unknown or a size is out of range.
    """

    def __init__(
        self, backbone: str = "resnet50", reduced_dim: int = 256, num_classes: int = 0, relu: bool = True
    ) -> None:
        super().__init__()
        if reduced_dim < 1 or num_classes < 0:
            raise ValueError(
                f"reduced_dim must be positive and num_classes not negative; got {reduced_dim}, {num_classes}"
            )
        self.backbone, self.reduced_dim, self.num_classes, self.relu = (
            backbone,
            reduced_dim,
            num_classes,
            relu,
        )
        split = split_backbone(backbone)
        self.stem = split.stem
        self.b1, self.b2, self.b3 = (split.branch(strips == 1) for strips in STRIPS)
        self.reductions = nn.ModuleList(_reduction(split.channels, reduced_dim, relu) for _ in HEADS)
        self.classifiers = nn.ModuleList(_classifier(reduced_dim, num_classes) for _ in HEADS if num_classes)

    @property
    def dim(self) -> int:
        """Length of the embedding."""
        return len(HEADS) * self.reduced_dim

    def architecture(self) -> dict[str, str | int | bool]:
        """The constructor's arguments behind the embedding: `MGN(**architecture)` has the same embedding."""
        return {"backbone": self.backbone, "reduced_dim": self.reduced_dim, "relu": self.relu}

    def pooled(self, x: Tensor) -> tuple[Tensor, ...]:
        """Pool the maps of the three branches by their maxima.

        Args:
            x: (N, 3, H, W) normalised RGB images, H a multiple of 96.

        Returns:
            Eight (N, channels, 1, 1) maxima in the order of `HEADS`.

        Raises:
            ValueError: if the height is not a multiple of 96.
        """
        check_height(int(x.shape[-2]))
        shared = self.stem(x)
        wholes: list[Tensor] = []
        parts: list[Tensor] = []
        for branch, strips in zip((self.b1, self.b2, self.b3), STRIPS, strict=True):
            # The maximum of the strips' maxima is the maximum of the map: pool the map once.
            rows = [strip.amax(dim=(2, 3), keepdim=True) for strip in branch(shared).chunk(strips, dim=2)]
            wholes.append(rows[0] if strips == 1 else torch.stack(rows).amax(dim=0))
            parts.extend(rows if strips > 1 else ())
        return (*wholes, *parts)

    def features(self, x: Tensor) -> tuple[Tensor, ...]:
        """Eight (N, reduced_dim) reduced features of images (N, 3, H, W), in the order of `HEADS`."""
        return tuple(
            reduction(pooled).flatten(1)
            for reduction, pooled in zip(self.reductions, self.pooled(x), strict=True)
        )

    def embed(self, x: Tensor) -> Tensor:
        """The (N, dim) concatenated features of images (N, 3, H, W), not normalised."""
        return torch.cat(self.features(x), dim=1)

    def forward(self, x: Tensor) -> Tensor | MGNOutput:
        """Embed images (N, 3, H, W): (N, dim), not normalised; an `MGNOutput` in training mode."""
        if not self.training:
            return self.embed(x)
        features = self.features(x)
        logits = tuple(fc(feature) for fc, feature in zip(self.classifiers, features, strict=False))
        return MGNOutput(features, logits)

    def load_backbone(self, state: Mapping[str, Tensor]) -> None:
        """Start the stem and all three branches from the weights of one plain backbone.

        Args:
            state: the state dict of `build_backbone(self.backbone)`.

        Raises:
            RuntimeError: if names or shapes do not fit.
        """
        network = build_backbone(self.backbone)
        network.load_state_dict(state)
        split = split_backbone(self.backbone, network)
        self.stem.load_state_dict(split.stem.state_dict())
        for branch, strips in zip((self.b1, self.b2, self.b3), STRIPS, strict=True):
            branch.load_state_dict(split.branch(strips == 1).state_dict())


def check_height(height: int) -> None:
    """Refuse input heights (pixels) whose maps do not divide into two and into three equal strips.

    Raises:
        ValueError: if the height is not a positive multiple of 96.
    """
    if height < 1 or height % HEIGHT_MULTIPLE:
        raise ValueError(f"MGN's input height must be a multiple of {HEIGHT_MULTIPLE} pixels; got {height}")


def _reduction(channels: int, reduced_dim: int, relu: bool) -> nn.Sequential:
    conv = nn.Conv2d(channels, reduced_dim, 1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_in")
    layers: list[nn.Module] = [conv, nn.BatchNorm2d(reduced_dim)]
    return nn.Sequential(*layers, nn.ReLU()) if relu else nn.Sequential(*layers)


def _classifier(reduced_dim: int, num_classes: int) -> nn.Linear:
    # Without bias: the angle to a class weight should decide, as it does at test time.
    linear = nn.Linear(reduced_dim, num_classes, bias=False)
    nn.init.normal_(linear.weight, std=0.001)
    return linear
