"""Formats of annotation tools and data sets: written, read back, and as their tools expect them."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from mot_reid.structures import Tracks
from mot_reid.video.formats import FORMATS, SinkInfo
from mot_reid.video.track_files import read_tracks

INFO = SinkInfo(fps=25, class_names={0: "person", 2: "car"}, source="street.mp4", width=200, height=100)


def frame(*rows: tuple[int, int, float, float, float, float, int]) -> Tracks:
    """Rows of id, class, x1, y1, x2, y2 and the detection's row."""
    table = np.array(rows, float).reshape(-1, 7)
    ids, classes, index = (table[:, place].astype(np.int64) for place in (0, 1, 6))
    scores = np.full(len(table), 0.5, np.float32)
    return Tracks(ids, table[:, 2:6].astype(np.float32), scores, classes, index)


# Person 1 is seen in frames 1, 2 and 4, predicted in 2; the car 2 in frame 2 only. Nobody is in frame 3.
FRAMES = {
    1: frame((1, 0, 10, 20, 30, 60, 0)),
    2: frame((2, 2, 100, 50, 160, 90, 0), (1, 0, 12, 20, 32, 60, -1)),
    3: Tracks.empty(),
    4: frame((1, 0, 16.25, 20, 36.25, 60, 0)),
}


def write(name: str, folder: Path) -> Path:
    entry = FORMATS[name]
    path = folder / entry.file
    with entry.open(path, INFO) as sink:
        for number, tracks in FRAMES.items():
            sink.write(number, None, tracks, (number - 1) / 25)
    return path


@pytest.mark.parametrize("name", ["mot", "csv", "jsonl", "coco", "cvat", "kitti"])
def test_what_is_written_is_read_back(name: str, tmp_path: Path) -> None:
    read = read_tracks(write(name, tmp_path))
    assert list(read.tracks) == [1, 2, 4]
    for number, tracks in read.tracks.items():
        expected = FRAMES[number]
        order, theirs = np.argsort(expected.ids), np.argsort(tracks.ids)
        assert tracks.ids[theirs].tolist() == expected.ids[order].tolist()
        np.testing.assert_allclose(tracks.xyxy[theirs], expected.xyxy[order], atol=0.006)
        if name != "mot":
            names = [read.class_names[number] for number in tracks.classes[theirs].tolist()]
            assert names == [INFO.class_names[number] for number in expected.classes[order].tolist()]
    if name in ("csv", "jsonl"):
        assert read.times == {1: 0.0, 2: 0.04, 4: 0.12}
        assert read.tracks[2].detection_index.tolist() == [0, -1]
    assert [path.name for path in tmp_path.iterdir()] == [FORMATS[name].file]


def test_coco_by_hand(tmp_path: Path) -> None:
    content = json.loads(write("coco", tmp_path).read_text())
    assert content["categories"] == [{"id": 0, "name": "person"}, {"id": 2, "name": "car"}]
    assert [(image["id"], image["frame_id"], image["width"]) for image in content["images"]] == [
        (1, 0, 200), (2, 1, 200), (4, 3, 200),
    ]  # fmt: skip
    car = content["annotations"][1]
    assert (car["image_id"], car["category_id"], car["track_id"]) == (2, 2, 2)
    assert (car["bbox"], car["area"], car["iscrowd"]) == ([100, 50, 60, 40], 2400, 0)
    assert [entry["id"] for entry in content["annotations"]] == [1, 2, 3, 4]


def test_cvat_by_hand(tmp_path: Path) -> None:
    root = ElementTree.parse(write("cvat", tmp_path)).getroot()
    person, car = root.iter("track")
    assert (person.attrib["label"], car.attrib["label"]) == ("person", "car")
    boxes = [(box.attrib["frame"], box.attrib["outside"], box.attrib["occluded"]) for box in person]
    # After the gap the box is there again; it is in the last frame, so nothing comes behind it.
    assert boxes == [("0", "0", "0"), ("1", "0", "1"), ("2", "1", "1"), ("3", "0", "0")]
    assert [(box.attrib["frame"], box.attrib["outside"]) for box in car] == [("1", "0"), ("2", "1")]
    assert car[0].attrib["xtl"] == "100.00"


