"""What the detector learns from: pictures made up as they are asked for, as Ultralytics' loop takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from mot_reid.boxes import xyxy_to_cxcywh
from mot_reid.training.detector.crowds import Scene, add_crowd, mirrored, piece_together, place, spoilt
from mot_reid.training.detector.cutouts import Cutout
from mot_reid.training.detector.settings import FineTuning
from mot_reid.typing import Image

__all__ = ["MadePictures", "Material"]

_LARGEST = 1280  # side of a picture in memory, pixels: about twice what is learnt at
_FRAMES_SHARE = 0.4  # of the pictures, where there are frames of sequences besides
# Least and largest scale of a picture by itself, where 1 just fits. Those that are kept are read enlarged,
# too: a larger image size at run time shows larger people than there are at the size of training.
_SCALES, _SCALES_KEPT = (0.5, 1.25), (0.5, 2.5)
_PIECED, _PIECED_KEPT = 0.6, 0.4  # share of those without a crowd that are pieced together


@dataclass(frozen=True)
class Material:
    """What pictures are made of.

    Attributes:
        pictures: of the world at large.
        sequences: frames of sequences.
        cutouts: people to paste; without them there are no crowds.
    """

    pictures: Sequence[Scene] = ()
    sequences: Sequence[Sequence[Scene]] = ()
    cutouts: Sequence[Cutout] = ()

    @cached_property
    def empty(self) -> list[Image]:
        """Those of the pictures that show nobody; what stands in the way is cut out of them."""
        return [scene.picture for scene in self.pictures if not len(scene.people)]


def reduced(scene: Scene) -> Scene:
    """The scene, scaled down where it is larger than training needs."""
    scale = _LARGEST / max(scene.picture.shape[:2])
    if scale >= 1:
        return scene
    small = cv2.resize(scene.picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return Scene(np.asarray(small, np.uint8), scene.people * scale)


class MadePictures(Dataset[dict[str, Any]]):
    """Pictures with crowds, pictures on which what the start knows is kept, and pictures as they are.

    Each is drawn anew, by torch's random numbers: the same seed makes the same pictures.

    Args:
        material: what to make them of.
        settings: their number, size and shares.
    """

    labels: tuple[()] = ()  # Ultralytics looks there for statistics that are not asked for

    def __init__(self, material: Material, settings: FineTuning) -> None:
        self.material, self.settings = material, settings
        self._size = settings.image_height, settings.image_size

    def __len__(self) -> int:
        return self.settings.pictures

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One picture: ``img`` (3, H, W) uint8 RGB, ``bboxes`` (N, 4) relative cxcywh, ``cls``, ``kept``."""
        rng = np.random.default_rng(int(torch.randint(2**62, ()).item()))
        scene, kept = self.make(rng)
        height, width = self._size
        boxes = xyxy_to_cxcywh(scene.people.astype(np.float32)) / np.array([width, height] * 2, np.float32)
        pixels = np.ascontiguousarray(scene.picture[..., ::-1].transpose(2, 0, 1))
        return {
            "img": torch.from_numpy(pixels),
            "bboxes": torch.from_numpy(boxes),
            "cls": torch.zeros(len(boxes), 1),
            "kept": kept,
        }

    def make(self, rng: np.random.Generator) -> tuple[Scene, bool]:
        """A picture with its people, and whether the start's answers are kept on it."""
        settings, drawn = self.settings, rng.random()
        kept = False
        if self.material.cutouts and drawn < settings.crowds:
            ground = place(self._pick(rng), self._size, rng)
            scene = add_crowd(ground, self.material.cutouts, self.material.empty, rng)
        else:
            kept = bool(self.material.pictures) and drawn >= 1 - settings.kept_share
            if rng.random() < (_PIECED_KEPT if kept else _PIECED):
                scene = piece_together(lambda: self._pick(rng, kept), self._size, rng)
            else:
                filling = rng.random() < (0.25 if kept else 0.5)
                scales = _SCALES_KEPT if kept else _SCALES
                scene = place(self._pick(rng, kept), self._size, rng, None if filling else scales)
        scene = Scene(spoilt(scene.picture, rng), scene.people)
        return (mirrored(scene) if rng.random() < 0.5 else scene), kept

    def _pick(self, rng: np.random.Generator, kept: bool = False) -> Scene:
        material = self.material
        sequences = not kept and len(material.sequences) > 0
        if sequences and (not material.pictures or rng.random() < _FRAMES_SHARE):
            group = material.sequences[int(rng.integers(len(material.sequences)))]
        else:
            group = material.pictures
        return group[int(rng.integers(len(group)))]

    @staticmethod
    def collate_fn(items: list[dict[str, Any]]) -> dict[str, Any]:
        """A batch; ``batch_idx`` says which picture a box belongs to."""
        owners = [torch.full((len(item["cls"]),), float(row)) for row, item in enumerate(items)]
        return {
            "img": torch.stack([item["img"] for item in items]),
            "bboxes": torch.cat([item["bboxes"] for item in items]),
            "cls": torch.cat([item["cls"] for item in items]),
            "batch_idx": torch.cat(owners),
            "kept": torch.tensor([item["kept"] for item in items]),
        }
