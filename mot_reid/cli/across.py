"""Scores over cameras for ``mot-reid eval --across``."""

from pathlib import Path
from typing import Any

from mot_reid.provenance import provenance
from mot_reid.wording import counted

__all__ = ["across_table"]


def _global(path: Path) -> Path:
    """The file with identities beside a file of tracks, where there is one."""
    beside = path.with_name("tracks_global.txt")
    return beside if path.name == "tracks.txt" and beside.is_file() else path


def across_table(results: Path, choice: Any, lenient: bool) -> Any:
    """A table with one row: all chosen sequences as cameras with one id space.

    Args:
        results: the folder.
        choice: see `mot_reid.evaluation.evaluate.Choice`.
        lenient: leave broken rows out instead of stopping at the first.
    """
    from mot_reid.evaluation.across import Camera, score_across
    from mot_reid.evaluation.motchallenge import BoxRows, Problems, read_ground_truth, read_results
    from mot_reid.evaluation.scoring import find_results
    from mot_reid.evaluation.tables import Column, Table

    problems = Problems(lenient)
    pairs = find_results(results, choice.chosen, choice.known, problems)
    cameras = [
        Camera(
            read_ground_truth(
                sequence.ground_truth, sequence.length, problems, has_classes=sequence.protocol.has_classes
            ),
            BoxRows.empty() if path is None else read_results(_global(path), sequence.length, problems),
            sequence.frames,
            sequence.protocol.distractors,
        )
        for sequence, path in pairs
    ]
    found = score_across(cameras)
    values = found.scores.values()
    shown = ("IDF1", "IDP", "IDR", "HOTA", "AssA", "DetA", "MOTA", "IDs")
    row = {name: values[name] for name in shown} | {"aligned HOTA": found.aligned["HOTA"]} | found.grouping
    row |= {"people": found.people, "identities": found.identities, "matched": found.matched_identities}
    columns = [Column(name, 2) for name in shown[:-1]] + [Column("IDs"), Column("aligned HOTA", 2)]
    columns += [Column(name, 2) for name in found.grouping]
    columns += [Column("people"), Column("identities"), Column("matched")]
    notes = [
        "All cameras' frames one after the other, ids compared over all; pairs and B3 over matched boxes;"
        " aligned HOTA: a box counts under its person's one identity only; matched: identities with"
        " a matched box"
    ]
    return Table(
        f"{results.resolve().name} across {counted(len(cameras), 'camera')}",
        columns,
        [row],
        provenance=provenance(),
        notes=notes,
    )
