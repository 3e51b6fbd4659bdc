"""What all embeddings of a camera share is taken off; arrays only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CameraMeans", "camera_means", "normalised"]

Vectors = NDArray[np.float32]

SHRINK = 30.0
"""Records at which a camera's own mean counts as much as what all cameras share."""


@dataclass(frozen=True, eq=False)
class CameraMeans:
    """What is taken off embeddings.

    Attributes:
        shared: ``(D,)`` of all cameras.
        own: ``(D,)`` by camera.
    """

    shared: Vectors
    own: Mapping[str, Vectors]

    def of(self, camera: str | None) -> Vectors:
        """What is taken off embeddings of a camera; what all share where it is not known."""
        return self.shared if camera is None else self.own.get(camera, self.shared)


def camera_means(embeddings: Vectors, cameras: NDArray[np.object_], shrink: float = SHRINK) -> CameraMeans:
    """The mean embedding of each camera, shrunk towards that of all, and that one towards none.

    Light, background and height of a camera bring all its embeddings together; with their mean taken off,
    strangers lie about 1 apart in every camera (Song et al., arXiv 2502.10195, and Zhuang et al., arXiv
    2001.08680, normalise by camera; here the first moment only). A mean of few records is mostly those few
    people, so it counts n / (n + shrink).

    Args:
        embeddings: ``(N, D)`` unit rows.
        cameras: ``(N,)`` names.
        shrink: see above; infinite for no normalisation at all.
    """
    count, dimension = embeddings.shape
    if not count or not np.isfinite(shrink):
        return CameraMeans(np.zeros(dimension, np.float32), {})
    mean = embeddings.mean(axis=0, dtype=np.float64)
    shared = mean * (count / (count + shrink))
    own = {}
    for camera in sorted(set(cameras.tolist())):
        rows = embeddings[cameras == camera]
        part = len(rows) / (len(rows) + shrink)
        own[camera] = (shared + part * (rows.mean(axis=0, dtype=np.float64) - mean)).astype(np.float32)
    return CameraMeans(shared.astype(np.float32), own)


def normalised(embeddings: Vectors, cameras: NDArray[np.object_], means: CameraMeans) -> Vectors:
    """Embeddings ``(N, D)`` without what their cameras share, at length 1."""
    found = embeddings - means.shared
    for camera in means.own:
        own = cameras == camera
        found[own] = embeddings[own] - means.own[camera]
    return (found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)).astype(np.float32)
