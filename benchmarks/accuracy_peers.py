r"""The accuracy of other trackers beside ours, on the same detections, embeddings and camera motion.

    MOT_REID_DATA=DIR python benchmarks/accuracy_peers.py mot17 --detections frcnn --embedder none \
        --camera-motion gmc.txt
    MOT_REID_DATA=DIR python benchmarks/accuracy_peers.py pets09-s2l1 --only preset --only deep-sort

Each tracker has its own defaults and gets the same detections; embeddings if it takes them and there is
an embedder; camera motion if it takes that, in place of its own estimate. Those that are not installed are
named below the table (association_speed.py tells how to install them).
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from peers import boxmot, others, ours, presets, ultralytics
from peers.base import Contender
from peers.scene import SceneFrame
from rich.console import Console
from rich.progress import track

from mot_reid.config import load_config
from mot_reid.evaluation.cache import ArrayCache
from mot_reid.evaluation.inputs import SequenceInputs, prepare_inputs
from mot_reid.evaluation.metrics import Scores, combine
from mot_reid.evaluation.motchallenge import PEDESTRIAN, BoxRows
from mot_reid.evaluation.report import metric_columns
from mot_reid.evaluation.scoring import score_rows
from mot_reid.evaluation.sequences import Sequence, find_sequences, one_of_each
from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance
from mot_reid.resources import cache_folder

CONTENDERS = (
    *ours.CONTENDERS,
    *others.CONTENDERS,
    *ultralytics.CONTENDERS,
    *boxmot.CONTENDERS,
    *presets.CONTENDERS,
)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", help="as for mot-reid benchmark, like the options that follow")
    parser.add_argument("--data", default=os.environ.get("MOT_REID_DATA"))
    parser.add_argument("--detections")
    parser.add_argument("--embedder", default=None)
    parser.add_argument("--camera-motion", default=None)
    parser.add_argument("--half", default="all")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--only", action="append", default=[], help="trackers whose name holds this")
    parser.add_argument("-o", "--output", type=Path, help="folder for the table")
    parser.add_argument("--name", default="accuracy-peers", help="name of the table's files")
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    overrides = list(chosen.set)
    if chosen.embedder is not None:
        overrides.append(f"embedder.weights={chosen.embedder}")
    if chosen.camera_motion is not None:
        overrides.append(f"camera.motion={chosen.camera_motion}")
    config = load_config(None, overrides)
    found = find_sequences(chosen.dataset, chosen.data, half=chosen.half)
    cache = ArrayCache(cache_folder() / "benchmark")
    scenes = [
        (sequence, prepare_inputs(sequence, config, cache, detections=chosen.detections))
        for sequence in one_of_each(found, chosen.detections)
    ]
    embedded = config.embedder.weights != "none"
    wanted = [entry for entry in CONTENDERS if embedded or not entry.appearance]
    if chosen.only:
        wanted = [entry for entry in wanted if any(name in entry.name for name in chosen.only)]
    rows, notes = [], []
    for contender in track(wanted, "trackers", console=Console(stderr=True), disable=not sys.stderr.isatty()):
        try:
            scores = combine([run(contender, sequence, inputs) for sequence, inputs in scenes])
        except Exception as error:  # a peer that is not there, or fails, shall not end the others
            notes.append(f"{contender.name}: {type(error).__name__}: {' '.join(str(error).split())[:120]}")
            continue
        gets = [name for name in ("appearance", "camera") if getattr(contender, name)]
        row = {"tracker": contender.name, "version": contender.version, "gets": ", ".join(gets) or "boxes"}
        rows.append(row | scores.values())
    columns = [Column("tracker"), Column("version"), Column("gets"), *metric_columns()]
    title = f"{chosen.dataset}, {chosen.detections or 'own'} detections, all trackers (online)"
    table = Table(title, columns, rows, provenance(), notes)
    table.show(Console(width=None if sys.stdout.isatty() else 400))
    if chosen.output is not None:
        table.save(chosen.output, chosen.name)


def run(contender: Contender, sequence: Sequence, inputs: SequenceInputs) -> Scores:
    """Tracks through one sequence with a fresh tracker, and scores it."""
    runner = contender.make()
    frames, ids, boxes = [], [], []
    still = np.eye(2, 3)
    for number, detections, affine in zip(sequence.frames, inputs.detections, inputs.affines, strict=True):
        embeddings = detections.embeddings
        frame = SceneFrame(
            xyxy=detections.xyxy,
            scores=detections.scores,
            embeddings=np.zeros((len(detections), 0), np.float32) if embeddings is None else embeddings,
            affine=still if affine is None else affine,
            true_ids=np.zeros(0, np.int64),
            true_xyxy=np.zeros((0, 4)),
        )
        seen, xyxy = runner.read(runner.step(runner.prepare(frame)))
        frames.append(np.full(len(seen), number))
        ids.append(seen)
        boxes.append(xyxy)
    count = sum(map(len, ids))
    results = BoxRows(
        frames=np.concatenate(frames).astype(np.int64),
        ids=np.concatenate(ids).astype(np.int64),
        xyxy=np.concatenate(boxes).astype(np.float64),
        counted=np.ones(count, bool),
        classes=np.full(count, PEDESTRIAN),
    )
    return score_rows(sequence, results)


if __name__ == "__main__":
    main()
