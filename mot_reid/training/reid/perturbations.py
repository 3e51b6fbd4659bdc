"""What befalls crops of a tracker between two looks: other light, other colours, covers, boxes that miss.

Pure functions that a seed decides: to train with, and to ask how much of an embedding survives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mot_reid.typing import Crops, Ints

Number = TypeVar("Number", np.float32, np.float64)

_Step = Callable[[Crops, np.random.Generator], Crops]


def perturb(images: Crops, kind: str, seed: int = 0) -> Crops:
    """Perturb crops, each in its own way.

    Args:
        images: (N, H, W, 3) uint8, RGB.
        kind: one of `PERTURBATIONS`: "gamma" raises the intensities to a power between 1.3 and 1.8 or its
            inverse; "colour" multiplies each channel by 0.75 to 1.25; "cover" hides 25 to 40 % behind a part
            of another crop or a flat patch, from the left, the right or below; "all" does the three at once.
        seed: the same seed perturbs alike.

    Returns:
        New crops of the same shape.

    Raises:
        ValueError: if the kind is unknown.
    """
    if kind not in PERTURBATIONS:
        raise ValueError(f"kind must be one of {', '.join(PERTURBATIONS)}; got {kind!r}")
    rng = np.random.default_rng(seed)
    for step in PERTURBATIONS[kind]:
        images = step(images, rng)
    return images


def _gamma(images: Crops, rng: np.random.Generator) -> Crops:
    exponents = rng.uniform(1.3, 1.8, len(images)) ** rng.choice((-1.0, 1.0), len(images))
    levels = np.rint(255 * (np.arange(256) / 255) ** exponents[:, None]).astype(np.uint8)
    return levels[np.arange(len(images))[:, None, None, None], images]


def _colour(images: Crops, rng: np.random.Generator) -> Crops:
    gains = rng.uniform(0.75, 1.25, (len(images), 1, 1, 3))
    return np.rint((images * gains).clip(0, 255)).astype(np.uint8)


class Cover(NamedTuple):
    """What hides a part of a crop.

    Attributes:
        place: rows and columns that are hidden.
        source: rows and columns of the other crop that is seen there.
        other: row of that crop, or None for a flat patch.
        colour: (3,) of the patch, in 0..255; empty where there is none.
    """

    place: tuple[slice, slice]
    source: tuple[slice, slice]
    other: int | None
    colour: Ints


def draw_covers(
    shape: tuple[int, ...],
    rng: np.random.Generator,
    probability: float = 1.0,
    shares: tuple[float, float] = (0.25, 0.4),
) -> Iterator[tuple[int, Cover]]:
    """Draw what hides parts of crops, from the left, the right or below.

    Args:
        shape: (N, H, W, ...) of the crops.
        rng: decides everything.
        probability: of a crop to be covered: by a part of another crop, or, as often, by a flat patch.
        shares: the least and the largest share of the crop that is hidden.

    Yields:
        Rows of covered crops, and how.
    """
    count, height, width = shape[:3]
    everything = slice(None)
    for row in np.flatnonzero(rng.random(count) < probability):
        share, side = rng.uniform(*shares), rng.integers(3)
        other = int(rng.integers(count)) if rng.random() < 0.5 else None
        colour = rng.integers(0, 256, 3 if other is None else 0)
        deep, wide = round(share * height), round(share * width)
        left, right = (everything, slice(0, wide)), (everything, slice(width - wide, width))
        top, bottom = (slice(0, deep), everything), (slice(height - deep, height), everything)
        place, source = ((left, right), (right, left), (bottom, top))[side]
        yield int(row), Cover(place, source, other, colour)


def _cover(images: Crops, rng: np.random.Generator) -> Crops:
    covered = images.copy()
    for row, patch in draw_covers(images.shape, rng):
        covered[row][patch.place] = patch.colour if patch.other is None else images[patch.other][patch.source]
    return covered


PERTURBATIONS: dict[str, tuple[_Step, ...]] = {
    "gamma": (_gamma,),
    "colour": (_colour,),
    "cover": (_cover,),
    "all": (_gamma, _colour, _cover),
}
"""The kinds that `perturb` knows, and what each does in turn."""


def cut_off(images: Crops, seed: int = 0) -> Crops:
    """Cut crops off, as the picture's edge and things in front of people make a detector do.

    Args:
        images: (N, H, W, 3) uint8.
        seed: the same seed cuts alike.

    Returns:
        New crops of the same shape: 55 to 75 % from the top, the left or the right, stretched to the whole.
    """
    rng = np.random.default_rng(seed)
    cut = np.empty_like(images)
    height, width = images.shape[1:3]
    for image, out in zip(images, cut, strict=True):
        kept, side = rng.uniform(0.55, 0.75), rng.integers(3)
        rows, columns = max(1, round(kept * height)), max(1, round(kept * width))
        part = (image[:rows], image[:, :columns], image[:, -columns:])[side]
        out[:] = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
    return cut


def shift_boxes(
    boxes: NDArray[Number], rng: np.random.Generator, shift: float = 0.1, scale: float = 0.15
) -> NDArray[Number]:
    """Misplace boxes as a detector does.

    Args:
        boxes: (N, 4) left, top, width, height.
        rng: decides how.
        shift: largest move of the centre to each side, as a share of the width and of the height.
        scale: largest change of the size, of the width and of the height by themselves: factors from
            `1 / (1 + scale)` to `1 + scale`.

    Returns:
        (N, 4) new boxes of the same type.
    """
    sizes = boxes[:, 2:]
    centres = boxes[:, :2] + sizes / 2 + rng.uniform(-shift, shift, sizes.shape) * sizes
    sizes = sizes * np.exp(rng.uniform(-1, 1, sizes.shape) * np.log1p(scale))
    return np.concatenate((centres - sizes / 2, sizes), axis=1).astype(boxes.dtype)
