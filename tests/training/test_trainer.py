import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mot_reid.appearance.backbones import build_backbone
from mot_reid.appearance.checkpoints import load_checkpoint, save_checkpoint
from mot_reid.appearance.mgn import MGN
from mot_reid.training.reid_data import Augmentation, CropSet
from mot_reid.training.retrieval import evaluate_retrieval
from mot_reid.training.settings import TrainingSettings
from mot_reid.training.trainer import Trainer, main, train_embedder
from mot_reid.training.unlabelled import with_unlabelled

TINY = TrainingSettings(
    reduced_dim=8,
    height=96,
    width=32,
    epochs=2,
    people=6,
    images=4,
    learning_rate=1e-2,
    ema=0.5,
    held_out=0,
    augmentation=Augmentation(brightness=0.1, contrast=0.1, saturation=0.1, gamma=1.05, coarse=0.0),
)


@pytest.fixture(scope="module")
def crops() -> CropSet:
    """People told apart by the colours of shirt and trousers, in noise, by two cameras."""
    rng = np.random.default_rng(0)
    identities, cameras = np.repeat(np.arange(6), 8), np.tile([1, 2], 24)
    shirts, trousers = rng.permutation(6), rng.permutation(6)
    colours = np.array([[c >> 2 & 1, c >> 1 & 1, c & 1] for c in range(1, 7)]) * 160.0 + 40
    images = np.empty((48, 96, 32, 3))
    images[:, :48] = colours[shirts[identities]][:, None, None]
    images[:, 48:] = colours[trousers[identities]][:, None, None]
    images += rng.normal(0, 25, images.shape)
    return CropSet(images.clip(0, 255).astype(np.uint8), identities, cameras)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_tiny_training_learns_colours(crops: CropSet, tmp_path: Path) -> None:
    result = Trainer(crops, tmp_path, replace(TINY, epochs=3)).run()
    first, last = result.history[1], result.history[-1]
    assert last.softmax < first.softmax
    assert last.triplet < 0.5 * first.triplet
    network = load_checkpoint(result.checkpoint)
    assert (network.input_size, network.dim) == ((96, 32), 64)
    found = evaluate_retrieval(network, crops)
    assert found.rank1 == 1.0
    assert found.mean_average_precision > 0.9


def test_crops_without_names_learn_from_the_teacher_only(crops: CropSet, tmp_path: Path) -> None:
    strangers = with_unlabelled(crops, 255 - crops.images[:20])
    targets = np.random.default_rng(0).normal(size=(68, 8))
    targets = (targets / np.linalg.norm(targets, axis=1, keepdims=True)).astype(np.float32)
    trainer = Trainer(strangers, tmp_path, replace(TINY, epochs=1, unlabelled=5), teacher=targets)
    assert trainer.model.num_classes == 6
    assert trainer.steps == 2  # of 24 crops with names; the others come on top
    rows: list[np.ndarray] = []
    step = trainer._step

    def spy(pixels: torch.Tensor, batch: np.ndarray, classes: np.ndarray, rate: float) -> np.ndarray:
        rows.append(batch)
        assert (len(pixels), len(batch), len(classes)) == (29, 29, 24)
        return step(pixels, batch, classes, rate)

    trainer._step = spy  # type: ignore[method-assign]
    trainer.run()
    assert len(rows) == 2
    assert (rows[0][24:] >= 48).all()
    assert (rows[0][:24] < 48).all()
    assert len(set(rows[0][24:])) == 5
    with pytest.raises(ValueError, match="need a teacher"):
        train_embedder(tmp_path, tmp_path, TINY, unlabelled=tmp_path)


def test_what_is_frozen_stays(crops: CropSet, tmp_path: Path) -> None:
    start = tmp_path / "start.safetensors"
    save_checkpoint(start, MGN(TINY.backbone, 8, relu=TINY.relu), input_size=(96, 32), half=False)
    targets = np.random.default_rng(0).normal(size=(48, 8)).astype(np.float32)
    settings = replace(TINY, epochs=1, frozen=3, frozen_norms=True, backbone_rate=0.5)
    trainer = Trainer(crops, tmp_path, settings, initial=start, teacher=targets)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.run()
    after = trainer.model.state_dict()
    rate = trainer.history[-1].learning_rate
    assert [group["lr"] for group in trainer.optimiser.param_groups] == [0.5 * rate, rate]
    for name, value in before.items():
        still = torch.equal(after[name], value)
        if name.startswith(("stem.0", "stem.1", "stem.2")):
            assert still, name
        elif "running" in name or name.endswith("conv.weight"):
            assert still == ("running" in name and not name.startswith("reductions")), name


