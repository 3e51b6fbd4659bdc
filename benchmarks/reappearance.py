"""People who were hidden or out of view for more than a second: how many come back with their id.

    MOT_REID_DATA=DIR python benchmarks/reappearance.py DATASET ... [--set SECTION.SETTING=VALUE] [-o FOLDER]

A person is seen in a frame if a detection that reaches the tracker overlaps the ground truth by half. Whoever
is not seen for more than a second, and then is for half a second at least in the second that follows, came
back. The id is kept if the track that most often covers the person in that second is the one that covered
the person last. Absences depend on detections alone, and so are the same with and without appearance.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from scipy.optimize import linear_sum_assignment

from mot_reid.boxes import iou
from mot_reid.config import Config, load_config
from mot_reid.evaluation.benchmark import track_inputs
from mot_reid.evaluation.cache import ArrayCache
from mot_reid.evaluation.comparison import MATCH_IOU
from mot_reid.evaluation.inputs import SequenceInputs, prepare_inputs
from mot_reid.evaluation.motchallenge import PEDESTRIAN, read_ground_truth
from mot_reid.evaluation.sequences import Sequence, find_sequences, one_of_each
from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance
from mot_reid.resources import cache_folder
from mot_reid.settings import changed_settings
from mot_reid.structures import Tracks

Timeline = NDArray[np.int64]


def absences(seen: NDArray[np.bool_], second: int) -> Iterator[tuple[int, int]]:
    """The spans ``[start, end)`` of a person's frames, longer than a second, between two sightings.

    Args:
        seen: for each frame ``(F,)`` whether a detection shows the person.
        second: how many frames it has.
    """
    frames = np.flatnonzero(seen)
    for last, first in pairwise(frames):
        if first - last - 1 > second and 2 * seen[first : first + second].sum() >= second:
            yield int(last) + 1, int(first)


def kept_id(covered_by: Timeline, start: int, end: int, second: int) -> bool:
    """Whether one came back from an absence ``[start, end)`` with the id from before it.

    Args:
        covered_by: for each frame ``(F,)`` the id of the track that covers the person, 0 for none.
        start: first frame of the absence.
        end: the frame after its last.
        second: how many frames it has.
    """
    before = covered_by[:start][covered_by[:start] > 0]
    after = covered_by[end : end + second]
    after = after[after > 0]
    return bool(before.size and after.size and before[-1] == np.bincount(after).argmax())


def matched(
    truth: NDArray[np.float64], boxes: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The pairs of boxes ``(G, 4)`` and ``(N, 4)`` that overlap by half, of the largest total IoU."""
    overlaps = iou(truth, boxes)
    overlaps[overlaps < MATCH_IOU] = 0
    rows, columns = linear_sum_assignment(-overlaps)
    made = overlaps[rows, columns] > 0
    return rows[made], columns[made]


def timelines(
    sequence: Sequence, inputs: SequenceInputs, tracks: dict[int, Tracks]
) -> tuple[NDArray[np.bool_], Timeline]:
    """For each person and frame ``(P, F)`` whether a detection shows the person, and the track's id."""
    truth = read_ground_truth(
        sequence.ground_truth, sequence.length, has_classes=sequence.protocol.has_classes
    )
    wanted = truth.counted & (truth.classes == PEDESTRIAN)
    people, numbers = np.unique(truth.ids, return_inverse=True)
    seen = np.zeros((len(people), len(sequence.frames)), bool)
    covered_by = np.zeros(seen.shape, np.int64)
    spans = truth.of_frames(sequence.frames)
    for i, (frame, span) in enumerate(zip(sequence.frames, spans, strict=True)):
        there, person = truth.xyxy[span][wanted[span]], numbers[span][wanted[span]]
        rows, _ = matched(there, inputs.detections[i].xyxy.astype(np.float64))
        seen[person[rows], i] = True
        rows, columns = matched(there, tracks[frame].xyxy.astype(np.float64))
        covered_by[person[rows], i] = tracks[frame].ids[columns]
    return seen, covered_by


def reappearances(sequence: Sequence, inputs: SequenceInputs, config: Config) -> tuple[int, int]:
    """How many came back after more than a second, and how many of them with their id."""
    tracks, _ = track_inputs(sequence, inputs, config)
    seen, covered_by = timelines(sequence, inputs, tracks)
    second = round(sequence.fps)
    kept = [
        kept_id(ids, start, end, second)
        for sightings, ids in zip(seen, covered_by, strict=True)
        for start, end in absences(sightings, second)
    ]
    return len(kept), sum(kept)


def without_appearance(inputs: SequenceInputs) -> SequenceInputs:
    """The same inputs, embeddings left out."""
    return replace(inputs, detections=[replace(frame, embeddings=None) for frame in inputs.detections])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("datasets", nargs="+", metavar="DATASET", help="as for mot-reid benchmark")
    parser.add_argument("--data", default=os.environ.get("MOT_REID_DATA"), help="folder of the data sets")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting")
    parser.add_argument("-o", "--output", type=Path, help="folder for the table")
    chosen = parser.parse_args()
    try:
        config = load_config(None, chosen.set)
        sequences = [sequence for name in chosen.datasets for sequence in find_sequences(name, chosen.data)]
    except (OSError, TypeError, ValueError) as error:
        sys.exit(f"error: {error}")
    rows = []
    for sequence in one_of_each(sequences, None):
        inputs = prepare_inputs(sequence, config, ArrayCache(cache_folder() / "benchmark"))
        total, kept = reappearances(sequence, inputs, config)
        _, blind = reappearances(sequence, without_appearance(inputs), config)
        counts = {"came back": total, "with their id": kept, "with their id, no appearance": blind}
        rows.append({"sequence": sequence.name, **counts})
    columns = [Column("sequence"), *(Column(name, None, "counts") for name in list(rows[0])[1:])]
    made_by = {**provenance(), "settings": changed_settings(config)}
    table = Table("People who were not seen for more than a second (online)", columns, rows, made_by)
    table.show(Console())
    if chosen.output is not None:
        table.save(chosen.output, "reappearance")


if __name__ == "__main__":
    main()
