"""The table of tracklets: one row each, columns of a structure of arrays, preallocated."""

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.kernels.constants import Status
from mot_reid.motion.kalman import KalmanStates

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
        ("at_edge", np.bool_),  # the last detection was cut off by the picture's edge, or nearly
    ],
    align=True,
)


class TrackletTable:
    """Rows of all live and lost tracklets, oldest first.

    Attributes:
        rows: structured array ``(N,)`` with the fields above; assign to ``table.rows["status"][mask]``.
        states: the Kalman filter's, a view too: it writes into the table.
        embeddings: ``(N, D)`` float32 unit rows, valid where ``rows["has_embedding"]``; D = 0 before any.
    """

    def __init__(self) -> None:
        self._rows = np.zeros(_FIRST_CAPACITY, _ROW)
        self._states = np.zeros((5, 4, _FIRST_CAPACITY))
        self._embeddings = np.zeros((_FIRST_CAPACITY, 0), np.float32)
        self._next_id = 1
        self._use(0)

    def __len__(self) -> int:
        return self._count

    def _use(self, count: int) -> None:
        """From here on so many rows are in use: the public views show them."""
        self._count = count
        self.rows: NDArray[np.void] = self._rows[:count]
        self.states = KalmanStates(self._states[:, :, :count])
        self.embeddings: NDArray[np.float32] = self._embeddings[:count]

    def append(
        self,
        states: KalmanStates,
        class_ids: NDArray[np.int64],
        scores: NDArray[np.float32],
        number: int,
        time: float,
    ) -> NDArray[np.intp]:
        """Adds tentative rows, first seen in frame ``number`` at ``time``, and returns their numbers."""
        added = len(class_ids)
        self._reserve(self._count + added)
        start = self._count
        self._use(start + added)
        new = self._rows[start : self._count]
        new[...] = np.zeros((), _ROW)
        new["class_id"] = class_ids
        new["score"] = scores
        new["hits"] = 1
        new["id_confidence"] = 1
        new["first_seen"], new["last_seen"], new["born"] = number, time, time
        self._states[:, :, start : self._count] = states.values
        return np.arange(start, self._count)

    def confirm(self, rows: NDArray[np.intp]) -> None:
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

    def distances(self, some: NDArray[np.intp], others: NDArray[np.intp]) -> NDArray[np.float32]:
        """Distances of appearance ``(R, C)`` between rows that have embeddings, see `AppearanceDistances`."""
        known = self.rows["has_embedding"]
        along, _, rest = kernels.along_mean(self.embeddings, self.embeddings[:0], known)
        products = self.embeddings[some] @ self.embeddings[others].T
        return kernels.centred(products, along[some], along[others], rest)

    def distance(self, one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
        """The same of two embeddings ``(D,)``, of which none need be a row's."""
        both = np.stack([one, other])
        along, _, rest = kernels.along_mean(
            np.concatenate([self.embeddings, both]),
            both[:0],
            np.append(self.rows["has_embedding"], [False] * 2),
        )
        products = one[None] @ other[:, None]
        return float(kernels.centred(products, along[-2:-1], along[-1:], rest)[0, 0])

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Removes the rows where ``mask`` ``(N,)`` is False; the order stays."""
        if np.count_nonzero(mask) == len(mask):
            return
        first = int(mask.argmin())  # what comes before stays in its place
        kept = first + mask[first:].nonzero()[0]
        self._use(first + len(kept))
        self._rows[first : self._count] = self._rows[kept]
        self._states[:, :, first : self._count] = self._states.take(kept, axis=2)
        self._embeddings[first : self._count] = self._embeddings[kept]

    def require_dimension(self, dimension: int) -> None:
        """Settles D at the first embedding; raises ValueError if a later one differs."""
        if not self._embeddings.shape[1]:
            self._embeddings = np.zeros((len(self._rows), dimension), np.float32)
            self._use(self._count)
        if dimension != self._embeddings.shape[1]:
            raise ValueError(f"embeddings: expected {self._embeddings.shape[1]} columns, got {dimension}")

    def saved(self) -> tuple[bytes, NDArray[np.float64], NDArray[np.float32]]:
        """Gives copies of the rows, as bytes, and of the Kalman states, for `restore`.

        The embeddings are not copied: nothing is blended into them before all that can fail is over.
        """
        return self.rows.tobytes(), self.states.values.copy(), self._embeddings

    def restore(self, saved: tuple[bytes, NDArray[np.float64], NDArray[np.float32]]) -> None:
        """Puts back what `saved` gave, if no row has come or gone since."""
        rows, self.states.values[...], self._embeddings = saved
        self.rows.view(np.uint8)[...] = np.frombuffer(rows, np.uint8)
        self._use(self._count)

    def blend_embeddings(
        self,
        rows: NDArray[np.intp],
        embeddings: NDArray[np.float32],
        places: NDArray[np.intp],
        momentum: NDArray[np.float32],
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
        kernels.blend(self._embeddings, rows, embeddings, places, old_shares)
        self.rows["has_embedding"][rows] = True

    def _reserve(self, needed: int) -> None:
        capacity = len(self._rows)
        if needed <= capacity:
            return
        extra = max(needed, 2 * capacity) - capacity
        self._rows = np.concatenate([self._rows, np.zeros(extra, _ROW)])
        self._states = np.concatenate([self._states, np.zeros((5, 4, extra))], axis=2)
        more = np.zeros((extra, self._embeddings.shape[1]), np.float32)
        self._embeddings = np.concatenate([self._embeddings, more])
