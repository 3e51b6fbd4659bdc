"""Everything that a training learns from, in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mot_reid.training.reid.attributes import Attributes, read_attributes
from mot_reid.training.reid.crops import CropSet, IntArray, hold_out
from mot_reid.training.reid.datasets import list_crops, list_unlabelled, read_crops, read_pictures
from mot_reid.training.reid.settings import TrainingSettings
from mot_reid.training.reid.teachers import cached_embeddings

__all__ = ["Progress", "TrainingData", "read_training_data", "select_training_data"]

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many parts are done, and of how many."""


@dataclass(frozen=True)
class TrainingData:
    """What a training learns from.

    Attributes:
        images: (N, H, W, 3) uint8 RGB: labelled crops to learn from.
        classes: (N,) int64, from 0 to the number of identities - 1.
        validation: crops of other identities.
        attributes: (N, A) int64, of each crop.
        attribute_classes: how many values each attribute has.
        teachers: of each teacher, (N, D) its embeddings of the crops.
        unlabelled: (U, H, W, 3) uint8 RGB: crops that only the teachers speak about.
        unlabelled_teachers: of each teacher, (U, D).
    """

    images: NDArray[np.uint8]
    classes: IntArray
    validation: CropSet | None = None
    attributes: IntArray | None = None
    attribute_classes: tuple[int, ...] = ()
    teachers: tuple[NDArray[np.float32], ...] = ()
    unlabelled: NDArray[np.uint8] | None = None
    unlabelled_teachers: tuple[NDArray[np.float32], ...] = ()

    @property
    def people(self) -> int:
        """Identities to learn."""
        return int(self.classes.max()) + 1


def read_training_data(
    folder: Path, cache: Path, settings: TrainingSettings, progress: Progress = lambda *_: None
) -> TrainingData:
    """Read the labelled crops of a folder, the unlabelled ones, and ask the teachers about all of them.

    Args:
        folder: with the crops (see `mot_reid.training.reid.datasets.list_crops`).
        cache: folder that keeps what the teachers said.
        settings: of the training.
        progress: told how far it is.

    Raises:
        FileNotFoundError: a file or folder does not exist.
        ImportError: a teacher needs a package that is not installed.
        ValueError: a file cannot be used, or settings contradict each other; the file or setting is named.
    """
    distillation, size = settings.distillation, (settings.data.height, settings.data.width)
    if distillation.unlabelled and not distillation.teachers:
        raise ValueError("distillation.unlabelled: crops without labels need distillation.teachers")
    if (settings.losses.attributes > 0) != bool(settings.data.attributes):
        raise ValueError("losses.attributes and data.attributes: both or neither must be given")
    attributes = read_attributes(settings.data.attributes) if settings.data.attributes else None
    files = list_crops(folder, "train", settings.data.pattern or None)
    others = tuple(path for place in distillation.unlabelled for path in list_unlabelled(place))

    def told(what: str, total: int) -> Callable[[int], None]:
        return lambda done: progress(what, done, total)

    teachers, unlabelled_teachers = [], []
    for teacher in distillation.teachers:
        name = f"asking {Path(teacher).name}"
        teachers.append(cached_embeddings(cache, teacher, files.paths, told(name, len(files.paths))))
        if others:
            unlabelled_teachers.append(cached_embeddings(cache, teacher, others, told(name, len(others))))
    crops = read_crops(files, size, told("reading crops", len(files.paths)))
    return select_training_data(
        crops,
        settings,
        attributes=attributes,
        teachers=tuple(teachers),
        unlabelled=read_pictures(others, size, told("reading unlabelled crops", len(others)))
        if others
        else None,
        unlabelled_teachers=tuple(unlabelled_teachers),
    )


def select_training_data(
    crops: CropSet,
    settings: TrainingSettings,
    *,
    attributes: Attributes | None = None,
    teachers: Sequence[NDArray[np.float32]] = (),
    unlabelled: NDArray[np.uint8] | None = None,
    unlabelled_teachers: Sequence[NDArray[np.float32]] = (),
) -> TrainingData:
    """Split labelled crops into those to learn from and those of held-out identities.

    Args:
        crops: all labelled crops.
        settings: of the training.
        attributes: of their people.
        teachers: of each teacher, (N, D) embeddings of all crops.
        unlabelled: (U, H, W, 3) uint8.
        unlabelled_teachers: of each teacher, (U, D).

    Raises:
        ValueError: too few identities are left, or a teacher does not fit the crops.
    """
    for embeddings, images in zip(
        (*teachers, *unlabelled_teachers),
        (*(crops.images for _ in teachers), *(unlabelled for _ in unlabelled_teachers)),
        strict=True,
    ):
        if images is None or len(embeddings) != len(images):
            raise ValueError(
                f"a teacher has {len(embeddings)} embeddings for {0 if images is None else len(images)} crops"
            )
    held_out = hold_out(crops.identities, settings.data.held_out, settings.seed)
    learnt = crops[~held_out]
    return TrainingData(
        learnt.images,
        np.unique(learnt.identities, return_inverse=True)[1].astype(np.int64),
        crops[held_out] if settings.data.held_out else None,
        attributes.of(learnt.identities) if attributes else None,
        attributes.classes if attributes else (),
        tuple(embeddings[~held_out] for embeddings in teachers),
        unlabelled,
        tuple(unlabelled_teachers),
    )
