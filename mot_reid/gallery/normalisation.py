"""What all embeddings of a camera share is taken off, and they are brought to one spread; arrays only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mot_reid.typing import Embeddings, Floats32

__all__ = ["CameraStatistics", "camera_statistics", "normalised"]


SHRINK = 30.0
"""Records at which a camera's own mean counts as much as what all cameras share."""

SHRINK_DEVIATION = 100.0
"""Records at which a camera's own variance counts as much as all cameras': it takes more to know it."""


@dataclass(frozen=True, eq=False)
class CameraStatistics:
    """How the embeddings of cameras lie.

    Attributes:
        shared: ``(D,)`` mean of all cameras, to be taken off.
        own: ``(D,)`` likewise, by camera.
        scales: ``(D,)`` by camera: what brings its deviations to those of all cameras.
    """

    shared: Floats32
    own: Mapping[str, Floats32]
    scales: Mapping[str, Floats32]


def camera_statistics(
    embeddings: Embeddings,
    cameras: NDArray[np.object_],
    shrink: float = SHRINK,
    shrink_deviation: float = SHRINK_DEVIATION,
) -> CameraStatistics:
    """The mean and the deviation of each camera, shrunk towards those of all, and all's mean towards none.

    Light, background and height of a camera bring all its embeddings together, in some dimensions more than
    in others. With their mean taken off, strangers lie about 1 apart in every camera; with equal deviations,
    no dimension counts more in one camera than in another (Song et al., arXiv 2502.10195, and Zhuang et al.,
    arXiv 2001.08680, normalise by camera). Moments of few records are mostly those few people's: the mean of
    n counts n / (n + shrink), their variance n / (n + shrink_deviation).

    Args:
        embeddings: ``(N, D)`` unit rows.
        cameras: ``(N,)`` names.
        shrink: see above; infinite for no normalisation at all.
        shrink_deviation: see above; infinite for the mean alone.
    """
    count, dimension = embeddings.shape
    if not count or not np.isfinite(shrink):
        return CameraStatistics(np.zeros(dimension, np.float32), {}, {})
    mean = embeddings.mean(axis=0, dtype=np.float64)
    shared = mean * (count / (count + shrink))
    own, squares, counts = {}, {}, {}
    for camera in sorted(set(cameras.tolist())):
        rows = embeddings[cameras == camera]
        part = len(rows) / (len(rows) + shrink)
        own[camera] = (shared + part * (rows.mean(axis=0, dtype=np.float64) - mean)).astype(np.float32)
        squares[camera] = np.square(rows - own[camera]).sum(axis=0, dtype=np.float64)
        counts[camera] = len(rows)
    scales = {}
    if np.isfinite(shrink_deviation):
        variance = np.maximum(sum(squares.values()) / count, 1e-12)
        for camera, square in squares.items():
            shrunk = (square + shrink_deviation * variance) / (counts[camera] + shrink_deviation)
            scales[camera] = np.sqrt(variance / shrunk).astype(np.float32)
    return CameraStatistics(shared.astype(np.float32), own, scales)


def normalised(
    embeddings: Embeddings, cameras: NDArray[np.object_], statistics: CameraStatistics
) -> Embeddings:
    """Embeddings without what their cameras share, at equal deviations and length 1.

    Args:
        embeddings: ``(N, D)`` unit rows.
        cameras: ``(N,)`` names; what all cameras share is taken off where one is not known.
        statistics: of the cameras.
    """
    found = embeddings - statistics.shared
    for camera in statistics.own:
        rows = cameras == camera
        found[rows] = embeddings[rows] - statistics.own[camera]
        if camera in statistics.scales:
            found[rows] *= statistics.scales[camera]
    return (found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)).astype(np.float32)
