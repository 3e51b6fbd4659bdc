"""How good a run's tracks are before and after their corrections, where there is ground truth."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from mot_reid.app.exporting import tracks_text
from mot_reid.app.runs import Run

__all__ = ["scores", "truth_of"]

_SHOWN = ("HOTA", "IDF1", "MOTA", "IDs", "FP", "FN")


def truth_of(run: Run) -> Path | None:
    """Ground truth of a run: what was given for it, or that of the MOTChallenge sequence that was tracked."""
    if run.truth is not None:
        return run.truth
    place = run.pictures.source()
    places = [] if place is None else [place, place.parent]
    return next((found for folder in places if (found := folder / "gt" / "gt.txt").is_file()), None)


def scores(run: Run) -> dict[str, Any]:
    """Scores of the tracks as they were found, and with their corrections.

    Raises:
        ValueError: there is no ground truth, or it is broken; the message names the file.
    """
    from mot_reid.evaluation.evaluate import evaluate

    truth = truth_of(run)
    if truth is None:
        raise ValueError("there is no ground truth for this run; --truth RUN=gt.txt says where it is")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in (("before", run.found.to_rows()), ("after", run.state.rows)):
            path = Path(folder) / name / "tracks.txt"
            path.parent.mkdir()
            path.write_text(tracks_text(rows), encoding="utf-8")
            (row,) = evaluate(path, truth).rows[:1]
            values = {key: row.get(key) for key in _SHOWN}
            found[name] = {
                key: None if value is None or value != value else value for key, value in values.items()
            }
    return {"truth": str(truth), "measures": list(_SHOWN), **found}
