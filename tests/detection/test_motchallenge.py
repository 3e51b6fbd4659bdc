from pathlib import Path

import pytest

from mot_reid.detection.motchallenge import read_detections


def written(folder: Path, text: str) -> Path:
    path = folder / "det.txt"
    path.write_text(text)
    return path


def test_rows_by_hand(tmp_path: Path) -> None:
    text = "2,-1,10,20,30,40,0.5,-1,-1,-1\n1,-1,0,0,5,6,1\r\n\n2 -1 1 2 3 4 0.25\n"
    frames = read_detections(written(tmp_path, text))
    assert sorted(frames) == [1, 2]
    assert frames[1].xyxy.tolist() == [[0, 0, 5, 6]]
    assert frames[2].xyxy.tolist() == [[10, 20, 40, 60], [1, 2, 4, 6]]
    assert frames[2].scores.tolist() == [0.5, 0.25]
    assert list(read_detections(written(tmp_path, "\ufeff1,-1,0,0,5,6,1\n"))) == [1]
    assert frames[2].classes.tolist() == [0, 0]


def test_an_empty_file_has_no_detections(tmp_path: Path) -> None:
    assert read_detections(written(tmp_path, "\n")) == {}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,-1,10,20,30,40", "expected numbers frame, id, left"),
        ("1,-1,10,20,30,x,0.5", "expected numbers frame, id, left"),
        ("1,-1,10,20,30,nan,0.5", "not finite"),
        ("0,-1,10,20,30,40,0.5", "the frame must be a whole number from 1"),
        ("1.5,-1,10,20,30,40,0.5", "the frame must be a whole number from 1"),
        ("1,-1,10,20,0,40,0.5", "width and height must be positive"),
        ("1,-1,10,20,30,-4,0.5", "width and height must be positive"),
        ("1,-1,10,10,,10,20,0.9", "expected numbers frame, id, left"),
        ("1,-1,100000000,20,1,40,0.5", "width and height must be positive"),
        ("1e30,-1,10,20,30,40,0.5", "the frame must be a whole number from 1"),
        ("1,-1,10,20,30,40,2.3", r"the score must be in \[0, 1\]"),
    ],
)
def test_wrong_rows_are_named_by_line(tmp_path: Path, line: str, message: str) -> None:
    path = written(tmp_path, f"1,-1,1,1,5,5,0.5\n\n{line}\n")
    with pytest.raises(ValueError, match=rf"det\.txt:3: .*{message}"):
        read_detections(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="detection file not found"):
        read_detections(tmp_path / "det.txt")
