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
    neighbours: Neighbours,
) -> list[tuple[int, int]]:
    """Which new tracks are who has gone, by looks alone and by the rule for who returns (`Neighbours`).

    Args:
        new: embeddings ``(N, D)``.
        gone: embeddings ``(M, D)``.
        possible: which pairs ``(N, M)`` can be one person.
        newcomers: of each pair ``(N, M)``, how many began since the one had gone.
        neighbours: how near others come.

    Returns:
        Places of pairs, the most alike first, none twice; none whose next best is nearly as alike.
    """
    if not len(new) or not len(gone):
        return []
    total = new.sum(axis=0) + gone.sum(axis=0)
    mean = total / np.float32(len(new) + len(gone) + PRIOR_TRACKS)
    distances = kernels.centred(new @ gone.T, new @ mean, gone @ mean, float(mean @ mean))
    gates = neighbours.gates(newcomers.ravel()).reshape(newcomers.shape)
    near = np.where(possible & (distances <= gates), distances, np.inf)
    found: list[tuple[int, int]] = []
    for place in np.argsort(near, axis=None)[: int(np.isfinite(near).sum())]:
        row, column = (int(index) for index in np.unravel_index(int(place), near.shape))
        if any(row == a or column == b for a, b in found):
            continue
        rivals = np.concatenate([np.delete(distances[row], column), np.delete(distances[:, column], row)])
        if rivals.min(initial=np.inf) - near[row, column] >= LEAST_MARGIN:
            found.append((row, column))
    return found
