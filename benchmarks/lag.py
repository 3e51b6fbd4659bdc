"""What tracks gain where they are reported some frames later (``output.lag``).

    MOT_REID_DATA=DIR python benchmarks/lag.py [-o FOLDER]

MOT17's second half with YOLOX's detections and camera motion from file, PETS09-S2L1 and ADL-Rundle-6 as
MOTChallenge counts them, terrace1's two cameras together with the defaults; the last row of each is the whole
video's hindsight. Milliseconds are of the processor, for what the lag adds to a frame.
"""

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from mot_reid.config import Config, load_config
from mot_reid.evaluation.benchmark import as_reported, tracked
from mot_reid.evaluation.cache import ArrayCache
from mot_reid.evaluation.inputs import prepare_inputs
from mot_reid.evaluation.metrics import Scores, combine
from mot_reid.evaluation.motchallenge import BoxRows
from mot_reid.evaluation.scoring import score_rows
from mot_reid.evaluation.sequences import find_sequences
from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance
from mot_reid.resources import cache_folder

METRICS = ("HOTA", "MOTA", "IDF1")
MOT17 = ["embedder.weights=none", "camera.motion=gmc.txt"]
SETS: dict[str, tuple[str, str | None, list[str]]] = {
    "mot17": ("second", "yolox_x_ablation", MOT17),
    "pets09-s2l1": ("all", None, ["association.reentry=new"]),
    "adl-rundle-6": ("all", None, ["association.reentry=new"]),
    "terrace1": ("all", None, []),
}
"""The half, the detections and the settings of each data set."""


def rows_of(dataset: str, data: str | None, lags: list[int]) -> list[dict[str, Any]]:
    """A row for each lag, in frames, and one for hindsight."""
    half, detections, settings = SETS[dataset]
    config = load_config(None, settings)
    cache = ArrayCache(cache_folder() / "benchmark")
    found: dict[str, list[Scores]] = {}
    spent: dict[str, float] = {}
    frames = 0
    for sequence in find_sequences(dataset, data, half=half):
        inputs = prepare_inputs(sequence, config, cache, detections=detections)
        tracks, _, told = tracked(sequence, inputs, config)
        frames += len(sequence.frames)
        for lag in (*lags, None):
            begun = time.process_time()
            late = with_lag(config, 0.0 if lag is None else lag / sequence.fps)
            known = as_reported(sequence, inputs, late, tracks, told, offline=lag is None)
            name = "offline" if lag is None else str(lag)
            spent[name] = spent.get(name, 0.0) + time.process_time() - begun
            found.setdefault(name, []).append(score_rows(sequence, BoxRows.from_tracks(known)))
    rows = []
    for name, scores in found.items():
        values = combine(scores).values()
        row = {"data": dataset, "frames late": name} | {key: values[key] for key in (*METRICS, "IDs")}
        rows.append(row | {"ms a frame": 1000 * spent[name] / frames})
    return rows


def with_lag(config: Config, seconds: float) -> Config:
    """The configuration with another lag."""
    return replace(config, output=replace(config.output, lag=seconds))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=os.environ.get("MOT_REID_DATA"), help="folder of the data sets")
    parser.add_argument("--lags", type=int, nargs="+", default=[0, 5, 10, 30], help="frames")
    parser.add_argument("-o", "--output", type=Path, help="folder for the table")
    chosen = parser.parse_args()
    try:
        rows = [row for dataset in SETS for row in rows_of(dataset, chosen.data, chosen.lags)]
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    columns = [Column("data"), Column("frames late"), *(Column(key, 2) for key in METRICS), Column("IDs")]
    columns.append(Column("ms a frame", 2))
    table = Table("Tracks reported some frames later", columns, rows, provenance())
    table.show(Console())
    if chosen.output is not None:
        table.save(chosen.output, "lag")


if __name__ == "__main__":
    main()
