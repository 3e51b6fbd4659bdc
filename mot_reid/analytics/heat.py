"""Heat maps: where objects are, and for how long they stay there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mot_reid.analytics.geometry import anchor_points
from mot_reid.analytics.observations import Batch

__all__ = ["HeatMap"]


class HeatMap:
    """Adds up visits and seconds over a grid of cells.

    Args:
        size: width and height of the picture, pixels; points outside are left out.
        cell: side of a cell, pixels.
        patience: a gap longer than this many seconds adds no time.

    Attributes:
        presence: ``(rows, columns)`` int64: how often an object came into the cell.
        seconds: ``(rows, columns)`` float64: how long objects were in it, all together.
    """

    def __init__(self, size: tuple[int, int], cell: int = 16, patience: float = 2.0) -> None:
        self.cell = cell
        shape = -(-size[1] // cell), -(-size[0] // cell)
        self.presence = np.zeros(shape, np.int64)
        self.seconds = np.zeros(shape, np.float64)
        self._size, self._patience = size, patience

    def dwell(self) -> NDArray[np.float64]:
        """Mean seconds of one visit to each cell ``(rows, columns)``, 0 where nobody was."""
        return np.divide(
            self.seconds, self.presence, out=np.zeros_like(self.seconds), where=self.presence > 0
        )

    def update(self, batch: Batch) -> None:
        """Takes in a batch."""
        if not len(batch):
            return
        points = anchor_points(batch.xyxy, (0.5, 1.0))
        visible = ((points >= 0) & (points <= self._size)).all(axis=1)
        points = np.minimum(points, np.nextafter(self._size, 0.0))  # feet at the very edge are inside
        columns, rows = np.floor(points / self.cell).astype(np.int64).T
        cells = np.where(visible, rows * self.presence.shape[1] + columns, -1)
        gaps = batch.gaps()
        goes_on = gaps <= self._patience
        before = np.roll(cells, 1)
        # The time since the row before belongs to where the object was then.
        spent = goes_on & (before >= 0)
        self.seconds += self._summed(before[spent], gaps[spent])
        came = visible & ~batch.carried & ~(goes_on & (before == cells))
        self.presence += self._summed(cells[came], None).astype(np.int64)

    def _summed(
        self, cells: NDArray[np.int64], weights: NDArray[np.float64] | None
    ) -> NDArray[np.float64] | NDArray[np.int64]:
        return np.bincount(cells, weights, minlength=self.presence.size).reshape(self.presence.shape)
