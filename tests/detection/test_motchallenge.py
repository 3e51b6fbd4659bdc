from pathlib import Path

import numpy as np
import pytest

from mot_reid.detection.motchallenge import ScoreError, read_detections


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
        ("x" * 5000, "score, got 'x{80}'$"),
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


def test_the_line_of_a_wrong_row_is_found_in_a_long_file(tmp_path: Path) -> None:
    rows = [f"{n},-1,{n},20,30,40,0.5,-1,-1,-1" for n in range(1, 2000)]
    rows[1234] = rows[1234].replace("0.5", "1.5")
    with pytest.raises(ScoreError, match=r"det\.txt:1235: the score must be in"):
        read_detections(written(tmp_path, "\r\n".join(rows)))


@pytest.mark.parametrize(
    "text",
    [
        "1,-1,0,0,5,6,1\n2,-1,10,20,30,40,0.5,7,7,7\n",  # one more or less of the columns nobody reads
        "1 -1 0 0 5 6 1\n2\t-1  10 20 30 40 0.5\n",
        " 1 , -1, 0, 0, 5, 6, 1.0 \n\n2,-1,10,20,30,40,0.5",
        "2,-1,10,20,30,40,0.5\n   \n1 -1 0 0 5 6 1",  # in no order, and of two forms
        "1,-1,0,0,5,6,1,x\n2,-1,1_0,20,3e1,+40,.5\n",
    ],
)
def test_files_of_many_forms_read_alike(tmp_path: Path, text: str) -> None:
    frames = read_detections(written(tmp_path, text))
    assert list(frames) == [1, 2]
    assert frames[1].xyxy.tolist() == [[0, 0, 5, 6]]
    assert frames[2].xyxy.tolist() == [[10, 20, 40, 60]]
    assert frames[2].scores.tolist() == [0.5]


def test_nothing_is_a_comment(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"det\.txt:2: expected numbers"):
        read_detections(written(tmp_path, "1,-1,0,0,5,6,1\n#2,-1,10,20,30,40,0.5\n"))


def test_the_logistic_function_brings_any_score_to_0_to_1(tmp_path: Path) -> None:
    rows = "".join(f"1,-1,0,0,5,6,{score}\n" for score in (0, 1.5, -0.5, 1e300, -1e300))
    scores = read_detections(written(tmp_path, rows), logistic=True)[1].scores
    np.testing.assert_allclose(scores, [0.5, 1 / (1 + np.exp(-3)), 1 / (1 + np.e), 1, 0], rtol=1e-6)
    with pytest.raises(ValueError, match=r"det\.txt:2: a value is not finite"):
        read_detections(written(tmp_path, "1,-1,0,0,5,6,1\n1,-1,0,0,5,6,inf\n"), logistic=True)
