r"""Ours beside two peers at lower frame rates, and with other scores for the same detections.

    MOT_REID_DATA=DIR python benchmarks/rates_and_scores.py mot17 --half second \
        --detections yolox_x_ablation --camera-motion gmc.txt
    MOT_REID_DATA=DIR python benchmarks/rates_and_scores.py pets09-s2l1 --detections frcnn --scores as-is

Every n-th frame of each sequence, and all frames with every score s mapped by a monotone function. No
appearance: the peers take none. Each tracker has its own defaults, and is told the frame rate if it takes it.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from accuracy_peers import run
from numpy.typing import NDArray
from peers.base import Contender
from peers.others import pyxtrackers, roboflow
from rich.console import Console
from selective_embedding import every_nth

from mot_reid import Detections
from mot_reid.config import load_config
from mot_reid.evaluation.benchmark import track_inputs
from mot_reid.evaluation.cache import ArrayCache
from mot_reid.evaluation.inputs import SequenceInputs, prepare_inputs
from mot_reid.evaluation.metrics import Scores, combine
from mot_reid.evaluation.motchallenge import BoxRows
from mot_reid.evaluation.scoring import score_rows
from mot_reid.evaluation.sequences import Sequence, find_sequences, one_of_each
from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance
from mot_reid.resources import cache_folder

METRICS = ("HOTA", "MOTA", "IDF1")
MAPS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "as-is": lambda scores: scores,
    "s / 2": lambda scores: scores / 2,
    "0.15 + 0.25 s": lambda scores: 0.15 + 0.25 * scores,
    "s^3": lambda scores: scores**3,
    "s^0.5": lambda scores: scores**0.5,
}
"""What becomes of a score, by name."""

Scene = tuple[Sequence, SequenceInputs]


def with_scores(inputs: SequenceInputs, name: str) -> SequenceInputs:
    """The same inputs with their scores mapped."""
    mapped = [Detections(one.xyxy, MAPS[name](one.scores), one.classes) for one in inputs.detections]
    return replace(inputs, detections=mapped)


def ours(scene: Scene) -> Scores:
    """Our scores, as `mot-reid benchmark` has them."""
    sequence, inputs = scene
    config = load_config(None, ["embedder.weights=none"])
    return score_rows(sequence, BoxRows.from_tracks(track_inputs(sequence, inputs, config)[0]))


def peers(scene: Scene) -> dict[str, Callable[[], Scores]]:
    """What gives the scores of each peer, by its name and version."""
    sequence, inputs = scene
    contenders = (
        Contender(
            "roboflow BoT-SORT",
            "trackers",
            lambda: roboflow("BoTSORTTracker", frame_rate=sequence.fps),
            camera=True,
        ),
        Contender(
            "pyxtrackers ByteTrack", "pyxtrackers", lambda: pyxtrackers(frame_rate=round(sequence.fps))
        ),
    )
    return {
        f"{one.name} {one.version}": lambda one=one: run(one, sequence, inputs)  # type: ignore[misc]
        for one in contenders
    }


def rows_of(scenes: list[Scene], every: int, scores: str) -> list[dict[str, Any]]:
    """A row for each tracker."""
    found: dict[str, list[Scores]] = {}
    for scene in scenes:
        for name, track in {"mot_reid": lambda scene=scene: ours(scene), **peers(scene)}.items():
            found.setdefault(name, []).append(track())
    rows = []
    for name, each in found.items():
        values = combine(each).values()
        row = {"every": every, "scores": scores, "tracker": name}
        rows.append(row | {key: values[key] for key in (*METRICS, "IDs")})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", help="as for mot-reid benchmark, like the options up to --camera-motion")
    parser.add_argument("--data", default=os.environ.get("MOT_REID_DATA"), help="folder of the data sets")
    parser.add_argument("--half", default="all")
    parser.add_argument("--detections", required=True)
    parser.add_argument("--camera-motion", default="none")
    parser.add_argument("--every", type=int, nargs="+", default=[1, 2, 3, 5, 10, 15], metavar="N")
    parser.add_argument("--scores", nargs="+", default=list(MAPS), choices=MAPS, help="what becomes of s")
    parser.add_argument("-o", "--output", type=Path, help="folder for the table")
    parser.add_argument("--name", default="rates-and-scores", help="of the files there")
    chosen = parser.parse_args()
    config = load_config(None, ["embedder.weights=none", f"camera.motion={chosen.camera_motion}"])
    try:
        found = find_sequences(chosen.dataset, chosen.data, half=chosen.half)
        cache = ArrayCache(cache_folder() / "benchmark")
        scenes = [
            (one, prepare_inputs(one, config, cache, detections=chosen.detections))
            for one in one_of_each(found, chosen.detections)
        ]
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for every in chosen.every:
            rows += rows_of([every_nth(*scene, every, Path(folder)) for scene in scenes], every, "as-is")
    for scores in chosen.scores:
        if scores != "as-is":
            rows += rows_of([(one, with_scores(inputs, scores)) for one, inputs in scenes], 1, scores)
    columns = [Column(name) for name in ("every", "scores", "tracker")]
    columns += [*(Column(name, 2) for name in METRICS), Column("IDs")]
    half = "" if chosen.half == "all" else f" {chosen.half} half"
    title = (
        f"{chosen.dataset}{half}, {chosen.detections} detections, every n-th frame, mapped scores (online)"
    )
    table = Table(title, columns, rows, provenance())
    table.show(Console())
    if chosen.output is not None:
        table.save(chosen.output, chosen.name)


if __name__ == "__main__":
    main()
