from pathlib import Path

import cv2
import numpy as np
import pytest

from mot_reid.training.reid.exclusions import Exclusion
from mot_reid.training.reid.perturbations import PERTURBATIONS
from mot_reid.training.reid.separability import assess_sequence, score_separability, sequence_crops


def unit(*degrees: float) -> np.ndarray:
    angles = np.deg2rad(degrees)
    return np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)


def test_separability_by_hand() -> None:
    # Two people in frames 1 and 11; one choice of the four goes wrong. The rows of frame 2 are too near.
    embeddings = unit(0, 60, 20, 35, 5)
    identities, frames = np.array([1, 2, 1, 2, 1]), np.array([1, 1, 11, 11, 2])
    found = score_separability(embeddings, identities, frames, gap=10)
    # 0 -> 20 right, 60 -> 35 right, 20 -> 0 right, 35 -> 60 right (25 against 35 degrees)
    assert found.rank1 == 1
    # same: 20, 25 degrees; different: 35 (0-35), 40 (60-20)
    assert found.auc == 1
    assert found.same[4] == pytest.approx(np.cos(np.deg2rad([20, 25])).mean(), abs=1e-4)
    assert found.different[4] == pytest.approx(np.cos(np.deg2rad([35, 40])).mean(), abs=1e-4)
    worse = score_separability(unit(0, 60, 40, 35, 5), identities, frames, gap=10)
    # 0 -> 35 wrong, 60 -> 40 wrong, 40 -> 60 wrong, 35 -> 60 right; same: 40, 25; different: 35, 20
    assert worse.rank1 == pytest.approx(1 / 4)
    assert worse.auc == pytest.approx(1 / 4)


def test_identities_that_never_meet_may_be_one_person() -> None:
    # 3 looks like 1 and comes when 1 has gone: only 2, who meets both, is surely somebody else.
    embeddings = unit(0, 80, 10, 85, 5, 75)
    identities, frames = np.array([1, 2, 1, 2, 3, 2]), np.array([1, 1, 11, 11, 21, 21])
    found = score_separability(embeddings, identities, frames, gap=10)
    assert found.doubtful == 1
    assert found.auc == 1  # 0 and 10 against 5 degrees are no strangers
    together = score_separability(embeddings, identities, np.array([1, 1, 11, 11, 11, 21]), gap=10)
    assert together.doubtful == 0
    assert together.auc < 1  # 0 against 5 degrees, now two people


def test_separability_needs_both_kinds_of_pairs() -> None:
    with pytest.raises(ValueError, match="at least 5 frames apart"):
        score_separability(unit(0, 1), np.array([1, 1]), np.array([1, 9]), gap=5)


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    """A red and a blue person in three frames; a nearer one hides the blue one in the last."""
    folder = tmp_path / "SEQ-01"
    (folder / "img1").mkdir(parents=True)
    (folder / "gt").mkdir()
    (folder / "seqinfo.ini").write_text("[Sequence]\nname=SEQ-01\nframeRate=2\n")
    rows = []
    for number in (1, 2, 3):
        frame = np.zeros((100, 200, 3), np.uint8)
        frame[10:50, 20:40, 2] = 255
        frame[10:50, 120:140, 0] = 255
        cv2.imwrite(str(folder / "img1" / f"{number:06d}.jpg"), frame)
        rows += [f"{number},1,21,11,20,40,1,-1,-1,-1", f"{number},2,121,11,20,40,1,-1,-1,-1"]
        rows += [f"{number},8,121,11,20,40,0,-1,-1,-1"]  # not to be considered
    rows += ["3,3,119,11,24,60,1,-1,-1,-1"]
    (folder / "gt" / "gt.txt").write_text("\n".join(rows))
    return folder


