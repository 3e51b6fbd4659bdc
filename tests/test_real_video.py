"""Real video through the command line, scored against its ground truth."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import motmetrics
import numpy as np
import pytest

from mot_reid.boxes import iou, tlwh_to_xyxy


def scores(result: Path, truth: Path, last: int) -> dict[str, float]:
    """MOTA and IDF1 of the frames 1 to ``last``, by motmetrics; MOT15's ground truth, column 7 counts."""
    tracks, people = (np.loadtxt(path, delimiter=",", ndmin=2) for path in (result, truth))
    people = people[people[:, 6] == 1]
    accumulator = motmetrics.MOTAccumulator()
    for number in range(1, last + 1):
        seen, there = tracks[tracks[:, 0] == number], people[people[:, 0] == number]
        overlaps = iou(tlwh_to_xyxy(there[:, 2:6]), tlwh_to_xyxy(seen[:, 2:6]))
        distances = np.where(overlaps >= 0.5, 1 - overlaps, np.nan)
        accumulator.update(there[:, 1].astype(int), seen[:, 1].astype(int), distances, frameid=number)
    table = motmetrics.metrics.create().compute(accumulator, metrics=["mota", "idf1"])
    return {name: float(table[name].iloc[0]) for name in ("mota", "idf1")}


@pytest.mark.data
@pytest.mark.parametrize(
    ("source", "folder", "last", "mota", "idf1"),
    [
        ("pets09-s2l1/PETS09-S2L1.avi", "pets09-s2l1", 75, 0.65, 0.70),
        ("adl-rundle-6", "adl-rundle-6", 40, 0.50, 0.65),
    ],
)
def test_people_are_followed(
    source: str,
    folder: str,
    last: int,
    mota: float,
    idf1: float,
    run: Callable[..., Any],
    data: Path,
    tmp_path: Path,
) -> None:
    result = run("track", data / source, "-o", tmp_path, "--stop", last)
    assert result.code == 0, result.err
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["frames"] == last
    reached = scores(tmp_path / "tracks.txt", data / folder / "gt" / "gt.txt", last)
    assert reached["mota"] >= mota
    assert reached["idf1"] >= idf1
