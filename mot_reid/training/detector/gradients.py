"""Depthwise convolutions whose gradients a CPU computes in a fraction of the time.

oneDNN has no fast kernels for the gradients of depthwise convolutions: in bfloat16 they took most of
RTMDet-nano's backward pass. It has fast ones for groups of 16 channels, so the gradient of the weights, and
where the size is halved that of the input, are computed as those of a convolution that connects all 16
channels of a group, of which the diagonal is read; else the input's is a convolution with the kernel turned
round.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["QuickDepthwise", "with_quick_gradients"]

_GROUP = 16


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return F.conv2d(x, weight, bias, stride, weight.shape[2] // 2, 1, len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        for_input, for_weight, for_bias = ctx.needs_input_grad[:3]
        channels, _, side, _ = weight.shape
        of_input = of_weight = None
        if for_input and ctx.stride == 1:
            of_input = F.conv2d(gradient, weight.flip(2, 3), None, 1, side // 2, 1, channels)
        if for_weight or (for_input and of_input is None):
            here = torch.arange(channels, device=weight.device)
            dense = weight.new_zeros(channels, _GROUP, side, side).to(memory_format=torch.channels_last)
            dense[here, here % _GROUP] = weight[:, 0]
            of_dense_input, of_dense, _ = torch.ops.aten.convolution_backward(
                *(gradient, x, dense, [channels], [ctx.stride] * 2, [side // 2] * 2, [1, 1], False, [0, 0]),
                channels // _GROUP,
                [for_input and of_input is None, for_weight, False],
            )
            of_input = of_dense_input if of_input is None else of_input
            of_weight = of_dense[here, here % _GROUP][:, None] if for_weight else None
        return of_input, of_weight, gradient.sum((0, 2, 3)) if for_bias else None, None


class QuickDepthwise(nn.Conv2d):
    """A depthwise convolution with bias, of a multiple of 16 channels, that keeps the size, or halves it."""

    def forward(self, x: Tensor) -> Tensor:
        """See `torch.nn.Conv2d.forward`; under autocast it computes in its type."""
        assert self.bias is not None
        device, kind = x.device.type, x.dtype
        if torch.is_autocast_enabled(device):
            kind = torch.get_autocast_dtype(device)
        with torch.autocast(device, enabled=False):
            given = (x.to(kind), self.weight.to(kind), self.bias.to(kind), self.stride[0])
            return cast(Tensor, _Depthwise.apply(*given))


def with_quick_gradients(network: nn.Module) -> None:
    """Lets a network's depthwise convolutions compute their gradients so, in place; its weights stay."""
    for module in network.modules():
        if type(module) is nn.Conv2d and module.groups > 1 and module.groups % _GROUP == 0:
            module.__class__ = QuickDepthwise
