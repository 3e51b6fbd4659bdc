from pathlib import Path

import cv2
import numpy as np
import pytest

from mot_reid.training.reid.datasets import list_crops, list_unlabelled, read_crops


def put(folder: Path, *names: str) -> Path:
    """Files that only have names."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def found(folder: Path, part: str = "train", pattern: str | None = None) -> list[tuple[str, int, int]]:
    files = list_crops(folder, part, pattern)
    names = [path.relative_to(folder).as_posix() for path in files.paths]
    return list(zip(names, files.identities.tolist(), files.cameras.tolist(), strict=True))


def test_market1501(tmp_path: Path) -> None:
    put(tmp_path / "bounding_box_train", "0007_c2s1_000451_03.jpg", "0002_c1s3_000451_03.jpg", "Thumbs.db")
    put(tmp_path / "query", "0003_c5s1_000001_00.jpg")
    put(tmp_path / "bounding_box_test", "-1_c6s3_000002_01.jpg", "0000_c1s1_000001_01.jpg")
    assert [row[1:] for row in found(tmp_path)] == [(2, 1), (7, 2)]
    assert found(tmp_path / "bounding_box_train") == [
        ("0002_c1s3_000451_03.jpg", 2, 1),
        ("0007_c2s1_000451_03.jpg", 7, 2),
    ]
    assert found(tmp_path, "query") == [("query/0003_c5s1_000001_00.jpg", 3, 5)]
    assert [row[1:] for row in found(tmp_path, "gallery")] == [(-1, 6), (0, 1)]


def test_junk_is_not_learnt_from(tmp_path: Path) -> None:
    put(tmp_path, "-1_c6s3_000002_01.jpg", "0004_c6s3_000002_01.jpg")
    assert found(tmp_path) == [("0004_c6s3_000002_01.jpg", 4, 6)]


def test_dukemtmc(tmp_path: Path) -> None:
    put(tmp_path / "bounding_box_train", "0001_c2_f0046182.jpg")
    assert [row[1:] for row in found(tmp_path)] == [(1, 2)]


def test_cuhk03(tmp_path: Path) -> None:
    put(tmp_path / "labeled" / "bounding_box_train", "0003_c1_21.png", "0003_c2_7.png")
    put(tmp_path / "images_detected", "1_001_1_01.png", "1_001_2_06.png", "5_001_1_01.png")
    assert [row[1:] for row in found(tmp_path / "labeled")] == [(3, 1), (3, 2)]
    # Two people of different camera pairs with one number are two people.
    assert [row[1:] for row in found(tmp_path / "images_detected")] == [(1, 1), (1, 2), (2, 1)]
    with pytest.raises(
        ValueError, match=r"no \.jpg or \.png files; it has the folders images_detected, labeled"
    ):
        list_crops(tmp_path)


def test_msmt17(tmp_path: Path) -> None:
    root = put(
        tmp_path / "MSMT17_V1",
        "train/0000/0000_000_01_0303morning_0008_0.jpg",
        "train/0001/0001_003_14_0303noon_0008_1.jpg",
        "test/0000/0000_000_05_0303morning_0008_0.jpg",
    )
    (root / "list_train.txt").write_text("0000/0000_000_01_0303morning_0008_0.jpg 0\n")
    (root / "list_val.txt").write_text("0001/0001_003_14_0303noon_0008_1.jpg 1\n")
    (root / "list_query.txt").write_text("0000/0000_000_05_0303morning_0008_0.jpg 0\n")
    assert [row[1:] for row in found(tmp_path)] == [(0, 1), (1, 14)]
    assert found(root, "query") == [("test/0000/0000_000_05_0303morning_0008_0.jpg", 0, 5)]
    (root / "list_query.txt").write_text("0000/0000_000_05_0303morning_0008_0.jpg\n")
    with pytest.raises(ValueError, match=r"list_query\.txt:1: expected"):
        list_crops(tmp_path, "query")
    (root / "list_query.txt").write_text("0000/0000_009_05_0303morning_0008_0.jpg 0\n")
    with pytest.raises(FileNotFoundError, match=r"list_query\.txt:1: no such picture: .*0000_009_05"):
        list_crops(tmp_path, "query")


def test_any_pattern(tmp_path: Path) -> None:
    put(tmp_path, "anna/anna_door_0001.jpg", "bert/bert_door_0001.jpg", "bert/bert_hall_0007.PNG")
    pattern = r"(?P<identity>[a-z]+)_(?P<camera>[a-z]+)_(?P<frame>\d+)"
    assert [row[1:] for row in found(tmp_path, pattern=pattern)] == [(1, 1), (2, 1), (2, 2)]
    put(tmp_path, "bert/7.jpg")
    with pytest.raises(ValueError, match=r"bert/7\.jpg: its name does not fit"):
        list_crops(tmp_path, pattern=pattern)
    with pytest.raises(ValueError, match=r"has no group \(\?P<camera>"):
        list_crops(tmp_path, pattern=r"(?P<identity>\d+)")
    with pytest.raises(ValueError, match="not a regular expression"):
        list_crops(tmp_path, pattern="(")


def test_labels_too_long_for_a_number_are_names(tmp_path: Path) -> None:
    put(tmp_path, "20261201080000000001_1.jpg", "20261201080000000002_1.jpg")
    assert [row[1:] for row in found(tmp_path, pattern=r"(?P<identity>\d+)_(?P<camera>\d)")] == [
        (1, 1),
        (2, 1),
    ]


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such folder: .*nowhere"):
        list_crops(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"no \.jpg or \.png files$"):
        list_crops(tmp_path)
    put(tmp_path, "0001.jpg")
    with pytest.raises(ValueError, match=r"0001\.jpg: not named as in market1501, .*pattern, such as"):
        list_crops(tmp_path)
    with pytest.raises(ValueError, match="no folder query"):
        list_crops(tmp_path, "query")
    with pytest.raises(ValueError, match="part must be one of"):
        list_crops(tmp_path, "test")


def test_unlabelled_pictures_below_a_folder(tmp_path: Path) -> None:
    put(tmp_path, "b/2.jpg", "a/1.png", "a/notes.txt")
    assert [path.name for path in list_unlabelled(tmp_path)] == ["1.png", "2.jpg"]


def test_pictures_are_read_as_rgb(tmp_path: Path) -> None:
    red = np.zeros((128, 64, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes BGR
    cv2.imwrite(str(tmp_path / "0007_c2s1_000451_03.png"), red)
    told: list[int] = []
    crops = read_crops(list_crops(tmp_path), (96, 48), told.append)
    assert crops.images.shape == (1, 96, 48, 3)
    assert crops.images[0, 5, 5].tolist() == [255, 0, 0]
    assert told == [1]
    (tmp_path / "0008_c2s1_000451_03.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"0008_c2s1_000451_03\.jpg: not a picture, or damaged"):
        read_crops(list_crops(tmp_path), (96, 48))
    noise = np.random.default_rng(0).integers(0, 256, (128, 64, 3), dtype=np.uint8)
    whole = cv2.imencode(".jpg", noise)[1].tobytes()
    (tmp_path / "0008_c2s1_000451_03.jpg").write_bytes(whole[: len(whole) // 2])  # the rest would be grey
    with pytest.raises(ValueError, match=r"0008_c2s1_000451_03\.jpg: not a picture, or damaged"):
        read_crops(list_crops(tmp_path), (96, 48))


def test_a_folder_for_each_person(tmp_path: Path) -> None:
    put(tmp_path, "anna/2_000451.jpg", "bert/1_7.png", "bert/2_9.png")
    with pytest.raises(ValueError, match=r"it has the folders anna, bert; where each is a person: pattern"):
        list_crops(tmp_path)
    assert found(tmp_path, pattern=r"(?P<identity>[^/]+)/(?P<camera>\d+)_.+") == [
        ("anna/2_000451.jpg", 1, 2),
        ("bert/1_7.png", 2, 1),
        ("bert/2_9.png", 2, 2),
    ]
