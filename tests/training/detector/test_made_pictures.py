import numpy as np
import torch

from mot_reid.training.detector.crowds import Scene
from mot_reid.training.detector.made_pictures import MadePictures, Material, reduced
from mot_reid.training.detector.settings import FineTuning

PEOPLE = np.array([[10.0, 20, 40, 90]])
WORLD = Scene(np.full((100, 160, 3), 40, np.uint8), PEOPLE)
NOBODY = Scene(np.full((100, 160, 3), 80, np.uint8), np.zeros((0, 4)))
FRAME = Scene(np.full((100, 160, 3), 120, np.uint8), PEOPLE)
CUTOUT = np.full((60, 24, 4), 255, np.uint8)


def settings(**given: float) -> FineTuning:
    return FineTuning(**{"pictures": 40, "image_size": 96, "image_height": 64, **given})


def test_a_batch_is_what_ultralytics_takes() -> None:
    made = MadePictures(Material([WORLD, NOBODY], [[FRAME]], [CUTOUT]), settings())
    torch.manual_seed(0)
    items = [made[0] for _ in range(len(made))]
    batch = made.collate_fn(items)
    assert batch["img"].shape == (40, 3, 64, 96)
    assert batch["img"].dtype == torch.uint8
    boxes = batch["bboxes"]
    assert boxes.shape == (len(batch["cls"]), 4)
    assert len(boxes) == len(batch["batch_idx"]) == sum(len(item["cls"]) for item in items)
    corners = torch.cat((boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2))
    assert -1e-4 <= corners.min() <= corners.max() <= 1 + 1e-4
    first = batch["batch_idx"] == 0
    torch.testing.assert_close(boxes[first], items[0]["bboxes"])


def test_the_seed_decides() -> None:
    made = MadePictures(Material([WORLD], [[FRAME]], [CUTOUT]), settings())
    torch.manual_seed(3)
    first = [made[0]["img"] for _ in range(4)]
    torch.manual_seed(3)
    assert all(torch.equal(made[0]["img"], image) for image in first)
    assert not torch.equal(first[0], first[1])


def test_shares_of_crowds_and_of_what_is_kept() -> None:
    rng = np.random.default_rng(0)
    made = MadePictures(Material([WORLD], [[FRAME]], [CUTOUT]), settings(crowds=0.5, kept_share=0.25))
    drawn = [made.make(rng) for _ in range(200)]
    assert 0.15 < np.mean([kept for _, kept in drawn]) < 0.35
    assert 0.1 < np.mean([len(scene.people) > 4 for scene, _ in drawn]) < 0.5, "more than any four pictures"
    nobody_to_paste = MadePictures(Material([WORLD], [[FRAME]]), settings(crowds=1, kept_share=0))
    assert all(len(nobody_to_paste.make(rng)[0].people) <= 4 for _ in range(50))
    frames_alone = MadePictures(Material([], [[FRAME]]), settings(kept_share=1))
    assert not any(frames_alone.make(rng)[1] for _ in range(20))


def test_large_pictures_are_scaled_down() -> None:
    large = Scene(np.zeros((720, 2560, 3), np.uint8), np.array([[100.0, 200, 300, 400]]))
    small = reduced(large)
    assert small.picture.shape == (360, 1280, 3)
    np.testing.assert_array_equal(small.people, [[50, 100, 150, 200]])
    assert reduced(WORLD) is WORLD
