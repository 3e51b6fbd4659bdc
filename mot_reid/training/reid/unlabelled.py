"""Crops of people that nobody named, for teachers to speak about: more of the world to learn from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mot_reid.training.detector.pictures import labelled_pictures
from mot_reid.training.reid.datasets import list_unlabelled, read_pictures
from mot_reid.training.reid.made_up import make_up
from mot_reid.typing import Crops, Indices
from mot_reid.video.pictures import read_picture

__all__ = ["CropSource", "box_source", "file_source", "made_up_source", "unlabelled_source"]

_BLOCK = 1024  # files in memory at a time
_MADE = (256, 128)  # height and width in which people are made up


@dataclass(frozen=True)
class CropSource:
    """Crops that can be read in any size.

    Attributes:
        count: how many.
        key: tells sources with other crops apart.
        blocks: gives all crops in a size (h, w), in blocks (n, h, w, 3) uint8 RGB.
    """

    count: int
    key: str
    blocks: Callable[[tuple[int, int]], Iterator[Crops]]

    def read(self, size: tuple[int, int]) -> Crops:
        """All crops at once."""
        return np.concatenate(list(self.blocks(size)))


def file_source(paths: Sequence[Path]) -> CropSource:
    """Pictures that show one person each."""
    key = hashlib.sha256()
    for path in paths:
        key.update(f"{path.name} {path.stat().st_size}\n".encode())
        if path.suffix.lower() == ".bmp":  # without compression, size says nothing of what is in it
            key.update(path.read_bytes())

    def blocks(size: tuple[int, int]) -> Iterator[Crops]:
        for start in range(0, len(paths), _BLOCK):
            yield read_pictures(paths[start : start + _BLOCK], size)

    return CropSource(len(paths), key.hexdigest(), blocks)


def box_source(folder: Path, smallest: int = 60, widest: float = 0.8) -> CropSource:
    """The people in pictures in YOLO layout.

    Args:
        folder: see `mot_reid.training.detector.pictures.labelled_pictures`.
        smallest: height of a box, pixels, below which it is left out.
        widest: width of a box against its height, above which it is left out (no upright person).

    Raises:
        FileNotFoundError: there are no pictures.
        SourceError: a picture cannot be read.
        ValueError: a label cannot be read, or no box is left.
    """
    chosen: list[tuple[Path, Indices]] = []
    key = hashlib.sha256()
    for path, people, _ in labelled_pictures(folder):
        height, width = read_picture(path).shape[:2]
        corners = np.rint(people * (width, height, width, height)).astype(np.intp)
        corners = corners.clip(0, (width, height, width, height))
        wide, high = corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]
        corners = corners[(high >= smallest) & (wide > 0) & (wide <= widest * high)]
        if len(corners):
            chosen.append((path, corners))
            key.update(f"{path.name} {path.stat().st_size} {corners.tolist()}\n".encode())
    if not chosen:
        raise ValueError(f"{folder}: no box of a person at least {smallest} pixels high")

    def blocks(size: tuple[int, int]) -> Iterator[Crops]:
        import cv2

        for path, corners in chosen:
            picture = read_picture(path)
            crops = (picture[top:bottom, left:right] for left, top, right, bottom in corners)
            small = [cv2.resize(crop, size[::-1], interpolation=cv2.INTER_AREA)[..., ::-1] for crop in crops]
            yield np.array(small, np.uint8)

    return CropSource(sum(len(corners) for _, corners in chosen), key.hexdigest(), blocks)


def made_up_source(pools: Sequence[CropSource], count: int, seed: int = 0) -> CropSource:
    """People who do not exist, see `mot_reid.training.reid.made_up.make_up`; the same in any size.

    Args:
        pools: crops to make them of, all of which are held in memory meanwhile, 98 kB each.
        count: how many.
        seed: decides everything.
    """
    key = hashlib.sha256(f"{count} made up by {seed}\n".encode())
    for pool in pools:
        key.update(pool.key.encode())

    def blocks(size: tuple[int, int]) -> Iterator[Crops]:
        import cv2

        crops, rng = [pool.read(_MADE) for pool in pools], np.random.default_rng(seed)
        for start in range(0, count, _BLOCK):
            made = (make_up(crops, rng) for _ in range(min(_BLOCK, count - start)))
            small = [cv2.resize(crop, size[::-1], interpolation=cv2.INTER_AREA) for crop in made]
            yield np.array(small, np.uint8)

    return CropSource(count, key.hexdigest(), blocks)


def unlabelled_source(folder: Path | str) -> CropSource:
    """The people in a folder of crops, or of pictures with boxes (`images/` and `labels/`).

    Raises:
        FileNotFoundError, ValueError: see `box_source` and `mot_reid.training.reid.datasets.list_unlabelled`.
    """
    folder = Path(folder)
    if (folder / "images").is_dir() and (folder / "labels").is_dir():
        return box_source(folder)
    return file_source(list_unlabelled(folder))
