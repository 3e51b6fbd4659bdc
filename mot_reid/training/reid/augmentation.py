"""How training crops vary. Chances are drawn on the CPU, pixels are changed wherever they lie.

So the same seed varies crops alike on every device.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mot_reid.training.reid.perturbations import draw_covers
from mot_reid.training.reid.settings import AugmentationSettings
from mot_reid.typing import Ints

__all__ = ["augmented_batch", "normalise"]

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def augmented_batch(
    images: Tensor,
    rows: Ints,
    settings: AugmentationSettings,
    rng: np.random.Generator,
    device: torch.device | str | None = None,
) -> Tensor:
    """Take rows of a set and vary them.

    Args:
        images: (N, H, W, 3) uint8, on any device.
        rows: (B,) rows to take.
        settings: how to vary them.
        rng: decides everything.
        device: where to vary them and leave the result; the images' own by default.

    Returns:
        (B, 3, H, W) float32 in 0..1, channels last in memory.
    """
    count, (height, width) = len(rows), images.shape[1:3]
    # Taking, flipping and shifting are one gather; clamped indices repeat the edges.
    reach_y, reach_x = round(settings.shift * height), round(settings.shift * width)
    y = _places(height, count, settings.zoom, rng) + rng.integers(-reach_y, reach_y + 1, (count, 1))
    x = _places(width, count, settings.zoom, rng) + rng.integers(-reach_x, reach_x + 1, (count, 1))
    x = np.where(rng.random((count, 1)) < settings.flip, width - 1 - x, x)
    y, x = y.clip(0, height - 1), x.clip(0, width - 1)
    index = (rows[:, None, None], y[:, :, None], x[:, None, :])
    batch = images[tuple(torch.from_numpy(part).to(images.device) for part in index)]
    batch = _cover(batch.to(device or images.device), settings.cover, rng)
    pixels = batch.permute(0, 3, 1, 2).float().div_(255)
    pixels = _jitter(_coarsen(pixels, settings.coarse, rng), settings, rng)
    return _erase(pixels, settings.erase, rng)


def _places(size: int, count: int, zoom: float, rng: np.random.Generator) -> Ints:
    """(count, size) places to read: 0 .. size - 1, stretched around the middle."""
    if not zoom:
        return np.broadcast_to(np.arange(size), (count, size))
    stretch = np.exp(rng.uniform(-1, 1, (count, 1)) * np.log1p(zoom))
    middle = (size - 1) / 2
    return np.rint(middle + (np.arange(size) - middle) * stretch).astype(np.int64)


def _cover(batch: Tensor, probability: float, rng: np.random.Generator) -> Tensor:
    """Hide a part of some crops of (B, H, W, 3), from the left, the right or below."""
    if not probability:
        return batch
    covered = batch.clone()
    for row, patch in draw_covers(tuple(batch.shape), rng, probability, (0.1, 0.45)):
        if patch.other is None:
            covered[row][patch.place] = torch.from_numpy(patch.colour).to(batch)
        else:
            covered[row][patch.place] = batch[patch.other][patch.source]
    return covered


def _jitter(pixels: Tensor, settings: AugmentationSettings, rng: np.random.Generator) -> Tensor:
    def factors(low: float, high: float) -> Tensor:
        drawn = rng.uniform(low, high, (len(pixels), 1, 1, 1)).astype(np.float32)
        return torch.from_numpy(drawn).to(pixels.device)

    def around_one(reach: float) -> Tensor:
        return factors(1 - reach, 1 + reach)

    pixels = pixels * around_one(settings.brightness)
    if settings.cast:
        gains = rng.uniform(1 - settings.cast, 1 + settings.cast, (len(pixels), 3, 1, 1))
        pixels = pixels * torch.from_numpy(gains.astype(np.float32)).to(pixels.device)
    grey = (pixels * torch.tensor(_LUMA, device=pixels.device).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    mean = grey.mean(dim=(2, 3), keepdim=True)
    saturation, contrast = around_one(settings.saturation), around_one(settings.contrast)
    pixels = grey + (pixels - grey) * saturation
    pixels = (mean + (pixels - mean) * contrast).clamp_(0, 1)
    reach = float(np.log(settings.gamma))
    return pixels.pow(factors(-reach, reach).exp()) if reach else pixels


def _coarsen(pixels: Tensor, probability: float, rng: np.random.Generator) -> Tensor:
    chosen = torch.from_numpy(rng.random(len(pixels)) < probability).to(pixels.device)
    factor = rng.uniform(1.5, 4)
    if not bool(chosen.any()):
        return pixels
    height, width = pixels.shape[-2:]
    small = (max(1, round(height / factor)), max(1, round(width / factor)))
    fewer = F.interpolate(pixels[chosen], small, mode="bilinear", antialias=True, align_corners=False)
    pixels[chosen] = F.interpolate(fewer, (height, width), mode="bilinear", align_corners=False)
    return pixels


def _erase(pixels: Tensor, probability: float, rng: np.random.Generator) -> Tensor:
    height, width = pixels.shape[-2:]
    for row in np.flatnonzero(rng.random(len(pixels)) < probability):
        area, ratio = rng.uniform(0.02, 0.4) * height * width, np.exp(rng.uniform(-1.2, 1.2))
        h, w = min(height, round(np.sqrt(area * ratio))), min(width, round(np.sqrt(area / ratio)))
        top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
        pixels[row, :, top : top + h, left : left + w] = pixels[row].mean(dim=(1, 2), keepdim=True)
    return pixels


def normalise(pixels: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Subtract the mean and divide by the deviation: (N, 3, H, W) in 0..1 to the network's input."""
    centre, scale = (torch.tensor(values, device=pixels.device).view(1, 3, 1, 1) for values in (mean, std))
    return (pixels - centre) / scale
