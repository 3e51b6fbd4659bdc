from pathlib import Path

import cv2
import numpy as np
import pytest

from mot_reid.training.reid.unlabelled import file_source, made_up_source, unlabelled_source


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two pictures: a green person and a small one, and a wide box alone."""
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    picture = np.zeros((200, 400, 3), np.uint8)
    picture[50:150, 100:140] = (0, 255, 0)
    for name in "ab":
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), picture)
    (tmp_path / "labels" / "a.txt").write_text("0 0.3 0.5 0.1 0.5\n0 0.8 0.5 0.05 0.25\n")
    (tmp_path / "labels" / "b.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    return tmp_path


def test_people_are_cut_out_of_pictures_with_boxes(pictures: Path) -> None:
    source = unlabelled_source(pictures)
    assert source.count == 1
    crops = source.read((96, 48))
    assert crops.shape == (1, 96, 48, 3)
    assert crops[0, 48, 24].tolist() == [0, 255, 0]
    (pictures / "labels" / "a.txt").write_text("0 0.3 0.5 0.11 0.5\n")
    assert unlabelled_source(pictures).key != source.key
    (pictures / "labels" / "a.txt").write_text("")
    with pytest.raises(ValueError, match="no box of a person at least 60 pixels high"):
        unlabelled_source(pictures)


def test_other_folders_hold_crops(pictures: Path) -> None:
    source = unlabelled_source(pictures / "images")
    assert source.count == 2
    assert source.read((20, 10)).shape == (2, 20, 10, 3)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        unlabelled_source(pictures / "nothing")


def test_other_pictures_of_one_name_and_size_have_another_key(tmp_path: Path) -> None:
    path, keys = tmp_path / "1.bmp", set()
    for grey in (10, 200):
        cv2.imwrite(str(path), np.full((8, 4, 3), grey, np.uint8))
        keys.add(file_source([path]).key)
    assert len(keys) == 2


def test_made_up_people_are_the_same_in_every_size(tmp_path: Path) -> None:
    rng, paths = np.random.default_rng(0), [tmp_path / f"{name}.png" for name in "ab"]
    for path in paths:  # of few colours, so that sizes can be compared
        cv2.imwrite(
            str(path), np.kron(rng.integers(0, 256, (4, 2, 3)), np.ones((64, 64, 1))).astype(np.uint8)
        )
    pools = [file_source(paths[:1]), file_source(paths[1:])]
    source = made_up_source(pools, 9, seed=3)
    assert source.count == 9
    large, small = source.read((128, 64)), source.read((64, 32))
    halved = large.reshape(9, 64, 2, 32, 2, 3).mean(axis=(2, 4))
    assert np.abs(halved - small).mean() < 2
    assert np.abs(halved[1:] - small[:-1]).mean() > 20
    assert np.array_equal(made_up_source(pools, 9, seed=3).read((64, 32)), small)
    others = [
        made_up_source(pools, 9, seed=4),
        made_up_source(pools, 8, seed=3),
        made_up_source(pools[:1], 9, seed=3),
    ]
    assert len({source.key, *(other.key for other in others)}) == 4
