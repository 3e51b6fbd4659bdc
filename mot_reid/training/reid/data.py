"""Everything that a training learns from, in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mot_reid.training.reid.attributes import Attributes, read_attributes
from mot_reid.training.reid.crops import CropSet, hold_out, split_query
from mot_reid.training.reid.datasets import list_crops, read_crops
from mot_reid.training.reid.settings import TrainingSettings
from mot_reid.training.reid.teachers import cached_embeddings
from mot_reid.training.reid.unlabelled import CropSource, file_source, made_up_source, unlabelled_source
from mot_reid.typing import Crops, Floats32, Ints
from mot_reid.wording import counted

__all__ = ["Progress", "TrainingData", "read_training_data", "select_training_data"]

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many parts are done, and of how many."""


@dataclass(frozen=True)
class TrainingData:
    """What a training learns from.

    Attributes:
        images: (N, H, W, 3) uint8 RGB: labelled crops, then U unlabelled ones.
        classes: (N - U,) int64, from 0 to the number of identities - 1.
        validation: crops of other identities.
        attributes: (N - U, A) int64, of the labelled crops.
        attribute_classes: how many values each attribute has.
        teacher: (N, D) what the teachers say about the crops, L2-normalised.
    """

    images: Crops
    classes: Ints
    validation: CropSet | None = None
    attributes: Ints | None = None
    attribute_classes: tuple[int, ...] = ()
    teacher: Floats32 | None = None

    @property
    def people(self) -> int:
        """Identities to learn."""
        return int(self.classes.max()) + 1

    @property
    def unlabelled(self) -> Ints:
        """Rows of the unlabelled crops."""
        return np.arange(len(self.classes), len(self.images))


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
    for name in ("unlabelled", "made_up"):
        if getattr(distillation, name) and not distillation.teachers:
            raise ValueError(f"distillation.{name}: crops without labels need distillation.teachers")
    if (settings.losses.attributes > 0) != bool(settings.data.attributes):
        raise ValueError("losses.attributes and data.attributes: both or neither must be given")
    attributes = read_attributes(settings.data.attributes) if settings.data.attributes else None
    files = list_crops(folder, "train", settings.data.pattern or None)
    others = [unlabelled_source(place) for place in distillation.unlabelled]
    if distillation.made_up:
        learnt = ~hold_out(files.identities, settings.data.held_out, settings.seed)
        pools = [file_source(files.select(learnt).paths), *others]
        others.append(made_up_source(pools, distillation.made_up, settings.seed))

    def ask(crops: CropSource) -> Floats32:
        return cached_embeddings(
            cache,
            distillation.teachers,
            crops,
            lambda name, done: progress(f"asking {name}", done, crops.count),
        )

    sources = [file_source(files.paths), *others]
    teacher = np.concatenate([ask(source) for source in sources]) if distillation.teachers else None
    count = len(files.paths)
    return select_training_data(
        read_crops(files, size, lambda done: progress("reading crops", done, count)),
        settings,
        attributes=attributes,
        teacher=teacher,
        unlabelled=np.concatenate([source.read(size) for source in others]) if others else None,
    )


def select_training_data(
    crops: CropSet,
    settings: TrainingSettings,
    *,
    attributes: Attributes | None = None,
    teacher: Floats32 | None = None,
    unlabelled: Crops | None = None,
) -> TrainingData:
    """Split labelled crops into those to learn from and those of held-out identities.

    Args:
        crops: all labelled crops.
        settings: of the training.
        attributes: of their people.
        teacher: (N + U, D), L2-normalised, of all labelled crops, then of the unlabelled ones.
        unlabelled: (U, H, W, 3) uint8.

    Raises:
        ValueError: too few identities are left, or the teacher does not fit the crops.
    """
    count = len(crops) + (0 if unlabelled is None else len(unlabelled))
    if teacher is not None and len(teacher) != count:
        raise ValueError(f"the teacher has {counted(len(teacher), 'embedding')} for {counted(count, 'crop')}")
    held_out = hold_out(crops.identities, settings.data.held_out, settings.seed)
    learnt = crops[~held_out]
    validation = crops[held_out] if settings.data.held_out else None
    if validation is not None and not _answerable(validation):
        raise ValueError(
            "data.held_out: no held-out person has another crop in a second camera, so that nothing can be "
            "validated; use 0"
        )
    classes = np.unique(learnt.identities, return_inverse=True)[1].astype(np.int64)
    chosen = np.concatenate((~held_out, np.ones(count - len(crops), bool)))
    return TrainingData(
        learnt.images if unlabelled is None else np.concatenate((learnt.images, unlabelled)),
        classes,
        validation,
        attributes.of(learnt.identities) if attributes else None,
        attributes.classes if attributes else (),
        None if teacher is None else teacher[chosen],
    )


def _answerable(crops: CropSet) -> bool:
    """Whether some query of `split_query` has a true match in the gallery."""
    query = split_query(crops.identities, crops.cameras)
    same = crops.identities[query][:, None] == crops.identities[~query]
    return bool((same & (crops.cameras[query][:, None] != crops.cameras[~query])).any())
