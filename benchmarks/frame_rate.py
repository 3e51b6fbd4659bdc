"""Tracking at lower frame rates: every n-th frame of each sequence, with ages in seconds and in frames.

    MOT_REID_DATA=DIR python benchmarks/frame_rate.py DATASET [--every N ...] [--set NAME=VALUE] [-o FOLDER]

Detections, embeddings and camera motion are computed for all frames and thinned: the motions between the
frames that are left are put together. In seconds is the default; in frames, the same settings are made longer
as the rate gets lower.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from selective_embedding import every_nth

from mot_reid.config import Config, load_config
from mot_reid.evaluation.benchmark import track_inputs
from mot_reid.evaluation.cache import ArrayCache
from mot_reid.evaluation.inputs import prepare_inputs
from mot_reid.evaluation.metrics import combine
from mot_reid.evaluation.motchallenge import BoxRows
from mot_reid.evaluation.scoring import score_rows
from mot_reid.evaluation.sequences import find_sequences, one_of_each
from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance
from mot_reid.resources import cache_folder
from mot_reid.settings import changed_settings, with_settings

METRICS = ("HOTA", "MOTA", "IDF1")
# The same numbers of frames as 30 a second have, whatever the rate: what would be if frames counted.
FRAMES_ALONE = (("report", "hidden_time"), ("lifecycle", "lost_time"), ("revive", "lost_time"))


def in_frames(config: Config, every: int) -> dict[str, Any]:
    """The settings in seconds made longer as the rate gets lower."""
    changes: dict[str, Any] = {}
    for part, name in FRAMES_ALONE:
        changes.setdefault(part, {})[name] = every * getattr(getattr(config.association, part), name)
    return {"association": changes}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", help="as for mot-reid benchmark, like the options up to --set")
    parser.add_argument("--data", default=os.environ.get("MOT_REID_DATA"), help="folder of the data sets")
    parser.add_argument("--half", default="all")
    parser.add_argument("--detections")
    parser.add_argument("--embedder")
    parser.add_argument("--camera-motion")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting")
    parser.add_argument(
        "--every", type=int, nargs="+", default=[1, 2, 3, 5], metavar="N", help="take every N-th"
    )
    parser.add_argument("-o", "--output", type=Path, help="folder for the table")
    parser.add_argument("--name", default="frame-rate", help="of the files there")
    chosen = parser.parse_args()
    if min(chosen.every) < 1:
        sys.exit(f"error: --every: expected numbers from 1 on, got {min(chosen.every)}")
    settings = list(chosen.set)
    settings += [f"embedder.weights={chosen.embedder}"] if chosen.embedder else []
    settings += [f"camera.motion={chosen.camera_motion}"] if chosen.camera_motion else []
    try:
        config = load_config(None, settings)
        found = find_sequences(chosen.dataset, chosen.data, half=chosen.half)
        sequences = one_of_each(found, chosen.detections)
        cache = ArrayCache(cache_folder() / "benchmark")
        inputs = [prepare_inputs(one, config, cache, detections=chosen.detections) for one in sequences]
    except (OSError, TypeError, ValueError) as error:
        sys.exit(f"error: {error}")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for every in chosen.every:
            thinned = [
                every_nth(one, given, every, Path(folder))
                for one, given in zip(sequences, inputs, strict=True)
            ]
            for ages in ("in seconds", "in frames"):
                variant = config if ages == "in seconds" else with_settings(config, in_frames(config, every))
                scores = combine(
                    [
                        score_rows(one, BoxRows.from_tracks(track_inputs(one, given, variant)[0]))
                        for one, given in thinned
                    ]
                ).values()
                rows.append(
                    {"every": every, "ages": ages, **{name: scores[name] for name in (*METRICS, "IDs")}}
                )
    columns = [Column("every"), Column("ages"), *(Column(name, 2) for name in METRICS), Column("IDs")]
    made_by = {**provenance(), "settings": changed_settings(config)}
    half = "" if chosen.half == "all" else f" {chosen.half} half"
    title = f"{chosen.dataset}{half}, {chosen.detections or 'own'} detections, every n-th frame (online)"
    table = Table(title, columns, rows, made_by)
    table.show(Console())
    if chosen.output is not None:
        table.save(chosen.output, chosen.name)


if __name__ == "__main__":
    main()
