from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.training.reid.across_cameras import (
    group_tracklets,
    read_camera_trial,
    score_across_cameras,
    score_trial,
)
from mot_reid.training.reid.evaluation import embed_crops


def unit(*degrees: float) -> np.ndarray:
    angles = np.deg2rad(degrees)
    return np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)


def test_two_cameras_by_hand() -> None:
    # Camera 1: person 1 at 0 and person 2 at 50 degrees. Camera 2: person 1 at 10 and 30, person 2 at 35.
    embeddings = unit(0, 50, 10, 30, 35)
    identities, cameras = np.array([1, 2, 1, 1, 2]), np.array([1, 1, 2, 2, 2])
    found = score_across_cameras(embeddings, identities, cameras)
    assert found.queries == 2  # camera 2 does not ask
    assert found.rank1 == 1
    assert found.mean_average_precision == pytest.approx(1)
    # True pairs: 10, 30 and 15 degrees; false ones: 35 (0-35), 40 (50-10), 20 (50-30).
    assert (found.true_pairs, found.false_pairs) == (3, 3)
    assert found.auc == pytest.approx(8 / 9)  # 30 loses against 20
    assert found.found == (pytest.approx(2 / 3), pytest.approx(2 / 3))  # 10 and 15 are nearer than 20


def test_pairs_within_a_camera_do_not_count() -> None:
    # Two people of camera 1 look exactly alike, and like one of camera 2: nobody else does.
    embeddings = unit(0, 0, 0, 90)
    found = score_across_cameras(embeddings, np.array([1, 2, 1, 2]), np.array([1, 1, 2, 2]))
    assert (found.true_pairs, found.false_pairs) == (2, 2)
    assert found.rank1 == 0.5


def test_three_cameras_ask_each_other() -> None:
    # Person 1 in three cameras, person 2 in two; every pair of cameras counts once.
    embeddings = unit(0, 80, 5, 85, 10)
    identities, cameras = np.array([1, 2, 1, 2, 1]), np.array([1, 1, 2, 2, 3])
    found = score_across_cameras(embeddings, identities, cameras)
    assert found.queries == 5
    assert (found.true_pairs, found.false_pairs) == (4, 4)
    assert (found.rank1, found.auc) == (1, 1)


def test_needs_both_kinds_of_pairs() -> None:
    with pytest.raises(ValueError, match="both kinds across cameras"):
        score_across_cameras(unit(0, 1), np.array([1, 2]), np.array([1, 1]))
    with pytest.raises(ValueError, match="both kinds across cameras"):
        score_across_cameras(unit(0, 1), np.array([1, 1]), np.array([1, 2]))


@given(seed=st.integers(0, 999))
def test_order_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(20, 3)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    identities, cameras = rng.integers(1, 4, 20), np.arange(20) % 3
    order = rng.permutation(20)
    one = score_across_cameras(embeddings, identities, cameras)
    other = score_across_cameras(embeddings[order], identities[order], cameras[order])
    assert np.hstack(one) == pytest.approx(np.hstack(other), abs=1e-5)


def test_tracklets_end_with_person_camera_recording_and_gap() -> None:
    #                      |--- one ---| gap | camera | recording | person
    identities = np.array([1, 1, 1, 1, 1, 1, 2])
    cameras = np.array([1, 1, 1, 1, 2, 1, 1])
    recordings = np.array([1, 1, 1, 1, 1, 2, 1])
    frames = np.array([250, 0, 500, 751, 500, 500, 500])
    assert group_tracklets(identities, cameras, recordings, frames).tolist() == [0, 0, 0, 1, 3, 2, 4]
    assert group_tracklets(*(np.empty(0, np.int64),) * 4).tolist() == []


def colours(images: np.ndarray) -> np.ndarray:
    return images.mean(axis=(1, 2)).astype(np.float32) - 100


def picture(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((64, 32, 3), (255 - level, 100, level), np.uint8))


def test_folders_of_people(tmp_path: Path) -> None:
    for person, level in (("001", 60), ("007", 200)):
        for camera in ("01", "02"):
            for shot in (1, 2):
                picture(tmp_path / person / f"{camera}_{shot}.png", level + shot)
    trial = read_camera_trial(tmp_path, (96, 48))
    assert trial.crops.images.shape == (8, 96, 48, 3)
    assert trial.crops.identities.tolist() == [1] * 4 + [2] * 4
    assert trial.crops.cameras.tolist() == [1, 1, 2, 2] * 2
    found = score_trial(embed_crops(colours, trial.crops.images), trial)
    assert (found.queries, found.rank1, found.auc) == (4, 1, 1)
    (tmp_path / "001" / "front.png").write_bytes((tmp_path / "001" / "01_1.png").read_bytes())
    with pytest.raises(ValueError, match=r"front\.png: expected PERSON/CAMERA_NUMBER"):
        read_camera_trial(tmp_path, (96, 48))


def test_market_as_tracklets(tmp_path: Path) -> None:
    for person, level in ((1, 60), (2, 200)):
        for camera in (1, 2):
            for frame in (10, 20, 900):
                name = f"{person:04d}_c{camera}s1_{frame:06d}_00.jpg"
                picture(tmp_path / "bounding_box_train" / name, level + camera)
    trial = read_camera_trial(tmp_path, (96, 48), held_out=0)
    assert trial.name == "tracklets of all identities"
    assert trial.tracklets.tolist() == [0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7]
    found = score_trial(embed_crops(colours, trial.crops.images), trial)
    assert (found.queries, found.true_pairs, found.false_pairs) == (4, 8, 8)
    (tmp_path / "bounding_box_train" / "0002_c1_f000001.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match="0002_c1_f000001"):
        read_camera_trial(tmp_path, (96, 48), held_out=0)


def test_a_folder_that_does_not_exist() -> None:
    with pytest.raises(FileNotFoundError, match="no such folder: nowhere"):
        read_camera_trial("nowhere", (96, 48))


@pytest.mark.data
def test_real_cameras_share_their_ids(data: Path) -> None:
    trial = read_camera_trial(data / "campus4", (96, 48), every=20)
    assert set(trial.crops.cameras.tolist()) == {1, 2, 3}
    assert set(trial.crops.identities.tolist()) <= {1, 2, 3, 4, 5}
