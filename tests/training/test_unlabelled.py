from pathlib import Path

import cv2
import numpy as np
import pytest

from mot_reid.training.reid_data import CropSet
from mot_reid.training.unlabelled import UNLABELLED, read_person_boxes, with_unlabelled


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """One picture with a red person of 80 x 40, a small and a lying one; one without people."""
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[10:90, 20:60, 2] = 255
    cv2.imwrite(str(tmp_path / "images" / "a.png"), picture)
    cv2.imwrite(str(tmp_path / "images" / "b.png"), picture)
    rows = ["0 0.2 0.5 0.2 0.8", "0 0.8 0.5 0.1 0.3", "0 0.5 0.5 0.9 0.9"]
    (tmp_path / "labels" / "a.txt").write_text("\n".join(rows))
    return tmp_path


def test_people_are_cut_out(pictures: Path) -> None:
    crops = read_person_boxes(pictures, (96, 48))
    assert crops.shape == (1, 96, 48, 3)
    assert (crops[0] == (255, 0, 0)).all()
    assert len(read_person_boxes(pictures, (96, 48), smallest=20)) == 2


def test_no_people(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no box of a person at least 500 pixels"):
        read_person_boxes(pictures, (96, 48), smallest=500)
    with pytest.raises(FileNotFoundError):
        read_person_boxes(tmp_path / "images", (96, 48))


def test_unlabelled_crops_stand_behind_the_labelled() -> None:
    named = CropSet(np.zeros((2, 4, 2, 3), np.uint8), np.array([7, 8]), np.array([1, 2]))
    crops = with_unlabelled(named, np.ones((3, 4, 2, 3), np.uint8))
    assert crops.identities.tolist() == [7, 8, *[UNLABELLED] * 3]
    assert crops.cameras.tolist() == [1, 2, -1, -1, -1]
    assert crops.images[2:].min() == 1
