"""Gradients of depthwise convolutions, against torch's own."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from mot_reid.training.detector.gradients import QuickDepthwise, with_quick_gradients


@pytest.mark.parametrize(("channels", "kernel", "stride"), [(32, 5, 1), (16, 3, 2), (48, 3, 1)])
def test_they_are_those_of_torch(channels: int, kernel: int, stride: int) -> None:
    torch.manual_seed(0)
    usual = nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels)
    quick = deepcopy(usual)
    with_quick_gradients(quick)
    assert isinstance(quick, QuickDepthwise)
    pixels = torch.randn(2, channels, 12, 16, requires_grad=True)
    given = []
    for layer in (usual, quick):
        said = layer(pixels)
        weights = torch.linspace(-1, 1, said.numel()).view(said.shape)
        given.append((said, *torch.autograd.grad((said * weights).sum(), (pixels, layer.weight, layer.bias))))
    for mine, theirs in zip(given[1], given[0], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frozen", [True, False])
def test_what_needs_none_gets_none(stride: int, frozen: bool) -> None:
    torch.manual_seed(0)
    usual = nn.Conv2d(16, 16, 3, stride, 1, groups=16).requires_grad_(not frozen)
    quick = deepcopy(usual)
    with_quick_gradients(quick)
    pixels = torch.randn(1, 16, 8, 12)
    given = []
    for layer in (usual, quick):
        here = pixels.clone().requires_grad_(frozen)
        layer(here).square().sum().backward()
        given.append((here.grad, layer.weight.grad, layer.bias.grad))
    for mine, theirs in zip(given[1], given[0], strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


def test_under_autocast_they_are_of_its_type_and_reach_the_weights() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(16, 16, 3, 1, 1, groups=16)
    with_quick_gradients(layer)
    pixels = torch.randn(1, 16, 8, 8)
    exact = torch.autograd.grad(layer(pixels).square().sum(), layer.weight)[0]
    with torch.autocast("cpu", torch.bfloat16):
        said = layer(pixels)
    assert said.dtype is torch.bfloat16
    said.float().square().sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype is torch.float32
    torch.testing.assert_close(layer.weight.grad, exact, rtol=0.05, atol=0.05 * float(exact.abs().max()))


def test_others_stay_as_they_are() -> None:
    layers = nn.Sequential(
        nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(16, 16, 3), nn.Conv2d(32, 32, 3, groups=32)
    )
    with_quick_gradients(layers)
    assert [type(layer) for layer in layers] == [nn.Conv2d, nn.Conv2d, QuickDepthwise]
