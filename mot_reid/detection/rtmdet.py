"""RTMDet-nano as a plain torch module: CSPNeXt, PAFPN and a head for each of three strides.

Lyu et al., "RTMDet: An Empirical Study of Designing Real-Time Object Detectors", arXiv:2212.07784. Its
layers are of the sizes of OpenMMLab's rtmdet-nano, whose weights `mot_reid.detection.rtmdet_weights` reads.
Every convolution has a bias and no normalisation behind it: that of the published weights is folded in.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["MEAN", "STD", "STRIDES", "Maps", "RtmDet", "flatten"]

STRIDES = (8, 16, 32)
MEAN, STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
"""Of the pixels that it takes: blue, green, red."""

_STEM = 16
_WIDTHS, _DEPTHS = (32, 64, 128, 256), (1, 2, 2, 1)  # of the backbone's stages
_NECK = 64  # channels of the maps that the head sees
_POOLS = (5, 9, 13)


class Maps(NamedTuple):
    """What the network says at each place of its three maps, in order of stride, row by row.

    Attributes:
        logits: ``(N, classes, A)``: of each class's score.
        distances: ``(N, 4, A)``: from the place to the box's left, upper, right and lower side, pixels.
    """

    logits: Tensor
    distances: Tensor


class ConvAct(nn.Sequential):
    """A convolution with bias that keeps the size, or halves it, and SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups), nn.SiLU(inplace=True)
        )


class Separable(nn.Sequential):
    """A depthwise convolution and one across channels, each with SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(ConvAct(inputs, inputs, kernel, stride, inputs), ConvAct(inputs, outputs))


class Bottleneck(nn.Module):
    """Two separable convolutions, of 3x3 and of 5x5, beside what comes in."""

    def __init__(self, width: int, residual: bool) -> None:
        super().__init__()
        self.small, self.large = Separable(width, width), Separable(width, width, 5)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        y = self.large(self.small(x))
        return y + x if self.residual else y


class Attention(nn.Module):
    """Weighs channels by their means."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weigh = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        return x * F.hardsigmoid(self.weigh(F.adaptive_avg_pool2d(x, 1)))


class CrossStage(nn.Module):
    """A cross-stage-partial layer: half of the channels go through the blocks, half around them."""

    def __init__(
        self, inputs: int, outputs: int, depth: int = 1, residual: bool = False, attention: bool = False
    ) -> None:
        super().__init__()
        half = outputs // 2
        self.around, self.through = ConvAct(inputs, half), ConvAct(inputs, half)
        self.blocks = nn.Sequential(*(Bottleneck(half, residual) for _ in range(depth)))
        self.attention = Attention(outputs) if attention else nn.Identity()
        self.mix = ConvAct(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W)."""
        both = torch.cat((self.blocks(self.through(x)), self.around(x)), 1)
        return cast(Tensor, self.mix(self.attention(both)))


class Pyramid(nn.Module):
    """Spatial pyramid pooling: maxima of three neighbourhoods beside the map itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.narrow = ConvAct(width, width // 2)
        self.mix = ConvAct(width // 2 * (1 + len(_POOLS)), width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        x = self.narrow(x)
        # A maximum of 5x5 over one of 5x5 is that of 9x9, and once more of 13x13.
        maps = [x]
        for _ in _POOLS:
            maps.append(F.max_pool2d(maps[-1], _POOLS[0], 1, _POOLS[0] // 2))
        return cast(Tensor, self.mix(torch.cat(maps, 1)))


class Backbone(nn.Module):
    """CSPNeXt."""

    def __init__(self) -> None:
        super().__init__()
        half = _STEM // 2
        self.stem = nn.Sequential(ConvAct(3, half, 3, 2), ConvAct(half, half, 3), ConvAct(half, _STEM, 3))
        self.stages = nn.ModuleList()
        width = _STEM
        for number, (wider, depth) in enumerate(zip(_WIDTHS, _DEPTHS, strict=True), start=1):
            last = number == len(_WIDTHS)
            parts: list[nn.Module] = [Separable(width, wider, 3, 2)]
            if last:
                parts.append(Pyramid(wider))
            parts.append(CrossStage(wider, wider, depth, residual=not last, attention=True))
            self.stages.append(nn.Sequential(*parts))
            width = wider

    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps of strides 8, 16 and 32 of pictures (N, 3, H, W)."""
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps[1:]


class Neck(nn.Module):
    """PAFPN: what the coarse maps know goes down to the fine ones, and back up."""

    def __init__(self) -> None:
        super().__init__()
        small, middle, large = _WIDTHS[1:]
        self.narrow_large = ConvAct(large, middle)
        self.down_middle = CrossStage(2 * middle, middle)
        self.narrow_middle = ConvAct(middle, small)
        self.down_small = CrossStage(2 * small, small)
        self.halve_small = Separable(small, small, 3, 2)
        self.up_middle = CrossStage(2 * small, middle)
        self.halve_middle = Separable(middle, middle, 3, 2)
        self.up_large = CrossStage(2 * middle, large)
        self.out = nn.ModuleList(Separable(width, _NECK) for width in (small, middle, large))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Three maps of 64 channels from those of the backbone."""
        small, middle, large = maps
        large = self.narrow_large(large)
        middle = self.down_middle(torch.cat((_enlarged(large), middle), 1))
        middle = self.narrow_middle(middle)
        small = self.down_small(torch.cat((_enlarged(middle), small), 1))
        middle = self.up_middle(torch.cat((self.halve_small(small), middle), 1))
        large = self.up_large(torch.cat((self.halve_middle(middle), large), 1))
        return [out(x) for out, x in zip(self.out, (small, middle, large), strict=True)]


def _enlarged(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class Head(nn.Module):
    """Scores and boxes of one stride."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.score_layers = nn.Sequential(Separable(_NECK, _NECK), Separable(_NECK, _NECK))
        self.score = nn.Conv2d(_NECK, classes, 1)
        self.box_layers = nn.Sequential(Separable(_NECK, _NECK), Separable(_NECK, _NECK))
        self.box = nn.Conv2d(_NECK, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, classes, H, W) and distances (N, 4, H, W), in strides."""
        return self.score(self.score_layers(x)), self.box(self.box_layers(x))


class RtmDet(nn.Module):
    """RTMDet-nano.

    Args:
        classes: that it tells apart.
    """

    def __init__(self, classes: int = 1) -> None:
        super().__init__()
        self.backbone, self.neck = Backbone(), Neck()
        self.heads = nn.ModuleList(Head(classes) for _ in STRIDES)

    def forward(self, pictures: Tensor) -> Maps:
        """See `Maps`.

        Args:
            pictures: ``(N, 3, H, W)`` BGR, less `MEAN`, over `STD`; H and W multiples of 32.
        """
        return self.say(self.backbone(pictures))

    def say(self, maps: list[Tensor]) -> Maps:
        """The same from what the backbone sees: its maps of strides 8, 16 and 32."""
        said = [head(x) for head, x in zip(self.heads, self.neck(maps), strict=True)]
        return flatten([logits for logits, _ in said], [distances for _, distances in said])


def flatten(logits: list[Tensor], distances: list[Tensor]) -> Maps:
    """Maps ``(N, C, H, W)`` of each stride, distances in strides, side by side."""
    pixels = [stride * distance for stride, distance in zip(STRIDES, distances, strict=True)]
    return Maps(torch.cat([x.flatten(2) for x in logits], 2), torch.cat([x.flatten(2) for x in pixels], 2))
