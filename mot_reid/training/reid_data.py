"""Person crops in memory: reading, splitting by identity, balanced batches, augmentation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mot_reid.training.perturbations import cover

IntArray = NDArray[np.int64]

_MARKET_NAME = re.compile(r"(-1|\d{4})_c(\d)s\d_\d{6}_\d{2}\.(jpg|png)")


@dataclass(frozen=True)
class CropSet:
    """Crops with labels.

    Attributes:
        images: (N, H, W, 3) uint8, RGB.
        identities: (N,) int64.
        cameras: (N,) int64.
    """

    images: NDArray[np.uint8]
    identities: IntArray
    cameras: IntArray

    def __post_init__(self) -> None:
        count = len(self.images)
        if self.images.ndim != 4 or self.images.shape[-1] != 3 or self.images.dtype != np.uint8:
            raise ValueError(
                f"images must be (N, H, W, 3) uint8; got {self.images.shape} {self.images.dtype}"
            )
        for name, labels in (("identities", self.identities), ("cameras", self.cameras)):
            if labels.shape != (count,):
                raise ValueError(f"{name} must be ({count},), one for each image; got {labels.shape}")

    def __len__(self) -> int:
        return len(self.images)


def read_market1501(folder: Path | str, size: tuple[int, int]) -> CropSet:
    """Read a Market-1501 folder (Zheng et al., ICCV 2015) into memory.

    Args:
        folder: holds files named `PPPP_cCsS_FFFFFF_BB.jpg`, or a folder `bounding_box_train` with them.
        size: (h, w) in pixels to resize every crop to.

    Returns:
        The crops in the order of their names. Junk (identity -1) and distractors (0) are labelled so.

    Raises:
        FileNotFoundError: if the folder does not exist.
        ValueError: if it holds no such file, or a name or a picture cannot be read.
    """
    import cv2

    folder = Path(folder)
    if (folder / "bounding_box_train").is_dir():
        folder = folder / "bounding_box_train"
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".png"))
    if not paths:
        raise ValueError(f"{folder}: no .jpg or .png files")
    height, width = size
    images = np.empty((len(paths), height, width, 3), np.uint8)
    labels = np.empty((2, len(paths)), np.int64)
    for row, path in enumerate(paths):
        match = _MARKET_NAME.fullmatch(path.name)
        if match is None:
            raise ValueError(f"{path}: expected a name like PPPP_cCsS_FFFFFF_BB.jpg")
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise ValueError(f"{path}: not a readable picture")
        images[row] = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)[..., ::-1]
        labels[:, row] = int(match[1]), int(match[2])
    return CropSet(images, labels[0], labels[1])


def hold_out(identities: IntArray, count: int, seed: int = 0) -> NDArray[np.bool_]:
    """Choose identities for validation.

    Args:
        identities: (N,) labels.
        count: how many identities to hold out.
        seed: the same seed chooses the same identities.

    Returns:
        (N,) true for the rows of the chosen identities.

    Raises:
        ValueError: if fewer than two identities would be left to learn.
    """
    distinct = np.unique(identities)
    if not 0 <= count <= len(distinct) - 2:
        raise ValueError(
            f"held_out must be 0 to {len(distinct) - 2} of {len(distinct)} identities; got {count}"
        )
    chosen = np.random.default_rng(seed).permutation(distinct)[:count]
    return np.isin(identities, chosen)


def split_query(identities: IntArray, cameras: IntArray) -> NDArray[np.bool_]:
    """Mark as query the first row of every identity in every camera; the rest is the gallery."""
    _, first = np.unique(np.stack((identities, cameras)), axis=1, return_index=True)
    query = np.zeros(len(identities), bool)
    query[first] = True
    return query


def balanced_batches(
    identities: IntArray, people: int, images: int, rng: np.random.Generator
) -> Iterator[IntArray]:
    """Rows of one epoch in batches of P people times K images (Hermans et al., arXiv:1703.07737).

    An epoch has as many whole batches as the set has images for. People come in random order, all about
    equally often, nobody twice in a batch; the images of one that has fewer than K repeat.

    Args:
        identities: (N,) labels.
        people: P, people in a batch.
        images: K, images of each.
        rng: decides everything.

    Yields:
        (P * K,) rows, grouped by person.

    Raises:
        ValueError: if there are fewer than P people.
    """
    order = np.argsort(identities, kind="stable")
    rows_of = np.split(order, np.flatnonzero(np.diff(identities[order])) + 1)
    if not 2 <= people <= len(rows_of):
        raise ValueError(f"people in a batch must be 2 to {len(rows_of)}, the identities; got {people}")
    queue: list[int] = []
    for _ in range(max(1, len(identities) // (people * images))):
        if len(queue) < people:
            fresh = [int(person) for person in rng.permutation(len(rows_of)) if person not in queue]
            queue += fresh
        batch, queue = queue[:people], queue[people:]
        yield np.concatenate([_draw(rows_of[person], images, rng) for person in batch])


def _draw(rows: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    repeated = np.concatenate([rng.permutation(rows) for _ in range(-(-count // len(rows)))])
    return repeated[:count]


@dataclass(frozen=True)
class Augmentation:
    """How training crops vary.

    Attributes:
        flip: probability of a horizontal flip.
        shift: largest shift in each direction, as a fraction of the size; edges repeat.
        zoom: largest relative change of the size of the box, of height and width by themselves; edges repeat.
        cover: probability that a part is hidden (see `mot_reid.training.perturbations.cover`), 10 to 45 %.
        brightness: largest relative change of the intensity.
        contrast: largest relative change of the deviation from the mean intensity.
        saturation: largest relative change of the deviation from grey.
        gamma: largest exponent, and the inverse of the smallest.
        cast: largest relative change of each channel by itself.
        coarse: probability of losing resolution (by 1.5 to 4), as people far away have.
        erase: probability of random erasing (Zhong et al., arXiv:1708.04896). Off by default: it helps on the
            set that is trained on and hurts on others.
    """

    flip: float = 0.5
    shift: float = 0.06
    zoom: float = 0.0
    cover: float = 0.0
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.25
    gamma: float = 1.25
    cast: float = 0.0
    coarse: float = 0.25
    erase: float = 0.0


def augmented_batch(
    images: NDArray[np.uint8], rows: IntArray, settings: Augmentation, rng: np.random.Generator
) -> Tensor:
    """Take rows of a set and vary them.

    Args:
        images: (N, H, W, 3) uint8.
        rows: (B,) rows to take.
        settings: how to vary them.
        rng: decides everything.

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
    batch = images[rows[:, None, None], y[:, :, None], x[:, None, :]]
    if settings.cover:
        batch = cover(batch, rng, settings.cover, (0.1, 0.45))
    pixels = torch.from_numpy(batch).permute(0, 3, 1, 2).float().div_(255)
    pixels = _jitter(_coarsen(pixels, settings.coarse, rng), settings, rng)
    return _erase(pixels, settings.erase, rng)


