import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LENGTH = 12
Run = Callable[..., Any]
COLUMNS = ("HOTA", "DetA", "AssA", "LocA", "MOTA", "MOTP", "IDF1", "MT", "ML", "FP", "FN", "IDs", "Frag")


def rows(shift: int = 0, columns: str = "1,1,1", length: int = LENGTH) -> str:
    return "".join(
        f"{frame},{person},{60 * person + shift},10,30,60,{columns}\n"
        for frame in range(1, length + 1)
        for person in (1, 2, 3)
    )


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two sequences of MOT17, of 12 frames."""
    for name in ("MOT17-02", "MOT17-04"):
        folder = tmp_path / "MOT17" / "train" / name
        (folder / "gt").mkdir(parents=True)
        (folder / "gt" / "gt.txt").write_text(rows())
        (folder / "seqinfo.ini").write_text(f"[Sequence]\nname={name}\nseqLength={LENGTH}\nframeRate=30\n")
    return tmp_path / "MOT17"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    for name in ("MOT17-02", "MOT17-04"):
        (folder / f"{name}.txt").write_text(rows(2, "0.9,-1,-1,-1"))
    return folder


def shown(out: str) -> dict[str, dict[str, str]]:
    """The printed table, by sequence."""
    lines = out.splitlines()
    heading = next(number for number, line in enumerate(lines) if line.startswith("sequence"))
    names = lines[heading].split()
    found = {}
    for line in lines[heading + 1 :]:
        cells = line.replace("as given", "as-given").split()
        if len(cells) == len(names):
            found[cells[0]] = dict(zip(names, cells, strict=True))
    return found


def test_scores_are_printed(run: Run, dataset: Path, results: Path) -> None:
    outcome = run("eval", results, "--gt", dataset)
    assert outcome.code == 0
    assert outcome.err == ""
    assert "results against MOT17" in outcome.out
    table = shown(outcome.out)
    assert list(table) == ["MOT17-02", "MOT17-04", "combined"]
    assert set(COLUMNS) <= set(table["combined"])
    assert (table["combined"]["MOTA"], table["combined"]["IDF1"]) == ("100.00", "100.00")
    assert (table["combined"]["MOTP"], table["combined"]["GT"]) == ("87.50", "72")


@pytest.mark.parametrize("jobs", [1, 2])
def test_three_files_are_written(run: Run, dataset: Path, results: Path, tmp_path: Path, jobs: int) -> None:
    folder = tmp_path / "deep" / "out"
    outcome = run("eval", results, "--gt", dataset, "-o", folder, "--name", "mine", "-j", jobs)
    assert outcome.code == 0
    assert outcome.err.splitlines() == [f"written: {folder}/mine.{kind}" for kind in ("json", "csv", "md")]
    content = json.loads((folder / "mine.json").read_text())
    assert content["command"].startswith("mot-reid eval ")
    assert [row["sequence"] for row in content["rows"]] == ["MOT17-02", "MOT17-04", "combined"]
    assert content["rows"][-1]["MOTP"] == pytest.approx(87.5)
    with (folder / "mine.csv").open() as file:
        read = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert [float(row["IDF1"]) for row in read] == [100, 100, 100]
    assert "| combined |" in (folder / "mine.md").read_text()


@pytest.mark.parametrize("given", ["tracks.txt", "."])
def test_the_output_of_track(run: Run, dataset: Path, tmp_path: Path, given: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "tracks.txt").write_text(rows(2, "0.9,-1,-1,-1"))
    (out / "summary.json").write_text("{}")
    outcome = run("eval", out / given, "--gt", dataset / "train" / "MOT17-02")
    assert outcome.code == 0
    assert shown(outcome.out)["MOT17-02"]["MOTA"] == "100.00"


def test_the_output_of_track_for_several_sources(run: Run, dataset: Path, tmp_path: Path) -> None:
    for name in ("MOT17-02", "MOT17-04"):
        (tmp_path / "out" / name).mkdir(parents=True)
        (tmp_path / "out" / name / "tracks.txt").write_text(rows(2, "0.9,-1,-1,-1"))
    outcome = run("eval", tmp_path / "out", "--gt", dataset)
    assert outcome.code == 0
    assert shown(outcome.out)["combined"]["MOTA"] == "100.00"


def test_trackevals_layout(run: Run, dataset: Path, results: Path, tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    results.rename(tmp_path / "some" / "data")
    (tmp_path / "some" / "pedestrian_summary.txt").write_text("HOTA\n1\n")
    assert run("eval", tmp_path / "some", "--gt", dataset).code == 0


def test_what_is_really_tracked_can_be_scored(run: Run, scene: Any, tmp_path: Path) -> None:
    (tmp_path / "walk" / "gt").mkdir(parents=True)
    truth = [line.split(",") for line in scene.detections.read_text().splitlines()]
    (tmp_path / "walk" / "gt" / "gt.txt").write_text(
        "".join(f"{row[0]},{1 + (row[3] == '60')},{','.join(row[2:6])},1,-1,-1,-1\n" for row in truth)
    )
    out = tmp_path / "out"
    arguments = ("--detections", scene.detections, "--embedder", "none", "--no-video", "-q")
    tracked = run("track", scene.video, "-o", out, *arguments)
    assert tracked.code == 0, tracked.err
    outcome = run("eval", out, "--gt", tmp_path / "walk")
    assert outcome.code == 0
    assert float(shown(outcome.out)["walk"]["MOTA"]) > 90


def test_halves_and_choices(run: Run, dataset: Path, results: Path) -> None:
    outcome = run(
        "eval", results, "--gt", dataset, "--half", "second", "--sequence", "*-04", "--split", "train"
    )
    assert outcome.code == 0
    table = shown(outcome.out)
    assert list(table) == ["MOT17-04"]
    assert table["MOT17-04"]["GT"] == "15"  # frames 8 to 12
    assert "second half" in outcome.out


BROKEN = {
    "13,1,1,1,5,5,1,-1,-1,-1": "the frame must be a whole number from 1 to 12",
    "1,-3,1,1,5,5,1,-1,-1,-1": "the id must be a whole number",
    "1,1,1,1,5,5,1,-1,-1,-1": "this id is there already in this frame",
    "1,9,nan,1,5,5,1,-1,-1,-1": "a value is not finite",
    "1,9,1,1,5,5,1": "expected 10 columns, got 7",
    "1 9 1 1 5 5 1 -1 -1 -1": "blanks between the columns, expected commas",
    "2,9,1,1,5,5,1,-1,-1,-1\r": "the line ends in CR LF, expected LF",
}


@pytest.mark.parametrize(("row", "message"), BROKEN.items())
def test_broken_rows(run: Run, dataset: Path, results: Path, row: str, message: str) -> None:
    path = results / "MOT17-04.txt"
    before = run("eval", results, "--gt", dataset)
    with path.open("a", newline="") as file:
        file.write(row + "\n")
    outcome = run("eval", results, "--gt", dataset)
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert line.startswith(f"error: {path}:37: {message}")

    outcome = run("eval", results, "--gt", dataset, "--lenient")
    assert outcome.code == 0
    notes = [line for line in outcome.out.splitlines() if line.startswith("Problem: ")]
    assert len(notes) == 1
    assert f"{path}:37: {message}" in notes[0]
    if "CR LF" not in message and "blanks" not in message:
        assert shown(outcome.out) == shown(before.out)


def test_broken_ground_truth(run: Run, dataset: Path, results: Path) -> None:
    path = dataset / "train" / "MOT17-02" / "gt" / "gt.txt"
    path.write_text(path.read_text() + "12,99,1,1,5,5,1,14,1\n")
    outcome = run("eval", results, "--gt", dataset)
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: {path}:37: the class must be a whole number from 1 to 13, got ")
    assert outcome.err.count("\n") == 1


def test_missing_and_strange_results(run: Run, dataset: Path, results: Path) -> None:
    (results / "MOT17-02.txt").rename(results / "MOT17-99.txt")
    outcome = run("eval", results, "--gt", dataset)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        f"error: {results}: no results for MOT17-02 (MOT17-02.txt); --sequence chooses what is scored, "
        "--lenient counts it as nobody found\n"
    )
    outcome = run("eval", results, "--gt", dataset, "--lenient")
    assert outcome.code == 0
    assert shown(outcome.out)["MOT17-02"]["FN"] == "36"
    assert f"Problem: {results}: no results for MOT17-02" in outcome.out
    assert "MOT17-99.txt: belongs to no sequence" in outcome.out


def test_results_of_another_sequence(run: Run, dataset: Path, results: Path) -> None:
    outcome = run("eval", results / "MOT17-04.txt", "--gt", dataset, "--sequence", "MOT17-02")
    assert outcome.code == 2
    assert "MOT17-04.txt: results of another sequence, expected those of MOT17-02" in outcome.err


def test_one_sequence_among_the_results_of_many(run: Run, dataset: Path, results: Path) -> None:
    one = ("--gt", dataset / "train" / "MOT17-02")
    outcome = run("eval", results, *one)
    assert (outcome.code, outcome.err) == (0, "")
    assert shown(outcome.out)["MOT17-02"]["MOTA"] == "100.00"
    left_out = "Left out, as the ground truth is that of MOT17-02 only: "
    assert outcome.out.splitlines().count(f"{left_out}MOT17-04.txt") == 1
    for number in range(5, 10):
        (results / f"MOT17-0{number}.txt").write_text("")
    assert f"{left_out}MOT17-04.txt, MOT17-05.txt, " in (out := run("eval", results, *one).out)
    assert "MOT17-08.txt and 1 more\n" in out
    (results / "MOT17-02.txt").unlink()
    outcome = run("eval", results, *one)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"error: {results}: no results for MOT17-02 (MOT17-02.txt)\n"
    (results / "tracks.txt").write_text(rows(2, "0.9,-1,-1,-1"))  # the output of track, say
    outcome = run("eval", results, *one)
    assert shown(outcome.out)["MOT17-02"]["MOTA"] == "100.00"
    assert "tracks.txt" not in outcome.out


def test_a_file_that_cannot_be_saved(run: Run, dataset: Path, results: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    outcome = run("eval", results, "--gt", dataset, "-o", tmp_path / "taken")
    assert outcome.code == 2  # told before scoring
    assert outcome.err.startswith(f"error: {tmp_path / 'taken'}: ")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--half", "third"], "half 'third' is not known; known: all, first, second"),
        (["--protocol", "mot99"], "protocol 'mot99' is not known; known: mot15, mot16, mot17, mot20"),
        (["--split", "test"], "no split test; there are: train"),
        (["--sequence", "MOT17-99"], "no sequence MOT17-99; there are: MOT17-02, MOT17-04"),
        (["--jobs", "-1"], "'--jobs'"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_wrong_options(run: Run, dataset: Path, results: Path, arguments: list[str], message: str) -> None:
    outcome = run("eval", results, "--gt", dataset, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_wrong_paths(run: Run, dataset: Path, results: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, message in (
        (("nowhere", "--gt", dataset), "results not found: nowhere"),
        (
            (results, "--gt", "nowhere"),
            "nowhere; expected a data set, a sequence or a gt.txt file",
        ),
        ((results, "--gt", empty), f"{empty}: no sequence with ground truth (NAME/gt/gt.txt) in it"),
        ((results,), "Missing option '--gt'"),
        (("--gt", dataset), "Missing argument 'RESULTS'"),
    ):
        outcome = run("eval", *arguments)
        assert (outcome.code, outcome.out) == (2, "")
        (line,) = outcome.err.splitlines()
        assert message in line


def test_help_teaches(run: Run) -> None:
    outcome = run("eval", "--help")
    assert outcome.code == 0
    for needle in ("mot-reid eval results/ --gt MOT17/train", "--lenient", "--half", "tracks.txt", "HOTA"):
        assert needle in outcome.out


def test_ctrl_c_ends_it_at_once(
    dataset: Path, results: Path, tmp_path: Path, hear_ctrl_c: Callable[[], None]
) -> None:
    waiting = tmp_path / "waiting.py"
    waiting.write_text(
        "import os, sys, time\n"
        "import mot_reid.evaluation.scoring as scoring\n"
        "from mot_reid.cli import main\n"
        "def wait(*arguments, **named):\n"
        "    os.write(2, b'waiting\\n')\n"
        "    time.sleep(60)\n"
        "scoring.read_results = wait\n"
        "main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, waiting, "eval", results, "--gt", dataset, "--jobs", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=hear_ctrl_c,
    )
    assert process.stderr is not None
    assert [process.stderr.readline() for _ in range(2)] == [b"waiting\n"] * 2
    begun = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - begun < 10
    assert (process.returncode, out, err) == (130, b"", b"interrupted\n")
