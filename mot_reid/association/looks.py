"""How alike tracklets and detections look, once what everybody in a video shares is taken off."""

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels

__all__ = ["Looks"]

Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]
Vectors = NDArray[np.float32]


class Looks:
    """Embeddings of tracklets and of detections, compared where somebody asks.

    The distance is the cosine distance, in [0, 2], after their mean is taken off. What all people in a
    video share (light, camera, background) brings all embeddings together, more with one embedder than with
    another. Without it strangers lie about 1 apart whatever the embedder and the video, so that one gate
    serves all. (Centring by the mean of the domain: Sun et al. 2017, arXiv 1612.01939, section 3, in its
    first moment only.)

    Args:
        tracks: ``(T, D)``, L2-normalised.
        detections: ``(K, D)`` likewise, of the known detections in their order.
        known: ``(M,)`` which of the detections have an embedding; only those can be asked for.
        remembered: ``(T,)`` which of the tracklets have one.
    """

    def __init__(self, tracks: Vectors, detections: Vectors, known: Mask, remembered: Mask) -> None:
        self.known = known
        self._tracks, self._detections = tracks, np.ascontiguousarray(detections, np.float32)
        self._place = known.cumsum() - 1  # of each detection among those known
        # (a - u)(b - u) = ab - au - bu + uu: the embeddings themselves need not be copied.
        self._along_tracks, self._along_detections, self._rest = kernels.along_usual(
            tracks, self._detections, remembered
        )

    def of_detections(self, columns: Rows) -> Vectors:
        """The embeddings ``(C, D)`` of some detections ``(C,)``."""
        return self._detections[self._place[columns]]

    def pair_distances(self, rows: Rows, columns: Rows) -> Vectors:
        """Distances ``(K,)`` of tracklets ``(K,)`` from detections ``(K,)``, pair by pair."""
        along = self._along_tracks, self._along_detections
        return kernels.pair_distances(
            self._tracks, self._detections, rows, self._place[columns], *along, self._rest
        )

    def distances(self, rows: Rows, columns: Rows) -> Vectors:
        """Distances ``(R, C)`` of tracklets ``(R,)`` from detections ``(C,)``, each from all."""
        columns = self._place[columns]
        products: Vectors = self._tracks[rows] @ self._detections[columns].T
        along = self._along_tracks[rows], self._along_detections[columns]
        return kernels.centred(products, *along, self._rest)
