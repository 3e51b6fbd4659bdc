"""From scores to the table that is printed and saved."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal

from mot_reid.evaluation.metrics import METRICS, Scores, combine
from mot_reid.evaluation.scoring import ScoredSequence
from mot_reid.evaluation.sequences import Sequence
from mot_reid.evaluation.tables import Column, Table

if TYPE_CHECKING:
    from mot_reid.evaluation.benchmark import SequenceRun

__all__ = ["COMBINED", "Mode", "benchmark_table", "metric_columns", "score_table"]

Mode = Literal["online", "late", "offline", "as given"]
"""Whether each frame was answered before the next was seen, or ``output.lag`` later; unknown for
files that came from elsewhere."""

STAGES = ("decode", "detect", "embed", "camera motion", "associate", "refine")
"""In the order of a frame's way."""
COMBINED = "combined"
_BRIEF = ("HOTA", "AssA", "DetA", "MOTA", "IDF1", "FP", "FN", "IDs")
_SPEED = "frames/s"


def metric_columns() -> list[Column]:
    """A column for each metric."""
    return [
        Column(metric.name, 2 if metric.kind == "percent" else None, "scores", metric.name in _BRIEF)
        for metric in METRICS
    ]


def score_table(
    title: str,
    scored: list[ScoredSequence],
    provenance: Mapping[str, Any],
    mode: Mode = "as given",
    notes: list[str] | None = None,
) -> Table:
    """The scores of each sequence, of each split, and combined."""
    rows = _rows([(entry.sequence, entry.scores) for entry in scored], mode)
    problems = [f"Problem: {problem}" for entry in scored for problem in entry.problems]
    columns = [Column("sequence"), Column("mode", brief=False), *metric_columns()]
    return Table(title, columns, rows, provenance, [*(notes or []), *problems])


def benchmark_table(
    title: str,
    runs: list[SequenceRun],
    provenance: Mapping[str, Any],
    mode: Mode = "online",
    cached: Collection[str] = (),
) -> Table:
    """The scores and the times of each sequence, of each split, and combined.

    Args:
        title: one line.
        runs: of each sequence.
        provenance: of the run.
        mode: of the tracker.
        cached: stages whose times are an earlier run's.
    """
    rows = _rows([(run.sequence, run.scores) for run in runs], mode)
    for row, run in zip(rows, runs, strict=False):
        row.update(_times([run]))
    for row in rows[len(runs) :]:
        row.update(_times([run for run in runs if row["sequence"] in (COMBINED, run.sequence.split)]))
    times = [Column(_SPEED, 1, "times"), *(Column(f"{stage} ms", 2, "times", False) for stage in STAGES)]
    crops = Column("crops", 1, "times", False)
    stages = ", ".join(stage for stage in STAGES if stage in cached)
    notes = [f"Read from the cache: {stages}; their times are from the run that filled it."] if stages else []
    return Table(
        title,
        [Column("sequence"), Column("mode", brief=False), *metric_columns(), *times, crops],
        rows,
        provenance,
        notes,
        {"times": "Milliseconds a frame, the stages one after the other, and embeddings (crops) a frame:"},
    )


def _rows(scored: list[tuple[Sequence, Scores]], mode: Mode) -> list[dict[str, Any]]:
    """Each sequence; each split where there are several; all combined where there are several."""

    def row(name: str, part: str, scores: Scores, frames: int) -> dict[str, Any]:
        return {"sequence": name, "part": part, "mode": mode, "frames": frames, **scores.values()}

    rows = [row(sequence.name, "sequence", scores, len(sequence.frames)) for sequence, scores in scored]
    splits = {sequence.split: None for sequence, _ in scored}
    groups = [(split, "split") for split in splits] if len(splits) > 1 else []
    if len(scored) > 1:
        groups.append((COMBINED, COMBINED))
    for name, part in groups:
        chosen = [
            (sequence, scores) for sequence, scores in scored if part == COMBINED or sequence.split == name
        ]
        frames = sum(len(sequence.frames) for sequence, _ in chosen)
        rows.append(row(name, part, combine([scores for _, scores in chosen]), frames))
    return rows


def _times(runs: list[SequenceRun]) -> dict[str, float]:
    """Milliseconds of each stage, a frame, and frames a second of all of them one after the other."""
    frames = sum(run.frames for run in runs)
    stages = {stage: None for run in runs for stage in run.milliseconds}
    totals = {
        stage: sum(run.milliseconds.get(stage, 0.0) * run.frames for run in runs) / frames for stage in stages
    }
    times = {f"{stage} ms": value for stage, value in totals.items()}
    times["crops"] = sum(run.crops * run.frames for run in runs) / frames
    times[_SPEED] = 1000 / max(sum(totals.values()), 1e-9)
    return times
