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
