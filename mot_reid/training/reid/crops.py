"""Person crops in memory, and how they are split by identity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mot_reid.typing import Crops, Ints, Mask
from mot_reid.wording import counted

__all__ = ["CropSet", "hold_out", "split_query"]


@dataclass(frozen=True)
class CropSet:
    """Crops with labels.

    Attributes:
        images: (N, H, W, 3) uint8, RGB.
        identities: (N,) int64.
        cameras: (N,) int64.
    """

    images: Crops
    identities: Ints
    cameras: Ints

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

    def __getitem__(self, rows: Mask | Ints | slice) -> CropSet:
        """Some of the crops."""
        return CropSet(self.images[rows], self.identities[rows], self.cameras[rows])


def hold_out(identities: Ints, count: int, seed: int = 0) -> Mask:
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
            f"held_out must be 0 to {len(distinct) - 2} of {counted(len(distinct), 'identity')}; got {count}"
        )
    chosen = np.random.default_rng(seed).permutation(distinct)[:count]
    return np.isin(identities, chosen)


def split_query(identities: Ints, cameras: Ints) -> Mask:
    """Mark as query the first row of every identity in every camera; the rest is the gallery."""
    _, first = np.unique(np.stack((identities, cameras)), axis=1, return_index=True)
    query = np.zeros(len(identities), bool)
    query[first] = True
    return query
