from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mot_reid
from mot_reid.evaluation.motchallenge import FileError, Problems, read_results
from mot_reid.evaluation.report import score_table
from mot_reid.evaluation.scoring import find_results, other_results, score_files, score_rows
from mot_reid.evaluation.sequences import Sequence, find_sequences

LENGTH = 12
Put = Callable[..., Path]


def rows(seed: int = 0, columns: str = "1,1,1", last: int = LENGTH) -> str:
    """Three people, a little elsewhere for each seed, whose second is somebody else from frame 7 on."""
    lines = []
    for frame in range(1, last + 1):
        for person in (1, 2, 3):
            number = person + 10 * (person == 2 and frame > 6 and seed > 0)
            lines.append(f"{frame},{number},{60 * person + 2 * seed},10,30,60,{columns}\n")
    return "".join(lines)


def test_arrays_are_scored_as_files(tmp_path: Path) -> None:
    made = np.array([[frame, 7, 10 + frame, 20, 40, 100, 1] for frame in range(1, 9)])
    with pytest.raises(
        TypeError, match=r"expected files .*, got ndarray and ndarray; numpy.savetxt\(file, rows"
    ):
        mot_reid.evaluate(made, made)  # type: ignore[arg-type]
    for name in ("mine.txt", "truth.txt"):
        np.savetxt(tmp_path / name, made, delimiter=",")
    assert mot_reid.evaluate(tmp_path / "mine.txt", tmp_path / "truth.txt").rows[-1]["HOTA"] == pytest.approx(
        100
    )


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for name in ("train/A", "train/B", "val/C"):
        folder = tmp_path / "set" / name
        (folder / "gt").mkdir(parents=True)
        (folder / "gt" / "gt.txt").write_text(rows())
        (folder / "seqinfo.ini").write_text(f"[Sequence]\nseqLength={LENGTH}\n")
    return tmp_path / "set"


