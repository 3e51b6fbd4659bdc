"""What MGN needs of a backbone: one shared stem and independent copies of the rest.

ResNet and MobileNetV3 are torchvision's; OSNet and EfficientNet-Lite0 are ours, named as public weights are.
Nothing in this file touches the network: weights come from files, through `load_state_dict`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from mot_reid.appearance.efficientnet import EfficientNetLite0
from mot_reid.appearance.osnet import OSNet

__all__ = [
    "BACKBONES",
    "HEAD_PREFIXES",
    "STRIDE",
    "BackboneSplit",
    "OSNet",
    "build_backbone",
    "split_backbone",
]

STRIDE = 16
"""Pixels of input to one row of the finest branch map."""

HEAD_PREFIXES = ("fc.", "classifier.", "_conv_head.", "_bn1.", "_fc.")
"""How the layers of whole backbones begin that lie behind the map MGN pools; MGN has none of them."""


class BackboneSplit(NamedTuple):
    """A backbone cut in two for MGN.

    Attributes:
        stem: the part that the branches share; (N, 3, H, W) to its feature map.
        rest: what each branch gets a copy of.
        channels: channels of a branch's map.
    """

    stem: nn.Sequential
    rest: nn.Sequential
    channels: int

    def branch(self, coarse: bool) -> nn.Sequential:
        """An independent copy of the rest.

        Args:
            coarse: whether it keeps the stride of its convolutions, if any; without, its map has a stride of
                `STRIDE` pixels.
        """
        branch = copy.deepcopy(self.rest)
        for module in branch.modules():
            if isinstance(module, nn.Conv2d) and not coarse:
                module.stride = (1, 1)
        return branch


class IBN(nn.Module):
    """Instance normalisation of the first half of the channels, batch normalisation of the others.

    IBN-a of Pan et al., "Two at Once: Enhancing Learning and Generalization Capacities via IBN-Net",
    ECCV 2018, arXiv:1807.09441, with the parameter names of the authors' code.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.IN = nn.InstanceNorm2d(channels // 2, affine=True)
        self.BN = nn.BatchNorm2d(channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        first, second = x.chunk(2, dim=1)
        return torch.cat((self.IN(first.contiguous()), self.BN(second.contiguous())), dim=1)


def _resnet(depth: int, ibn: bool) -> nn.Module:
    from torchvision import models

    network = cast(nn.Module, getattr(models, f"resnet{depth}")(weights=None))
    if ibn:
        for layer in (network.layer1, network.layer2, network.layer3):  # the last keeps its batch norms
            for block in cast(nn.Sequential, layer):
                block.bn1 = IBN(cast(nn.BatchNorm2d, block.bn1).num_features)
    return network


def _mobilenet(size: str) -> nn.Module:
    from torchvision import models

    network = cast(nn.Module, getattr(models, f"mobilenet_v3_{size}")(weights=None))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1  # torchvision's 0.01 lags behind in short trainings
    return network


def _split_resnet(network: nn.Module) -> BackboneSplit:
    """Cut after `layer3[0]` (res_conv4_1): arXiv:1804.01438, section 3.1."""
    layer3, layer4 = cast(nn.Sequential, network.layer3), cast(nn.Sequential, network.layer4)
    names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2")
    stem = nn.Sequential(*(cast(nn.Module, getattr(network, name)) for name in names), layer3[0])
    rest = nn.Sequential(nn.Sequential(*layer3[1:]), layer4)  # numbered from 0, as in public checkpoints
    return BackboneSplit(stem, rest, cast(nn.Linear, network.fc).in_features)


def _split_osnet(network: nn.Module) -> BackboneSplit:
    """Cut after `conv3[0]`, as LightMBN does (arXiv:2101.10774).

    OSNet has no convolution with a stride behind the cut, so that all branches see the map of stride 16.
    """
    assert isinstance(network, OSNet)
    entry = () if isinstance(network.in_first, nn.Identity) else (network.in_first,)
    stem = nn.Sequential(*entry, network.conv1, network.maxpool, network.conv2, network.conv3[0])
    rest = nn.Sequential(network.conv3[1:], network.conv4, network.conv5)  # numbered from 1, as we ship it
    return BackboneSplit(stem, rest, network.channels)


def _split_mobilenet(network: nn.Module, end: int) -> BackboneSplit:
    """Cut behind the first block of stride 16, as in ResNet; its index is `end - 1`."""
    features = cast(nn.Sequential, network.features)
    channels = cast(nn.Conv2d, cast(nn.Sequential, features[-1])[0]).out_channels
    return BackboneSplit(features[:end], nn.Sequential(*features[end:]), channels)


def _split_efficientnet(network: nn.Module) -> BackboneSplit:
    """Cut behind the first block of stride 16, as in ResNet; the reductions take the place of the head."""
    assert isinstance(network, EfficientNetLite0)
    blocks = network._blocks
    stem = nn.Sequential(network._conv_stem, network._bn0, nn.ReLU6(), blocks[:6])
    return BackboneSplit(stem, nn.Sequential(*blocks[6:]), network._conv_head.in_channels)


_BACKBONES: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module], BackboneSplit]]] = {
    **{
        f"resnet{depth}{suffix}": (partial(_resnet, depth, bool(suffix)), _split_resnet)
        for depth in (18, 34, 50, 101, 152)
        for suffix in ("", "_ibn")
    },
    **{
        f"osnet_x{str(width).replace('.', '_')}": (partial(OSNet, width), _split_osnet)
        for width in (1.0, 0.75, 0.5, 0.25)
    },
    "osnet_lct_x0_5": (partial(OSNet, 0.5, 256, lct=True), _split_osnet),
    "osnet_lct_x1_0": (partial(OSNet, 1.0, 256, lct=True), _split_osnet),
    "efficientnet_lite0": (EfficientNetLite0, _split_efficientnet),
    "mobilenet_v3_small": (partial(_mobilenet, "small"), partial(_split_mobilenet, end=5)),
    "mobilenet_v3_large": (partial(_mobilenet, "large"), partial(_split_mobilenet, end=8)),
}

BACKBONES = tuple(_BACKBONES)
"""Names that `build_backbone` and `split_backbone` know."""


def build_backbone(name: str) -> nn.Module:
    """Build a whole backbone with random weights, named as public checkpoints name its parameters.

    Args:
        name: one of `BACKBONES`.

    Raises:
        ValueError: if the name is unknown.
    """
    if name not in _BACKBONES:
        raise ValueError(f"backbone must be one of {', '.join(BACKBONES)}; got {name!r}")
    return _BACKBONES[name][0]()


def split_backbone(name: str, network: nn.Module | None = None) -> BackboneSplit:
    """Cut a backbone into MGN's stem and what its branches are copies of.

    Args:
        name: one of `BACKBONES`.
        network: the backbone to cut, as `build_backbone(name)` gives it; a new one if None. The split shares
            its parameters; branches are copies.

    Raises:
        ValueError: if the name is unknown.
    """
    network = network if network is not None else build_backbone(name)
    return _BACKBONES[name][1](network)
