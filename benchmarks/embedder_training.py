"""Draws the log of a training of the embedder, `metrics.csv`, as the picture beside it.

    python benchmarks/embedder_training.py [benchmarks/embedder_training.csv]

Needs matplotlib.
"""

import csv
import sys
from pathlib import Path

import matplotlib.pyplot as plt

LOSSES = {"softmax": "softmax", "triplet": "triplet", "distillation": "distillation (unweighted)"}
SCORES = {"mean_average_precision": "mAP", "rank1": "rank-1"}


def read_log(path: Path) -> dict[str, list[float]]:
    """The columns of a log by their names."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def draw_log(columns: dict[str, list[float]], path: Path) -> None:
    """Write a picture: losses on the training set, retrieval on the held-out identities."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for name, label in LOSSES.items():
        left.plot(columns["epoch"][1:], columns[name][1:], marker=".", label=label)
    left.set(xlabel="epoch", title="losses, training", yscale="log")
    for name, label in SCORES.items():
        right.plot(columns["epoch"], [100 * value for value in columns[name]], marker=".", label=label)
    right.set(xlabel="epoch", title="held-out identities, %")
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    log = Path(sys.argv[1] if len(sys.argv) > 1 else "benchmarks/embedder_training.csv")
    draw_log(read_log(log), log.with_suffix(".png"))
