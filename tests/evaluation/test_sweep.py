from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mot_reid.config import Config, load_config
from mot_reid.evaluation.benchmark import SequenceRun
from mot_reid.evaluation.comparison import Comparison
from mot_reid.evaluation.metrics import combine, evaluate
from mot_reid.evaluation.sequences import PROTOCOLS, Sequence
from mot_reid.evaluation.sweep import (
    grid,
    leave_one_out,
    read_search,
    require_metric,
    split_values,
    sweep_table,
)


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("pipeline.queue=30", "pipeline.queue", ["30"]),
        ("pipeline.queue=30,60, 90", "pipeline.queue", ["30", "60", "90"]),
        ("detector.classes=[person, 3],[person]", "detector.classes", ["[person, 3]", "[person]"]),
        ("detector.classes=", "detector.classes", [""]),
    ],
)
def test_values_of_a_setting(text: str, name: str, values: list[str]) -> None:
    assert split_values(text) == (name, values)


@pytest.mark.parametrize("text", ["pipeline.queue", "pipeline.queue=1,,2", "a=1,"])
def test_broken_settings_are_named(text: str) -> None:
    with pytest.raises(ValueError, match=text.split("=")[0]):
        split_values(text)


def test_search_file(tmp_path: Path) -> None:
    path = tmp_path / "search.yaml"
    path.write_text(
        "pipeline:\n  queue: [30, 60]\ndetector:\n  score: [0.5]\ndetector.classes: [[person], [3]]\n"
    )
    assert read_search(path) == {
        "pipeline.queue": ["30", "60"],
        "detector.score": ["0.5"],
        "detector.classes": ["[person]", "[3]"],
    }


@pytest.mark.parametrize("text", ["", "association: 3", "pipeline:\n  queue: 30", "a: []", "{", "- 1"])
def test_broken_search_files_are_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "search.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"search\.yaml"):
        read_search(path)
    with pytest.raises(FileNotFoundError, match=r"absent\.yaml"):
        read_search(tmp_path / "absent.yaml")


def test_grid_holds_every_combination() -> None:
    found = grid(Config(), {"pipeline.queue": ["30", "60"], "detector.score": ["0.5", "0.6"]})
    assert [(entry.pipeline.queue, entry.detector.score) for _, entry in found] == [
        (30, 0.5),
        (30, 0.6),
        (60, 0.5),
        (60, 0.6),
    ]
    assert found[3][0] == {"pipeline.queue": "60", "detector.score": "0.6"}
    assert grid(Config(), {}) == [({}, Config())]
    with pytest.raises(ValueError, match=r"pipeline\.queuee does not exist"):
        grid(Config(), {"pipeline.queuee": ["1", "2"]})


def test_metric_is_known() -> None:
    require_metric("IDF1")
    with pytest.raises(ValueError, match=r"'F1' is not known; known: HOTA"):
        require_metric("F1")


def run_with(found: int, name: str) -> SequenceRun:
    """One person in ten frames, found in the first few of them."""
    one, none = np.zeros(1, np.int64), np.zeros(0, np.int64)
    seen = [one if i < found else none for i in range(10)]
    comparison = Comparison([one] * 10, seen, [np.ones((1, len(entry))) for entry in seen])
    sequence = Sequence(name, Path(name), Path(name), 10, 30.0, "train", PROTOCOLS["mot15"])
    return SequenceRun(sequence, evaluate(comparison), 10, {"associate": 1.0}, 0.0, {})


def test_leave_one_out_by_hand() -> None:
    # Of two settings, the first is better on a, the second on b and c. Without a the second is chosen; so it
    # is without b (4 + 9 against 8 + 2 frames) and without c (4 + 8 against 8 + 3).
    found = {"first": (8, 3, 2), "second": (4, 8, 9)}
    runs = [[run_with(count, name) for count, name in zip(row, "abc", strict=True)] for row in found.values()]
    held_out = leave_one_out(runs, "MOTA")
    assert held_out is not None
    assert held_out.picks == [1, 1, 1]
    assert held_out.scores.values()["FN"] == 30 - (4 + 8 + 9)
    # When the choice hangs on one sequence, that sequence gets the other setting.
    runs = [
        [run_with(count, name) for count, name in zip(row, "ab", strict=True)] for row in ((9, 1), (2, 3))
    ]
    held_out = leave_one_out(runs, "FN")
    assert held_out is not None
    assert held_out.picks == [1, 0]
    assert held_out.scores.values()["FN"] == 20 - (2 + 1)
    assert leave_one_out([[run_with(3, "a")]], "HOTA") is None


def test_sweep_table_puts_the_best_first() -> None:
    settings = {"pipeline.queue": ["30", "60"], "pipeline.threads": ["2"]}
    combinations = [entry for entry, _ in grid(Config(), settings)]
    runs = [
        [run_with(count, name) for count, name in zip(row, "ab", strict=True)] for row in ((4, 5), (9, 9))
    ]
    table = sweep_table("title", settings, combinations, runs, "HOTA", {})
    assert [row["pipeline.queue"] for row in table.rows] == ["60", "30"]
    assert [row["picked"] for row in table.rows] == [2, 0]
    assert table.rows[0]["FN"] == 2
    assert "pipeline.threads" not in table.rows[0]  # it has one value only
    best = combine([run.scores for run in runs[1]]).values()["HOTA"]
    assert f"{best:.2f}" in table.notes[0]
    assert "pipeline.queue=60" in table.notes[0]
    assert "Leave-one-sequence-out" in table.notes[1]
    alone = sweep_table("title", settings, combinations, [row[:1] for row in runs], "HOTA", {})
    assert "nothing is held out" in alone.notes[1]


def test_grid_changes_nothing_else_of_the_base() -> None:
    base = load_config(None, ["pipeline.threads=5", "motion.position_std=0.1"])
    found = grid(base, {"pipeline.queue": ["30", "60"]})
    assert [entry.pipeline.threads for _, entry in found] == [5, 5]
    assert [entry.motion.position_std for _, entry in found] == [0.1, 0.1]


def found_in(frames: list[int]) -> SequenceRun:
    """One person in ten frames, found in these of them."""
    one, none = np.zeros(1, np.int64), np.zeros(0, np.int64)
    seen = [one if i in frames else none for i in range(10)]
    comparison = Comparison([one] * 10, seen, [np.full((1, len(entry)), 0.8) for entry in seen])
    return replace(run_with(0, "a"), scores=evaluate(comparison))


@pytest.mark.parametrize(
    ("metric", "poor", "good"),
    [
        ("HOTA", [0, 1], [0, 1, 2]),
        ("FN", [0, 1], [0, 1, 2]),
        ("ML", [0], list(range(9))),
        ("Frag", [0, 1, 2, 4, 6, 7, 8, 9], [0, 1]),
        ("MOTP", [], [0]),  # nobody is found: it cannot be computed
    ],
)
def test_the_best_comes_first_whatever_the_metric(metric: str, poor: list[int], good: list[int]) -> None:
    settings = {"pipeline.queue": ["30", "60", "90"]}
    combinations = [entry for entry, _ in grid(Config(), settings)]
    runs = [[found_in(frames)] for frames in (poor, good, poor)]
    table = sweep_table("title", settings, combinations, runs, metric, {})
    assert [row["pipeline.queue"] for row in table.rows] == ["60", "30", "90"]
