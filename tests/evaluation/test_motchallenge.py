from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mot_reid.evaluation.motchallenge import (
    BoxRows,
    FileError,
    Problems,
    read_ground_truth,
    read_results,
)
from mot_reid.structures import Tracks

Write = Callable[[str | bytes], Path]
LENGTH = 20
GOOD = "1,1,10,20,30,40,0.9,-1,-1,-1\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "A.txt"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_results_are_read(write: Write) -> None:
    rows = read_results(write("3,7,1.5,2.5,10,20,0.5\n1,2,0,0,5,6,1\n3,1,-4,2,10,20,-1\n"), LENGTH)
    assert len(rows) == 3
    assert rows.frames.tolist() == [1, 3, 3]  # sorted by frame, in the file's order within one
    assert rows.ids.tolist() == [2, 7, 1]
    np.testing.assert_array_equal(rows.xyxy, [[0, 0, 5, 6], [1.5, 2.5, 11.5, 22.5], [-4, 2, 6, 22]])
    assert rows.counted.all()
    assert (rows.classes == 1).all()
    assert (rows.frames.dtype, rows.ids.dtype, rows.xyxy.dtype) == (np.int64, np.int64, np.float64)
    slices = list(rows.of_frames(range(2, 5)))
    assert [rows.ids[part].tolist() for part in slices] == [[], [7, 1], []]


@pytest.mark.parametrize(
    "content",
    [
        "1,1,1,1,5,5,1\n2,1,1,1,5,5,1",  # no newline at the end
        "\n1,1,1,1,5,5,1\n\n  \n2,1,1,1,5,5,1\n\n\n",
        "\ufeff1,1,1,1,5,5,1\n2,1,1,1,5,5,1\n",
        " 1 , 1 ,1, 1,5 ,5,1 \n2,1,1,1,5,5,1\n",
        "2.0,1.0,1,1,5,5,1\n1e0,1,1,1,5,5,1\n",
        "1,1,1,1,5,5,1,-1,-1,-1\n2,1,1,1,5,5,1,-1,-1,-1\n",
        "1,1,1,1,5,5,1,1,0.5\n2,1,1,1,5,5,1,1,0.5\n",
        "1,1,1,1,5,5,1,nan,nan,nan\n2,1,1,1,5,5,1,nan,nan,nan\n",  # columns that mean nothing here
    ],
)
def test_harmless_ways_to_write_results(write: Write, content: str) -> None:
    rows = read_results(write(content), LENGTH)
    assert rows.frames.tolist() == [1, 2]
    np.testing.assert_array_equal(rows.xyxy, [[1, 1, 6, 6]] * 2)


@pytest.mark.parametrize("content", ["", "\n", " \n\n"])
def test_an_empty_file_has_no_rows(write: Write, content: str) -> None:
    assert len(read_results(write(content), LENGTH)) == 0
    for has_classes in (True, False, None):
        assert len(read_ground_truth(write(content), LENGTH, has_classes=has_classes)) == 0


def row(**changed: object) -> str:
    values = dict(zip(("frame", "id", "left", "top", "width", "height", "score"), "1234567", strict=True))
    return ",".join(str(value) for value in (values | changed).values()) + "\n"


FRAME = "the frame must be a whole number from 1 to 20, the sequence's length"
ID = "the id must be a whole number from 0 to 2147483647"
FINITE = "a value is not finite"
SIZE = "width and height must be positive"
FAR = "coordinates must be between -1e+09 and 1e+09"
BROKEN_ROWS = [
    (row(frame=0), FRAME),
    (row(frame=21), FRAME),
    (row(frame=-1), FRAME),
    (row(frame=1.5), FRAME),
    (row(frame="1e300"), FRAME),
    (row(id=-1), ID),
    (row(id=2.5), ID),
    (row(id=2**31), ID),
    (row(id="1" + "0" * 200), ID),
    (row(id="1" + "0" * 400), FINITE),
    (row(left="nan"), FINITE),
    (row(top="-inf"), FINITE),
    (row(score="NaN"), FINITE),
    (row(frame="nan"), FINITE),
    (row(width=0), SIZE),
    (row(height=-3), SIZE),
    (row(left="1e200", width="1e200"), FAR),
    (row(frame=1, id=1), "this id is there already in this frame"),
]


@pytest.mark.parametrize(("broken", "rule"), BROKEN_ROWS)
def test_rows_that_break_a_rule_are_named(write: Write, broken: str, rule: str) -> None:
    path = write(row(id=1) + "\n" + broken + row(frame=2))
    for read in (read_results, read_ground_truth):
        with pytest.raises(FileError) as caught:
            read(path, LENGTH)
        message = str(caught.value)
        assert message.startswith(f"{path}:3: {rule}, got ")
        assert "\n" not in message

        problems = Problems(lenient=True)
        rows = read(path, LENGTH, problems)
        assert rows.frames.tolist() == [1, 2]
        assert [(found.line, found.rule, found.count) for found in problems.found] == [(3, rule, 1)]