def test_label_studio_by_hand(tmp_path: Path) -> None:
    (task,) = json.loads(write("labelstudio", tmp_path).read_text())
    assert task["data"] == {"video": "street.mp4"}
    person = task["predictions"][0]["result"][0]
    assert (person["type"], person["value"]["labels"]) == ("videorectangle", ["person"])
    assert (person["value"]["framesCount"], person["value"]["duration"]) == (4, 0.16)
    keys = person["value"]["sequence"]
    assert [(key["frame"], key["enabled"], key["time"]) for key in keys] == [
        (1, True, 0), (2, False, 0.04), (4, False, 0.12),
    ]  # fmt: skip
    assert (keys[0]["x"], keys[0]["y"], keys[0]["width"], keys[0]["height"]) == (5, 20, 10, 40)


def test_yolo_by_hand(tmp_path: Path) -> None:
    folder = tmp_path / "tracks_yolo"
    folder.mkdir()
    (folder / "000009.txt").write_text("an earlier run's")
    write("yolo", tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == [f"00000{n}.txt" for n in (1, 2, 3, 4)]
    assert (folder / "000001.txt").read_text() == "0 0.100000 0.400000 0.100000 0.400000 0.5000 1\n"
    assert (folder / "000003.txt").read_text() == ""


def test_kitti_by_hand(tmp_path: Path) -> None:
    first = write("kitti", tmp_path).read_text().splitlines()[0].split()
    assert first[:6] == ["0", "1", "Pedestrian", "-1", "-1", "-10"]
    assert first[6:10] == ["10.00", "20.00", "30.00", "60.00"]
    assert (len(first), first[17]) == (18, "0.5000")


@pytest.mark.parametrize("name", ["yolo", "labelstudio"])
def test_shares_of_a_frame_need_its_size(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shares of the frame, and its size is not known"):
        FORMATS[name].open(tmp_path / "x", SinkInfo())


def test_a_run_that_is_killed_leaves_a_spool_that_is_read(tmp_path: Path) -> None:
    entry = FORMATS["coco"]
    sink = entry.open(tmp_path / entry.file, INFO)
    for number in (1, 2):
        sink.write(number, None, FRAMES[number])
    (spool,) = tmp_path.iterdir()
    assert spool.name in entry.also
    assert list(read_tracks(spool).tracks) == [1, 2]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.txt", "1,1,0,0,5,5,1\n1,x,0,0,5,5,1\n", "t.txt: line 2: expected frame, id, left"),
        ("t.txt", "1,1.5,0,0,5,5,1\n", "line 1"),
        ("t.txt", "1,1,nan,0,5,5,1\n", "frame 1, id 1: not a box"),
        ("t.csv", "frame,id\n1,1\n", "expected x1 in each row"),
        ("t.csv", "frame,id,x1,y1,x2,y2\n1,1,a,2,3,4\n", "t.csv: line 2: could not convert"),
        ("t.jsonl", "[1]\n", "line 1"),
        ("t.json", "{}", "not COCO's JSON"),
        ("t.json", "{", "t.json: Expecting property name"),
        ("t.xml", "<a>", "t.xml: no element found"),
        ("t.dat", "", "not a file of tracks; expected one of .csv, .json, .jsonl, .parquet, .txt, .xml"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        read_tracks(tmp_path / name)


def test_labels_end_at_the_edge_of_the_picture(tmp_path: Path) -> None:
    beyond = frame((1, 0, -20, 20, 20, 60, 0), (2, 0, 180, 50, 240, 110, 1), (3, 0, 210, 0, 240, 40, 2))
    for name in ("yolo", "labelstudio"):
        with FORMATS[name].open(tmp_path / name, INFO) as sink:
            sink.write(1, None, beyond, 0.0)
    labels = (tmp_path / "yolo/000001.txt").read_text().splitlines()
    assert [line.split()[:5] for line in labels] == [
        ["0", "0.050000", "0.400000", "0.100000", "0.400000"],
        ["0", "0.950000", "0.750000", "0.100000", "0.500000"],  # the third lies beyond the edge
    ]
    [task] = json.loads((tmp_path / "labelstudio").read_text())
    keys = [entry["value"]["sequence"][0] for entry in task["predictions"][0]["result"]]
    assert [[key[side] for side in ("x", "y", "width", "height")] for key in keys] == [
        [0, 20, 10, 40],
        [90, 50, 10, 50],
        [100, 0, 0, 40],
    ]


def test_each_second_frame_is_no_gap(tmp_path: Path) -> None:
    """Of a run with a stride: frame numbers and times are the source's, and nobody goes in between."""
    info, paths = replace(INFO, fps=12.5, stride=2), {}
    for name in ("cvat", "coco", "labelstudio"):
        paths[name] = tmp_path / FORMATS[name].file
        with FORMATS[name].open(paths[name], info) as sink:
            for number in (1, 3, 5, 9, 11):
                tracks = Tracks.empty() if number == 11 else FRAMES[1]
                sink.write(number, None, tracks, (number - 1) / 25)
    boxes = ElementTree.parse(paths["cvat"]).getroot().findall("track/box")
    shown = [(int(box.attrib["frame"]), box.attrib["outside"] == "1") for box in boxes]
    assert shown == [(0, False), (2, False), (4, False), (6, True), (8, False), (10, True)]
    assert json.loads(paths["coco"].read_text())["videos"][0]["fps"] == 25
    value = json.loads(paths["labelstudio"].read_text())[0]["predictions"][0]["result"][0]["value"]
    assert value["duration"] == pytest.approx(value["framesCount"] / 25)
    assert [key["enabled"] for key in value["sequence"]] == [True, True, False, False]


def test_regions_of_kitti_that_nobody_cares_for_are_no_tracks(tmp_path: Path) -> None:
    rest = "-1000 -1000 -1000 -10 -1 -1 -1"
    path = tmp_path / "0000.txt"
    path.write_text(
        f"0 -1 DontCare -1 -1 -10 219.3 188.4 245.5 218.5 {rest}\n"
        f"0 2 Pedestrian 0 0 -2.5 1106.1 166.5 1204.4 323.8 1.7 0.7 0.9 6.3 1.6 8.4 -1.9\n"
    )
    read = read_tracks(path)
    assert (list(read.tracks), read.tracks[1].ids.tolist()) == ([1], [2])


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_clocks_and_identities_are_read_back(name: str, tmp_path: Path) -> None:
    path = tmp_path / FORMATS[name].file
    with FORMATS[name].open(path, INFO) as sink:
        sink.write(2, None, FRAMES[2], 0.04, 1.75e9, np.array([0, 7]))
        sink.write(4, None, FRAMES[4], 0.12, None, np.array([0]))
    read = read_tracks(path)
    assert read.wall_clocks == {2: 1.75e9}
    assert {number: found.tolist() for number, found in read.identities.items()} == {2: [0, 7]}


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("cvat", "a\0b\x1f&\ufffe", "a\ufffdb\ufffd&\ufffd"),
        ("kitti", "bus, long\0\u2028coach", "buslongcoach"),
        ("kitti", " ,", "class0"),
    ],
)
def test_class_names_that_a_format_cannot_hold(name: str, given: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / FORMATS[name].file
    with FORMATS[name].open(path, replace(INFO, class_names={0: given})) as sink:
        sink.write(1, None, FRAMES[1], 0.0)
    assert list(read_tracks(path).class_names.values()) == [expected]
