"""People cut out of crops, to be pasted into other pictures.

GrabCut (Rother et al., "GrabCut", SIGGRAPH 2004) from the outline of somebody who stands in the middle of the
crop. At the heights at which they are pasted, an outline that is a few pixels off does not show.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from mot_reid.training.sequences import PICTURE_SUFFIXES
from mot_reid.typing import Image
from mot_reid.video.pictures import read_picture

__all__ = ["Cutout", "cut_out", "load_cutouts", "read_cutouts", "save_cutouts"]

Cutout = Image
"""``(h, w, 4)`` BGR and how opaque each pixel is; the person reaches from edge to edge."""

_ROUNDS = 3  # of GrabCut; more changed little

# Half the width of a standing person, as shares of the crop's, at shares of its height: what may be the
# person, and what surely is (between the second pair of heights only).
_OUTLINE = ((0, 0.06, 0.16, 0.22, 0.5, 0.75, 1), (0.10, 0.18, 0.20, 0.36, 0.36, 0.34, 0.34))
_CORE = ((0, 0.1, 0.2, 0.5, 0.9, 1), (0, 0.06, 0.12, 0.14, 0.06, 0))
_CORE_HEIGHTS = (0.08, 0.93)
_RIM = 0.03  # left and right, surely not the person

# What passes for a person: the outline's height and width as shares of the crop's, and how much of its box it
# fills.
_LEAST_HEIGHT, _LEAST_WIDTH = 0.8, 0.3
_FILLS = (0.28, 0.8)


def cut_out(crop: Image) -> Cutout | None:
    """The person in a crop ``(H, W, 3)`` BGR, or None where the outline found looks like nobody's."""
    height, width = crop.shape[:2]
    mask = _guess(height, width)
    if (
        len({bool(value & 1) for value in np.unique(mask)}) < 2
    ):  # GrabCut needs some of both: odd is the person
        return None  # a crop of a few pixels
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(crop, mask, (0, 0, 0, 0), *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    person = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    parts, labels, statistics, _ = cv2.connectedComponentsWithStats(person)
    if parts < 2:
        return None
    largest = 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())
    left, top, wide, high, area = (int(value) for value in statistics[largest])
    fills = area / (wide * high)
    if high < _LEAST_HEIGHT * height or wide < _LEAST_WIDTH * width or not _FILLS[0] < fills < _FILLS[1]:
        return None
    opaque = cv2.GaussianBlur((labels == largest).astype(np.uint8) * 255, (3, 3), 0)
    return np.dstack((crop, opaque))[top : top + high, left : left + wide]


def _guess(height: int, width: int) -> Image:
    """What GrabCut starts from, its four classes of pixels."""
    y = ((np.arange(height) + 0.5) / height)[:, None]
    off = np.abs((np.arange(width) + 0.5) / width - 0.5)[None]
    mask = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    mask[off < np.interp(y, *_OUTLINE)] = cv2.GC_PR_FGD
    mask[(off < np.interp(y, *_CORE)) & (y > _CORE_HEIGHTS[0]) & (y < _CORE_HEIGHTS[1])] = cv2.GC_FGD
    mask[np.broadcast_to((off > 0.5 - _RIM) | (y < _RIM / 2), mask.shape)] = cv2.GC_BGD
    return mask


def read_cutouts(
    folder: Path, most: int, seed: int = 0, on_crop: Callable[[int, int], None] = lambda *_: None
) -> list[Cutout]:
    """People cut out of a folder of crops that show one person each.

    Args:
        folder: with the crops, such as Market-1501's ``bounding_box_train``.
        most: crops to take; where there are more, the seed chooses.
        seed: of that choice, and of GrabCut.
        on_crop: told how many crops are done, and of how many.

    Raises:
        FileNotFoundError: there are no pictures.
        SourceError: a picture cannot be read.
        ValueError: nobody could be cut out.
    """
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    if not paths:
        raise FileNotFoundError(f"no pictures in {folder}")
    chosen = np.random.default_rng(seed).permutation(len(paths))[:most]
    cv2.setRNGSeed(seed)
    found = []
    for done, row in enumerate(chosen, start=1):
        if (cutout := cut_out(read_picture(paths[row]))) is not None:
            found.append(cutout)
        on_crop(done, len(chosen))
    if not found:
        raise ValueError(
            f"{folder}: nobody could be cut out of its pictures; expected crops of one person each"
        )
    return found


def save_cutouts(cutouts: list[Cutout], path: Path) -> None:
    """Keeps cutouts in an ``.npz`` file."""
    shapes = np.array([cutout.shape[:2] for cutout in cutouts])
    np.savez(path, shapes=shapes, pixels=np.concatenate([cutout.reshape(-1, 4) for cutout in cutouts]))


def load_cutouts(path: Path) -> list[Cutout]:
    """What `save_cutouts` kept."""
    with np.load(path) as kept:
        shapes, pixels = kept["shapes"], kept["pixels"]
    ends = shapes.prod(axis=1).cumsum()
    parts = np.split(pixels, ends[:-1])
    return [part.reshape(*shape, 4) for part, shape in zip(parts, shapes, strict=True)]
