import csv
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import few_layers
import numpy as np
import pytest
import torch

from mot_reid.appearance import backbones
from mot_reid.appearance.checkpoints import load_checkpoint, save_checkpoint
from mot_reid.appearance.mgn import MGN
from mot_reid.appearance.osnet import OSNet
from mot_reid.settings import with_settings
from mot_reid.training.reid.attributes import Attributes
from mot_reid.training.reid.crops import CropSet
from mot_reid.training.reid.data import TrainingData, select_training_data
from mot_reid.training.reid.datasets import list_crops, read_crops
from mot_reid.training.reid.evaluation import evaluate_network
from mot_reid.training.reid.logbook import EpochMetrics
from mot_reid.training.reid.optimisation import autocast_type, on_device
from mot_reid.training.reid.settings import (
    AugmentationSettings,
    BatchSettings,
    DataSettings,
    NetworkSettings,
    OptimiserSettings,
    ScheduleSettings,
    TrainingSettings,
)
from mot_reid.training.reid.state import differences, portable
from mot_reid.training.reid.trainer import Trainer, TrainingResult

TINY = TrainingSettings(
    device="cpu",
    data=DataSettings(height=96, width=32, held_out=0),
    network=NetworkSettings(backbone=few_layers.NAME, reduced_dim=8),
    batch=BatchSettings(people=6, images=2, unlabelled=2),
    optimiser=OptimiserSettings(learning_rate=1e-2, ema=0.5),
    schedule=ScheduleSettings(epochs=2),
    augmentation=AugmentationSettings(brightness=0.1, contrast=0.1, saturation=0.1, gamma=1.05, coarse=0.0),
)


def changed(**parts: Any) -> TrainingSettings:
    return with_settings(TINY, parts)


@pytest.fixture(scope="module", autouse=True)
def backbone() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(backbones._BACKBONES, few_layers.NAME, few_layers.PARTS)
        yield


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


@pytest.fixture(scope="module")
def few(crops: CropSet) -> CropSet:
    """Four crops of each."""
    return crops[np.arange(48) % 8 < 4]


@pytest.fixture(scope="module")
def data(few: CropSet) -> TrainingData:
    return select_training_data(few, TINY)


