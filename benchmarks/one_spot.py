"""What many boxes on one spot cost: a detector that fails, or suppresses no duplicates.

    python benchmarks/one_spot.py -o benchmarks/tables

Boxes of 60 x 150 pixels around one place, with scores from 0.5, through `Tracker.update` without models; with
the bound of `mot_reid.association.crowding` and without. Processor time of a frame, one thread, the median of
the frames behind the first; the largest assignment problem in pairs.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from rich.console import Console

from mot_reid import Detections, Tracker, kernels
from mot_reid.association import associator
from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance


def boxes(count: int, seed: int) -> Detections:
    random = np.random.default_rng(seed)
    centres = random.normal(500, 5, (count, 2))
    half = [30, 75] * np.exp(random.normal(0, 0.05, (count, 1)))
    return Detections(np.hstack([centres - half, centres + half]), random.uniform(0.5, 1, count))


def measure(count: int, frames: int, bound: bool) -> tuple[float, int]:
    """Milliseconds a frame, and pairs of the largest assignment problem."""
    tracker = Tracker(detector="none", embedder="none", camera_motion="none")
    tracker.notices.warns = False
    assign, pairs = kernels.assign_pairs, [0]

    def counted(rows: np.ndarray, *rest: object) -> np.ndarray:
        pairs.append(len(rows))
        return assign(rows, *rest)

    times = []
    with mock.patch.object(kernels, "assign_pairs", counted):
        for number in range(frames + 1):
            found = boxes(count, number)
            with mock.patch.object(
                associator, "best_of_each_spot", associator.best_of_each_spot if bound else _all
            ):
                start = time.process_time()
                tracker.update(None, found)
                times.append(time.process_time() - start)
    return 1000 * statistics.median(times[1:]), max(pairs)


def _all(_: Detections) -> None:
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--boxes", type=int, nargs="+", default=[100, 500, 2000], metavar="N")
    parser.add_argument("--frames", type=int, default=5, metavar="N", help="that are timed [5]")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="save the table there")
    chosen = parser.parse_args()
    kernels.compiled()
    measure(100, 2, True)  # compiles
    rows = []
    for count in chosen.boxes:
        (with_bound, few), (without, many) = (measure(count, chosen.frames, bound) for bound in (True, False))
        rows.append(
            {"boxes": count, "ms": with_bound, "pairs": few, "ms without": without, "pairs without": many}
        )
    columns = [
        Column("boxes"),
        Column("ms", 1),
        Column("pairs"),
        Column("ms without", 1),
        Column("pairs without"),
    ]
    made_by = "numba" if kernels.compiled() else "NumPy"
    table = Table(f"Boxes on one spot, milliseconds a frame ({made_by})", columns, rows, provenance())
    console = Console() if sys.stdout.isatty() else Console(width=160)
    table.show(console)
    if chosen.output:
        for path in table.save(chosen.output, f"one-spot-{made_by.lower()}"):
            console.print(f"saved {path}", highlight=False)


if __name__ == "__main__":
    main()
