"""How far apart tracklets and detections are in appearance, once what a whole video shares is taken off."""

import numpy as np

from mot_reid import kernels
from mot_reid.typing import Embeddings, Floats32, Indices, Mask

__all__ = ["AppearanceDistances"]


class AppearanceDistances:
    """Distances of appearance between one frame's tracklets and detections, computed when they are asked for.

    The distance is the cosine distance, in [0, 2], after the mean of the tracklets' embeddings is taken off.
    What all objects in a video share (light, camera, background) brings all embeddings together, more with
    one embedder than with another. Without it strangers lie about 1 apart whatever the embedder and the
    video, so that one gate serves all. (Centring by the mean of the domain: Sun et al. 2017, arXiv
    1612.01939, section 3, in its first moment only.)

    Args:
        tracks: ``(T, D)``, L2-normalised.
        mean: ``(D,)`` of those that there are, short while they are few.
        embeddings: ``(K, D)`` likewise, of detections.
        known: ``(M,)`` which of the detections have an embedding.
        remembered: ``(T,)`` which of the tracklets have one.
        places: ``(M,)`` the row in ``embeddings`` of each known detection; by default those that are known
            come one after the other.

    Attributes:
        mean: the same.
        vectors: ``embeddings``.
        known: the same.
        places: likewise.
    """

    def __init__(
        self,
        tracks: Embeddings,
        mean: Floats32,
        embeddings: Embeddings,
        known: Mask,
        remembered: Mask,
        places: Indices | None = None,
    ) -> None:
        self.vectors: Embeddings = np.ascontiguousarray(embeddings, np.float32)
        self.known = known
        self.places: Indices = known.cumsum() - 1 if places is None else places
        self.mean, self._tracks, self._remembered = mean, tracks, remembered
        # (a - u)(b - u) = ab - au - bu + uu: the embeddings themselves need not be copied.
        self._along_tracks, self._along_detections = tracks @ mean, self.vectors @ mean
        self._rest = float(mean @ mean)

    def embeddings(self, detections: Indices) -> Embeddings:
        """Gives the embeddings ``(C, D)`` of some known detections ``(C,)``."""
        return self.vectors.take(self.places[detections], axis=0)

    def of_pairs(self, tracks: Indices, detections: Indices) -> Floats32:
        """Gives the distances ``(K,)`` of tracklets ``(K,)`` from detections ``(K,)``, pair by pair.

        Where one of the two has no embedding, the distance is nan.
        """
        known = self._remembered, self.known
        along = self._along_tracks, self._along_detections
        return kernels.appearance_distances(
            *(self._tracks, self.vectors, tracks, detections, self.places), *known, *along, self._rest
        )

    def each_with_each(self, tracks: Indices, detections: Indices) -> Floats32:
        """Gives the distances ``(R, C)`` of tracklets ``(R,)`` from detections ``(C,)``, all known."""
        places = self.places[detections]
        products: Floats32 = self._tracks.take(tracks, axis=0) @ self.vectors.take(places, axis=0).T
        return kernels.centred(
            products, self._along_tracks[tracks], self._along_detections[places], self._rest
        )
