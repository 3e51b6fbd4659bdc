"""PETS09-S2L1 scored a second time, its 19 identities merged into the 10 people they are.

    MOT_REID_DATA=DIR python benchmarks/people_who_return.py [-o FOLDER]

MOTChallenge gives a new identity to whoever leaves the picture and comes back. Who is who was seen on the
crops (weights/README.md). Both ways of scoring, with ``association.reentry`` same and new; shipped models,
online.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from mot_reid.config import load_config
from mot_reid.evaluation.benchmark import track_inputs
from mot_reid.evaluation.cache import ArrayCache
from mot_reid.evaluation.inputs import prepare_inputs
from mot_reid.evaluation.motchallenge import BoxRows
from mot_reid.evaluation.scoring import score_rows
from mot_reid.evaluation.sequences import find_sequences
from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance
from mot_reid.resources import cache_folder

PEOPLE = {19: 1, 13: 2, 11: 3, 12: 4, 9: 5, 10: 6, 14: 8, 15: 8, 18: 8}
"""The first identity of each person, by those that the same person has later."""


def merged(text: str) -> str:
    """The text of a ground truth in MOTChallenge's format with one identity for one person."""
    lines = [line.split(",", 2) for line in text.splitlines() if line.strip()]
    return "".join(
        f"{frame},{PEOPLE.get(int(identity), int(identity))},{rest}\n" for frame, identity, rest in lines
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=os.environ.get("MOT_REID_DATA"), help="folder of the data sets")
    parser.add_argument("-o", "--output", type=Path, help="folder for the table")
    chosen = parser.parse_args()
    try:
        (sequence,) = find_sequences("pets09-s2l1", chosen.data)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    inputs = prepare_inputs(sequence, load_config(), ArrayCache(cache_folder() / "benchmark"))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        truth = Path(folder) / "gt.txt"
        truth.write_text(merged(sequence.ground_truth.read_text(encoding="utf-8")), encoding="utf-8")
        for reentry in ("same", "new"):
            config = load_config(None, [f"association.reentry={reentry}"])
            found = BoxRows.from_tracks(track_inputs(sequence, inputs, config)[0])
            for name, entry in (
                ("MOTChallenge's 19", sequence),
                ("10 people", replace(sequence, ground_truth=truth)),
            ):
                scores = score_rows(entry, found).values()
                kept = {key: scores[key] for key in ("HOTA", "MOTA", "IDF1", "IDs")}
                rows.append({"association.reentry": reentry, "identities": name, **kept})
    columns = [Column("association.reentry"), Column("identities")]
    columns += [Column(key, 2) for key in ("HOTA", "MOTA", "IDF1")] + [Column("IDs")]
    table = Table("PETS09-S2L1 by identities and by people (online)", columns, rows, provenance())
    table.show(Console())
    if chosen.output is not None:
        table.save(chosen.output, "people-who-return")


if __name__ == "__main__":
    main()