def test_crops_of_a_sequence(sequence: Path) -> None:
    crops, rate = sequence_crops(sequence, (96, 48), every=1.0)  # frames 1 and 3
    assert rate == 2
    assert crops.identities.tolist() == [1, 2, 1, 3]
    assert crops.cameras.tolist() == [1, 1, 3, 3]
    assert crops.images[0, 48, 24] == pytest.approx([254, 0, 0], abs=4)
    assert crops.images[1, 48, 24] == pytest.approx([0, 0, 254], abs=4)
    everything, _ = sequence_crops(sequence, (96, 48), every=1.0, hidden=1.0)
    assert everything.identities.tolist() == [1, 2, 1, 2, 3]


def test_boxes_can_be_left_out(sequence: Path) -> None:
    without = [Exclusion(1, 2, 3), Exclusion(3, 1, 2)]
    crops, _ = sequence_crops(sequence, (96, 48), every=0.5, hidden=1.0, without=without)
    found = list(zip(crops.identities.tolist(), crops.cameras.tolist(), strict=True))
    assert found == [(1, 1), (2, 1), (2, 2), (2, 3), (3, 3)]


def test_a_box_that_is_left_out_still_hides(sequence: Path) -> None:
    crops, _ = sequence_crops(sequence, (96, 48), every=1.0, without=[Exclusion(3, 3, 3)])
    assert crops.identities.tolist() == [1, 2, 1]  # 3 stands before 2 in frame 3


def test_perturbed_people_are_compared_with_clean_ones(sequence: Path) -> None:
    def embed(images: np.ndarray) -> np.ndarray:
        return np.asarray(images.mean(axis=(1, 2)) + 1, np.float32)

    scores = assess_sequence(embed, (96, 48), sequence, gap=0.5, every=0.5, hidden=1.0)
    assert list(scores) == ["clean", "shift", *PERTURBATIONS]
    assert scores["clean"].rank1 == 1
    assert scores["all"].auc < 1


def test_shifted_boxes_show_the_same_people_as_clean_ones(sequence: Path) -> None:
    # At the picture's edge: 5 has two of her pixels in it, 6 none, but boxes that miss may have others.
    rows = [
        f"{number},{who},{left},11,20,40,1,-1,-1,-1"
        for number in (1, 2, 3)
        for who, left in ((5, 199), (6, 202))
    ]
    with (sequence / "gt" / "gt.txt").open("a") as file:
        file.write("\n" + "\n".join(rows))
    clean, _ = sequence_crops(sequence, (96, 48), every=0.5)
    assert 5 in clean.identities
    assert 6 not in clean.identities
    for seed in range(10):
        shifted, _ = sequence_crops(sequence, (96, 48), every=0.5, shifted=seed)
        assert shifted.identities.tolist() == clean.identities.tolist()
        assert shifted.cameras.tolist() == clean.cameras.tolist()
    assess_sequence(lambda images: images.mean(axis=(1, 2)) + np.float32(1), (96, 48), sequence, 0.5, 0.5)


def test_a_sequence_without_frames_is_named(sequence: Path) -> None:
    for path in (sequence / "img1").iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match="SEQ-01: neither pictures"):
        sequence_crops(sequence, (96, 48))


def test_perturbed_crops_are_compared_with_clean_ones() -> None:
    # The clean crops are told apart; the perturbed one of frame 1 looks like the other person of frame 9.
    gallery, perturbed = unit(0, 90, 5, 85), unit(80, 90, 5, 85)
    identities, frames = np.array([1, 2, 1, 2]), np.array([1, 1, 9, 9])
    assert score_separability(gallery, identities, frames, gap=5).rank1 == 1
    found = score_separability(perturbed, identities, frames, gap=5, gallery=gallery)
    assert found.rank1 == pytest.approx(3 / 4)
    # same: 75, 5, 5, 5 degrees; different: 5 (80-85), 85, 85, 85: of 16 pairs, 1 is wrong and 3 tie
    assert found.auc == pytest.approx((16 - 4 + 3 * 0.5) / 16)
