"""Tracks of other programs: whatever is in a file, the message names it."""

from pathlib import Path

import numpy as np
import pytest

from mot_reid.pipeline.finished_tracks import read_finished
from mot_reid.structures import Tracks
from mot_reid.video.sinks import CsvSink, ParquetSink
from mot_reid.video.track_files import read_tracks

ONE = '{"id": 1, "image_id": 1, "track_id": 1, "bbox": [1, 2, 3, 4], "category_id": 1}'
BROKEN = {
    "deep.json": "[" * 100_000,
    "deeper.json": '{"images": ' + "[" * 100_000,
    "deep.jsonl": '{"frame": ' + "[" * 100_000,
    "numbers.json": '{"images": 1, "annotations": 2}',
    "text.json": '{"images": [{"id": 1, "frame_id": "x"}], "annotations": []}',
    "box.json": '{"images": [{"id": 1}], "annotations": [' + ONE.replace("[1, 2, 3, 4]", "[1, 2]") + "]}",
    "list.json": '{"images": [{"id": 1}], "annotations": [' + ONE.replace('y_id": 1', 'y_id": [1]') + "]}",
    "other.json": '{"images": [{"id": 7}], "annotations": [' + ONE + "]}",
    "huge.json": '{"images": [{"id": 1}], "annotations": ['
    + ONE.replace('k_id": 1', 'k_id": 1' + "0" * 400)
    + "]}",
    "huge.txt": "1" + "0" * 30 + ",1,1,1,5,5,1\n",
    "size.txt": "1,1,10,20,-16,40,1\n",
    "swapped.csv": "frame,id,x1,y1,x2,y2\n1,1,26,60,10,20\n",
    "far.txt": "1,1,10,20,1e39,40,1\n",
    "id.txt": "1,1" + "0" * 30 + ",1,1,5,5,1\n",
    "inf.txt": "1,inf,1,1,5,5,1\n",
    "nan.csv": "frame,id,x1,y1,x2,y2\nnan,1,1,1,5,5\n",
    "field.csv": "frame,id,x1,y1,x2,y2\n1,1," + "1" * 200_000 + ",1,5,5\n",
    "deep.xml": "<a>" * 50_000 + "</a>" * 50_000,
    "laughs.xml": '<!DOCTYPE a [<!ENTITY a "'
    + "x" * 99
    + '">'
    + "".join(f'<!ENTITY {b} "{("&" + a + ";") * 20}">' for a, b in zip("abcdef", "bcdefg", strict=True))
    + "]><annotations>&g;</annotations>",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_in_one_short_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(BROKEN[name])
    with pytest.raises(ValueError, match=name) as caught:
        read_tracks(path)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value)) < len(str(path)) + 300
    assert "\n" not in str(caught.value)


def test_blank_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "tracks.jsonl"
    path.write_text('\n{"frame": 2, "id": 1, "x1": 0, "y1": 0, "x2": 5, "y2": 5}\n\n')
    assert list(read_tracks(path).tracks) == [2]


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    tracks = Tracks(*(np.array(column) for column in ([7], [[1.0, 2, 5, 9]], [0.5], [2], [0])))
    read = []
    for sink in (
        CsvSink(tmp_path / "tracks.csv", {2: "car"}),
        ParquetSink(tmp_path / "tracks.parquet", {2: "car"}),
    ):
        with sink:
            sink.write(3, None, tracks, 0.12, 1e9, np.array([4]))
        read.append(read_tracks(tmp_path / f"tracks.{'parquet' if read else 'csv'}"))
    assert read[0].tracks[3].to_dict() == read[1].tracks[3].to_dict()
    assert read[1].class_names == {2: "car"}
    assert (read[1].times, read[1].wall_clocks, read[1].identities[3].tolist()) == ({3: 0.12}, {3: 1e9}, [4])
    (tmp_path / "torn.parquet").write_bytes((tmp_path / "tracks.parquet").read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"torn\.parquet: not a Parquet file"):
        read_tracks(tmp_path / "torn.parquet")


def test_a_folder_is_told_what_is_in_it(tmp_path: Path) -> None:
    for name in ("tracks.txt", "tracks.csv"):
        with pytest.raises(ValueError, match=f"expected a file of tracks, such as .*{name}"):
            read_tracks(tmp_path)
        (tmp_path / "tracks.csv").write_text("")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    """Windows' programs write one in front of UTF-8."""
    line = '{"frame": 2, "id": 1, "x1": 0, "y1": 0, "x2": 5, "y2": 5}\n'
    coco = '{"images": [{"id": 2}], "annotations": [' + ONE.replace('e_id": 1', 'e_id": 2') + "]}"
    for name, text in (("tracks.jsonl", line), ("tracks.json", coco)):
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        assert list(read_tracks(tmp_path / name).tracks) == [2]
    assert read_finished(tmp_path / "tracks.jsonl", fps=25).rows.frames.tolist() == [2]