TEXT = "expected numbers frame, id, left, top, width, height, score"


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ("frame,id,left,top,width,height,score\n", TEXT),
        ("# made by somebody\n", TEXT),
        ("1,5,1,1,5,5,1,\n", TEXT),
        ("1,5,1,,5,5,1\n", TEXT),
        ("1,5,1,1_0,5,5,1\n", TEXT),  # 10 for Python
        ("1,5,1,\uff11\uff10,5,5,1\n", TEXT),
        ("1,5,1,0x10,5,5,1\n", TEXT),
        ('1,"5",1,1,5,5,1\n', TEXT),
        ("1;5;1;1;5;5;1\n", TEXT),
        ("1,5,1,1,5,5,1;\n", TEXT),
        ("\x00\x01\x02\n", TEXT),
        ("1,5,1,1,5,5\n", "expected 7 columns, got 6"),
        ("1,5,1,1,5,5,1,-1\n", "expected 7 columns, got 8"),
        ("5\n", "expected 7 columns, got 1"),
    ],
)
def test_lines_that_are_no_rows_are_named(write: Write, broken: str, rule: str) -> None:
    path = write(row() + broken + row(frame=2))
    for read in (read_results, read_ground_truth):
        with pytest.raises(FileError) as caught:
            read(path, LENGTH)
        assert str(caught.value).startswith(f"{path}:2: {rule}")
        problems = Problems(lenient=True)
        assert len(read(path, LENGTH, problems)) == 2
        assert [(found.line, found.count) for found in problems.found] == [(2, 1)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            "frame,id,x1,y1,x2,y2\n1,1,5,5,9,9\n",
            f"A.txt:1: {TEXT}, got 'frame,id,x1,y1,x2,y2'; mot-reid convert",
        ),
        (
            "0 1 Pedestrian -1 -1 -10 5 5 9 9\n",
            "mot-reid convert --to mot makes such rows of other formats",
        ),
        ("PAR1\x15\x00\r\n\r\n", "A.txt:1: no text, expected rows of frame, id, left"),
    ],
)
def test_files_of_another_format_are_told_what_makes_rows(write: Write, content: str, told: str) -> None:
    path = write(content)
    for read in (read_results, read_ground_truth):
        with pytest.raises(FileError) as caught:
            read(path, LENGTH)
        assert told in str(caught.value)


@pytest.mark.parametrize("columns", [1, 6, 11])
def test_all_rows_with_a_wrong_number_of_columns(write: Write, columns: int) -> None:
    path = write(",".join("1" * columns) + "\n" + ",".join("2" * columns) + "\n")
    with pytest.raises(FileError, match=f":1: expected 7 to 10 columns, got {columns}"):
        read_results(path, LENGTH)
    problems = Problems(lenient=True)
    assert len(read_results(path, LENGTH, problems)) == 0
    (found,) = problems.found
    assert (found.line, found.count) == (1, 2)


def test_blanks_for_commas(write: Write) -> None:
    path = write("1 1 10 20 30 40 1\n2\t1\t10\t20\t30\t40\t1\n")
    for read in (read_results, read_ground_truth):
        with pytest.raises(FileError, match=r"A\.txt:1: blanks between the columns, expected commas"):
            read(path, LENGTH)
        problems = Problems(lenient=True)
        np.testing.assert_array_equal(read(path, LENGTH, problems).xyxy, [[10, 20, 40, 60]] * 2)
        assert [found.count for found in problems.found] == [2]


def test_cr_lf_is_refused_in_results_and_fine_in_ground_truth(write: Write) -> None:
    path = write(row() + row(frame=2).replace("\n", "\r\n") + row(frame=3).replace("\n", "\r\n"))
    with pytest.raises(FileError, match=r"A\.txt:2: the line ends in CR LF, expected LF \(2 such lines\)"):
        read_results(path, LENGTH)
    problems = Problems(lenient=True)
    assert read_results(path, LENGTH, problems).frames.tolist() == [1, 2, 3]
    assert [(found.line, found.count) for found in problems.found] == [(2, 2)]
    assert read_ground_truth(path, LENGTH).frames.tolist() == [1, 2, 3]


def test_line_numbers_are_right_after_blank_lines_and_cr_lf(write: Write) -> None:
    for newline in ("\n", "\r\n"):
        lines = [row(), newline, newline, row(frame=2), newline, row(frame=99)]
        path = write("".join(line.replace("\n", newline) if line != newline else line for line in lines))
        with pytest.raises(FileError, match=r"A\.txt:6: the frame"):
            read_ground_truth(path, LENGTH)


def test_binary_garbage(write: Write) -> None:
    rng = np.random.default_rng(0)
    for size in (1, 100, 5000):
        path = write(rng.integers(0, 256, size, np.uint8).tobytes() + b"x")
        for read in (read_results, read_ground_truth):
            with pytest.raises(FileError) as caught:
                read(path, LENGTH)
            assert str(caught.value).startswith(f"{path}:")
            assert str(caught.value).isprintable()
            problems = Problems(lenient=True)
            assert len(read(path, LENGTH, problems)) == 0
            assert problems.found


def test_utf_16_is_refused(write: Write) -> None:
    with pytest.raises(FileError, match=r"A\.txt:1: "):
        read_results(write(GOOD.encode("utf-16")), LENGTH)


