"""OSNet, and MGN on it, in fewer and wider layers: the same function, made for exports.

On one crop, a third of the time in ONNX Runtime goes into the number of its nodes and into maps that change
their layout in memory. MGN's three branches have layers of the same shapes, so each layer runs once, on the
branches' channels beside each other; the four streams of a block share the arithmetic of their gates.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mot_reid.appearance.mgn import MGN
from mot_reid.appearance.osnet import ChannelGate, ContextGate, OSBlock

__all__ = ["widened"]

_STREAMS = 4
_BLOCK = 16  # ONNX Runtime's fast layout wants channels, and those of each group, in multiples of it


def widened(module: nn.Module) -> nn.Module:
    """The same function, faster in ONNX Runtime: of an `OSNet` or an `MGN` on one; others as they are.

    Args:
        module: in evaluation mode; it stays as it is.
    """
    blocks = [block for block in module.modules() if isinstance(block, OSBlock)]
    if not blocks:
        return module
    if isinstance(module, MGN) and _alike([module.b1, module.b2, module.b3]):
        return _SharedMGN(module).eval()
    in_blocks = not any(block.conv3.conv.in_channels % _BLOCK for block in blocks)
    if isinstance(module, MGN) and in_blocks:  # or groups of channels would be slower than separate branches
        return _WideMGN(module).eval()
    return _beside([module])


class _WideMGN(nn.Module):
    """MGN whose branches run beside each other."""

    def __init__(self, network: MGN) -> None:
        super().__init__()
        self.network = network
        branches = [network.b1, network.b2, network.b3]
        self.count = len(branches)
        self.stem, self.branches = _beside([network.stem]), _beside(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Embed images (N, 3, H, W) as (N, dim)."""
        maps = self.branches(torch.cat([self.stem(x)] * self.count, dim=1))
        return self.network.embed_maps(torch.split(maps, maps.shape[1] // self.count, dim=1))


class _SharedMGN(nn.Module):
    """MGN whose branches are still what they started as, one like the other: run once, for all heads."""

    def __init__(self, network: MGN) -> None:
        super().__init__()
        self.network = network
        self.stem, self.branch = _beside([network.stem]), _beside([network.b1])

    def forward(self, x: Tensor) -> Tensor:
        """Embed images (N, 3, H, W) as (N, dim)."""
        return self.network.embed_maps([self.branch(self.stem(x))] * 3)


def _alike(branches: Sequence[nn.Module]) -> bool:
    """Whether OSNet's branches, which have no strides to differ in, hold the same numbers."""
    first, *others = (branch.state_dict() for branch in branches)
    return all(torch.equal(value, other[name]) for other in others for name, value in first.items())


class _WideBlock(nn.Module):
    """The blocks of several branches; their channels lie beside each other."""

    def __init__(self, blocks: Sequence[OSBlock]) -> None:
        super().__init__()
        first = blocks[0]
        self.conv1 = _beside([block.conv1 for block in blocks])
        names = ("conv2a", "conv2b", "conv2c", "conv2d")
        self.streams = nn.ModuleList(_beside([getattr(block, name) for block in blocks]) for name in names)
        gates = [block.gate for block in blocks] * _STREAMS
        self.gates = _context_gates(gates) if isinstance(first.gate, ContextGate) else _channel_gates(gates)
        self.conv3 = _beside([block.conv3 for block in blocks])
        downsamples = [block.downsample for block in blocks if block.downsample is not None]
        self.downsample = _beside(downsamples) if downsamples else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W), both of all branches."""
        narrow = self.conv1(x)
        streams = [stream(narrow) for stream in self.streams]
        pooled = torch.cat([F.adaptive_avg_pool2d(stream, 1) for stream in streams], dim=1)
        gates = torch.split(torch.sigmoid(self.gates(pooled)), narrow.shape[1], dim=1)
        first, *others = (stream * gate for stream, gate in zip(streams, gates, strict=True))
        return F.relu(self.conv3(sum(others, first)) + self.downsample(x))


def _beside(modules: Sequence[nn.Module]) -> nn.Module:
    """One module that does what alike modules do, each on its own share of the channels."""
    first = modules[0]
    if isinstance(first, OSBlock):
        return _WideBlock(cast(Sequence[OSBlock], modules)).eval()
    if len(modules) > 1 and isinstance(first, nn.Conv2d):
        return _grouped(cast(Sequence[nn.Conv2d], modules))
    merged = copy.deepcopy(first)
    if len(modules) > 1 and isinstance(merged, nn.BatchNorm2d):
        merged.num_features *= len(modules)
        for name in ("weight", "bias", "running_mean", "running_var"):
            getattr(merged, name).data = torch.cat([getattr(module, name).data for module in modules])
    for name, _ in first.named_children():
        setattr(merged, name, _beside([getattr(module, name) for module in modules]))
    return merged


def _grouped(convolutions: Sequence[nn.Conv2d]) -> nn.Conv2d:
    """Convolutions without bias and with one stride and padding, beside each other."""
    merged = copy.deepcopy(convolutions[0])
    for name in ("in_channels", "out_channels", "groups"):
        setattr(merged, name, getattr(merged, name) * len(convolutions))
    merged.weight.data = torch.cat([convolution.weight.data for convolution in convolutions])
    return merged


def _channel_gates(gates: Sequence[nn.Module]) -> nn.Module:
    """`ChannelGate`s up to their sigmoid, on pooled maps (N, channels of all, 1, 1)."""
    known = cast(Sequence[ChannelGate], gates)
    down, down_bias = _diagonal([gate.fc1 for gate in known])
    up, up_bias = _diagonal([gate.fc2 for gate in known])
    more = -len(down) % _BLOCK  # hidden channels that stay zero
    return nn.Sequential(
        _pointwise(F.pad(down, (0, 0, 0, more)), F.pad(down_bias, (0, more))),
        nn.ReLU(),
        _pointwise(F.pad(up, (0, more)), up_bias),
    )


def _context_gates(gates: Sequence[nn.Module]) -> nn.Module:
    """`ContextGate`s up to their sigmoid, on pooled maps (N, channels of all, 1, 1)."""
    norms = [gate.gn for gate in cast(Sequence[ContextGate], gates)]
    first = norms[0]
    merged = nn.GroupNorm(first.num_groups * len(norms), first.num_channels * len(norms), first.eps)
    merged.weight.data = torch.cat([norm.weight.data for norm in norms])
    merged.bias.data = torch.cat([norm.bias.data for norm in norms])
    return merged


def _diagonal(convolutions: Sequence[nn.Conv2d]) -> tuple[Tensor, Tensor]:
    """Matrix and bias that do what pointwise convolutions do, each on its own share of the channels."""
    weights = [convolution.weight.data.flatten(1) for convolution in convolutions]
    biases = [cast(Tensor, convolution.bias).data for convolution in convolutions]
    return torch.block_diag(*weights), torch.cat(biases)  # type: ignore[no-untyped-call]


def _pointwise(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    convolution = nn.Conv2d(weight.shape[1], weight.shape[0], 1)
    convolution.weight, convolution.bias = nn.Parameter(weight[:, :, None, None]), nn.Parameter(bias)
    return convolution
