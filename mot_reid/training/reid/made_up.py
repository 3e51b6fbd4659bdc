"""People who do not exist, made up from crops of those who do, for teachers to speak about.

Who learns from a teacher needs no labels, only crops that the teacher has an opinion on, and more of them
than there are (Beyer et al., "Knowledge distillation: A good teacher is patient and consistent", CVPR 2022,
arXiv:2106.05237, mix pictures for that). Other halves and other colours make many people of a few thousand.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mot_reid.typing import Crops, Floats32, Image

__all__ = ["make_up"]

_HALVES = 0.6  # probability of somebody else's lower half
_COLOURS = 0.45  # of other colours, of each half
_BLEND = 0.15  # of a second person who shines through
_HEAD = 0.15625  # share of the height above which colours stay
_WAIST = (0.42, 0.58)  # shares of the height


def make_up(pools: Sequence[Crops], rng: np.random.Generator) -> Image:
    """Make up a person.

    Somebody out of the crops, as often as not mirrored; now and then with the legs of another one from the
    waist on, with other colours of the upper or of the lower half, with a third one shining through.

    Args:
        pools: crops (N, H, W, 3) uint8 RGB, all of one size; each pool is drawn from as often as the others.
        rng: decides everything.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: there are no crops, or they differ in size.
    """
    if not pools or not all(len(pool) for pool in pools):
        raise ValueError("pools: at least one, none of them empty")
    if len({pool.shape[1:] for pool in pools}) > 1:
        raise ValueError(f"pools: crops of one size; got {sorted({pool.shape[1:3] for pool in pools})}")
    height = pools[0].shape[1]
    made = _draw(pools, rng)
    waist = rng.uniform(*_WAIST) * height
    if rng.random() < _HALVES:
        made = _blended(made, _draw(pools, rng), _rows(height, waist, np.inf, 2.0))
    for top, bottom in ((_HEAD * height, waist), (waist, np.inf)):
        if rng.random() < _COLOURS:
            made = _blended(made, _recoloured(made, rng), _rows(height, top, bottom, 2.5))
    if rng.random() < _BLEND:
        share = np.float32(1 - rng.uniform(0.3, 0.7))
        made = _blended(made, _draw(pools, rng), np.full((height, 1, 1), share))
    return made


def _draw(pools: Sequence[Crops], rng: np.random.Generator) -> Image:
    pool = pools[int(rng.random() * len(pools))]
    crop = pool[rng.integers(len(pool))]
    return np.ascontiguousarray(crop[:, ::-1] if rng.random() < 0.5 else crop)


def _blended(first: Image, second: Image, share: Floats32) -> Image:
    """`share` (H, 1, 1) of the second in place of the first."""
    return np.asarray(first * (1 - share) + second * share).astype(np.uint8)


def _rows(height: int, top: float, bottom: float, softness: float) -> Floats32:
    """(H, 1, 1): 1 between two heights, 0 outside, with soft edges."""
    y = np.arange(height, dtype=np.float32)
    with np.errstate(over="ignore"):
        inside = 1 / (1 + np.exp((top - y) / softness)) / (1 + np.exp((y - bottom) / softness))
    return np.asarray(inside, np.float32)[:, None, None]


def _recoloured(image: Image, rng: np.random.Generator) -> Image:
    """Another hue, more or less of it, lighter or darker."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.uniform(0, 256)) % 256
    hsv[..., 1] = np.clip(hsv[..., 1] * np.exp(rng.uniform(-0.8, 0.8)), 0, 255)
    hsv[..., 2] = 255 * (hsv[..., 2] / 255) ** np.exp(rng.uniform(-0.6, 0.6))
    return np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB_FULL), np.uint8)
