"""Sequences and tables of numbers as trainings read them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mot_reid.training.detector.pictures import labelled_pictures
from mot_reid.training.reid.separability import sequence_crops
from mot_reid.training.sequences import number_rows, read_truth, sequence_frames

TRUTH = "1,1,20,10,20,40,1,-1,-1,-1\n1,2,60,10,20,40,1,-1,-1,-1\n"


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    """Two frames of 100x60, in MOT15's layout, 2 frames a second."""
    for part in ("gt", "pics"):
        (tmp_path / part).mkdir()
    (tmp_path / "gt" / "gt.txt").write_text(TRUTH)
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nname=A\nimDir=pics\nframeRate=2\n")
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / "pics" / f"{number:06d}.png"), np.full((60, 100, 3), number, np.uint8))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2\n\n3 x\n", "rows.txt:3: expected 2 numbers, got '3 x'"),
        ("1 2\n3 4 5\n", "rows.txt:2: expected 2 numbers"),
        ("1\n", "rows.txt:1: expected 2 or 3 numbers, got '1'"),
        ("1 nan\n", "rows.txt:1: expected 2 or 3 numbers"),
    ],
)
def test_a_wrong_line_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        number_rows(tmp_path / "rows.txt", (2, 3))


def test_blank_lines_and_empty_files(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_text("\ufeff1 2\n\n3 4e1\n", encoding="utf-8")
    assert number_rows(path, (2,)).tolist() == [[1, 2], [3, 40]]
    path.write_text("\n")
    assert number_rows(path, (2, 3)).shape == (0, 2)


def test_ground_truth_that_is_none(sequence: Path) -> None:
    assert read_truth(sequence).shape == (2, 10)
    (sequence / "gt" / "gt.txt").write_text(TRUTH + "1,x,3\n")
    with pytest.raises(ValueError, match=r"gt\.txt:3: expected 10 numbers, got '1,x,3'"):
        read_truth(sequence)
    (sequence / "gt" / "gt.txt").write_text("")
    with pytest.raises(ValueError, match=r"gt\.txt: nobody is in it"):
        read_truth(sequence)


def test_frames_by_their_numbers(sequence: Path) -> None:
    assert list(sequence_frames(sequence, {2, 3})) == [(2, sequence / "pics" / "000002.png")]
    (sequence / "pics" / "cover.jpg").touch()
    with pytest.raises(ValueError, match=r"cover\.jpg: expected a frame's number as the name"):
        list(sequence_frames(sequence, {2}))
    (sequence / "pics").rename(sequence / "other")
    with pytest.raises(FileNotFoundError, match=r"neither pictures in pics nor one video file"):
        list(sequence_frames(sequence, {2}))


def test_pictures_that_count_from_0_are_frames_from_1(sequence: Path) -> None:
    for number in (1, 2):
        (sequence / "pics" / f"{number:06d}.png").rename(sequence / "pics" / f"{number - 1:06d}.png")
    found = list(sequence_frames(sequence, {1, 2}))
    assert [(number, path.name) for number, path in found] == [(1, "000000.png"), (2, "000001.png")]


def test_boxes_beyond_the_picture_are_cut(sequence: Path) -> None:
    outside = "1,3,-60,10,40,40,1,-1,-1,-1\n1,4,-10,-10,30,30,1,-1,-1,-1\n"
    (sequence / "gt" / "gt.txt").write_text(TRUTH + outside)
    crops, rate = sequence_crops(sequence, (32, 16))
    assert rate == 2
    assert crops.identities.tolist() == [1, 2, 4]  # nothing of 3 is in the picture
    (sequence / "gt" / "gt.txt").write_text(outside.splitlines()[0])
    with pytest.raises(ValueError, match="no crop of anybody"):
        sequence_crops(sequence, (32, 16))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0 0.1 0.1", r"a\.txt:1: expected 5 numbers"),
        ("a 0.5 0.5 .1 .1", r"a\.txt:1: expected 5 numbers"),
        ("0 .1 .1 .2 .1 .2 .2 .1 .2", r"a\.txt:1: expected 5 numbers"),  # a polygon
        ("0 1.5 .5 .1 .1", r"a\.txt: expected class, cx, cy, w, h .* as 1, got"),
    ],
)
def test_labels_in_another_form(row: str, message: str, tmp_path: Path) -> None:
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.zeros((10, 10, 3), np.uint8))
    (tmp_path / "labels" / "a.txt").write_text(row + "\n")
    with pytest.raises(ValueError, match=message):
        list(labelled_pictures(tmp_path))


def test_labels_that_are_not_found_are_told(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(FileNotFoundError, match=r"no folder .*labels; an empty one says"):
        list(labelled_pictures(tmp_path))
    (tmp_path / "labels").mkdir()
    ((_, people, _),) = labelled_pictures(tmp_path)
    assert not len(people)
    (tmp_path / "labels" / "a.png.txt").write_text("0 .5 .5 .1 .1\n")
    with pytest.raises(ValueError, match=r"no label is named as a picture, such as a\.txt"):
        list(labelled_pictures(tmp_path))