def _places(size: int, count: int, zoom: float, rng: np.random.Generator) -> IntArray:
    """(count, size) places to read: 0 .. size - 1, stretched around the middle."""
    if not zoom:
        return np.broadcast_to(np.arange(size), (count, size))
    stretch = np.exp(rng.uniform(-1, 1, (count, 1)) * np.log1p(zoom))
    middle = (size - 1) / 2
    return np.rint(middle + (np.arange(size) - middle) * stretch).astype(np.int64)


def _jitter(pixels: Tensor, settings: Augmentation, rng: np.random.Generator) -> Tensor:
    def factors(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (len(pixels), 1, 1, 1)).astype(np.float32))

    def around_one(reach: float) -> Tensor:
        return factors(1 - reach, 1 + reach)

    pixels = pixels * around_one(settings.brightness)
    if settings.cast:
        gains = rng.uniform(1 - settings.cast, 1 + settings.cast, (len(pixels), 3, 1, 1))
        pixels = pixels * torch.from_numpy(gains.astype(np.float32))
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)  # ITU-R BT.601 luma
    grey = (pixels * weights).sum(dim=1, keepdim=True)
    mean = grey.mean(dim=(2, 3), keepdim=True)
    saturation, contrast = around_one(settings.saturation), around_one(settings.contrast)
    pixels = grey + (pixels - grey) * saturation
    pixels = (mean + (pixels - mean) * contrast).clamp_(0, 1)
    reach = float(np.log(settings.gamma))
    return pixels.pow(factors(-reach, reach).exp()) if reach else pixels


def _coarsen(pixels: Tensor, probability: float, rng: np.random.Generator) -> Tensor:
    chosen = torch.from_numpy(rng.random(len(pixels)) < probability)
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