def test_no_such_file(tmp_path: Path) -> None:
    for read in (read_results, read_ground_truth):
        for path in (tmp_path / "nowhere.txt", tmp_path):
            with pytest.raises(FileNotFoundError, match=f"file not found: {path}"):
                read(path, LENGTH)


def test_lenient_counts_and_keeps_the_good_rows(write: Write) -> None:
    content = (
        row()
        + row(frame=99) * 3
        + row()  # twice
        + "what\n" * 2
        + "1,2,3\n"
        + row(frame=100)
        + row(id=-1, frame=2)
        + row(frame=4, id=8)
    )
    problems = Problems(lenient=True)
    rows = read_results(write(content), LENGTH, problems)
    assert rows.frames.tolist() == [1, 4]
    found = {problem.rule: (problem.line, problem.count) for problem in problems.found}
    assert found == {
        TEXT: (6, 2),
        "expected 7 columns": (8, 1),
        FRAME: (2, 4),
        ID: (10, 1),
        "this id is there already in this frame": (5, 1),
    }
    texts = [str(problem) for problem in problems.found]
    assert any(text.endswith("A.txt:2: " + FRAME + ", got 99,2,3,4,5,6,7 (4 such lines)") for text in texts)


def test_what_came_is_shown_with_all_its_digits(write: Write) -> None:
    with pytest.raises(FileError, match=r"got 12345678,2,3,4,5,6,7$"):
        read_results(write(row(frame=12345678)), LENGTH)


def test_the_largest_ids(write: Write) -> None:
    top = 2**31 - 1
    rows = read_results(write(row(id=top, frame=20) + row(id=0, frame=20) + row(id=top, frame=19)), LENGTH)
    assert rows.ids.tolist() == [top, top, 0]


def test_ground_truth_with_classes(write: Write) -> None:
    path = write("1,1,0,0,5,5,1,1,0.5\n1,2,0,0,5,5,0,1,0.5\n1,3,0,0,5,5,1,8,1\n")
    for has_classes in (None, True):
        rows = read_ground_truth(path, LENGTH, has_classes=has_classes)
        assert rows.classes.tolist() == [1, 1, 8]
        assert rows.counted.tolist() == [True, False, True]
    assert read_ground_truth(path, LENGTH, has_classes=False).classes.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "columns", ["1", "1,-1,-1,-1", "1,4.4852,5.5016,0"]
)  # TrackEval's, MOT15's and its world coordinates
def test_ground_truth_without_classes(write: Write, columns: str) -> None:
    rows = read_ground_truth(write(f"1,1,0,0,5,5,{columns}\n"), LENGTH)
    assert (rows.classes.tolist(), rows.counted.tolist()) == ([1], [True])


@pytest.mark.parametrize("kind", ["0", "14", "1.5", "-1", "nan"])
def test_unknown_classes_are_named(write: Write, kind: str) -> None:
    path = write(f"1,1,0,0,5,5,1,1,1\n1,2,0,0,5,5,1,{kind},0.25\n")
    with pytest.raises(FileError, match=rf":2: the class must be .* 1 to 13, got 1,2,0,0,5,5,1,{kind},0\.25"):
        read_ground_truth(path, LENGTH)
    problems = Problems(lenient=True)
    assert read_ground_truth(path, LENGTH, problems).ids.tolist() == [1]


def test_ground_truth_that_should_have_classes(write: Write) -> None:
    with pytest.raises(FileError, match="expected a class in column 8, there are 7 columns"):
        read_ground_truth(write(row()), LENGTH, has_classes=True)


def test_results_in_memory_are_those_of_the_file() -> None:
    def tracks(ids: list[int], x: float) -> Tracks:
        some = len(ids)
        return Tracks(
            ids=np.array(ids, np.int64),
            xyxy=np.array([[x, 1, x + 10.006, 21]] * some, np.float32).reshape(-1, 4),
            scores=np.ones(some, np.float32),
            classes=np.zeros(some, np.int64),
            detection_index=np.arange(some),
        )

    rows = BoxRows.from_tracks({3: tracks([2, 1], 1.234), 1: tracks([9], 7), 2: tracks([], 0)})
    assert rows.frames.tolist() == [1, 3, 3]
    assert rows.ids.tolist() == [9, 2, 1]
    np.testing.assert_allclose(rows.xyxy[1], [1.23, 1, 11.24, 21], atol=1e-6)
    assert len(BoxRows.from_tracks({})) == len(BoxRows.empty()) == 0


def test_results_of_another_class_are_named(tmp_path: Path) -> None:
    path = tmp_path / "results.txt"
    path.write_text("1,1,0,0,5,5,1,1,-1,-1\n1,2,0,0,5,5,1,-1,-1,-1\n1,3,0,0,5,5,1,3,-1,-1\n")
    with pytest.raises(FileError, match=r"results\.txt:3: the class in column 8 must be 1"):
        read_results(path, 10)
    problems = Problems(lenient=True)
    assert read_results(path, 10, problems).ids.tolist() == [1, 2]
    assert len(problems.found) == 1
