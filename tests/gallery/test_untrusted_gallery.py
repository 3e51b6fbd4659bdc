"""What a gallery's names and files cannot do: run in a spreadsheet, hang a reader, lead out of a folder."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from mot_reid.files import spreadsheet_row
from mot_reid.gallery.cameras_file import read_cameras

BROKEN = {
    "laughs": "travel: [&a [x, x, x, x, x, x, x, x, x]"
    + "".join(
        f", &{b} [" + ", ".join([f"*{a}"] * 9) + "]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]",
    "deep": "travel: " + "[" * 3000,
    "tag": "travel: !!python/object/apply:os.system [ls]",
    "control": "travel: \x00",
    "latin": "travel: zürich",
    "entry": "travel: [{between: [a, b], least: [" + "1, " * 1000 + "1]}]",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_of_cameras_is_bounded_and_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_bytes(BROKEN[name].encode("latin-1" if name == "latin" else "utf-8"))
    with pytest.raises(ValueError, match=r"cameras\.yaml: ") as caught:
        read_cameras(path)
    assert len(str(caught.value)) < 700


def test_texts_of_a_row_are_no_formulas() -> None:
    cells = ["=1+1", "+1", "-1", "@a", "\t=1", "  =1", "door", -1, -0.5, np.int64(-3)]
    text = io.StringIO()
    csv.writer(text).writerow(spreadsheet_row(cells))
    (row,) = csv.reader(io.StringIO(text.getvalue()))
    assert row == ["'=1+1", "'+1", "'-1", "'@a", "'\t=1", "'  =1", "door", "-1", "-0.5", "-3"]
