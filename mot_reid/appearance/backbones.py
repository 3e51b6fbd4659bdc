"""What MGN needs of a backbone: one shared stem and independent copies of the rest.

ResNet-50 is torchvision's; OSNet is written here with torchreid's state dict names, so that public weights
load by name. Nothing in this file touches the network: weights come from files, through `load_state_dict`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 16
"""Pixels of input to one row of the finest branch map."""


class ConvLayer(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        return F.relu(self.bn(self.conv(x)))


class LinearConvLayer(nn.Module):
    """A 1x1 convolution and batch normalisation, without the ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W)."""
        return cast(Tensor, self.bn(self.conv(x)))


class LightConv(nn.Module):
    """OSNet's Lite 3x3: pointwise, then depthwise 3x3, batch normalisation, ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        return F.relu(self.bn(self.conv2(self.conv1(x))))


class ChannelGate(nn.Module):
    """OSNet's aggregation gate: channels scaled by a function of the pooled map, alike for all streams."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = channels // 16
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.fc2 = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        gate = F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)))
        return x * torch.sigmoid(self.fc2(gate))


class ContextGate(nn.Module):
    """Linear context transform (arXiv:1909.03834): channels scaled by their normalised means."""

    def __init__(self, channels: int, groups: int = 16) -> None:
        super().__init__()
        self.gn = nn.GroupNorm(groups, channels)
        self.size = channels // groups

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        # GroupNorm of a 1x1 map by hand: it exports to a few operations without shapes to compute.
        groups = F.adaptive_avg_pool2d(x, 1).view(-1, self.gn.num_groups, self.size)
        centred = groups - groups.mean(dim=2, keepdim=True)
        variance = centred.square().mean(dim=2, keepdim=True)
        unit = (centred / torch.sqrt(variance + self.gn.eps)).flatten(1)
        return x * torch.sigmoid(unit * self.gn.weight + self.gn.bias)[:, :, None, None]


class OSBlock(nn.Module):
    """Omni-scale residual block: four streams of 1 to 4 light convolutions, gated and summed."""

    def __init__(self, inputs: int, outputs: int, context: bool = False) -> None:
        super().__init__()
        middle = outputs // 4
        self.conv1 = ConvLayer(inputs, middle)
        self.conv2a = LightConv(middle)
        self.conv2b = nn.Sequential(*(LightConv(middle) for _ in range(2)))
        self.conv2c = nn.Sequential(*(LightConv(middle) for _ in range(3)))
        self.conv2d = nn.Sequential(*(LightConv(middle) for _ in range(4)))
        self.gate: nn.Module = ContextGate(middle) if context else ChannelGate(middle)
        self.conv3 = LinearConvLayer(middle, outputs)
        self.downsample = LinearConvLayer(inputs, outputs) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W)."""
        identity = x if self.downsample is None else self.downsample(x)
        narrow = self.conv1(x)
        streams = (self.conv2a, self.conv2b, self.conv2c, self.conv2d)
        first, *others = (self.gate(stream(narrow)) for stream in streams)
        return F.relu(self.conv3(sum(others, first)) + identity)


