"""Two parts of Ultralytics' networks in a form that ONNX Runtime runs faster; boxes stay where they are.

Together they save a tenth of YOLO11n's time on a CPU. A softmax over an axis in the middle moves that axis to
the end and back, and to be cut in halves, a map must leave the layout in which convolutions run.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, nn

__all__ = ["streamline"]


def streamline(network: nn.Module) -> None:
    """Replaces those parts of an Ultralytics network whose normalisation is folded into its convolutions."""
    from ultralytics.nn.modules.block import DFL, C2f

    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, DFL):
                setattr(parent, name, _Expectation(child.c1))
            elif isinstance(child, C2f):
                setattr(parent, name, _Halves(child))


class _Expectation(nn.Module):
    """The expected distance to each side of a box under the softmax of its bins."""

    distances: Tensor

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.register_buffer("distances", torch.arange(bins, dtype=torch.float32)[:, None])

    def forward(self, x: Tensor) -> Tensor:
        """Map logits (N, 4 * bins, anchors) to distances (N, 4, anchors)."""
        logits = x.view(x.shape[0], 4, -1, x.shape[2])
        likely = (logits - logits.amax(2, keepdim=True)).exp()
        return (likely * self.distances).sum(2) / likely.sum(2)


class _Halves(nn.Module):
    """A C2f block, or one of its kind, whose two halves come from two convolutions instead of from a cut."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.i, self.f = block.i, block.f  # its place in Ultralytics' network
        self.first, self.second = deepcopy(block.cv1), deepcopy(block.cv1)
        for half, rows in ((self.first.conv, slice(None, block.c)), (self.second.conv, slice(block.c, None))):
            half.out_channels = block.c
            half.weight.data, half.bias.data = half.weight.data[rows], half.bias.data[rows]
        self.m, self.cv2 = block.m, block.cv2

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W)."""
        maps = [self.first(x), self.second(x)]
        for layer in self.m:
            maps.append(layer(maps[-1]))
        return cast(Tensor, self.cv2(torch.cat(maps, 1)))
