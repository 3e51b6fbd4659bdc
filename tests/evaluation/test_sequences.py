from collections.abc import Callable
from pathlib import Path

import pytest

from mot_reid.evaluation.sequences import PROTOCOLS, Sequence, find_sequences, list_sequences, one_of_each

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a sequence; a length writes its seqinfo.ini."""

    def make(name: str, length: int | None = 10, truth: str = "3,1,1,1,5,5,1,1,1\n", ini: str = "") -> Path:
        folder = tmp_path / name
        (folder / "gt").mkdir(parents=True)
        (folder / "gt" / "gt.txt").write_text(truth)
        if length is not None or ini:
            text = ini or f"[Sequence]\nname={folder.name}\nframeRate=14\nseqLength={length}\n"
            (folder / "seqinfo.ini").write_text(text)
        return folder

    return make


def names(sequences: list[Sequence]) -> list[str]:
    return [entry.name for entry in sequences]


def test_a_data_set_with_a_split(make: Make, tmp_path: Path) -> None:
    make("MOT17/train/MOT17-04")
    make("MOT17/train/MOT17-02", 600)
    (tmp_path / "MOT17/test/MOT17-01").mkdir(parents=True)  # without ground truth
    (tmp_path / "MOT17/readme.txt").write_text("")
    found = find_sequences(tmp_path / "MOT17")
    assert names(found) == ["MOT17-02", "MOT17-04"]
    folder = tmp_path / "MOT17" / "train" / "MOT17-02"
    assert found[0] == Sequence(
        "MOT17-02", folder, folder / "gt" / "gt.txt", 600, 14.0, "train", PROTOCOLS["mot17"]
    )
    assert found[0].frames == range(1, 601)
    assert names(find_sequences(str(tmp_path / "MOT17" / "train"))) == ["MOT17-02", "MOT17-04"]


def test_a_flat_folder(make: Make, tmp_path: Path) -> None:
    for name in ("B", "A"):
        make(f"set/{name}")
    found = find_sequences(tmp_path / "set")
    assert names(found) == ["A", "B"]
    assert {entry.split for entry in found} == {"set"}


def test_one_sequence(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make("train/A")
    for path in (folder, folder / "gt" / "gt.txt"):
        (found,) = find_sequences(path)
        assert (found.name, found.split, found.length, found.ground_truth) == (
            "A",
            "train",
            10,
            folder / "gt" / "gt.txt",
        )
    monkeypatch.chdir(folder)
    for here in (".", "gt/gt.txt"):
        (found,) = find_sequences(here)
        assert (found.name, found.split, found.length) == ("A", "train", 10)


def test_a_ground_truth_file_alone(tmp_path: Path) -> None:
    folder = tmp_path / "TUD-Campus"
    folder.mkdir()
    (folder / "gt.txt").write_bytes(b"1,1,1,1,5,5,1,-1,-1,-1\r\n71,1,1,1,5,5,1,-1,-1,-1\r\n")
    (found,) = find_sequences(folder / "gt.txt")
    assert (found.name, found.length, found.fps, found.protocol.name) == ("TUD-Campus", 71, 30.0, "mot15")


def test_without_seqinfo_the_last_frame_of_ground_truth_counts(make: Make) -> None:
    truth = "\ufeff12,1,1,1,5,5,1,1,1\n\nwhat,1\n 7 ,1,1,1,5,5,1,1,1\n"
    (found,) = find_sequences(make("A", None, truth))
    assert (found.length, found.fps, found.name) == (12, 30.0, "A")


@pytest.mark.parametrize("row", ["1.2e+01,1.0,1,1,5,5,1,1,1", "12.0,1,1,1,5,5,1,1,1", "12 1 1 1 5 5 1 1 1"])
def test_frame_numbers_in_whatever_form_they_are_read_give_the_length(make: Make, row: str) -> None:
    (found,) = find_sequences(make("A", None, f"{row}\n1_000,1,1,1,5,5,1,1,1\n2.5,1,1,1,5,5,1,1,1\n"))
    assert found.length == 12


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ("", "gt.txt: no row of it starts with a frame number"),
        ("what\n", "gt.txt: no row of it starts with a frame number"),
        ("1,1,1,1,5,5,1\n4000000000,1,1,1,5,5,1\n", "gt.txt:2: the frame must be at most 10000000"),
        ("1" * 5000 + ",1,1,1,5,5,1\n", "gt.txt:1: the frame must be at most 10000000"),
    ],
)
def test_a_length_that_ground_truth_cannot_tell(make: Make, truth: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_sequences(make("A", None, truth))


@pytest.mark.parametrize(
    ("ini", "message"),
    [
        ("what", r"seqinfo\.ini.*line"),
        ("\x00\x01", r"seqinfo\.ini.*line"),
        ("[Other]\nseqLength=3\n", r"has no \[Sequence\] section"),
        ("[Sequence]\nframeRate=3\n", "seqLength: .* got 'nothing'"),
        ("[Sequence]\nseqLength=many\n", "seqLength: .* got 'many'"),
        ("[Sequence]\nseqLength=3\nframeRate=x\n", "frameRate: .* got 'x'"),
        ("[Sequence]\nseqLength=0\n", "seqLength: expected a number from 1 to .* got '0'"),
        ("[Sequence]\nseqLength=-1\n", "seqLength: .* got '-1'"),
        ("[Sequence]\nseqLength=4000000000\n", "seqLength: .* got '4000000000'"),
        (f"[Sequence]\nseqLength={'9' * 5000}\n", "seqLength: "),
        ("[Sequence]\nseqLength=3\nframeRate=0\n", "frameRate: .* got '0'"),
        ("[Sequence]\nseqLength=3\nframeRate=nan\n", "frameRate: .* got 'nan'"),
        ("[Sequence]\nseqLength=3\nseqLength=4\n", "already exists"),
    ],
)
def test_a_broken_seqinfo_is_named(make: Make, ini: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"A/seqinfo\.ini: .*{message}") as caught:
        find_sequences(make("A", ini=ini))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("ini", "name"),
    [
        ("[Sequence]\nseqLength=3\n", "A"),
        ("[Sequence]\nseqLength=3\nname=\n", "A"),
        ("\ufeff[Sequence]\r\nname = Other \r\nseqLength = 3\r\nimDir=img1\r\n", "Other"),
        ("[Sequence]\nseqLength=3\nname=100%\n", "100%"),
    ],
)
def test_seqinfo_may_say_little(make: Make, ini: str, name: str) -> None:
    (found,) = find_sequences(make("A", ini=ini))
    assert (found.name, found.length, found.fps) == (name, 3, 30.0)


def test_names_below_the_data_folder_whatever_the_case(make: Make, tmp_path: Path) -> None:
    make("mot17/train/MOT17-02")
    make("PETS09-S2L1")
    assert names(find_sequences("MOT17", tmp_path)) == ["MOT17-02"]
    assert names(find_sequences("mot17/train", tmp_path)) == ["MOT17-02"]
    assert names(find_sequences("pets09-s2l1", tmp_path)) == ["PETS09-S2L1"]
    with pytest.raises(FileNotFoundError, match=r"not found: mot20; in .* there are: PETS09-S2L1, mot17"):
        find_sequences("mot20", tmp_path)
    with pytest.raises(FileNotFoundError, match="data folder not found"):
        find_sequences("mot17", tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"data set not found: mot17 .*--data"):
        find_sequences("mot17")


def test_a_folder_without_sequences(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er" / "A" / "gt").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"no sequence with ground truth \(NAME/gt/gt.txt\)"):
        find_sequences(tmp_path)


@pytest.mark.parametrize(
    ("name", "row", "protocol"),
    [
        ("MOT16-02", "1,1,1,1,5,5,1,1,1", "mot16"),
        ("MOT17-02-FRCNN", "1,1,1,1,5,5,1,1,1", "mot17"),
        ("mot20-01", "1,1,1,1,5,5,1,1,1", "mot20"),
        ("MOT20-01", "1,1,1,1,5,5,1", "mot20"),  # the name says it
        ("dancetrack0001", "1,1,1,1,5,5,1,1,1", "mot17"),
        ("Mine", "1,1,1,1,5,5,1,1", "mot17"),
        ("Mine", "\n\n1,1,1,1,5,5,1,1,1", "mot17"),
        ("Mine", "1,1,1,1,5,5,1", "mot15"),
        ("PETS09-S2L1", "1,1,1,1,5,5,1,-1,-1,-1", "mot15"),
    ],
)
def test_the_protocol_is_guessed_by_name_or_columns(make: Make, name: str, row: str, protocol: str) -> None:
    folder = make(name, truth=row + "\n")
    assert find_sequences(folder)[0].protocol == PROTOCOLS[protocol]
    assert find_sequences(folder, protocol="mot16")[0].protocol == PROTOCOLS["mot16"]


def test_protocols() -> None:
    assert {name: entry.has_classes for name, entry in PROTOCOLS.items()} == {
        "mot15": False,
        "mot16": True,
        "mot17": True,
        "mot20": True,
    }
    assert PROTOCOLS["mot17"].distractors == {2, 7, 8, 12}
    assert PROTOCOLS["mot20"].distractors == {2, 6, 7, 8, 12}


@pytest.mark.parametrize(("length", "last"), [(600, 301), (1050, 526), (525, 263), (3, 2), (4, 3)])
def test_halves(make: Make, length: int, last: int) -> None:
    folder = make("A", length)
    first, second = (find_sequences(folder, half=half)[0] for half in ("first", "second"))
    assert (first.frames, second.frames) == (range(1, last + 1), range(last + 1, length + 1))
    assert (first.half, second.half) == ("first", "second")
    assert find_sequences(folder, half="all")[0].frames == range(1, length + 1)


@pytest.mark.parametrize("length", [1, 2])
def test_tiny_sequences_have_no_second_half(make: Make, length: int) -> None:
    folder = make("A", length)
    assert find_sequences(folder, half="first")[0].frames == range(1, length + 1)
    with pytest.raises(ValueError, match=f"A: has no second half, its length is {length}"):
        find_sequences(folder, half="second")


def test_unknown_choices_are_named_with_those_that_exist(make: Make, tmp_path: Path) -> None:
    for name in ("train/A", "train/B", "val/C"):
        make(name)
    with pytest.raises(FileNotFoundError, match="no split test; there are: train, val"):
        find_sequences(tmp_path, splits=["train", "test"])
    with pytest.raises(FileNotFoundError, match="no sequence D; there are: A, B, C"):
        find_sequences(tmp_path, names=["A", "D"])
    with pytest.raises(FileNotFoundError, match=r"no sequence C; there are: A, B$"):
        find_sequences(tmp_path, splits=["train"], names=["C"])
    with pytest.raises(ValueError, match="half 'third' is not known; known: all, first, second"):
        find_sequences(tmp_path, half="third")
    with pytest.raises(ValueError, match="protocol 'mot99' is not known; known: mot15, mot16, mot17, mot20"):
        find_sequences(tmp_path, protocol="mot99")


def test_choosing_splits_and_names(make: Make, tmp_path: Path) -> None:
    for name in ("train/A-1", "train/A-2", "val/A-3", "val/B.1", "val/Bx1"):
        make(name)

    def chosen(**choice: list[str]) -> list[str]:
        return names(find_sequences(tmp_path, **choice))

    assert chosen() == ["A-1", "A-2", "A-3", "B.1", "Bx1"]
    assert chosen(splits=["val"]) == ["A-3", "B.1", "Bx1"]
    assert chosen(splits=["TRAIN"]) == ["A-1", "A-2"]
    assert chosen(names=["a-*"]) == ["A-1", "A-2", "A-3"]
    assert chosen(names=["B.1"]) == ["B.1"]  # the point is a point
    assert chosen(names=["*1", "A-3"]) == ["A-1", "A-3", "B.1", "Bx1"]
    assert chosen(splits=["val"], names=["A-*"]) == ["A-3"]


def test_two_sequences_of_one_name(make: Make, tmp_path: Path) -> None:
    make("train/A")
    make("val/A")
    with pytest.raises(ValueError, match=r"two sequences are called A; choose a split: .*train/A, .*val/A"):
        find_sequences(tmp_path)
    assert find_sequences(tmp_path, splits=["val"])[0].split == "val"
    assert len(list_sequences(tmp_path)) == 2


def test_one_of_the_three_of_each_video(make: Make, tmp_path: Path) -> None:
    triples = [
        f"MOT17-{number}-{detector}" for number in ("02", "04") for detector in ("DPM", "FRCNN", "SDP")
    ]
    for name in (*triples, "PETS09-S2L1"):
        make(f"train/{name}")
    found = find_sequences(tmp_path)
    assert len(found) == 7
    assert names(one_of_each(found, "frcnn")) == ["MOT17-02-FRCNN", "MOT17-04-FRCNN", "PETS09-S2L1"]
    for wanted in (None, "yolox"):
        assert names(one_of_each(found, wanted)) == ["MOT17-02-DPM", "MOT17-04-DPM", "PETS09-S2L1"]


@pytest.mark.data
def test_the_real_sets(data: Path) -> None:
    found = find_sequences("MOT17", data)
    assert names(found) == [f"MOT17-{number}" for number in ("02", "04", "05", "09", "10", "11", "13")]
    assert sum(entry.length for entry in found) == 5316
    assert {entry.protocol.name for entry in found} == {"mot17"}
    for name, length in (("pets09-s2l1", 795), ("adl-rundle-6", 525)):
        (entry,) = find_sequences(name, data)
        assert (entry.length, entry.protocol.name) == (length, "mot15")


def test_a_folder_that_is_not_below_data(make: Make, tmp_path: Path) -> None:
    make("elsewhere/A")
    (tmp_path / "data").mkdir()
    assert names(find_sequences(tmp_path / "elsewhere", tmp_path / "data")) == ["A"]
