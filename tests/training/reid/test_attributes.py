from pathlib import Path

import numpy as np
import pytest

from mot_reid.training.reid.attributes import read_attributes


def test_attributes_of_people(tmp_path: Path) -> None:
    file = tmp_path / "attributes.csv"
    file.write_text("identity,hat,age\n7,1,3\n2,0,\n")
    attributes = read_attributes(file)
    assert attributes.names == ("hat", "age")
    assert attributes.classes == (2, 4)
    assert attributes.of(np.array([2, 9, 7])).tolist() == [[0, -1], [-1, -1], [1, 3]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("person,hat\n1,0\n", "expected a column identity"),
        ("identity\n1\n", "one for each attribute"),
        ("identity,hat\n", "no rows"),
        ("identity,hat\n1,0\n2,red\n", r"attributes\.csv:3: expected whole numbers"),
        ("identity,hat\n1,-2\n", r"attributes\.csv:2: expected values from 0 on"),
    ],
)
def test_attributes_that_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "attributes.csv"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_attributes(file)
    with pytest.raises(FileNotFoundError, match="no such attributes"):
        read_attributes(tmp_path / "nothing.csv")