@pytest.fixture(scope="module")
def trained(data: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """One epoch; nobody writes into its folder."""
    folder = tmp_path_factory.mktemp("trained")
    return Trainer(data, folder, changed(schedule={"epochs": 1})).run()


@pytest.fixture
def real() -> Path:
    """The folder with the real data."""
    folder = os.environ.get("MOT_REID_DATA")
    if not folder:
        pytest.skip("MOT_REID_DATA does not name the folder with the real data")
    return Path(folder)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_tiny_training_learns_colours(crops: CropSet, tmp_path: Path) -> None:
    settings = changed(schedule={"epochs": 3}, batch={"images": 4})
    told: list[EpochMetrics] = []
    result = Trainer(select_training_data(crops, settings), tmp_path, settings, on_epoch=told.append).run()
    first, last = result.history[1], result.history[-1]
    assert last.softmax < first.softmax
    assert last.triplet < 0.7 * first.triplet
    assert tuple(told) == result.history
    network = load_checkpoint(result.embedder)
    assert (network.input_size, network.dim) == ((96, 32), 64)
    found = evaluate_network(network, crops)
    assert found.rank1 == 1.0
    assert found.mean_average_precision > 0.9


@pytest.mark.data
@pytest.mark.long
def test_training_on_a_few_people_finds_others_better(real: Path, tmp_path: Path) -> None:
    files = list_crops(real / "market1501")
    people = np.unique(files.identities)[:48]
    rows = np.concatenate([np.flatnonzero(files.identities == person)[::2][:8] for person in people])
    mask = np.zeros(len(files.paths), bool)
    mask[rows] = True
    start = real.parent / "weights" / "osnet_x0_25_msmt17.onnx"
    if not start.exists():
        pytest.skip(f"{start} does not exist")
    settings = changed(
        data={"held_out": 16, "width": 48},
        network={"backbone": "osnet_x0_25", "initial": str(start), "frozen": 3},
        batch={"people": 8, "images": 4},
        schedule={"epochs": 6},  # with 3 the gain is .03 on some processors, .06 on others
        optimiser={"learning_rate": 1e-3, "ema": 0.8},
    )
    crops = read_crops(files.select(mask), (96, 48))
    trainer = Trainer(select_training_data(crops, settings), tmp_path, settings)
    trainer._finish_epoch(EpochMetrics(0))
    epochs = [trainer.train_epoch(epoch) for epoch in range(1, 7)]
    trainer._finish_epoch(epochs[-1])  # as `run`, without what comes of the epochs between
    before, after = trainer.history
    assert after.mean_average_precision > before.mean_average_precision + 0.05


def test_crops_without_names_learn_from_the_teacher_only(few: CropSet, tmp_path: Path) -> None:
    strangers = 255 - few.images[:7]
    targets = np.random.default_rng(0).normal(size=(31, 8))
    targets = (targets / np.linalg.norm(targets, axis=1, keepdims=True)).astype(np.float32)
    data = select_training_data(few, TINY, teacher=targets, unlabelled=strangers)
    trainer = Trainer(data, tmp_path, changed(batch={"unlabelled": 5}))
    assert (data.people, trainer.steps) == (6, 2)  # of 24 crops with names; the others come on top
    seen: list[np.ndarray] = []

    class Spy(type(trainer.objective)):  # type: ignore[misc]
        def __call__(self, output: Any, rows: np.ndarray) -> Any:
            seen.append(rows)
            assert len(output.embedding) == len(rows) == 17
            return super().__call__(output, rows)

    trainer.objective.__class__ = Spy
    trainer.train_epoch(1)
    assert len(seen) == 2
    assert (seen[0][:12] < 24).all()
    assert (seen[0][12:] >= 24).all()
    assert len(set(seen[0][12:])) == 5


@pytest.mark.parametrize("name", ["start.pth", "start.safetensors"])
def test_what_is_frozen_stays_and_fitted_heads_come_first(few: CropSet, tmp_path: Path, name: str) -> None:
    """A plain backbone's heads are fitted; those that a checkpoint of ours brings stay."""
    start, ours = tmp_path / name, name.endswith(".safetensors")
    torch.manual_seed(1)
    if ours:
        save_checkpoint(start, MGN("osnet_x0_25", 8, relu=False), input_size=(96, 32), half=False)
    else:
        torch.save(OSNet(0.25).state_dict(), start)
    many = CropSet(*(np.concatenate([part] * 6) for part in (few.images, few.identities, few.cameras)))
    targets = np.random.default_rng(0).normal(size=(144, 16)).astype(np.float32)
    data = select_training_data(many, TINY, teacher=targets)
    network = {"backbone": "osnet_x0_25", "initial": str(start), "frozen": 3, "frozen_norms": True}
    settings = changed(network=network, optimiser={"backbone_rate": 0.5}, distillation={"fitted": 140})
    trainer = Trainer(data, tmp_path, settings)
    before = {name: value.clone() for name, value in trainer.trainee.network.state_dict().items()}
    unfitted = changed(network=network, optimiser={"backbone_rate": 0.5})
    given = Trainer(data, tmp_path / "unfitted", unfitted).trainee.network.state_dict()
    assert torch.equal(before["stem.0.conv.weight"], given["stem.0.conv.weight"])
    assert torch.equal(before["reductions.0.0.weight"], given["reductions.0.0.weight"]) == ours
    trainer.trainee.train()
    trainer.frozen.eval()
    trainer.body.apply(lambda module: module.eval() if isinstance(module, torch.nn.BatchNorm2d) else None)
    trainer._step(np.arange(12), 1e-3, np.random.default_rng(0))
    assert [group["lr"] for group in trainer.optimiser.param_groups] == [5e-4, 1e-3]
    after = trainer.trainee.network.state_dict()
    for name, value in before.items():
        still = torch.equal(after[name], value)
        if name.startswith(("stem.0", "stem.1", "stem.2")):
            assert still, name
        elif "running" in name or name.endswith("conv.weight"):
            assert still == ("running" in name and not name.startswith("reductions")), name


@pytest.mark.long
def test_interrupted_training_ends_as_an_uninterrupted_one(few: CropSet, tmp_path: Path) -> None:
    settings = changed(
        data={"held_out": 2},
        batch={"people": 4, "images": 2},
        optimiser={"name": "adamw"},
        schedule={"epochs": 2},
    )
    teacher = np.eye(6, dtype=np.float32)[few.identities]
    data = select_training_data(
        few,
        settings,
        teacher=np.concatenate((teacher, teacher[:10])),
        unlabelled=few.images[:10],
    )
    whole = Trainer(data, tmp_path / "whole", settings).run()

    class Interrupted(Trainer):
        """Stopped in the middle of its second epoch."""

        def _step(self, *arguments: Any) -> torch.Tensor:
            if len(self.history) == 2 and self.done == 1:
                raise KeyboardInterrupt
            self.done = 1 if len(self.history) == 2 else 0
            return super()._step(*arguments)

        done = 0

    with pytest.raises(KeyboardInterrupt):
        Interrupted(data, tmp_path / "parts", settings).run()
    parts = Trainer(data, tmp_path / "parts", settings).run()
    assert 0 < parts.history[-1].distillation < parts.history[1].distillation
    assert parts.embedder.read_bytes() == whole.embedder.read_bytes()
    assert [metrics[1:-1] for metrics in parts.history[1:]] == [
        metrics[1:-1] for metrics in whole.history[1:]
    ]
    with (tmp_path / "parts" / "metrics.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2"]
    parts.embedder.unlink()
    again = Trainer(data, tmp_path / "parts", settings).run()  # nothing left to do but that
    assert len(again.history) == 3
    assert again.embedder.read_bytes() == whole.embedder.read_bytes()
    with pytest.raises(ValueError, match=r"other settings: seed 0, now 5, network\.relu False, now True"):
        Trainer(
            data,
            tmp_path / "parts",
            changed(**(as_changes(settings) | {"seed": 5, "network": {"relu": True}})),
        )
    assert not Trainer(data, tmp_path / "parts", settings, resume=False).history


def test_half_of_a_training_is_not_taken_for_the_whole(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in its first epoch, one that begins anew leaves nothing of the finished one to go on from."""
    settings = changed(schedule={"epochs": 1, "keep_all": True})
    whole = Trainer(data, tmp_path, settings).run().embedder.read_bytes()

    def cut_off(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:100])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", cut_off)
        with pytest.raises(KeyboardInterrupt):
            Trainer(data, tmp_path, settings, resume=False).run()
    assert (tmp_path / "epoch00.safetensors").stat().st_size > 100  # what was there before
    assert (tmp_path / "embedder.safetensors").read_bytes() != whole
    assert Trainer(data, tmp_path, settings).run().embedder.read_bytes() == whole
    assert (tmp_path / "epoch01.safetensors").read_bytes() == whole


def test_other_data_are_no_training_to_go_on_with(few: CropSet, tmp_path: Path) -> None:
    settings = changed(schedule={"epochs": 0})
    Trainer(select_training_data(few, settings), tmp_path, settings).run()
    swapped = replace(few, identities=np.roll(few.identities, 1))
    for crops in (swapped, few[1:]):  # as many people, other labels or fewer crops
        with pytest.raises(ValueError, match=r"last\.pt was written with other crops or labels"):
            Trainer(select_training_data(crops, settings), tmp_path, settings)
    state = torch.load(tmp_path / "last.pt")
    del state["data"]  # as states were until now
    torch.save(state, tmp_path / "last.pt")
    assert Trainer(select_training_data(few, settings), tmp_path, settings).history


@pytest.mark.parametrize("content", [b"", b"hello", {"a": 1}, [1]])
def test_a_state_that_is_none_is_named(data: TrainingData, tmp_path: Path, content: object) -> None:
    if isinstance(content, bytes):
        (tmp_path / "last.pt").write_bytes(content)
    else:
        torch.save(content, tmp_path / "last.pt")
    with pytest.raises(ValueError, match=r"last\.pt: (damaged|not of such a training)"):
        Trainer(data, tmp_path, TINY)


def as_changes(settings: TrainingSettings) -> dict[str, Any]:
    return {name: vars(getattr(settings, name)) for name in ("data", "batch", "optimiser", "schedule")}


def test_few_crops_are_measured_at_once(data: TrainingData, tmp_path: Path) -> None:
    """Batch statistics of one or two crops are of no use, and many small batches take long."""
    trainer = Trainer(data, tmp_path, TINY)
    (batch,) = trainer._sampled(1024, TINY.augmentation, torch.device("cpu"))
    assert sorted(batch[1]) == list(range(24))


def test_a_seed_decides_everything(data: TrainingData, trained: TrainingResult, tmp_path: Path) -> None:
    settings = changed(schedule={"epochs": 1})
    runs = [trained, Trainer(data, tmp_path / "b", settings).run()]
    assert runs[0].embedder.read_bytes() == runs[1].embedder.read_bytes()
    other = Trainer(data, tmp_path / "c", settings.replace(seed=1)).train_epoch(1)
    assert runs[0].history[1].loss == runs[1].history[1].loss != other.loss


@pytest.mark.parametrize(
    ("network", "losses"),
    [
        ({"architecture": "plain"}, {"triplet": 0.0}),  # representation learning
        ({"architecture": "plain"}, {"softmax": 0.0, "triplet": 0.0, "contrastive": 1.0}),  # metric learning
        ({"architecture": "pcb"}, {"triplet": 0.0, "attributes": 0.5}),  # parts, attributes
        ({"architecture": "mgn", "wide_softmax": True, "pooling": "gem"}, {}),
    ],
)
def test_gradients_reach_every_weight(
    few: CropSet, tmp_path: Path, network: dict[str, Any], losses: dict[str, float]
) -> None:
    settings = changed(network={"backbone": "osnet_x0_25"} | network, losses=losses)
    attributes = Attributes(("hat",), (2,), {person: (person % 2,) for person in range(6)})
    data = select_training_data(few, settings, attributes=attributes if "attributes" in losses else None)
    trainer = Trainer(data, tmp_path, settings)
    trainer.trainee.train()
    rows = np.arange(0, 24, 2)
    trainer._step(rows, 1e-3, np.random.default_rng(0))
    # The gates of a narrow OSNet have one hidden unit, which may be dead for a batch.
    parameters = [(n, p) for n, p in trainer.trainee.named_parameters() if ".gate." not in n]
    still = [name for name, p in parameters if p.grad is None or not p.grad.any()]
    assert not still
    metrics = trainer.train_epoch(1)
    assert all((getattr(metrics, name) > 0) == (weight > 0) for name, weight in losses.items())


def test_other_architectures_end_as_onnx(data: TrainingData, tmp_path: Path) -> None:
    settings = changed(network={"architecture": "pcb", "reduced_dim": 4}, schedule={"epochs": 0})
    assert Trainer(data, tmp_path, settings).run().embedder.name == "embedder.onnx"
    assert (tmp_path / "embedder.onnx").stat().st_size > 1000


def test_earlier_weights_go_on(data: TrainingData, trained: TrainingResult, tmp_path: Path) -> None:
    initial = {"initial": str(trained.embedder)}
    again = Trainer(data, tmp_path / "b", changed(network=initial, schedule={"epochs": 0})).run()
    states = [load_checkpoint(run.embedder).module.state_dict() for run in (trained, again)]
    for name, value in states[1].items():  # centred but for the rounding of the file
        torch.testing.assert_close(value, states[0][name], rtol=0, atol=1e-3)
    kept = changed(network=initial, optimiser={"keep": 0.5}, schedule={"epochs": 1})
    assert Trainer(data, tmp_path / "c", kept).run().history[-1].loss > 0


def test_bad_settings_are_refused_early(crops: CropSet, data: TrainingData, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such initial weights"):
        Trainer(data, tmp_path, changed(network={"initial": "nothing.safetensors"}))
    with pytest.raises(ValueError, match=r"optimiser\.keep: needs initial weights"):
        Trainer(data, tmp_path, changed(optimiser={"keep": 0.5}))
    with pytest.raises(ValueError, match=r"distillation\.fitted: needs initial weights"):
        Trainer(data, tmp_path, changed(distillation={"fitted": 500}))
    with pytest.raises(ValueError, match=r"batch\.people is 16, but the data has 6 identities"):
        Trainer(data, tmp_path, changed(batch={"people": 16}))
    with pytest.raises(ValueError, match="nothing to learn"):
        Trainer(data, tmp_path, changed(losses={"softmax": 0.0, "triplet": 0.0}))
    alone = CropSet(crops.images, crops.identities, np.ones(48, np.int64))
    with pytest.raises(ValueError, match=r"data\.held_out: no held-out person has another crop"):
        select_training_data(alone, changed(data={"held_out": 2}))
    with pytest.raises(ValueError, match="the teacher has 5 embeddings for 48 crops"):
        select_training_data(crops, TINY, teacher=np.ones((5, 2), np.float32))


def test_a_step_in_mixed_precision(data: TrainingData, tmp_path: Path) -> None:
    settings = changed(network={"architecture": "plain"}, precision="fp16")
    trainer = Trainer(data, tmp_path, settings)
    trainer.trainee.train()
    types: set[torch.dtype] = set()
    trainer.trainee.network.stem.register_forward_hook(lambda *call: types.add(call[-1].dtype))
    before = {name: value.clone() for name, value in trainer.trainee.named_parameters()}
    trainer.scaler.scale(torch.ones(()))
    trainer.scaler.update(2.0**8)  # a scale at which nothing overflows: steps that do are skipped
    measures = trainer._step(np.array([0, 1, 4, 5]), 1e-3, np.random.default_rng(0))
    assert types == {torch.float16}
    assert measures.dtype == torch.float32
    assert measures.isfinite().all()
    after = dict(trainer.trainee.named_parameters())
    assert all(value.dtype == torch.float32 and value.isfinite().all() for value in after.values())
    moved = [not torch.equal(value, before[name]) for name, value in after.items() if ".gate." not in name]
    assert all(moved)


def test_precision_and_place_of_the_data() -> None:
    cpu = torch.device("cpu")
    assert autocast_type("auto", cpu) is None
    assert autocast_type("fp16", torch.device("cuda")) == torch.float16
    images = np.zeros((2, 4, 4, 3), np.uint8)
    assert np.shares_memory(on_device(images, cpu).numpy(), images)


def test_saved_settings_name_no_folders() -> None:
    settings = with_settings(
        replace(TINY),
        {"network": {"initial": "/some/where/a.onnx"}, "distillation": {"teachers": ["/b/c.xml"]}},
    )
    plain = portable(settings)
    assert "device" not in plain
    assert plain["network"]["initial"] == "a.onnx"
    assert plain["distillation"]["teachers"] == ["c.xml"]
    assert differences(plain, plain) == []
    assert differences(plain, plain | {"seed": 4}) == ["seed 0, now 4"]
