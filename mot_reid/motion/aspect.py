"""DeepSORT's Kalman filter: aspect ratio and height, where `mot_reid.motion.kalman` has width and height.

Its noise (Wojke et al. 2017, arXiv 1703.07402, and its code) follows the height alone; the aspect ratio is
all but constant. States are kept as there, so that whoever reads a position finds a width in its place; of
the third coordinate only the velocity and the covariance are the aspect ratio's.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from mot_reid.config import MotionConfig
from mot_reid.motion.kalman import (
    INITIAL_POSITION_FACTOR,
    INITIAL_VELOCITY_FACTOR,
    KalmanStates,
)
from mot_reid.typing import Floats, Indices

__all__ = ["coast", "initiate", "predict", "squared_distances", "update"]

# Standard deviations that do not follow the box's size.
_ASPECT_STD = 1e-2
_ASPECT_VELOCITY_STD = 1e-5
_MEASURED_ASPECT_STD = 1e-1
_LEAST_HEIGHT = 1e-3


def initiate(measurements: Floats, config: MotionConfig) -> KalmanStates:
    """States of tracks that start at ``(N, 4)`` centre x, centre y, width, height, at rest."""
    position = measurements.T
    values = np.zeros((5, *position.shape))
    values[0] = position
    position_std = INITIAL_POSITION_FACTOR * config.position_std
    velocity_std = INITIAL_VELOCITY_FACTOR * config.velocity_std
    values[2] = _variances(position[3], position_std, _ASPECT_STD)
    values[4] = _variances(position[3], velocity_std, _ASPECT_VELOCITY_STD)
    return KalmanStates(values)


def predict(states: KalmanStates, config: MotionConfig, frames: float = 1.0) -> None:
    """Moves all states on by so many frames, in place; see `mot_reid.kernels.predict` for the formula."""
    n = frames
    with _aspects(states.values) as (position, velocity, p_xx, p_xv, p_vv):
        q_x = _variances(position[3], config.position_std, _ASPECT_STD)
        q_v = _variances(position[3], config.velocity_std, _ASPECT_VELOCITY_STD)
        position += n * velocity
        p_xx += 2 * n * p_xv + n * n * p_vv + n * q_x + max((n - 1) * n * (2 * n - 1) / 6, 0.0) * q_v
        p_xv += n * p_vv + max(n * (n - 1) / 2, 0.0) * q_v
        p_vv += n * q_v


def update(
    states: KalmanStates,
    rows: Indices,
    measurements: Floats,
    config: MotionConfig,
    scores: NDArray[np.floating] | None = None,
    certainty: Floats | None = None,
) -> None:
    """Corrects some states by what was measured, in place; for the arguments see `kalman.update`.

    Raises:
        ValueError: ``certainty`` is given: it is of other coordinates.
    """
    if certainty is not None:
        raise ValueError("certainty: expected None, the filter of aspect ratios has coordinates of its own")
    chosen = states.values[:, :, rows]
    with _aspects(chosen) as (position, velocity, p_xx, p_xv, p_vv):
        noise = _variances(position[3], config.position_std, _MEASURED_ASPECT_STD)
        if scores is not None:
            noise /= scores.astype(np.float64) ** 2
        innovation_variance = p_xx + noise
        gain_x, gain_v = p_xx / innovation_variance, p_xv / innovation_variance
        innovation = _measured(measurements) - position
        position += gain_x * innovation
        velocity += gain_v * innovation
        p_vv -= gain_v * p_xv
        p_xv -= gain_x * p_xv
        p_xx -= gain_x * p_xx
    states.values[:, :, rows] = chosen


def squared_distances(
    states: KalmanStates, rows: Indices, measurements: Floats, config: MotionConfig
) -> Floats:
    """Squared Mahalanobis distances ``(K,)`` of measurements from where states expect them.

    For the arguments see `kalman.squared_distances`.
    """
    with _aspects(states.values[:, :, rows]) as (position, _, p_xx, _, _):
        variance = p_xx + _variances(position[3], config.position_std, _MEASURED_ASPECT_STD)
        distances: Floats = ((_measured(measurements) - position) ** 2 / variance).sum(axis=0)
    return distances


def coast(states: KalmanStates, status: NDArray[np.int8], ages: Floats, longest: float) -> None:
    """Lets boxes that are not seen go on as they are, their size included."""


@contextmanager
def _aspects(values: Floats) -> Iterator[Floats]:
    """States ``(5, 4, N)`` with the aspect ratio in place of the width, while the block lasts."""
    values[0, 2] /= np.maximum(values[0, 3], _LEAST_HEIGHT)
    try:
        yield values
    finally:
        values[0, 2] *= np.maximum(values[0, 3], _LEAST_HEIGHT)


def _measured(measurements: Floats) -> Floats:
    """Measurements ``(4, K)``, with the aspect ratio in place of the width."""
    measured = measurements.T.copy()
    measured[2] /= np.maximum(measured[3], _LEAST_HEIGHT)
    return measured


def _variances(heights: Floats, share: float, aspect_std: float) -> Floats:
    """Variances ``(4, N)``: of the share of the height, but for the aspect ratio."""
    variances = np.broadcast_to((share * heights) ** 2, (4, len(heights))).copy()
    variances[2] = aspect_std**2
    return variances