def test_fitted_heads_come_before_the_first_step(crops: CropSet, tmp_path: Path) -> None:
    plain, ours = tmp_path / "plain.pth", tmp_path / "ours.safetensors"
    torch.save(build_backbone(TINY.backbone).state_dict(), plain)
    model = MGN(TINY.backbone, 8, relu=TINY.relu)
    save_checkpoint(ours, model, input_size=(96, 32), half=False)
    many = CropSet(*(np.concatenate([part] * 3) for part in (crops.images, crops.identities, crops.cameras)))
    targets = np.random.default_rng(0).normal(size=(144, 16)).astype(np.float32)

    def trainer(start: Path, fitted: int) -> Trainer:
        settings = replace(TINY, fitted=fitted)
        return Trainer(many, tmp_path / f"{start.stem}{fitted}", settings, initial=start, teacher=targets)

    def heads(trainer: Trainer) -> torch.Tensor:
        return trainer.model.reductions[0][0].weight

    unfitted, fitted, kept = trainer(plain, 0), trainer(plain, 140), trainer(ours, 140)
    assert not torch.equal(heads(unfitted), heads(fitted))
    assert torch.equal(heads(kept), model.reductions[0][0].weight)
    for one in (fitted, kept):
        assert one.projection.weight.shape == (16, 64)
        assert not torch.equal(one.projection.weight, unfitted.projection.weight)


def test_interrupted_training_ends_as_an_uninterrupted_one(crops: CropSet, tmp_path: Path) -> None:
    settings = replace(TINY, held_out=2, people=4, images=8)
    teacher = np.eye(6, dtype=np.float32)[crops.identities]
    whole = Trainer(crops, tmp_path / "whole", settings, teacher=teacher).run()
    interrupted = Trainer(crops, tmp_path / "parts", settings, teacher=teacher).run(until=1)
    assert len(interrupted.history) == 2
    parts = Trainer(crops, tmp_path / "parts", settings, teacher=teacher).run()
    assert 0 < parts.history[-1].distillation < parts.history[1].distillation
    expected, found = (load_checkpoint(r.checkpoint).module.state_dict() for r in (whole, parts))
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert [metrics[1:9] for metrics in parts.history[1:]] == [metrics[1:9] for metrics in whole.history[1:]]
    with (tmp_path / "parts" / "metrics.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2"]
    with pytest.raises(ValueError, match="written with other settings"):
        Trainer(crops, tmp_path / "parts", TINY)


def test_rate_rises_then_falls_to_nothing(crops: CropSet, tmp_path: Path) -> None:
    trainer = Trainer(crops, tmp_path, replace(TINY, epochs=10, warmup=0.2))
    rates = [trainer._learning_rate(step) for step in range(10 * trainer.steps)]
    peak = int(np.argmax(rates))
    assert rates[peak] == pytest.approx(1e-2)
    assert peak + 1 == pytest.approx(2 * trainer.steps, abs=1)
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak + 1 :]) < 0).all()
    assert rates[-1] < 1e-3


def test_training_from_a_folder_and_from_earlier_weights(crops: CropSet, tmp_path: Path) -> None:
    import cv2

    folder = tmp_path / "crops"
    folder.mkdir()
    for row in np.flatnonzero(np.arange(48) % 4 < 2):
        name = f"{crops.identities[row]:04d}_c{crops.cameras[row]}s1_{row:06d}_00.png"
        cv2.imwrite(str(folder / name), crops.images[row][..., ::-1])
    options = {
        "reduced-dim": 8,
        "height": 96,
        "width": 32,
        "people": 3,
        "images": 2,
        "held-out": 2,
        "epochs": 1,
    }
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    main([str(folder), str(tmp_path / "a"), *arguments])
    again = train_embedder(
        folder, tmp_path / "b", replace(TINY, epochs=0), initial=tmp_path / "a" / "embedder.safetensors"
    )
    first, second = (load_checkpoint(p) for p in (tmp_path / "a" / "embedder.safetensors", again.checkpoint))
    weights = first.module.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in second.module.state_dict().items())


def test_bad_settings_are_refused_early(crops: CropSet, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="multiple of 96"):
        train_embedder(tmp_path, tmp_path, TrainingSettings(height=256))
    with pytest.raises(FileNotFoundError, match="no such initial weights"):
        Trainer(crops, tmp_path, TINY, initial=tmp_path / "nothing.safetensors")
    with pytest.raises(ValueError, match="no initial weights to keep"):
        Trainer(crops, tmp_path, replace(TINY, keep=0.5))
    with pytest.raises(ValueError, match="the teacher has 5 embeddings for 48 crops"):
        Trainer(crops, tmp_path, TINY, teacher=np.ones((5, 2), np.float32))
