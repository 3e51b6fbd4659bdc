"""Training pictures made up as they are asked for, each batch of a size of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mot_reid.boxes import covered_fraction
from mot_reid.training.detector.crowds import Scene, add_crowd, mirrored, piece_together, place, spoilt
from mot_reid.training.detector.cutouts import Cutout, cut_out
from mot_reid.training.detector.settings import DetectorTraining

__all__ = ["Examples", "Material", "cutouts_of", "make_examples", "reduced"]

Random = np.random.Generator

_LARGEST = 1280  # side of a picture in memory, pixels
# Height and width of a batch's pictures, and how often they are drawn. Most are as wide as most videos.
_SIZES = (
    ((384, 640), 0.38),
    ((480, 640), 0.12),
    ((640, 640), 0.12),
    ((320, 320), 0.10),
    ((288, 480), 0.06),
    ((544, 960), 0.12),
    ((736, 960), 0.10),
)
# Least and largest scale of a picture by itself, where 1 just fits. Where the start's answers count, people
# are no larger than the start has learnt them.
_SCALES, _SCALES_KEPT = (0.4, 2.5), (0.4, 1.0)
_PIECED, _PIECED_KEPT = 0.4, 0.5  # share of those without a crowd that are pieced together
_FILLING = 0.4  # share of the others that fill the canvas

_LEAST_TALL = 80  # of somebody who is cut out, pixels
_TALL = 200  # and no taller than this afterwards
_SHAPE = (2.1, 4.0)  # height over width
_MOST_COVERED = 0.1  # by boxes of others
_MARGIN = 0.04  # around the box, as crops of people have it


class Examples(NamedTuple):
    """A batch of pictures.

    Attributes:
        pictures: ``(N, H, W, 3)`` uint8 BGR.
        people: of each picture, boxes ``(G, 4)`` xyxy float32.
        kept: ``(N,)`` whether the start's answers count on it, too.
    """

    pictures: NDArray[np.uint8]
    people: list[NDArray[np.float32]]
    kept: NDArray[np.bool_]


@dataclass(frozen=True)
class Material:
    """What pictures are made of.

    Attributes:
        pictures: with their people.
        cutouts: people to paste; without them there are no crowds.
    """

    pictures: Sequence[Scene]
    cutouts: Sequence[Cutout] = ()

    @cached_property
    def empty(self) -> list[NDArray[np.uint8]]:
        """Those of the pictures that show nobody; what stands in the way is cut out of them."""
        return [scene.picture for scene in self.pictures if not len(scene.people)]


def reduced(scene: Scene) -> Scene:
    """The scene, scaled down where it is larger than training needs."""
    scale = _LARGEST / max(scene.picture.shape[:2])
    if scale >= 1:
        return scene
    small = cv2.resize(scene.picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return Scene(np.asarray(small, np.uint8), scene.people * scale)


def make_examples(material: Material, settings: DetectorTraining, rng: Random) -> Examples:
    """Makes up a batch; how many pictures it has follows from their size.

    Args:
        material: what to make them of.
        settings: shares and numbers.
        rng: decides everything.
    """
    chances = [share for _, share in _SIZES]
    size = _SIZES[int(rng.choice(len(_SIZES), p=np.array(chances) / sum(chances)))][0]
    count = max(1, round(settings.batch * _SIZES[0][0][0] * _SIZES[0][0][1] / (size[0] * size[1])))
    made = [_make(material, settings, size, rng) for _ in range(min(count, 2 * settings.batch))]
    return Examples(
        np.stack([scene.picture for scene, _ in made]),
        [scene.people.astype(np.float32) for scene, _ in made],
        np.array([kept for _, kept in made]),
    )


def _make(
    material: Material, settings: DetectorTraining, size: tuple[int, int], rng: Random
) -> tuple[Scene, bool]:
    """A picture with its people, and whether the start's answers count."""

    def pick() -> Scene:
        return material.pictures[int(rng.integers(len(material.pictures)))]

    drawn, kept = rng.random(), False
    if material.cutouts and drawn < settings.crowds:
        ground = place(pick(), size, rng)
        scene = add_crowd(ground, material.cutouts, material.empty, rng)
    else:
        kept = drawn >= 1 - settings.kept_share
        if rng.random() < (_PIECED_KEPT if kept else _PIECED):
            scene = piece_together(pick, size, rng)
        else:
            filling = not kept and rng.random() < _FILLING
            scene = place(pick(), size, rng, None if filling else _SCALES_KEPT if kept else _SCALES)
    scene = Scene(spoilt(scene.picture, rng), scene.people)
    return (mirrored(scene) if rng.random() < 0.5 else scene), kept


def cutouts_of(scenes: Sequence[Scene], seed: int = 0) -> list[Cutout]:
    """People cut out of pictures: those who stand upright, large enough and hidden by nobody.

    Args:
        scenes: the pictures.
        seed: of GrabCut.
    """
    cv2.setRNGSeed(seed)
    found = []
    for scene in scenes:
        height, width = scene.picture.shape[:2]
        hidden = covered_fraction(scene.people, scene.people)
        np.fill_diagonal(hidden, 0)
        for row, (x1, y1, x2, y2) in enumerate(scene.people):
            tall, wide = y2 - y1, x2 - x1
            at_edge = x1 < 2 or y1 < 2 or x2 > width - 2 or y2 > height - 2
            upright = _SHAPE[0] * wide <= tall <= _SHAPE[1] * wide
            if tall < _LEAST_TALL or not upright or at_edge or hidden[row].sum() > _MOST_COVERED:
                continue
            left, top, right, bottom = (
                round(side + grown)
                for side, grown in zip(
                    (x1, y1, x2, y2), (-_MARGIN * wide, -0.5 * _MARGIN * tall, _MARGIN * wide, 0), strict=True
                )
            )
            crop = scene.picture[max(top, 0) : bottom, max(left, 0) : right]
            scale = min(1.0, _TALL / crop.shape[0])
            crop = np.asarray(
                cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
            )
            if (cutout := cut_out(crop)) is not None:
                found.append(cutout)
    return found
