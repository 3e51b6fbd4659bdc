"""Sweeps: a grid of settings over cached inputs, with leave-one-sequence-out scores beside the best."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mot_reid.config import Config, load_config
from mot_reid.evaluation.benchmark import SequenceRun
from mot_reid.evaluation.metrics import METRICS, Scores, combine
from mot_reid.evaluation.report import Mode, metric_columns
from mot_reid.evaluation.tables import Column, Table
from mot_reid.wording import counted
from mot_reid.yaml_text import read_yaml_file

__all__ = [
    "LeaveOneOut",
    "grid",
    "leave_one_out",
    "read_search",
    "require_metric",
    "split_values",
    "sweep_table",
]

_LESS_IS_BETTER = ("FP", "FN", "IDs", "Frag", "ML")

Combination = dict[str, Any]
"""One value for each setting of a sweep, such as ``{"association.lifecycle.lost_frames": 60}``."""


def split_values(setting: str) -> tuple[str, list[str]]:
    """``NAME=1,2,3`` into the name and its values; commas inside brackets separate nothing.

    Raises:
        ValueError: there is no ``=``, or a value is empty.
    """
    name, equals, text = setting.partition("=")
    if not equals:
        raise ValueError(f"setting {setting!r}: expected NAME=VALUE or NAME=VALUE,VALUE")
    values, depth = [""], 0
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            values.append("")
        else:
            values[-1] += letter
    if len(values) > 1 and not all(value.strip() for value in values):
        raise ValueError(f"setting {setting!r}: a value is empty")
    return name.strip(), [value.strip() for value in values]


def read_search(path: Path) -> dict[str, list[str]]:
    """Reads a search file: YAML laid out as a configuration, with a list of values for each setting.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not YAML, or a setting has no list.
    """
    if not path.is_file():
        raise FileNotFoundError(f"search file not found: {path}")
    try:
        content = read_yaml_file(path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    found: dict[str, list[str]] = {}

    def take(prefix: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, entry in value.items():
                take(f"{prefix}.{key}" if prefix else str(key), entry)
        elif prefix and isinstance(value, list) and value:
            found[prefix] = [
                yaml.safe_dump(entry, default_flow_style=True).removesuffix("\n...\n").strip()
                for entry in value
            ]
        else:
            raise ValueError(f"{path}: {prefix or 'the file'}: expected settings with a list of values each")

    take("", content)
    return found


def grid(base: Config, settings: Mapping[str, list[str]]) -> list[tuple[Combination, Config]]:
    """Every combination of values, with its configuration.

    Raises:
        ValueError, TypeError: as `load_config`.
    """
    combinations = []
    for values in itertools.product(*settings.values()):
        chosen = dict(zip(settings, values, strict=True))
        config = load_config(overrides=[f"{name}={value}" for name, value in chosen.items()], base=base)
        combinations.append((chosen, config))
    return combinations


@dataclass(frozen=True)
class LeaveOneOut:
    """What a sweep is worth on sequences that had no say in it.

    Attributes:
        picks: for each sequence, the number of the combination that is best on all others together.
        scores: each sequence under its pick, combined.
    """

    picks: list[int]
    scores: Scores


def require_metric(metric: str) -> None:
    """Makes sure that there is such a metric.

    Raises:
        ValueError: there is none.
    """
    known = [entry.name for entry in METRICS]
    if metric not in known:
        raise ValueError(f"metric {metric!r} is not known; known: {', '.join(known)}")


def leave_one_out(runs: list[list[SequenceRun]], metric: str) -> LeaveOneOut | None:
    """Chooses for each sequence on the others; None for a single sequence.

    Args:
        runs: of each combination, of each sequence.
        metric: by which the best is chosen, such as ``HOTA``.
    """
    count = len(runs[0])
    if count < 2:
        return None
    picks = []
    for left_out in range(count):
        worths = [
            _worth(combine([run.scores for i, run in enumerate(row) if i != left_out]), metric)
            for row in runs
        ]
        picks.append(worths.index(max(worths)))
    return LeaveOneOut(picks, combine([runs[pick][i].scores for i, pick in enumerate(picks)]))


def _worth(scores: Scores, metric: str) -> float:
    value = float(scores.values()[metric])
    if value != value:
        return -float("inf")
    return -value if metric in _LESS_IS_BETTER else value


def sweep_table(
    title: str,
    settings: Mapping[str, list[str]],
    combinations: list[Combination],
    runs: list[list[SequenceRun]],
    metric: str,
    provenance: Mapping[str, Any],
    mode: Mode = "online",
) -> Table:
    """All combinations, the best first, and what leave-one-sequence-out says of the choice."""
    varied = [name for name, values in settings.items() if len(values) > 1]
    totals = [combine([run.scores for run in row]) for row in runs]
    order = sorted(range(len(runs)), key=lambda i: -_worth(totals[i], metric))
    held_out = leave_one_out(runs, metric)
    rows = []
    for i in order:
        row = {name: combinations[i][name] for name in varied} | {"mode": mode} | totals[i].values()
        if held_out is not None:
            row["picked"] = held_out.picks.count(i)
        rows.append(row)
    best = ", ".join(f"{name}={combinations[order[0]][name]}" for name in varied)
    notes = [f"Best {metric} on all sequences together: {_short(totals[order[0]])} with {best}."]
    if held_out is None:
        notes.append("A single sequence: nothing is held out, so the best is chosen on what it is scored on.")
    else:
        notes.append(
            f"Leave-one-sequence-out (each sequence under the combination that is best on the others): "
            f"{_short(held_out.scores)}. The gap is what choosing on the test sequences would flatter; "
            f"'picked' counts how many sequences chose a row."
        )
    columns = [*map(Column, varied), Column("mode", brief=False), *metric_columns()]
    columns.append(Column("picked", None, "scores"))
    return Table(title, columns, rows, provenance, notes)


def _short(scores: Scores) -> str:
    values = scores.values()
    parts = [f"{name} {values[name]:.2f}" for name in ("HOTA", "MOTA", "IDF1")]
    return " / ".join(parts) + f" / {counted(int(values['IDs']), 'switch')}"
