"""Identities as they were known while cameras ran: scores over cameras of the column `identity`.

    mot-reid track X-c*/X-c*.mp4 --jobs 2 --gallery G --identify --csv -o OUT
    python benchmarks/online_identities.py OUT --gt X

Each frame's boxes are scored by their track's id alone, with the identity that was known in that frame, and
with the last one of their track, merges that were told later carried out. Boxes without one get numbers of
their own, track by track. A run that was interrupted is scored up to where all cameras came.
"""

import argparse
import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from mot_reid.evaluation.across import Camera, score_across
from mot_reid.evaluation.motchallenge import BoxRows, read_ground_truth
from mot_reid.evaluation.sequences import Sequence, list_sequences
from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance

KINDS = ("the track alone", "known in the frame", "the track's last")


def identities(rows: list[dict[str, str]], kind: str, into: dict[int, int]) -> list[int]:
    """The identity of each row; 0 for none."""
    if kind == KINDS[0]:
        return [0] * len(rows)
    if kind == KINDS[1]:
        return [int(row["identity"] or 0) for row in rows]
    last = {row["id"]: int(row["identity"]) for row in rows if row["identity"]}
    found = []
    for row in rows:
        number = last.get(row["id"], 0)
        while number in into:
            number = into[number]
        found.append(number)
    return found


def camera(sequence: Sequence, rows: list[dict[str, str]], ids: list[int], last: int) -> Camera:
    """A camera's boxes up to a frame, with these ids."""
    frames = np.array([int(row["frame"]) for row in rows], np.int64)
    corners = [[float(row[name]) for name in ("x1", "y1", "x2", "y2")] for row in rows]
    boxes = np.array(corners, np.float64).reshape(-1, 4)
    ones = np.ones(len(rows), np.int64)
    found = BoxRows(frames, np.array(ids, np.int64), boxes, ones.astype(bool), ones)
    has_classes = sequence.protocol.has_classes
    truth = read_ground_truth(sequence.ground_truth, sequence.length, has_classes=has_classes)
    return Camera(truth, found, range(1, last + 1), sequence.protocol.distractors)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="output folder of track")
    parser.add_argument("--gt", type=Path, required=True, help="ground truth with one id space")
    given = parser.parse_args()
    sequences = {sequence.name: sequence for sequence in list_sequences(given.gt)}
    rows = {
        name: list(csv.DictReader((given.results / name / "tracks.csv").open(encoding="utf-8")))
        for name in sequences
    }
    last = min(max(int(row["frame"]) for row in own) for own in rows.values())
    rows = {name: [row for row in own if int(row["frame"]) <= last] for name, own in rows.items()}
    lines = (given.results / "identities.jsonl").read_text(encoding="utf-8").splitlines()
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    into = {
        event["identity"]: event["into"]
        for event in events
        if event["event"] == "merged" and event.get("at") != "end"
    }
    table = []
    for kind in KINDS:
        cameras, free = [], 1_000_000
        for name, own in rows.items():
            known = identities(own, kind, into)
            ids = [number or free + int(row["id"]) for number, row in zip(known, own, strict=True)]
            free += 1 + max(int(row["id"]) for row in own)
            cameras.append(camera(sequences[name], own, ids, last))
        found = score_across(cameras)
        line = {"identities": kind, "IDF1": found.scores.values()["IDF1"], **found.grouping}
        table.append(line | {"people": found.people, "numbers": found.identities})
    kinds = Counter(event["event"] for event in events)
    blank = sum(not row["identity"] for own in rows.values() for row in own)
    notes = [
        f"Frames 1 to {last}; {kinds['proposed']} proposed, {kinds['committed']} committed, {kinds['merged']}"
        f" merged; {blank} of {sum(map(len, rows.values()))} boxes without an identity"
    ]
    names = ["IDF1", "pair precision", "pair recall", "B3 precision", "B3 recall", "B3 F"]
    columns = [
        Column("identities"),
        *(Column(name, 1) for name in names),
        Column("people"),
        Column("numbers"),
    ]
    Table(f"{given.gt.name} while it runs", columns, table, provenance(), notes).show(Console(width=200))


if __name__ == "__main__":
    main()
