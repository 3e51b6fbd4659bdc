from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mot_reid.training.reid_data import (
    Augmentation,
    CropSet,
    augmented_batch,
    balanced_batches,
    hold_out,
    normalise,
    read_market1501,
    split_query,
)

PLAIN = Augmentation(flip=0, shift=0, brightness=0, contrast=0, saturation=0, gamma=1, coarse=0, erase=0)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 24, 12, 3), dtype=np.uint8)


def batch(images: np.ndarray, settings: Augmentation, seed: int = 0) -> torch.Tensor:
    return augmented_batch(images, np.arange(len(images)), settings, np.random.default_rng(seed))


def test_market_folder(tmp_path: Path) -> None:
    folder = tmp_path / "bounding_box_train"
    folder.mkdir()
    red = np.zeros((128, 64, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes BGR
    for name in ("0007_c2s1_000451_03", "0002_c1s1_000451_03", "-1_c6s3_000002_01"):
        cv2.imwrite(str(folder / f"{name}.png"), red)
    (folder / "Thumbs.db").touch()
    crops = read_market1501(tmp_path, (96, 48))
    assert crops.images.shape == (3, 96, 48, 3)
    assert crops.images[0, 5, 5].tolist() == [255, 0, 0]
    assert crops.identities.tolist() == [-1, 2, 7]
    assert crops.cameras.tolist() == [6, 1, 2]


def test_market_folder_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_market1501(tmp_path / "nowhere", (96, 48))
    with pytest.raises(ValueError, match=r"no \.jpg"):
        read_market1501(tmp_path, (96, 48))
    (tmp_path / "0002_c1s1_000451_03.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"000451_03\.jpg: not a readable picture"):
        read_market1501(tmp_path, (96, 48))
    (tmp_path / "0001.jpg").touch()
    with pytest.raises(ValueError, match=r"0001\.jpg: expected a name like"):
        read_market1501(tmp_path, (96, 48))


def test_labels_must_match_images(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"cameras must be \(6,\)"):
        CropSet(images, np.zeros(6, np.int64), np.zeros(5, np.int64))
    with pytest.raises(ValueError, match="uint8"):
        CropSet(images.astype(float), np.zeros(6, np.int64), np.zeros(6, np.int64))


def test_hold_out_takes_whole_identities_and_repeats_itself() -> None:
    identities = np.repeat(np.arange(20) * 3, 5)
    chosen = hold_out(identities, 4, seed=1)
    assert len(np.unique(identities[chosen])) == 4
    assert not set(identities[chosen]) & set(identities[~chosen])
    assert np.array_equal(chosen, hold_out(identities, 4, seed=1))
    assert not np.array_equal(chosen, hold_out(identities, 4, seed=2))
    with pytest.raises(ValueError, match="held_out must be 0 to 18 of 20"):
        hold_out(identities, 19)


def test_query_is_one_crop_of_each_identity_and_camera() -> None:
    identities, cameras = np.array([1, 1, 1, 2, 2, 1]), np.array([1, 2, 1, 1, 1, 2])
    assert np.flatnonzero(split_query(identities, cameras)).tolist() == [0, 1, 3]


def test_batches_are_balanced_and_everybody_comes_about_equally_often() -> None:
    identities = np.repeat(np.arange(10), np.arange(2, 12))  # 65 images, 2 to 11 of each
    seen: Counter[int] = Counter()
    for rows in balanced_batches(identities, 4, 3, np.random.default_rng(0)):
        people = identities[rows].reshape(4, 3)
        assert (people == people[:, :1]).all()
        assert len(set(people[:, 0])) == 4
        for person, images in zip(people[:, 0], rows.reshape(4, 3), strict=True):
            assert len(set(images)) == min(3, person + 2)
        seen.update(people[:, 0].tolist())
    assert sum(seen.values()) == 65 // 12 * 4
    assert max(seen.values()) - min(seen.values()) <= 2


def test_batches_need_enough_people() -> None:
    with pytest.raises(ValueError, match="2 to 3, the identities; got 4"):
        next(balanced_batches(np.array([0, 1, 2]), 4, 2, np.random.default_rng(0)))


def test_nothing_varied_is_nothing_changed(images: np.ndarray) -> None:
    expected = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    assert torch.allclose(batch(images, PLAIN), expected, atol=1e-5)


def test_flip_and_shift(images: np.ndarray) -> None:
    expected = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    flipped = batch(images, Augmentation(**{**vars(PLAIN), "flip": 1.0}))
    assert torch.allclose(flipped, expected.flip(3), atol=1e-5)
    shifted = batch(images, Augmentation(**{**vars(PLAIN), "shift": 0.25}))
    padded = torch.nn.functional.pad(expected, (3, 3, 6, 6), mode="replicate")
    for image, wide in zip(shifted, padded, strict=True):
        windows = wide.unfold(1, 24, 1).unfold(2, 12, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
        assert (windows - image).abs().amax(dim=(1, 2, 3)).min() < 1e-5


def test_zoom_stretches_around_the_middle() -> None:
    ramp = np.broadcast_to(np.arange(0, 240, 10, dtype=np.uint8)[None, :, None, None], (6, 24, 12, 3))
    zoomed = batch(np.ascontiguousarray(ramp), Augmentation(**{**vars(PLAIN), "zoom": 0.5}))
    columns = (zoomed[:, 0, :, 0] * 25.5).round()
    assert (columns.diff(dim=1) >= 0).all()
    assert ((columns[:, 11:13].mean(dim=1) - 11.5).abs() <= 1).all()
    spans = columns[:, 15] - columns[:, 8]  # 7 rows of the original times 1 / 1.5 to 1.5
    assert spans.min() >= 4
    assert spans.max() <= 11
    assert len(spans.unique()) > 1


def test_cast_and_cover(images: np.ndarray) -> None:
    grey = np.full((6, 24, 12, 3), 100, np.uint8)
    tinted = batch(grey, Augmentation(**{**vars(PLAIN), "cast": 0.2}))
    means = tinted.mean(dim=(2, 3)) * 2.55
    assert ((means >= 0.8) & (means <= 1.2)).all()
    assert means.std(dim=1).min() > 0
    covered = batch(images, Augmentation(**{**vars(PLAIN), "cover": 1.0}))
    difference = (covered - batch(images, PLAIN)).abs().amax(dim=1)
    changed = (difference > 1e-3).float().mean(dim=(1, 2))
    assert changed.min() > 0.05
    assert changed.max() < 0.5


def test_default_variation_stays_in_range_and_repeats_itself(images: np.ndarray) -> None:
    everything = Augmentation(erase=1.0, coarse=1.0)
    varied = batch(images, everything)
    assert varied.shape == (6, 3, 24, 12)
    assert varied.is_contiguous(memory_format=torch.channels_last)
    assert varied.min() >= 0
    assert varied.max() <= 1
    assert torch.equal(varied, batch(images, everything))
    assert not torch.equal(varied, batch(images, everything, seed=1))


def test_erasing_leaves_a_grey_rectangle(images: np.ndarray) -> None:
    erased, whole = batch(images, Augmentation(**{**vars(PLAIN), "erase": 1.0})), batch(images, PLAIN)
    for image, original in zip(erased, whole, strict=True):
        changed = (image != original).any(dim=0)
        rows, columns = changed.any(dim=1).nonzero(), changed.any(dim=0).nonzero()
        box = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
        assert torch.allclose(image[:, *box], original.mean(dim=(1, 2))[:, None, None], atol=1e-5)


def test_normalise() -> None:
    pixels = torch.full((1, 3, 2, 2), 0.5)
    values = normalise(pixels, (0.5, 0.25, 0.0), (1.0, 0.5, 0.25))[0, :, 0, 0]
    assert values.tolist() == [0, 0.5, 2]
