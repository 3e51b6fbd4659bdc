from pathlib import Path

import pytest

from mot_reid.training.reid.exclusions import Exclusion, read_exclusions

ROOT = Path(__file__).parents[3]


def write(folder: Path, text: str) -> Path:
    path = folder / "wrong.csv"
    path.write_text(text)
    return path


def test_rows_of_one_sequence(tmp_path: Path) -> None:
    path = write(tmp_path, "sequence,identity,first,last,shows\nA,3,5,9,a sign\nB,1,1,2,\nA,4,7,7,a bag\n")
    assert read_exclusions(path, "A") == (Exclusion(3, 5, 9), Exclusion(4, 7, 7))
    assert read_exclusions(path, "C") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sequence,identity,first\nA,1,2\n", r"wrong\.csv: expected the columns .* missing last"),
        ("", r"wrong\.csv: expected the columns"),
        ("sequence,identity,first,last\nA,1,2,3\nA,1,x,3\n", r"wrong\.csv:3: expected whole numbers"),
        ("sequence,identity,first,last\nA,1,2\n", r"wrong\.csv:2: expected whole numbers"),
        ("sequence,identity,first,last\nA,1,4,3\n", r"wrong\.csv:2: ends before it begins"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_exclusions(write(tmp_path, text), "A")


def test_the_projects_own_list() -> None:
    path = ROOT / "benchmarks" / "wrong_crops.csv"
    assert len(read_exclusions(path, "PETS09-S2L1")) == 17
    assert len(read_exclusions(path, "ADL-Rundle-6")) == 2
