from dataclasses import replace
from pathlib import Path

import cv2
import few_layers
import numpy as np
import pytest

from mot_reid.appearance import backbones
from mot_reid.training.reid.data import read_training_data
from mot_reid.training.reid.networks import StripNetwork, save_embedder
from mot_reid.training.reid.settings import DataSettings, DistillationSettings, TrainingSettings
from mot_reid.training.reid.teachers import teacher_embeddings
from mot_reid.training.reid.unlabelled import file_source


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """Four people in two cameras, each of a colour; person 3 is green."""
    folder = tmp_path / "market" / "bounding_box_train"
    folder.mkdir(parents=True)
    for person, colour in enumerate(((90, 90, 90), (200, 0, 0), (0, 0, 200), (0, 200, 0))):
        for camera, frame in ((1, 1), (1, 2), (2, 1), (2, 2)):
            name = f"{person:04d}_c{camera}s1_{frame:06d}_00.jpg"
            cv2.imwrite(str(folder / name), np.full((128, 64, 3), colour, np.uint8))
    return folder.parent


def settings(teacher: Path, **chosen: int) -> TrainingSettings:
    return TrainingSettings(
        data=DataSettings(height=96, width=48, held_out=2),
        distillation=DistillationSettings(teachers=(str(teacher),), **chosen),
    )


def test_people_are_made_up_of_those_learnt_from(
    market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(backbones._BACKBONES, few_layers.NAME, few_layers.PARTS)
    teacher = tmp_path / "teacher.onnx"
    save_embedder(teacher, StripNetwork(few_layers.NAME, 1, 4).eval(), (96, 48), {})
    data = read_training_data(market, tmp_path / "cache", settings(teacher, made_up=40))
    assert data.unlabelled.tolist() == list(range(8, 48))
    assert data.teacher is not None
    assert data.validation is not None
    heads = {tuple(image[2, 24] // 16) for image in data.images[data.unlabelled]}
    assert {tuple(image[2, 24] // 16) for image in data.images[:8]} <= heads
    assert not {tuple(image[2, 24] // 16) for image in data.validation.images} & heads
    # What the teacher says of them is what it says of the pictures.
    for row in (8, 47):
        path = tmp_path / f"{row}.png"
        cv2.imwrite(str(path), data.images[row][..., ::-1])
        assert data.teacher[row] == pytest.approx(
            teacher_embeddings(teacher, file_source([path]))[0], abs=1e-5
        )


@pytest.mark.parametrize("name", ["made_up", "unlabelled"])
def test_crops_without_labels_need_a_teacher(name: str, market: Path, tmp_path: Path) -> None:
    plain = settings(tmp_path)
    value = 5 if name == "made_up" else ("more",)
    alone = replace(plain, distillation=DistillationSettings(**{name: value}))
    with pytest.raises(ValueError, match=f"distillation.{name}: crops without labels need"):
        read_training_data(market, tmp_path, alone)
