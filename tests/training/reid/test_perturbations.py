import numpy as np
import pytest

from mot_reid.training.reid.perturbations import PERTURBATIONS, cut_off, draw_covers, perturb, shift_boxes


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 255, (8, 24, 12, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", PERTURBATIONS)
def test_a_seed_decides_and_the_original_stays(images: np.ndarray, kind: str) -> None:
    before = images.copy()
    found = perturb(images, kind, seed=3)
    assert (found.shape, found.dtype) == (images.shape, np.uint8)
    assert np.array_equal(images, before)
    assert np.array_equal(found, perturb(images, kind, seed=3))
    assert not np.array_equal(found, perturb(images, kind, seed=4))
    assert (found != images).any(axis=(1, 2, 3)).all()


def test_unknown_kinds_are_named(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="gamma, colour, cover, all; got 'rain'"):
        perturb(images, "rain")


def test_covers_hide_the_share_that_was_asked_for() -> None:
    rng = np.random.default_rng(0)
    covers = list(draw_covers((2000, 100, 100, 3), rng, 0.5, (0.1, 0.45)))
    assert 900 < len(covers) < 1100
    shares = [np.zeros((100, 100))[cover.place].size / 1e4 for _, cover in covers]
    assert 0.1 <= min(shares) < 0.12
    assert 0.43 < max(shares) <= 0.45
    assert all((cover.other is None) == (len(cover.colour) == 3) for _, cover in covers)


def test_boxes_miss_by_no_more_than_allowed() -> None:
    boxes = np.tile(np.float32([[100, 200, 50, 120]]), (500, 1))
    moved = shift_boxes(boxes, np.random.default_rng(0), shift=0.1, scale=0.2)
    assert moved.dtype == np.float32
    factors = moved[:, 2:] / boxes[:, 2:]
    assert 1 / 1.2 <= factors.min() < 0.85
    assert 1.18 < factors.max() <= 1.2 + 1e-6
    centres = (moved[:, :2] + moved[:, 2:] / 2 - boxes[:, :2] - boxes[:, 2:] / 2) / boxes[:, 2:]
    assert 0.09 < np.abs(centres).max() <= 0.1 + 1e-5


def test_cut_off_crops_keep_one_part_stretched() -> None:
    images = np.zeros((40, 60, 30, 3), np.uint8)
    images[:, 45:] = 200  # below what a cut from the top can keep
    images[:, :, :5] = 100  # gone where the right is kept
    found = cut_off(images, seed=3)
    assert found.shape == images.shape
    assert np.array_equal(found, cut_off(images, seed=3))
    assert not np.array_equal(found, cut_off(images, seed=4))
    top = (found[:, -1, -1] < 200).all(axis=1)
    right = ~top & (found[:, 0, 0] < 100).all(axis=1)
    left = ~top & ~right
    assert min(top.sum(), right.sum(), left.sum()) >= 5
    assert (found[left][:, 0, 0] == 100).all()
