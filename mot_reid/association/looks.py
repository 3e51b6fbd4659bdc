"""What a tracker remembers of how people look, and who of another part of the video is one of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.association.candidates import LEAST_MARGIN
from mot_reid.association.reentry import Neighbours
from mot_reid.association.tracklets import TrackletTable
from mot_reid.kernels.constants import PRIOR_TRACKS

__all__ = ["Looks", "looks_of", "same_people"]

Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Looks:
    """How the tracks look that are in view or may return.

    Attributes:
        ids: ``(T,)`` int64.
        embeddings: ``(T, D)`` float32, L2-normalised.
        neighbours: how near in appearance the nearest other one in view comes.
    """

    ids: NDArray[np.int64]
    embeddings: Vectors
    neighbours: Neighbours

    def after(self, later: "Looks") -> "Looks":
        """Gives these and later ones together; of a track in both the later look counts."""
        if not len(self.ids) or not len(later.ids):
            return later if len(later.ids) else Looks(self.ids, self.embeddings, later.neighbours)
        kept = ~np.isin(self.ids, later.ids)
        ids = np.concatenate([self.ids[kept], later.ids])
        return Looks(ids, np.concatenate([self.embeddings[kept], later.embeddings]), later.neighbours)


def looks_of(table: TrackletTable, neighbours: Neighbours) -> Looks:
    """Copies what a table of tracklets holds."""
    known = table.rows["has_embedding"] & (table.rows["id"] > 0)
    return Looks(table.rows["id"][known].astype(np.int64), table.embeddings[known], neighbours)


def same_people(
    new: Vectors,
    gone: Vectors,
    possible: NDArray[np.bool_],
    newcomers: NDArray[np.integer],
    together: NDArray[np.bool_],
    neighbours: Neighbours,
) -> list[tuple[int, int]]:
    """Which new tracks are who has gone, by looks alone and by the rule for who returns (`Neighbours`).

    One after the other, as they came: who is known again is no newcomer for those behind.

    Args:
        new: embeddings ``(N, D)``, in the order in which they began.
        gone: embeddings ``(M, D)``.
        possible: which pairs ``(N, M)`` can be one person.
        newcomers: of each pair ``(N, M)``, how many others but ``new`` have come since the one had gone.
        together: which new ones ``(N, N)`` were there at the same time as another one.
        neighbours: how near others come.

    Returns:
        Places of pairs, none twice; none where another one who has gone, or who is there at the same time, is
        nearly as alike.
    """
    if not len(new) or not len(gone):
        return []
    total = new.sum(axis=0) + gone.sum(axis=0)
    mean = total / np.float32(len(new) + len(gone) + PRIOR_TRACKS)
    distances = kernels.centred(new @ gone.T, new @ mean, gone @ mean, float(mean @ mean))
    free, unknown, found = np.ones(len(gone), bool), np.ones(len(new), bool), list[tuple[int, int]]()
    for row, near in enumerate(distances):
        strangers = row - len(found)
        gates = neighbours.gates(newcomers[row] + strangers)
        candidates = (free & possible[row] & (near <= gates)).nonzero()[0]
        if not candidates.size:
            continue
        column = int(candidates[near[candidates].argmin()])
        others = np.delete(near, column)[np.delete(free, column)]
        rivals = np.concatenate([others, distances[together[row] & unknown, column]])
        if rivals.min(initial=np.inf) - near[column] >= LEAST_MARGIN:
            free[column] = unknown[row] = False
            found.append((row, column))
    return found