@pytest.fixture
def sequences(dataset: Path) -> list[Sequence]:
    return find_sequences(dataset)


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Writes result files; returns their folder."""

    def put(*names: str) -> Path:
        for name in names:
            path = tmp_path / "results" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(rows(1, "0.9,-1,-1,-1"))
        return tmp_path / "results"

    return put


def places(folder: Path, pairs: list[tuple[Sequence, Path | None]]) -> dict[str, str | None]:
    return {
        sequence.name: None if path is None else path.relative_to(folder).as_posix()
        for sequence, path in pairs
    }


@pytest.mark.parametrize("layout", ["{}.txt", "data/{}.txt", "{}/tracks.txt"])
def test_a_file_for_each_sequence(sequences: list[Sequence], put: Put, layout: str) -> None:
    names = {name: layout.format(name) for name in "ABC"}
    folder = put(*names.values())
    assert places(folder, find_results(folder, sequences, sequences, Problems())) == names


def test_a_file_named_like_the_folder(sequences: list[Sequence], put: Put) -> None:
    """`mot-reid track FOLDER` knows no other name."""
    renamed = [replace(sequences[0], name="A-of-seqinfo"), *sequences[1:]]
    folder = put("A/tracks.txt", "B/tracks.txt", "C/tracks.txt")
    found = places(folder, find_results(folder, renamed, renamed, Problems()))
    assert found == {"A-of-seqinfo": "A/tracks.txt", "B": "B/tracks.txt", "C": "C/tracks.txt"}


def test_the_output_of_track_alone(sequences: list[Sequence], put: Put) -> None:
    folder = put("tracks.txt")
    assert places(folder, find_results(folder, sequences[1:2], sequences, Problems())) == {"B": "tracks.txt"}
    with pytest.raises(FileError, match=r"results: no results for A \(A.txt\)"):
        find_results(folder, sequences, sequences, Problems())


def test_one_file(sequences: list[Sequence], put: Put) -> None:
    folder = put("B.txt", "mine.txt")
    for chosen, name in ((sequences, "B"), (sequences[1:2], "B")):
        assert places(folder, find_results(folder / "B.txt", chosen, sequences, Problems())) == {
            name: "B.txt"
        }
    alone = find_results(folder / "mine.txt", sequences[:1], sequences, Problems())
    assert places(folder, alone) == {"A": "mine.txt"}
    with pytest.raises(
        FileNotFoundError, match=r"mine.txt: one file, but 3 sequences; choose with --sequence"
    ):
        find_results(folder / "mine.txt", sequences, sequences, Problems())


def test_one_file_of_another_sequence(sequences: list[Sequence], put: Put) -> None:
    path = put("B.txt") / "B.txt"
    with pytest.raises(FileError, match=r"B.txt: results of another sequence, expected those of A"):
        find_results(path, sequences[:1], sequences, Problems())
    problems = Problems(lenient=True)
    assert find_results(path, sequences[:1], sequences, problems) == [(sequences[0], path)]
    assert len(problems.found) == 1


def test_missing_results(sequences: list[Sequence], put: Put) -> None:
    folder = put("A.txt")
    with pytest.raises(FileError, match=r"results: no results for B \(B.txt\)"):
        find_results(folder, sequences, sequences, Problems())
    problems = Problems(lenient=True)
    pairs = find_results(folder, sequences, sequences, problems)
    assert places(folder, pairs) == {"A": "A.txt", "B": None, "C": None}
    assert [str(found) for found in problems.found] == [
        f"{folder}: no results for B (B.txt)",
        f"{folder}: no results for C (C.txt)",
    ]
    assert [entry.scores.values()["FN"] for entry in score_files(pairs, jobs=1)] == [0, 36, 36]
    with pytest.raises(FileNotFoundError, match="results not found"):
        find_results(folder / "nowhere", sequences, sequences, Problems())


def test_a_run_that_wrote_other_formats(sequences: list[Sequence], put: Put) -> None:
    folder, only = put("tracks.csv", "tracks.jsonl", "B/tracks.parquet", "C/tracks.mp4"), sequences[:1]
    with pytest.raises(FileError, match=r"A.txt\); there is tracks.jsonl, tracks.csv: ") as told:
        find_results(folder, only, only, Problems())
    assert f"`mot-reid convert {folder}/tracks.csv --to mot -o {folder}` makes tracks.txt" in str(told.value)
    problems = Problems(lenient=True)
    find_results(folder, sequences, sequences, problems)
    assert [str(found).partition("; ")[2] for found in problems.found] == [
        "",
        f"there is tracks.parquet: `mot-reid convert {folder}/B/tracks.parquet --to mot -o {folder}/B` makes "
        "tracks.txt of it",
        "there is tracks.mp4; `mot-reid track --formats mot` writes tracks.txt",
    ]


@pytest.mark.parametrize("stranger", ["D.txt", "D/tracks.txt"])
def test_results_that_belong_to_no_sequence(sequences: list[Sequence], put: Put, stranger: str) -> None:
    folder = put("A.txt", "B.txt", "C.txt", stranger)
    with pytest.raises(FileError, match=rf"{stranger}: belongs to no sequence .*\(A, B, C\)"):
        find_results(folder, sequences, sequences, Problems())
    problems = Problems(lenient=True)
    assert len(find_results(folder, sequences, sequences, problems)) == 3
    assert [found.path for found in problems.found] == [folder / stranger]


def test_beside_the_only_sequence_lie_results_of_others(sequences: list[Sequence], put: Put) -> None:
    folder, only = put("A.txt", "B.txt", "D/tracks.txt"), sequences[:1]
    assert places(folder, find_results(folder, only, only, Problems())) == {"A": "A.txt"}
    assert other_results(folder, only) == [folder / "B.txt", folder / "D" / "tracks.txt"]
    (folder / "A.txt").unlink()
    with pytest.raises(FileError, match=r"results: no results for A \(A.txt\)"):
        find_results(folder, only, only, Problems())


def test_results_of_sequences_that_were_not_chosen_may_lie_there(sequences: list[Sequence], put: Put) -> None:
    folder = put("A.txt", "B.txt", "C.txt")
    pairs = find_results(folder, sequences[:1], sequences, Problems())
    assert places(folder, pairs) == {"A": "A.txt"}


def test_scores_by_hand(sequences: list[Sequence], put: Put) -> None:
    folder = put("A.txt")
    (scored,) = score_files([(sequences[0], folder / "A.txt")])
    values = scored.scores.values()
    assert {name: values[name] for name in ("GT", "Boxes", "FP", "FN", "IDs", "Tracks", "MT")} == {
        "GT": 36,
        "Boxes": 36,
        "FP": 0,
        "FN": 0,
        "IDs": 1,
        "Tracks": 4,
        "MT": 3,
    }
    assert values["MOTA"] == pytest.approx(100 * 35 / 36)
    assert values["MOTP"] == pytest.approx(100 * 28 / 32)
    assert values["IDF1"] == pytest.approx(100 * 30 / 36)
    assert scored.problems == ()


def test_several_processes_equal_one(sequences: list[Sequence], put: Put) -> None:
    folder = put("A.txt", "B.txt", "C.txt")
    (folder / "B.txt").write_text(rows(3, "1"))
    sequences[2].ground_truth.write_text(rows() + "1,9,1,1,9,9,1,1,1\n")  # the longest
    pairs = find_results(folder, sequences, sequences, Problems())
    calls: list[int] = []
    one = score_files(pairs, jobs=1, on_done=lambda: calls.append(1))
    two = score_files(pairs, jobs=2, on_done=lambda: calls.append(2))
    assert sorted(calls) == [1, 1, 1, 2, 2, 2]
    assert [entry.sequence.name for entry in two] == ["A", "B", "C"]
    for ours, theirs in zip(one, two, strict=True):
        np.testing.assert_equal(ours.scores.values(), theirs.scores.values())
    assert one[0].scores.values()["MOTP"] > one[1].scores.values()["MOTP"]


def test_broken_files(sequences: list[Sequence], put: Put) -> None:
    folder = put("A.txt", "B.txt")
    with (folder / "B.txt").open("a") as file:
        file.write("13,1,1,1,5,5,1,-1,-1,-1\n14,1,1,1,5,5,1,-1,-1,-1\n")
    with sequences[1].ground_truth.open("a") as file:
        file.write("1,77,1,1,5,5,1,99,1\n")
    pairs = find_results(folder, sequences[:2], sequences, Problems())
    with pytest.raises(FileError, match=r"gt.txt:37: the class must be a whole number"):
        score_files(pairs)
    with pytest.raises(FileError, match=r"B.txt:37: the frame must be .* to 12"):
        score_files([(sequences[0], folder / "B.txt")])
    scored = score_files(pairs, lenient=True)
    for ours, theirs in zip(scored, score_files(pairs, jobs=2, lenient=True), strict=True):
        assert ours.problems == theirs.problems
    assert scored[0].problems == ()
    assert [(found.path, found.line, found.count) for found in scored[1].problems] == [
        (sequences[1].ground_truth, 37, 1),
        (folder / "B.txt", 37, 2),
    ]
    np.testing.assert_equal(scored[0].scores.values(), scored[1].scores.values())
    notes = score_table("title", scored, {}).notes
    assert len(notes) == 2
    assert all(note.startswith("Problem: ") for note in notes)

    (folder / "A.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"A.txt"):
        score_files(pairs[:1])


def test_halves(dataset: Path, put: Put) -> None:
    path = put("A.txt") / "A.txt"

    def values(half: str) -> dict[str, float]:
        (sequence,) = find_sequences(dataset, names=["A"], half=half)
        (scored,) = score_files([(sequence, path)])
        return scored.scores.values()

    first, second = values("first"), values("second")
    assert (first["GT"], second["GT"]) == (21, 15)  # frames 1..7 and 8..12
    assert (first["IDs"], second["IDs"], values("all")["IDs"]) == (1, 0, 1)
    assert second["IDF1"] == 100


def test_rows_in_memory_and_the_memory_of_ground_truth(sequences: list[Sequence], put: Put) -> None:
    path = put("A.txt") / "A.txt"
    results = read_results(path, LENGTH)
    (scored,) = score_files([(sequences[0], path)])
    for _ in range(2):
        np.testing.assert_equal(score_rows(sequences[0], results).values(), scored.scores.values())


def test_the_table_has_splits_and_all_combined(sequences: list[Sequence], put: Put) -> None:
    folder = put("A.txt", "B.txt", "C.txt")
    scored = score_files([(sequence, folder / f"{sequence.name}.txt") for sequence in sequences], jobs=1)
    table = score_table("title", scored, {})
    assert [(row["sequence"], row["part"], row["frames"], row["GT"]) for row in table.rows] == [
        ("A", "sequence", 12, 36),
        ("B", "sequence", 12, 36),
        ("C", "sequence", 12, 36),
        ("train", "split", 24, 72),
        ("val", "split", 12, 36),
        ("combined", "combined", 36, 108),
    ]
    assert [row["sequence"] for row in score_table("title", scored[:2], {}).rows] == ["A", "B", "combined"]
    assert [row["sequence"] for row in score_table("title", scored[:1], {}).rows] == ["A"]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (
            "1,3,1",
            "none of its 36 boxes is of class 1, which counts, but of 3; --protocol mot15",
        ),
        ("0,1,1", "none of its 36 boxes counts: column 7 is 0 in all of them"),
        (None, "there is no box in it"),
        ("1,1,1", ""),
    ],
)
def test_ground_truth_of_nobody_is_told(dataset: Path, put: Put, columns: str | None, told: str) -> None:
    truth = dataset / "train" / "A" / "gt" / "gt.txt"
    truth.write_text("" if columns is None else rows(columns=columns))
    (sequence,) = find_sequences(dataset, names=["A"])
    (scored,) = score_files([(sequence, put("A.txt") / "A.txt")])
    assert scored.notice.startswith(f"{truth}: {told}" if told else "")
    assert bool(scored.notice) == bool(told)


def test_results_of_nobody_are_told(sequences: list[Sequence], put: Put) -> None:
    path = put("A.txt") / "A.txt"
    path.write_text("")
    assert score_files([(sequences[0], path)])[0].notice == f"{path}: there is no box in it"


def test_right_and_bottom_in_place_of_width_and_height_are_told(
    sequences: list[Sequence], tmp_path: Path
) -> None:
    path, corners = tmp_path / "A.txt", []
    path.write_text(rows(1, "0.9,-1,-1,-1"))
    assert score_files([(sequences[0], path)])[0].notice == ""
    for row in path.read_text().splitlines():
        number, track, left, top, width, height, *rest = row.split(",")
        right, bottom = float(left) + float(width), float(top) + float(height)
        corners.append(",".join(map(str, (number, track, left, top, right, bottom, *rest))))
    path.write_text("\n".join(corners) + "\n")
    notice = score_files([(sequences[0], path)])[0].notice
    assert "were right and bottom taken for width and height?" in notice


def test_ground_truth_that_is_none_is_named_before_results(
    sequences: list[Sequence], put: Put, tmp_path: Path
) -> None:
    """Without seqinfo.ini its rows say how long the sequence is, and results would be said to be too long."""
    truth = tmp_path / "truth.json"
    truth.write_text('{"videos": [{"id": 1}]}\n')
    sequence = replace(sequences[0], ground_truth=truth, length=3)
    with pytest.raises(FileError, match=r"truth\.json:1: expected numbers"):
        score_files([(sequence, put("A.txt") / "A.txt")])
