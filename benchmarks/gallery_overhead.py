"""What remembering costs: processor time of runs without a gallery, with one, and with identities meanwhile.

    python benchmarks/gallery_overhead.py SOURCE ... [--frames 300] [--rounds 3] [-o FOLDER]

The three take turns in one process, in another order in each round, over the same frames with the default
models, without a video; what is told are medians of the rounds, and of the rounds' own ratios.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from mot_reid.config import load_config
from mot_reid.evaluation.tables import Column, Table
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.live import online_identities
from mot_reid.gallery.queries import crop_embedder
from mot_reid.pipeline.run import track_source
from mot_reid.provenance import provenance
from mot_reid.tracker import Tracker
from mot_reid.video.sources import open_source, source_name

KINDS = ("no gallery", "gallery", "gallery and identities")


def one_run(tracker: Tracker, source: str, frames: int, kind: str) -> float:
    """Processor seconds of a run over the first frames."""
    with tempfile.TemporaryDirectory(prefix="mot_reid-") as folder, open_source(source, 1, frames) as opened:
        began = time.process_time()
        memory = None
        if kind != KINDS[0]:
            assert tracker.embedder is not None
            gallery = Gallery(Path(folder) / "gallery", tracker.embedder)
            online = online_identities(gallery) if kind == KINDS[2] else None
            memory = gallery.recorder("a", embed=crop_embedder(tracker.embedder), online=online)
        track_source(opened, tracker, Path(folder) / "out", memory=memory)
        return time.process_time() - began


def main() -> None:
    """Runs and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, help="save the table there")
    given = parser.parse_args()
    config = load_config(None)
    tracker = Tracker(config=replace(config, output=replace(config.output, formats=("mot",))))
    tracker.load()
    rows: list[dict[str, Any]] = []
    for source in given.sources:
        one_run(tracker, source, 20, KINDS[2])
        spent = np.zeros((given.rounds, len(KINDS)))
        for turn in range(given.rounds):
            for place in np.roll(np.arange(len(KINDS)), turn).tolist():
                spent[turn, place] = one_run(tracker, source, given.frames, KINDS[place])
        row: dict[str, Any] = {"source": source_name(source), "frames": given.frames}
        row |= {f"{kind}, s": float(np.median(spent[:, place])) for place, kind in enumerate(KINDS)}
        ratios = 100 * (np.median(spent / spent[:, :1], axis=0) - 1)
        row |= {f"{kind}, % more": float(ratios[place]) for place, kind in enumerate(KINDS) if place}
        rows.append(row)
        print(row, flush=True)
    columns = [Column("source"), Column("frames"), *(Column(name, 1) for name in list(rows[0])[2:])]
    table = Table("What remembering costs", columns, rows, provenance=provenance())
    table.show(Console(width=400))
    if given.output is not None:
        table.save(given.output, "gallery-overhead")


if __name__ == "__main__":
    main()
