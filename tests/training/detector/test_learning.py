"""The training itself, on a few small pictures."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mot_reid.detection.rtmdet import RtmDet
from mot_reid.training.detector import examples
from mot_reid.training.detector.crowds import Scene
from mot_reid.training.detector.examples import Material, cutouts_of, make_examples
from mot_reid.training.detector.gradients import QuickDepthwise
from mot_reid.training.detector.learning import STATE, Learner, blended
from mot_reid.training.detector.settings import DetectorTraining

SMALL = DetectorTraining(
    epochs=2, pictures=4, batch=2, crowds=0.0, kept_share=0.5, frozen=0, reuse=1, average=0.5
)


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "_SIZES", (((64, 96), 0.5), ((96, 64), 0.5)))


def a_material() -> Material:
    """Pictures with a bright upright rectangle each, which stands for a person, and one without."""
    rng = np.random.default_rng(0)
    scenes = []
    for left in (20, 40, 60):
        picture = rng.integers(0, 60, (96, 128, 3), dtype=np.uint8)
        picture[10:80, left : left + 30] = 220
        scenes.append(Scene(picture, np.array([[left, 10, left + 30, 80]], np.float64)))
    nobody = Scene(rng.integers(0, 60, (96, 128, 3), dtype=np.uint8), np.zeros((0, 4)))
    return Material([*scenes, nobody])


def a_start() -> RtmDet:
    torch.manual_seed(0)
    return RtmDet().eval()


def weights_of(network: RtmDet) -> torch.Tensor:
    return torch.cat([parameter.detach().ravel() for parameter in network.parameters()])


def test_batches_have_one_size_each_and_as_many_pixels() -> None:
    made = [make_examples(a_material(), SMALL, np.random.default_rng(seed)) for seed in range(8)]
    assert {batch.pictures.shape[1:3] for batch in made} == {(64, 96), (96, 64)}
    for batch in made:
        assert batch.pictures.shape[0] == len(batch.people) == len(batch.kept) == 2
        for boxes in batch.people:
            height, width = batch.pictures.shape[1:3]
            assert (boxes >= 0).all()
            assert (boxes <= [width, height, width, height]).all()
    assert 0 < np.concatenate([batch.kept for batch in made]).mean() < 1


def test_the_same_seed_makes_the_same_batch() -> None:
    a, b, c = (make_examples(a_material(), SMALL, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.pictures, b.pictures)
    assert a.pictures.shape != c.pictures.shape or (a.pictures != c.pictures).any()


def test_it_learns(tmp_path: Path) -> None:
    settings = DetectorTraining(
        epochs=1, pictures=80, batch=4, learning_rate=4e-3, crowds=0, kept_share=0, frozen=5, reuse=4
    )
    learner = Learner(a_start(), a_material(), settings, tmp_path)
    losses = [sum(learner._learn(batch)) for batch in learner._batches()]
    assert np.mean(losses[-4:]) < 0.85 * np.mean(losses[:4])


def test_what_is_frozen_stays(tmp_path: Path) -> None:
    start = a_start()
    trained = Learner(start, a_material(), replace(SMALL, frozen=2, epochs=1), tmp_path).run()
    before, after = dict(start.named_parameters()), dict(trained.named_parameters())
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert not any(name.startswith(("backbone.stem", "backbone.stages.0.")) for name in changed)
    assert any(name.startswith("backbone.stages.1.") for name in changed)
    assert all(
        before[name].ndim != 4 or before[name].shape[2:] == (1, 1) or "stem" in name for name in changed
    )


def test_depthwise_filters_are_trained_where_they_are_asked_for(tmp_path: Path) -> None:
    start = a_start()
    learner = Learner(start, a_material(), replace(SMALL, depthwise=True), tmp_path)
    kinds = [type(module) for module in learner.network.modules() if isinstance(module, nn.Conv2d)]
    assert kinds.count(QuickDepthwise) == 41
    trained = learner.run()
    assert trained.state_dict().keys() == start.state_dict().keys()
    for name, module in start.named_modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1 and ".box" not in name:
            assert not torch.equal(module.weight, trained.get_parameter(f"{name}.weight"))


@pytest.mark.parametrize("reuse", [1, 2])
def test_a_training_that_is_resumed_gives_the_same(tmp_path: Path, reuse: int) -> None:
    settings = replace(SMALL, frozen=5, reuse=reuse)

    class Enough(Exception):
        pass

    def stop(done: int, total: int) -> None:
        assert total == 4
        if done == 3:
            raise Enough

    whole = Learner(a_start(), a_material(), settings, tmp_path / "whole").run()
    with pytest.raises(Enough):
        Learner(a_start(), a_material(), settings, tmp_path / "halves").run(stop)
    second = Learner(a_start(), a_material(), settings, tmp_path / "halves", resume=True)
    assert second.step == 2
    assert torch.equal(weights_of(second.run()), weights_of(whole))
    rows = (tmp_path / "halves" / "log.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in rows] == [["epoch", "step"], ["1", "2"], ["2", "4"]]
    with pytest.raises(ValueError, match=r"last\.pt: written by a training with other settings"):
        Learner(a_start(), a_material(), SMALL, tmp_path / "halves", resume=True)
    assert (tmp_path / "halves" / STATE).is_file()
    whole_state = (tmp_path / "halves" / STATE).read_bytes()
    (tmp_path / "halves" / STATE).write_bytes(whole_state[: len(whole_state) // 2])
    with pytest.raises(ValueError, match=r"last\.pt: damaged, so that no training goes on from it"):
        Learner(a_start(), a_material(), settings, tmp_path / "halves", resume=True)


def test_a_kill_between_log_and_state_leaves_each_epoch_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    done = []

    def killed_between(call: Callable[..., None]) -> Callable[..., None]:
        def run(self: Learner, *arguments: object) -> None:
            if len(done) == 3:  # one of the two was done in the first epoch and in the second
                raise Killed
            done.append(call.__name__)
            call(self, *arguments)

        return run

    with monkeypatch.context() as patch:
        for name in ("_save", "_log"):
            patch.setattr(Learner, name, killed_between(getattr(Learner, name)))
        with pytest.raises(Killed):
            Learner(a_start(), a_material(), SMALL, tmp_path).run()
    Learner(a_start(), a_material(), SMALL, tmp_path, resume=True).run()
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in rows] == [["epoch", "step"], ["1", "2"], ["2", "4"]]


@pytest.mark.parametrize(
    ("entry", "value"), [("step", None), ("network", {}), ("average", 3), ("optimiser", {})]
)
def test_a_state_that_does_not_fit_is_named(tmp_path: Path, entry: str, value: object) -> None:
    settings = replace(SMALL, epochs=1, pictures=2)
    Learner(a_start(), a_material(), settings, tmp_path).run()
    state = torch.load(tmp_path / STATE)
    torch.save({**state, entry: value}, tmp_path / STATE)
    with pytest.raises(ValueError, match=r"last\.pt: not of such a training \("):
        Learner(a_start(), a_material(), settings, tmp_path, resume=True)


def test_pictures_are_used_again_only_where_the_backbone_is_frozen(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="reuse: pictures are learnt from once"):
        Learner(a_start(), a_material(), DetectorTraining(reuse=2, frozen=4), tmp_path)


def test_every_batch_is_used_as_often(tmp_path: Path) -> None:
    settings = DetectorTraining(epochs=3, pictures=16, batch=4, frozen=5, reuse=3)
    learner = Learner(a_start(), a_material(), settings, tmp_path)
    used = [learner._batch_of(step) for step in range(learner.steps)]
    assert used[:4] == [0, 1, 2, 3]
    assert [sorted(used[at : at + 4]) for at in (4, 8)] == [[0, 1, 2, 3]] * 2


def test_a_loss_that_is_not_finite_stops_it(tmp_path: Path) -> None:
    start = a_start()
    with torch.no_grad():
        start.heads[0].score.bias.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="step 0: the loss is nan"):
        Learner(start, a_material(), replace(SMALL, kept_share=0.0), tmp_path).run()


def test_weights_are_mixed_by_their_shares() -> None:
    a, b = a_start(), RtmDet()
    torch.testing.assert_close(weights_of(blended(a, b, 0.25)), 0.75 * weights_of(a) + 0.25 * weights_of(b))
    assert torch.equal(weights_of(blended(a, b, 1.0)), weights_of(b))


def test_those_who_stand_alone_are_cut_out(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.full((300, 400, 3), 90, np.uint8)
    monkeypatch.setattr(examples, "cut_out", lambda crop: np.dstack((crop, crop[..., 0])))
    standing = [100, 50, 150, 200]
    for others, count in (
        ([], 1),
        ([[100, 120, 150, 280]], 0),  # each hides the other
        ([[200, 50, 240, 110]], 1),  # too small
        ([[200, 50, 320, 200]], 1),  # too wide
        ([[300, 150, 360, 300]], 1),  # at the edge
        ([[200, 20, 270, 290]], 2),
    ):
        found = cutouts_of([Scene(picture, np.array([standing, *others], np.float64))])
        assert len(found) == count
        assert all(cutout.shape[0] <= 200 for cutout in found)
