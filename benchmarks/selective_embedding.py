"""What tracking loses when fewer detections are embedded: the curve from all of them to none.

    MOT_REID_DATA=DIR python benchmarks/selective_embedding.py DATASET ... [--stride N] [-o FOLDER]

Each sequence is tracked with each share of embeddings, from the same detections, embeddings and camera
motion. What is embedded is counted beside ``association.embedding.share=1``, which embeds every confident
detection of every frame. Where the ground truth gives whoever returns a new identity, as MOTChallenge's does,
take ``--set association.reentry=new``.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from collections.abc import Sequence as Rows
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from mot_reid.config import Config, load_config
from mot_reid.evaluation.benchmark import track_inputs
from mot_reid.evaluation.cache import ArrayCache
from mot_reid.evaluation.inputs import SequenceInputs, prepare_inputs
from mot_reid.evaluation.motchallenge import BoxRows
from mot_reid.evaluation.scoring import score_rows
from mot_reid.evaluation.sequences import Sequence, find_sequences, one_of_each
from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance
from mot_reid.resources import cache_folder
from mot_reid.settings import changed_settings, with_settings

SHARES = (1.0, 0.5, 0.3, 0.2, 0.15, 0.1, 0.05, 0.02, 0.0)
METRICS = ("HOTA", "MOTA", "IDF1")


def every_nth(
    sequence: Sequence, inputs: SequenceInputs, stride: int, folder: Path
) -> tuple[Sequence, SequenceInputs]:
    """The same sequence at a lower frame rate: its frames 1, 1 + ``stride``, ...

    Args:
        sequence: all of it.
        inputs: its.
        stride: 1 for every frame.
        folder: where the thinned ground truth goes.
    """
    if stride == 1:
        return sequence, inputs
    kept = range(0, len(sequence.frames), stride)
    renumbered = {sequence.frames[k]: number for number, k in enumerate(kept, start=1)}
    lines = []
    for line in sequence.ground_truth.read_text(encoding="utf-8").splitlines():
        frame, comma, rest = line.partition(",")
        if comma and int(frame) in renumbered:
            lines.append(f"{renumbered[int(frame)]},{rest}\n")
    truth = folder / f"{sequence.name}-{stride}.txt"
    truth.write_text("".join(lines), encoding="utf-8")
    thinned = replace(
        sequence,
        name=f"{sequence.name}, {sequence.fps / stride:g} frames/s",
        ground_truth=truth,
        length=len(kept),
        half="all",
        fps=sequence.fps / stride,
    )
    affines = [composed(inputs.affines[max(k - stride + 1, 0) : k + 1]) for k in kept]
    return thinned, replace(inputs, detections=[inputs.detections[k] for k in kept], affines=affines)


def composed(affines: Rows[NDArray[np.float64] | None]) -> NDArray[np.float64] | None:
    """Camera motions ``(2, 3)`` one after the other as one; None where there was none at all."""
    total, last_row = np.eye(3), [[0.0, 0.0, 1.0]]
    for affine in affines:
        if affine is not None:
            total = np.vstack([affine, last_row]) @ total
    return None if all(affine is None for affine in affines) else total[:2]


def curve(sequence: Sequence, inputs: SequenceInputs, config: Config) -> list[dict[str, Any]]:
    """A row for each share of embeddings."""
    rows: list[dict[str, Any]] = []
    for share in SHARES:
        chosen = with_settings(config, {"association": {"embedding": {"share": share}}})
        tracks, asked = track_inputs(sequence, inputs, chosen)
        everything = asked if not rows else rows[0]["embeddings"]
        scores = score_rows(sequence, BoxRows.from_tracks(tracks)).values()
        rows.append(
            {
                "sequence": sequence.name,
                "embed_share": share,
                "embeddings": asked,
                "embedded %": 100 * asked / max(everything, 1),
                **{name: scores[name] for name in (*METRICS, "IDs")},
            }
        )
    return rows


def draw(rows: Rows[Mapping[str, Any]], path: Path) -> None:
    """HOTA and IDF1 of each sequence over the share that was embedded, as a picture."""
    names = list(dict.fromkeys(row["sequence"] for row in rows))
    figure, places = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for metric, place in zip(("HOTA", "IDF1"), places, strict=True):
        for name in names:
            own = [row for row in rows if row["sequence"] == name]
            place.plot(
                [row["embedded %"] for row in own], [row[metric] for row in own], marker="o", label=name
            )
        place.set_xscale("symlog", linthresh=1, linscale=0.5)
        place.set_xticks([0, 2, 5, 10, 20, 50, 100], ["0", "2", "5", "10", "20", "50", "100"])
        place.minorticks_off()
        place.set_xlabel("detections embedded, % of the confident ones")
        place.set_ylabel(metric)
        place.grid(alpha=0.3)
    places[0].legend(frameon=False, fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("datasets", nargs="+", metavar="DATASET", help="as for mot-reid benchmark")
    parser.add_argument("--data", default=os.environ.get("MOT_REID_DATA"), help="folder of the data sets")
    parser.add_argument("--detections", help="as for mot-reid benchmark; by default the detector's")
    parser.add_argument("--stride", type=int, default=1, help="take every N-th frame only")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting")
    parser.add_argument("-o", "--output", type=Path, help="folder for the table and the picture")
    parser.add_argument("--name", default="selective-embedding", help="of the files there")
    chosen = parser.parse_args()
    if chosen.stride < 1:
        sys.exit(f"error: --stride: expected a number from 1 on, got {chosen.stride}")
    try:
        config = load_config(None, chosen.set)
        sequences = [sequence for name in chosen.datasets for sequence in find_sequences(name, chosen.data)]
    except (OSError, TypeError, ValueError) as error:
        sys.exit(f"error: {error}")
    rows = []
    cache = ArrayCache(cache_folder() / "benchmark")
    with tempfile.TemporaryDirectory() as folder:
        for sequence in one_of_each(sequences, None):
            inputs = prepare_inputs(sequence, config, cache, detections=chosen.detections)
            rows += curve(*every_nth(sequence, inputs, chosen.stride, Path(folder)), config)
    columns = [Column("sequence"), Column("embed_share", 2), Column("embeddings"), Column("embedded %", 1)]
    columns += [*(Column(name, 2) for name in METRICS), Column("IDs")]
    made_by = {**provenance(), "settings": changed_settings(config)}
    table = Table("What is embedded, and what tracking makes of it (online)", columns, rows, made_by)
    table.show(Console())
    if chosen.output is not None:
        table.save(chosen.output, chosen.name)
        draw(rows, chosen.output / f"{chosen.name}.png")


if __name__ == "__main__":
    main()
