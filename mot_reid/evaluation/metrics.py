"""The metrics of multi-object tracking of one sequence or of several together.

CLEAR MOT and identity metrics come from motmetrics, HOTA from TrackEval; importing this module imports both
packages (and pandas), which costs about half a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mot_reid.evaluation.clear_identity import clear_identity, combine_clear_identity
from mot_reid.evaluation.comparison import Comparison
from mot_reid.evaluation.hota import ArrayHOTA, trackeval_data
from mot_reid.typing import Floats

__all__ = ["METRICS", "Metric", "Scores", "combine", "evaluate"]


@dataclass(frozen=True)
class Metric:
    """A column of a table of results.

    Attributes:
        name: its heading.
        help: what it says.
        kind: a share from 0 to 100 (MOTA can be less), or a number of things.
        source: its name in the package that computes it.
    """

    name: str
    help: str
    kind: Literal["percent", "count"]
    source: str


METRICS: tuple[Metric, ...] = (
    Metric(
        "HOTA", "higher order tracking accuracy: √(DetA · AssA) over 19 IoU thresholds", "percent", "HOTA"
    ),
    Metric("DetA", "detection accuracy in HOTA", "percent", "DetA"),
    Metric("AssA", "association accuracy in HOTA", "percent", "AssA"),
    Metric("LocA", "mean IoU of HOTA's matches", "percent", "LocA"),
    Metric("MOTA", "1 - (FN + FP + IDs) / GT", "percent", "mota"),
    Metric("MOTP", "mean IoU of the matches (motmetrics has 1 - IoU)", "percent", "motp"),
    Metric("IDF1", "F1 of boxes under the best one-to-one map of people to tracks", "percent", "idf1"),
    Metric("IDP", "precision under that map", "percent", "idp"),
    Metric("IDR", "recall under that map", "percent", "idr"),
    Metric("Precision", "share of the tracks' boxes that match a person", "percent", "precision"),
    Metric("Recall", "share of the people's boxes that are matched", "percent", "recall"),
    Metric("MT", "people mostly tracked: in 80% of their frames or more", "count", "mostly_tracked"),
    Metric("PT", "people partially tracked", "count", "partially_tracked"),
    Metric("ML", "people mostly lost: tracked in less than 20% of their frames", "count", "mostly_lost"),
    Metric("FP", "boxes of tracks where nobody is", "count", "num_false_positives"),
    Metric("FN", "boxes of people that were missed", "count", "num_misses"),
    Metric(
        "IDs",
        "identity switches: a person's track is not that of the last match",
        "count",
        "num_switches",
    ),
    Metric("Frag", "times a person was lost and found again", "count", "num_fragmentations"),
    Metric("GT", "boxes in the ground truth", "count", "num_objects"),
    Metric("People", "people in the ground truth", "count", "num_unique_objects"),
    Metric("Boxes", "boxes of tracks", "count", "num_predictions"),
    Metric("Tracks", "tracks in the results", "count", "num_unique_predictions"),
)
"""All metrics, in the order for tables."""

_HOTA = ArrayHOTA()


@dataclass(frozen=True)
class Scores:
    """What was measured on one sequence or several, with all it takes to combine it with more.

    Attributes:
        clear_identity: motmetrics' values, by its names.
        hota: TrackEval's fields of HOTA: ``(19,)`` for thresholds 0.05, 0.10, ... 0.95, or one number.
    """

    clear_identity: Mapping[str, float]
    hota: Mapping[str, Floats | float]

    def values(self) -> dict[str, Any]:
        """Every metric of `METRICS` by its name: floats 0..100 for a percent, ints for a count.

        What would divide by nothing is NaN: recall without ground truth, precision without tracks, MOTP
        without matches. HOTA's parts are then as TrackEval gives them: 0, and LocA 100.
        """
        return {metric.name: self._value(metric) for metric in METRICS}

    def _value(self, metric: Metric) -> float:
        if metric.source in self.hota:
            return 100 * float(np.mean(self.hota[metric.source]))
        value = self.clear_identity[metric.source]
        if metric.kind == "count":
            return int(value)
        if metric.source == "motp":
            value = 1 - value
        return 100 * value if np.isfinite(value) else np.nan


def evaluate(comparison: Comparison) -> Scores:
    """Measures the results of one sequence."""
    return Scores(clear_identity(comparison), _HOTA.eval_sequence(trackeval_data(comparison)))


def combine(scores: Sequence[Scores]) -> Scores:
    """The scores over several sequences, each box counting the same, as both packages combine them.

    Raises:
        ValueError: nothing to combine.
    """
    if not scores:
        raise ValueError("scores: expected at least one sequence")
    return Scores(
        combine_clear_identity([part.clear_identity for part in scores]),
        _HOTA.combine_sequences({str(i): part.hota for i, part in enumerate(scores)}),
    )
