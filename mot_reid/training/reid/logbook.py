"""What a training measured: a CSV file, and the same for TensorBoard where its package is installed."""

from __future__ import annotations

import csv
import importlib.util
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from mot_reid.files import atomic

__all__ = ["EpochMetrics", "Logbook"]


class EpochMetrics(NamedTuple):
    """One row of `metrics.csv`.

    Attributes:
        epoch: from 1; 0 is the start.
        learning_rate: of the epoch's last step.
        loss: mean of the total.
        softmax: mean of that part, before weighting; 0 where it is left out, as the next four.
        triplet: likewise.
        contrastive: likewise.
        attributes: likewise.
        distillation: likewise.
        accuracy: share of the labelled crops that the first feature classifies rightly.
        mean_average_precision: on the held-out identities; nan without any.
        rank1: likewise.
        seconds: that the epoch's training took.
    """

    epoch: int
    learning_rate: float = 0.0
    loss: float = math.nan
    softmax: float = math.nan
    triplet: float = math.nan
    contrastive: float = math.nan
    attributes: float = math.nan
    distillation: float = math.nan
    accuracy: float = math.nan
    mean_average_precision: float = math.nan
    rank1: float = math.nan
    seconds: float = 0.0


class Logbook:
    """Writes `metrics.csv` and, if the package tensorboard is installed, TensorBoard's event files.

    Args:
        folder: to write to; `tensorboard --logdir` shows it.
        history: epochs of the part of the training that is over; the event files have them already.
    """

    def __init__(self, folder: Path, history: Iterable[EpochMetrics] = ()) -> None:
        self.folder = folder
        self.history = list(history)
        self.tensorboard = importlib.util.find_spec("tensorboard") is not None
        self._writer: Any = None

    def add(self, metrics: EpochMetrics, write: bool = True) -> None:
        """Takes in an epoch; both files are up to date afterwards, unless nothing shall be written."""
        self.history.append(metrics)
        if not write:
            return
        with atomic(self.folder / "metrics.csv") as part, part.open("w", newline="") as file:
            csv.writer(file).writerows([EpochMetrics._fields, *self.history])
        if not self.tensorboard:
            return
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            # Later event files win over what an interrupted epoch may have written before.
            self._writer = SummaryWriter(str(self.folder), purge_step=metrics.epoch)
        for name, value in zip(metrics._fields[1:], metrics[1:], strict=True):
            if math.isfinite(value):
                self._writer.add_scalar(name, value, metrics.epoch)
        self._writer.flush()

    def close(self) -> None:
        """Nothing more will come."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
