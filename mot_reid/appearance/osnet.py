"""OSNet, with torchreid's parameter names, so that public weights load by name."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["OSNet"]


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

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        # GroupNorm of a 1x1 map by hand: exports to a few elementwise nodes, and trains faster.
        pooled = x.mean(dim=(2, 3))
        grouped = pooled.view(-1, self.gn.num_groups, pooled.shape[1] // self.gn.num_groups)
        variance, mean = torch.var_mean(grouped, dim=2, correction=0, keepdim=True)
        unit = ((grouped - mean) * torch.rsqrt(variance + self.gn.eps)).view(pooled.shape)
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
        self.width, self.dim, self.channels = width, feature_dim, c4
        self.lct = lct
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

    def architecture(self) -> dict[str, float | int]:
        """The constructor's arguments: `OSNet(**architecture)` has the same embedding."""
        named: dict[str, float | int] = {"width": self.width, "feature_dim": self.dim}
        return named | ({"lct": True} if self.lct else {})

    def forward(self, x: Tensor) -> Tensor:
        """Embed images (N, 3, H, W), RGB, normalised, as (N, feature_dim), not normalised."""
        x = self.conv3(self.conv2(self.maxpool(self.conv1(self.in_first(x)))))
        x = self.conv5(self.conv4(x))
        return cast(Tensor, self.fc(x.mean(dim=(2, 3))))


def _transition(channels: int) -> nn.Sequential:
    return nn.Sequential(ConvLayer(channels, channels), nn.AvgPool2d(2, stride=2))
