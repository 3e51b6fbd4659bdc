import numpy as np
import pytest
import torch

from mot_reid.training.reid.augmentation import augmented_batch, normalise
from mot_reid.training.reid.settings import AugmentationSettings

PLAIN = AugmentationSettings(
    flip=0, shift=0, brightness=0, contrast=0, saturation=0, gamma=1, coarse=0, erase=0
)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 24, 12, 3), dtype=np.uint8)


def batch(images: np.ndarray, settings: AugmentationSettings, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return augmented_batch(torch.from_numpy(images), np.arange(len(images)), settings, rng)


def test_nothing_varied_is_nothing_changed(images: np.ndarray) -> None:
    expected = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    assert torch.allclose(batch(images, PLAIN), expected, atol=1e-5)


def test_flip_and_shift(images: np.ndarray) -> None:
    expected = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    flipped = batch(images, AugmentationSettings(**{**vars(PLAIN), "flip": 1.0}))
    assert torch.allclose(flipped, expected.flip(3), atol=1e-5)
    shifted = batch(images, AugmentationSettings(**{**vars(PLAIN), "shift": 0.25}))
    padded = torch.nn.functional.pad(expected, (3, 3, 6, 6), mode="replicate")
    for image, wide in zip(shifted, padded, strict=True):
        windows = wide.unfold(1, 24, 1).unfold(2, 12, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
        assert (windows - image).abs().amax(dim=(1, 2, 3)).min() < 1e-5


def test_zoom_stretches_around_the_middle() -> None:
    ramp = np.broadcast_to(np.arange(0, 240, 10, dtype=np.uint8)[None, :, None, None], (6, 24, 12, 3))
    zoomed = batch(np.ascontiguousarray(ramp), AugmentationSettings(**{**vars(PLAIN), "zoom": 0.5}))
    columns = (zoomed[:, 0, :, 0] * 25.5).round()
    assert (columns.diff(dim=1) >= 0).all()
    assert ((columns[:, 11:13].mean(dim=1) - 11.5).abs() <= 1).all()
    spans = columns[:, 15] - columns[:, 8]  # 7 rows of the original times 1 / 1.5 to 1.5
    assert spans.min() >= 4
    assert spans.max() <= 11
    assert len(spans.unique()) > 1


def test_cast_and_cover(images: np.ndarray) -> None:
    grey = np.full((6, 24, 12, 3), 100, np.uint8)
    tinted = batch(grey, AugmentationSettings(**{**vars(PLAIN), "cast": 0.2}))
    means = tinted.mean(dim=(2, 3)) * 2.55
    assert ((means >= 0.8) & (means <= 1.2)).all()
    assert means.std(dim=1).min() > 0
    covered = batch(images, AugmentationSettings(**{**vars(PLAIN), "cover": 1.0}))
    difference = (covered - batch(images, PLAIN)).abs().amax(dim=1)
    changed = (difference > 1e-3).float().mean(dim=(1, 2))
    assert changed.min() > 0.05
    assert changed.max() < 0.5


def test_default_variation_stays_in_range_and_repeats_itself(images: np.ndarray) -> None:
    everything = AugmentationSettings(erase=1.0, coarse=1.0)
    varied = batch(images, everything)
    assert varied.shape == (6, 3, 24, 12)
    assert varied.is_contiguous(memory_format=torch.channels_last)
    assert varied.min() >= 0
    assert varied.max() <= 1
    assert torch.equal(varied, batch(images, everything))
    assert not torch.equal(varied, batch(images, everything, seed=1))


def test_erasing_leaves_a_grey_rectangle(images: np.ndarray) -> None:
    erased, whole = batch(images, AugmentationSettings(**{**vars(PLAIN), "erase": 1.0})), batch(images, PLAIN)
    for image, original in zip(erased, whole, strict=True):
        changed = (image != original).any(dim=0)
        rows, columns = changed.any(dim=1).nonzero(), changed.any(dim=0).nonzero()
        box = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
        assert torch.allclose(image[:, *box], original.mean(dim=(1, 2))[:, None, None], atol=1e-5)


def test_normalise() -> None:
    pixels = torch.full((1, 3, 2, 2), 0.5)
    values = normalise(pixels, (0.5, 0.25, 0.0), (1.0, 0.5, 0.25))[0, :, 0, 0]
    assert values.tolist() == [0, 0.5, 2]
