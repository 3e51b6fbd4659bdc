from pathlib import Path

import cv2
import numpy as np
import pytest

from mot_reid.training.detector.cutouts import cut_out, load_cutouts, read_cutouts, save_cutouts

RED, GREY = (30, 30, 200), (120, 120, 120)


def crop(*, person: bool = True) -> np.ndarray:
    """Somebody in red, 116 of 128 pixels tall, before a wall; or only a ball."""
    picture = np.full((128, 64, 3), GREY, np.uint8)
    picture += np.random.default_rng(0).integers(0, 8, picture.shape, np.uint8)
    if person:
        cv2.circle(picture, (32, 14), 8, RED, -1)
        cv2.rectangle(picture, (18, 20), (46, 66), RED, -1)
        cv2.rectangle(picture, (22, 66), (29, 121), RED, -1)
        cv2.rectangle(picture, (35, 66), (42, 121), RED, -1)
    else:
        picture[60:70, 28:36] = RED  # a ball
    return picture


def test_a_person_is_cut_out_from_edge_to_edge() -> None:
    found = cut_out(crop())
    assert found is not None
    height, width = found.shape[:2]
    assert abs(height - 116) <= 2
    assert abs(width - 29) <= 2
    colours, opaque = found[..., :3].astype(int), found[..., 3] > 128
    red = np.abs(colours - RED).sum(axis=2) < 60
    assert (red == opaque).mean() > 0.9  # the gap between the legs counts as the person


def test_where_nobody_is_nobody_is_cut_out() -> None:
    assert cut_out(crop(person=False)) is None


@pytest.mark.parametrize("size", [(1, 1), (5, 1), (1, 5), (2, 2), (3, 3), (12, 6)])
def test_nobody_is_cut_out_of_a_few_pixels(size: tuple[int, int]) -> None:
    assert cut_out(np.zeros((*size, 3), np.uint8)) is None


def test_cutouts_of_a_folder_are_kept_and_read_again(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), crop(person=number < 2))
    told: list[tuple[int, int]] = []
    found = read_cutouts(tmp_path, most=10, on_crop=lambda done, total: told.append((done, total)))
    assert len(found) == 2
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert len(read_cutouts(tmp_path, most=1, seed=1)) <= 1
    save_cutouts([found[0], found[1][:50]], tmp_path / "kept.npz")
    first, second = load_cutouts(tmp_path / "kept.npz")
    np.testing.assert_array_equal(first, found[0])
    np.testing.assert_array_equal(second, found[1][:50])


def test_folders_without_people_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no pictures in"):
        read_cutouts(tmp_path, most=1)
    cv2.imwrite(str(tmp_path / "wall.png"), crop(person=False))
    with pytest.raises(ValueError, match="nobody could be cut out"):
        read_cutouts(tmp_path, most=1)
