import numpy as np
import pytest

from mot_reid.training.reid.crops import CropSet, hold_out, split_query


def test_labels_must_match_images() -> None:
    images = np.zeros((6, 24, 12, 3), np.uint8)
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


def test_some_of_the_crops() -> None:
    images = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    crops = CropSet(images, np.array([7, 8, 9]), np.array([1, 2, 3]))[np.array([True, False, True])]
    assert (crops.images[:, 0, 0, 0].tolist(), crops.identities.tolist()) == ([0, 2], [7, 9])
    assert crops.cameras.tolist() == [1, 3]