class OSNet(nn.Module):
    """Omni-Scale Network (Zhou et al., ICCV 2019, arXiv:1905.00953), with torchreid's parameter names.

    Args:
        width: channel multiplier; 1.0 has 64, 256, 384 and 512 channels.
        feature_dim: length of the embedding behind the last fully connected layer.
        lct: the variant of Intel's person-reidentification-retail-0267: the image and the first layer's
            maps are normalised one by one (light and colour cast drop out), and the second block of each
            stage has a `ContextGate`.
    """

    def __init__(self, width: float = 1.0, feature_dim: int = 512, lct: bool = False) -> None:
        super().__init__()
        c1, c2, c3, c4 = (int(channels * width) for channels in (64, 256, 384, 512))
        self.channels = c4
        self.in_first = nn.InstanceNorm2d(3, affine=True) if lct else nn.Identity()
        self.conv1 = ConvLayer(3, c1, kernel=7, stride=2)
        if lct:
            self.conv1.bn = nn.InstanceNorm2d(c1, affine=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2 = nn.Sequential(OSBlock(c1, c2), OSBlock(c2, c2, lct), _transition(c2))
        self.conv3 = nn.Sequential(OSBlock(c2, c3), OSBlock(c3, c3, lct), _transition(c3))
        self.conv4 = nn.Sequential(OSBlock(c3, c4), OSBlock(c4, c4, lct))
        self.conv5 = ConvLayer(c4, c4)
        self.fc = nn.Sequential(nn.Linear(c4, feature_dim), nn.BatchNorm1d(feature_dim), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """Embed images (N, 3, H, W), RGB, normalised, as (N, feature_dim), not normalised."""
        x = self.conv3(self.conv2(self.maxpool(self.conv1(self.in_first(x)))))
        x = self.conv5(self.conv4(x))
        return cast(Tensor, self.fc(x.mean(dim=(2, 3))))


def _transition(channels: int) -> nn.Sequential:
    return nn.Sequential(ConvLayer(channels, channels), nn.AvgPool2d(2, stride=2))


class BackboneSplit(NamedTuple):
    """A backbone cut in two for MGN.

    Attributes:
        stem: the part that the branches share; (N, 3, H, W) to its feature map.
        branch: makes an independent copy of the rest, for the global branch if its argument is true, for a
            part branch otherwise. Part maps have a stride of `STRIDE` pixels.
        channels: channels of a branch's map.
    """

    stem: nn.Sequential
    branch: Callable[[bool], nn.Sequential]
    channels: int


def _split_resnet50(network: nn.Module) -> BackboneSplit:
    """Cut after `layer3[0]` (res_conv4_1): arXiv:1804.01438, section 3.1."""
    layer3, layer4 = cast(nn.Sequential, network.layer3), cast(nn.Sequential, network.layer4)
    names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2")
    stem = nn.Sequential(*(cast(nn.Module, getattr(network, name)) for name in names), layer3[0])

    def branch(is_global: bool) -> nn.Sequential:
        rest = copy.deepcopy(nn.Sequential(layer3[1:], layer4))
        if not is_global:
            first = cast(nn.Sequential, rest[1])[0]
            for conv in (first.conv2, cast(nn.Sequential, first.downsample)[0]):
                cast(nn.Conv2d, conv).stride = (1, 1)
        return rest

    return BackboneSplit(stem, branch, channels=2048)


def _split_osnet(network: nn.Module) -> BackboneSplit:
    """Cut after `conv3[0]`, as LightMBN does (arXiv:2101.10774).

    OSNet has no stride behind the cut's pooling, so that all branches see the map of stride 16.
    """
    assert isinstance(network, OSNet)
    layers = (network.conv1, network.maxpool, network.conv2, network.conv3[0])
    entry = () if isinstance(network.in_first, nn.Identity) else (network.in_first,)
    stem = nn.Sequential(*entry, *layers)

    def branch(is_global: bool) -> nn.Sequential:
        return copy.deepcopy(nn.Sequential(network.conv3[1:], network.conv4, network.conv5))

    return BackboneSplit(stem, branch, network.channels)


def _resnet50() -> nn.Module:
    from torchvision.models import resnet50

    return cast(nn.Module, resnet50(weights=None))


_BACKBONES: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module], BackboneSplit]]] = {
    "resnet50": (_resnet50, _split_resnet50),
    "osnet_x1_0": (lambda: OSNet(1.0), _split_osnet),
    "osnet_x0_25": (lambda: OSNet(0.25), _split_osnet),
    "osnet_lct_x0_5": (lambda: OSNet(0.5, 256, lct=True), _split_osnet),
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
    """Cut a backbone into MGN's stem and a factory of branches.

    Args:
        name: one of `BACKBONES`.
        network: the backbone to cut, as `build_backbone(name)` gives it; a new one if None. The stem shares
            its parameters; branches are copies.

    Raises:
        ValueError: if the name is unknown.
    """
    network = network if network is not None else build_backbone(name)
    return _BACKBONES[name][1](network)
