"""The table of tracklets: one row each, columns of a structure of arrays, preallocated."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.kernels.constants import PRIOR_TRACKS, Status
from mot_reid.motion.kalman import KalmanStates
from mot_reid.typing import Floats, Floats32, Indices, Ints, Mask

__all__ = ["Status", "TrackletTable"]

_FIRST_CAPACITY = 64


_ROW = np.dtype(
    [
        ("id", np.int64),  # 0 while tentative: ids are given out on confirmation, so that none is wasted
        ("status", np.int8),
        ("class_id", np.int64),
        ("voted", np.int64, 4),  # classes that its detections had, where they disagreed
        ("votes", np.float64, 4),  # for each of those, see `mot_reid.association.classes`; 0 for none
        ("hits", np.int64),  # detections so far, from the first activating one on if there is one
        ("activated", np.bool_),  # one of them had the score that starts a track soon
        ("first_seen", np.int64),  # frame of the first detection
        ("born", np.float64),  # its time, seconds
        ("returned", np.bool_),  # took over a lost one's id
        ("newcomers", np.int64),  # ids given out until it was last seen
        ("last_seen", np.float64),  # time of the last detection, seconds
        ("score", np.float32),  # of the last detection
        ("has_embedding", np.bool_),
        ("embedded_views", np.int64),  # whose embeddings went in
        ("unembedded_views", np.int64),  # clear ones since the last one whose embedding went in
        ("drift", np.float64, 2),  # what the camera's motion made of the place since then, pixels
        ("carried", np.float64),  # the furthest that it was, heights
        ("id_confidence", np.float32),  # that this is still the object that got the id
        ("innovation", np.float64, 4),  # of the last detection, see `mot_reid.association.innovations`
        ("at_edge", np.bool_),  # the last detection was cut off by the picture's edge, or nearly
    ],
    align=True,
)

Columns = dict[str, NDArray[Any]]

# To multiply an embedding by so many others takes about as long as to copy it.
_FEW = 8
_VIEWS = frozenset(("rows", "states", "embeddings", "_blocks", "_columns"))


class _Rows(dict[str, NDArray[Any]]):
    """The first ``count`` rows of some columns, each cut when it is asked for: not all are in each frame."""

    def __init__(self, columns: Columns, count: int) -> None:
        self._whole, self._count = columns, count

    def __missing__(self, name: str) -> NDArray[Any]:
        column = self[name] = self._whole[name][: self._count]
        return column


class TrackletTable:
    """Rows of all live and lost tracklets, oldest first.

    Attributes:
        rows: the columns ``(N,)`` by the names above; assign to ``table.rows["status"][mask]``.
        states: the Kalman filter's, a view too: it writes into the table.
        embeddings: ``(N, D)`` float32 unit rows, valid where ``rows["has_embedding"]``; D = 0 before any.

    Args:
        gallery: how many embeddings of each row are kept beside that, the last ones.
    """

    def __init__(self, gallery: int = 0) -> None:
        self._gallery = gallery
        self._views = np.zeros((_FIRST_CAPACITY, gallery, 0), np.float32)
        self._lay_out(_FIRST_CAPACITY)
        self._states = np.zeros((5, 4, _FIRST_CAPACITY))
        self._embeddings = np.zeros((_FIRST_CAPACITY, 0), np.float32)
        self._next_id = 1
        self._use(0)

    def __len__(self) -> int:
        return self._count

    def __getstate__(self) -> dict[str, Any]:
        """What a copy needs: the columns are views of one another, which a copy of each would not be."""
        own = {name: value for name, value in vars(self).items() if name not in _VIEWS}
        return own | {"_saved": {name: self.rows[name].copy() for name in self._columns}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved: Columns = state.pop("_saved")
        vars(self).update(state)
        self._lay_out(self._states.shape[2])
        self._use(self._count)
        for name, column in saved.items():
            self.rows[name][...] = column

    def _use(self, count: int) -> None:
        """From here on so many rows are in use: the public views show them."""
        self._count = count
        self._mean: Floats32 | None = None
        self.rows: Columns = _Rows(self._columns, count)
        self.states = KalmanStates(self._states[:, :, :count])
        self.embeddings: Floats32 = self._embeddings[:count]

    def _lay_out(self, capacity: int) -> None:
        """Makes empty columns: those of one size lie in one block, where rows come and go in one piece."""
        self._blocks: list[NDArray[Any]] = []
        self._columns: Columns = {}
        for size in (8, 4, 1):
            fields = [(name, _ROW[name]) for name in _ROW.names or () if _ROW[name].base.itemsize == size]
            ends = np.cumsum([math.prod(field.shape) for _, field in fields]).tolist()
            block = np.zeros((ends[-1], capacity), f"u{size}")
            for (name, field), start, end in zip(fields, [0, *ends], ends, strict=False):
                lines = block[start:end].view(field.base)
                self._columns[name] = lines.T if field.shape else lines[0]
            self._blocks.append(block)

    def append(
        self,
        states: KalmanStates,
        class_ids: Ints,
        scores: Floats32,
        number: int,
        time: float,
    ) -> Indices:
        """Adds tentative rows, first seen in frame ``number`` at ``time``, and returns their numbers."""
        added = len(class_ids)
        self._reserve(self._count + added)
        start = self._count
        self._use(start + added)
        for block in self._blocks:
            block[:, start : self._count] = 0
        first: dict[str, Any] = {"class_id": class_ids, "score": scores, "hits": 1, "id_confidence": 1}
        first |= {"first_seen": number, "last_seen": time, "born": time}
        for name, value in first.items():
            self._columns[name][start : self._count] = value
        self._states[:, :, start : self._count] = states.values
        return np.arange(start, self._count)

    def row(self, row: int) -> Columns:
        """Gives a copy of one row, for `put_row`."""
        return {name: column[row].copy() for name, column in self._columns.items()}

    def put_row(self, row: int, saved: Columns) -> None:
        """Makes a row what another was when `row` gave this."""
        for name, column in self._columns.items():
            column[row] = saved[name]

    def confirm(self, rows: Indices) -> None:
        """Confirms tentative rows; each gets the next id, in the order given."""
        self.rows["status"][rows] = Status.CONFIRMED
        self.rows["id"][rows] = np.arange(self._next_id, self._next_id + len(rows))
        self._next_id += len(rows)

    def next_id(self) -> int:
        """Gives out an id."""
        self._next_id += 1
        return self._next_id - 1

    @property
    def given_ids(self) -> int:
        """How many ids were given out."""
        return self._next_id - 1

    def mean_embedding(self) -> Floats32:
        """Gives the mean ``(D,)`` of the rows' embeddings, short while they are few."""
        if self._mean is None:
            known = self.rows["has_embedding"]
            self._mean = known.astype(np.float32) @ self.embeddings
            self._mean /= np.float32(np.count_nonzero(known) + PRIOR_TRACKS)
        return self._mean

    def forget_mean(self) -> None:
        """Must be called by whoever writes into `embeddings`."""
        self._mean = None

    def put_embedding(self, row: int, embedding: Floats32) -> None:
        """Writes the embedding ``(D,)`` of a row that has one."""
        self.embeddings[row], self._mean = embedding, None

    def distances(self, some: Indices, others: Indices) -> Floats32:
        """Distances of appearance ``(R, C)`` between rows that have embeddings, see `AppearanceDistances`."""
        mean, embeddings = self.mean_embedding(), self.embeddings
        ahead = np.concatenate([embeddings.take(some, axis=0), mean[None]])
        if len(some) > _FEW:
            products = ahead @ embeddings.take(others, axis=0).T
        else:  # all rows are gone through where they lie: to copy those wanted would take longer
            products = (ahead @ embeddings.T).take(others, axis=1)
        return kernels.centred(products[:-1], ahead[:-1] @ mean, products[-1], float(mean @ mean))

    def keep(self, mask: Mask) -> None:
        """Removes the rows where ``mask`` ``(N,)`` is False; the order stays."""
        if np.count_nonzero(mask) == len(mask):
            return
        first = int(mask.argmin())  # what comes before stays in its place
        kept = first + mask[first:].nonzero()[0]
        self._use(first + len(kept))
        for block in self._blocks:
            block[:, first : self._count] = block.take(kept, axis=1)
        self._states[:, :, first : self._count] = self._states.take(kept, axis=2)
        self._embeddings[first : self._count] = self._embeddings.take(kept, axis=0)
        if self._gallery:
            self._views[first : self._count] = self._views[kept]

    def require_dimension(self, dimension: int) -> None:
        """Settles D at the first embedding; raises ValueError if a later one differs."""
        if not self._embeddings.shape[1]:
            self._embeddings = np.zeros((self._states.shape[2], dimension), np.float32)
            self._views = np.zeros((self._states.shape[2], self._gallery, dimension), np.float32)
            self._use(self._count)
        if dimension != self._embeddings.shape[1]:
            raise ValueError(f"embeddings: expected {self._embeddings.shape[1]} columns, got {dimension}")

    def saved(self) -> tuple[NDArray[Any], ...]:
        """Gives copies of what is written before all that can fail is over, for `restore`.

        That is where the boxes are, and how far the camera carried them.
        """
        carried = self.rows["drift"].copy(), self.rows["carried"].copy()
        return self.states.values.copy(), *carried, self._embeddings

    def restore(self, saved: tuple[NDArray[Any], ...]) -> None:
        """Puts back what `saved` gave, if no row has come or gone since."""
        states, drift, carried, self._embeddings = saved
        self.states.values[...], self.rows["drift"][...], self.rows["carried"][...] = states, drift, carried
        self._use(self._count)

    def blend_embeddings(
        self,
        rows: Indices,
        embeddings: Floats32,
        places: Indices,
        momentum: Floats32,
    ) -> None:
        """Moves the rows' embeddings towards new ones ``(M, D)``: a moving average, kept at unit length.

        Args:
            rows: ``(K,)``, each at most once.
            embeddings: unit rows.
            places: ``(K,)`` the row in ``embeddings`` of each.
            momentum: ``(K,)`` how much of the old ones stays; nothing where there is none.
        """
        self.require_dimension(embeddings.shape[1])
        if not len(rows):
            return
        old_shares = momentum * self.rows["has_embedding"][rows]
        self._mean = None
        kernels.blend(self._embeddings, rows, embeddings, places, old_shares)
        self.rows["has_embedding"][rows] = True

    def keep_views(
        self,
        rows: Indices,
        detections: Indices,
        embeddings: Floats32,
        places: Indices,
    ) -> None:
        """Puts the embeddings that have just gone in into the rows' galleries, if there are any.

        Args:
            rows: ``(K,)``, each at most once.
            detections: ``(K,)`` theirs.
            embeddings: ``(E, D)`` unit rows.
            places: ``(M,)`` the row in ``embeddings`` of each detection.
        """
        if self._gallery:
            oldest = (self.rows["embedded_views"][rows] - 1) % self._gallery
            self._views[rows, oldest] = embeddings[places[detections]]

    def similarities(self, rows: Indices, embeddings: Floats32) -> Floats:
        """Cosines ``(K,)`` of embeddings ``(K, D)`` with rows ``(K,)``, with the most alike of a gallery."""
        if not self._gallery:
            found: Floats = np.einsum("ij,ij->i", self.embeddings[rows], embeddings)
            return found
        alike = np.empty(len(rows))
        for row in np.unique(rows):
            views = self._views[row, : self.rows["embedded_views"][row]]
            alike[rows == row] = (embeddings[rows == row] @ views.T).max(axis=1)
        return alike

    def _reserve(self, needed: int) -> None:
        capacity = self._states.shape[2]
        if needed <= capacity:
            return
        extra = max(needed, 2 * capacity) - capacity
        before = self._blocks
        self._lay_out(capacity + extra)
        for block, old in zip(self._blocks, before, strict=True):
            block[:, :capacity] = old
        self._states = np.concatenate([self._states, np.zeros((5, 4, extra))], axis=2)
        more = np.zeros((extra, self._embeddings.shape[1]), np.float32)
        self._embeddings = np.concatenate([self._embeddings, more])
        views = np.zeros((extra, *self._views.shape[1:]), np.float32)
        self._views = np.concatenate([self._views, views])
