"""The Multiple Granularity Network: one stem, three branches, eight features.

Wang et al., "Learning Discriminative Features with Multiple Granularities for Person Re-Identification",
ACM MM 2018, arXiv:1804.01438.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from mot_reid.appearance.backbones import HEAD_PREFIXES, STRIDE, build_backbone, split_backbone

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


class MaxPool(nn.Module):
    """The maximum of each channel."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, 1, 1)."""
        return x.amax(dim=(2, 3), keepdim=True)


class AvgPool(nn.Module):
    """The mean of each channel."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, 1, 1)."""
        return x.mean(dim=(2, 3), keepdim=True)


class GeMPool(nn.Module):
    """The generalised mean of each channel, its power learned (Radenovic et al., arXiv:1711.02512).

    Values below 1e-6 count as 1e-6. The powers are taken in float32: float16 would overflow.
    """

    def __init__(self, power: float = 3.0) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.full((1,), power))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, 1, 1)."""
        power = self.p.float()
        mean = x.float().clamp_min(1e-6).pow(power).mean(dim=(2, 3), keepdim=True)
        return mean.pow(1 / power).to(x.dtype)


Pooling = Literal["max", "avg", "gem"]
StemPool = Literal["pad", "ceil"]

_POOLS: dict[Pooling, type[nn.Module]] = {"max": MaxPool, "avg": AvgPool, "gem": GeMPool}


class MGN(nn.Module):
    """Multiple Granularity Network.

    In evaluation mode it gives the concatenated embedding, in training mode an `MGNOutput`. The defaults are
    the paper's network, but for the softmax on the reduced global features too, as in most public
    implementations: that trains to a better embedding (GNAYUOHZ/ReID-MGN, issue 5). The switches cover the
    public implementations (see `mot_reid.appearance.layouts`).

    Args:
        backbone: one of `mot_reid.appearance.backbones.BACKBONES`.
        reduced_dim: length of each of the eight features; 256 in the paper.
        num_classes: identities to classify while training; 0 leaves the classifiers out.
        relu: whether a ReLU ends each reduction, as in the paper; without it (fast-reid) the features are
            signed, and the cosines of different people spread around 0.
        pooling: of maps and strips: their maximum, their mean, or a generalised mean with a learned power.
        global_stride: 2 lets the global branch keep the stride of the backbone's last stage, so that its map
            is half as fine as those of the part branches; 1 makes all maps alike (fast-reid). OSNet has no
            such stride.
        stem_pool: "pad" or "ceil": whether the stem's 3x3 max pooling pads its input by one pixel on all
            sides, as everywhere, or reaches over its end only (fast-reid from August 2020 on).
        bnneck: whether another batch normalisation follows each reduction (Luo et al., arXiv:1903.07071).
        extra_bn: whether a batch normalisation precedes the pooling of each branch (LUPerson).
        shared_reduction: whether one reduction serves all eight features (GNAYUOHZ/ReID-MGN).
        wide_softmax: whether softmax acts on the pooled maps of the global features, not on their
            reductions, as in the paper.

    Raises:
        ValueError: if the backbone is unknown, or an argument is out of range.
    """

    def __init__(
        self,
        backbone: str = "resnet50",
        reduced_dim: int = 256,
        num_classes: int = 0,
        relu: bool = True,
        *,
        pooling: Pooling = "max",
        global_stride: int = 2,
        stem_pool: StemPool = "pad",
        bnneck: bool = False,
        extra_bn: bool = False,
        shared_reduction: bool = False,
        wide_softmax: bool = False,
    ) -> None:
        super().__init__()
        if reduced_dim < 1 or num_classes < 0:
            raise ValueError(
                f"reduced_dim must be positive and num_classes not negative; got {reduced_dim}, {num_classes}"
            )
        if pooling not in _POOLS or global_stride not in (1, 2) or stem_pool not in get_args(StemPool):
            raise ValueError(
                f"pooling must be one of {', '.join(_POOLS)}, global_stride 1 or 2, stem_pool pad or ceil; "
                f"got {pooling!r}, {global_stride!r}, {stem_pool!r}"
            )
        self.backbone, self.reduced_dim, self.num_classes = backbone, reduced_dim, num_classes
        self.relu, self.pooling, self.global_stride, self.stem_pool = relu, pooling, global_stride, stem_pool
        self.bnneck, self.extra_bn, self.shared_reduction = bnneck, extra_bn, shared_reduction
        self.wide_softmax = wide_softmax
        split = split_backbone(backbone)
        self.stem = split.stem
        if stem_pool == "ceil":
            _pool_without_padding(self.stem, backbone)
        self.b1, self.b2, self.b3 = (split.branch(coarse) for coarse in self._coarse())
        self.extra_bns = nn.ModuleList(nn.BatchNorm2d(split.channels) for _ in STRIPS if extra_bn)
        self.pools = nn.ModuleList(_POOLS[pooling]() for _ in HEADS)
        self.reductions = nn.ModuleList(
            _reduction(split.channels, reduced_dim, relu, bnneck)
            for _ in (HEADS[:1] if shared_reduction else HEADS)
        )
        widths = [split.channels if wide_softmax else reduced_dim] * GLOBAL_HEADS
        widths += [reduced_dim] * (len(HEADS) - GLOBAL_HEADS)
        self.classifiers = nn.ModuleList(_classifier(width, num_classes) for width in widths if num_classes)

    def _coarse(self) -> tuple[bool, ...]:
        return tuple(strips == 1 and self.global_stride == 2 for strips in STRIPS)

    @property
    def dim(self) -> int:
        """Length of the embedding."""
        return len(HEADS) * self.reduced_dim

    def architecture(self) -> dict[str, str | int | bool]:
        """The constructor's arguments behind the embedding: `MGN(**architecture)` has the same embedding.

        Switches that keep their default are left out.
        """
        named: dict[str, str | int | bool] = {
            "backbone": self.backbone,
            "reduced_dim": self.reduced_dim,
            "relu": self.relu,
        }
        switches = {name: getattr(self, name) for name in _SWITCHES}
        return named | {name: value for name, value in switches.items() if value != _SWITCHES[name]}

    def pooled(self, x: Tensor) -> tuple[Tensor, ...]:
        """Pool the maps of the three branches and their strips.

        Args:
            x: (N, 3, H, W) normalised RGB images, H a multiple of 96.

        Returns:
            Eight (N, channels, 1, 1) in the order of `HEADS`.

        Raises:
            ValueError: if the height is not a multiple of 96.
        """
        check_height(int(x.shape[-2]))
        shared = self.stem(x)
        return self._pooled([branch(shared) for branch in (self.b1, self.b2, self.b3)])

    def _pooled(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if self.extra_bn:
            maps = [norm(wide) for norm, wide in zip(self.extra_bns, maps, strict=True)]
        cuts = [(wide, strips) for wide, strips in zip(maps, STRIPS, strict=True) if strips > 1]
        parts = [
            strip for wide, strips in cuts for strip in torch.split(wide, wide.shape[2] // strips, dim=2)
        ]
        return tuple(pool(region) for pool, region in zip(self.pools, (*maps, *parts), strict=True))

    def features(self, x: Tensor) -> tuple[Tensor, ...]:
        """Eight (N, reduced_dim) reduced features of images (N, 3, H, W), in the order of `HEADS`."""
        return self._reduced(self.pooled(x))

    def _reduced(self, pooled: Sequence[Tensor]) -> tuple[Tensor, ...]:
        reductions = [self.reductions[0]] * len(HEADS) if self.shared_reduction else self.reductions
        return tuple(reduce(z).flatten(1) for reduce, z in zip(reductions, pooled, strict=True))

    def embed(self, x: Tensor) -> Tensor:
        """The (N, dim) concatenated features of images (N, 3, H, W), not normalised."""
        return torch.cat(self.features(x), dim=1)

    def embed_maps(self, maps: Sequence[Tensor]) -> Tensor:
        """As `embed`, from the maps (N, channels, h, w) of the three branches."""
        return torch.cat(self._reduced(self._pooled(maps)), dim=1)

    def forward(self, x: Tensor) -> Tensor | MGNOutput:
        """Embed images (N, 3, H, W): (N, dim), not normalised; an `MGNOutput` in training mode."""
        if not self.training:
            return self.embed(x)
        pooled = self.pooled(x)
        features = self._reduced(pooled)
        wide = GLOBAL_HEADS if self.wide_softmax else 0
        inputs = (*(z.flatten(1) for z in pooled[:wide]), *features[wide:])
        logits = tuple(fc(value) for fc, value in zip(self.classifiers, inputs, strict=False))
        return MGNOutput(features, logits)

    def load_backbone(self, state: Mapping[str, Tensor]) -> None:
        """Start the stem and all three branches from the weights of one plain backbone.

        Args:
            state: the state dict of `build_backbone(self.backbone)`, with or without the layers behind the
                map that MGN pools (`mot_reid.appearance.backbones.HEAD_PREFIXES`).

        Raises:
            RuntimeError: if names or shapes do not fit.
        """
        network = build_backbone(self.backbone)
        heads = {name: value for name, value in network.state_dict().items() if _is_head(name)}
        network.load_state_dict(heads | {name: v for name, v in state.items() if not _is_head(name)})
        split = split_backbone(self.backbone, network)
        self.stem.load_state_dict(split.stem.state_dict())
        for branch, coarse in zip((self.b1, self.b2, self.b3), self._coarse(), strict=True):
            branch.load_state_dict(split.branch(coarse).state_dict())


_SWITCHES = {
    name: parameter.default
    for name, parameter in inspect.signature(MGN).parameters.items()
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name != "wide_softmax"
}
"""The switches behind the embedding and their defaults."""


def check_height(height: int) -> None:
    """Refuse input heights (pixels) whose maps do not divide into two and into three equal strips.

    Raises:
        ValueError: if the height is not a positive multiple of 96.
    """
    if height < 1 or height % HEIGHT_MULTIPLE:
        raise ValueError(f"MGN's input height must be a multiple of {HEIGHT_MULTIPLE} pixels; got {height}")


def _pool_without_padding(stem: nn.Sequential, backbone: str) -> None:
    pools = [module for module in stem if isinstance(module, nn.MaxPool2d)]
    if not pools:
        raise ValueError(f"stem_pool 'ceil': {backbone} has no max pooling in its stem")
    for pool in pools:
        pool.padding, pool.ceil_mode = 0, True


def _reduction(channels: int, reduced_dim: int, relu: bool, bnneck: bool) -> nn.Sequential:
    conv = nn.Conv2d(channels, reduced_dim, 1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_in")
    layers: list[nn.Module] = [conv, nn.BatchNorm2d(reduced_dim)]
    layers += [nn.ReLU()] if relu else []
    layers += [nn.BatchNorm2d(reduced_dim)] if bnneck else []
    return nn.Sequential(*layers)


def _is_head(name: str) -> bool:
    return name.startswith(HEAD_PREFIXES)


def _classifier(inputs: int, num_classes: int) -> nn.Linear:
    # Without bias: the angle to a class weight should decide, as it does at test time.
    linear = nn.Linear(inputs, num_classes, bias=False)
    nn.init.normal_(linear.weight, std=0.001)
    return linear
