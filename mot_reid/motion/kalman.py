"""A constant-velocity Kalman filter over many boxes at once.

The textbook filter has eight states a box: centre x, centre y, width, height and their velocities. With
diagonal noise and a measurement of the first four it never couples the four coordinates, so it falls apart
into four filters of two states each, whose 2x2 covariance is three numbers. That is how it is kept here:
``(N, 4)`` arrays and element-wise arithmetic, no matrix, no inverse, no loop. Units are pixels and frames.

The noise model (standard deviations as fractions of the box's width and height) is BoT-SORT's
(Aharon et al. 2022, arXiv 2206.14651, section 3.1); that a doubtful detection says less about the place is
GIAOTracker's idea (Du et al. 2022, arXiv 2202.11983, section 3.2), here with a noise of ``1 / score``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mot_reid.config import MotionConfig

__all__ = ["KalmanStates", "initiate", "predict", "update", "warp"]

Array = NDArray[np.float64]

# A new track's uncertainty, as multiples of the noise of one frame (DeepSORT's values).
_INITIAL_POSITION_FACTOR = 2.0
_INITIAL_VELOCITY_FACTOR = 10.0
# Widths and heights below this many pixels do not shrink the noise further.
_LEAST_SIDE = 1.0
# Scores below this do not raise the noise of a measurement further.
_LEAST_SCORE = 0.1


@dataclass
class KalmanStates:
    """The states of N boxes; every array is ``(N, 4)`` float64, columns centre x, centre y, width, height.

    Attributes:
        position: mean of the coordinates.
        velocity: mean of their velocities.
        p_xx: variance of each coordinate.
        p_xv: covariance of each coordinate with its velocity.
        p_vv: variance of each velocity.
    """

    position: Array
    velocity: Array
    p_xx: Array
    p_xv: Array
    p_vv: Array


def _scales(position: Array) -> Array:
    """Width, height, width, height of each box, what the noise is a fraction of: ``(N, 4)``."""
    sides = np.maximum(position[:, 2:], _LEAST_SIDE)
    return np.concatenate([sides, sides], axis=1)


def initiate(measurements: Array, config: MotionConfig) -> KalmanStates:
    """States of tracks that start at ``(N, 4)`` centre x, centre y, width, height, at rest."""
    scales = _scales(measurements)
    return KalmanStates(
        position=measurements.copy(),
        velocity=np.zeros_like(measurements),
        p_xx=(_INITIAL_POSITION_FACTOR * config.position_std * scales) ** 2,
        p_xv=np.zeros_like(measurements),
        p_vv=(_INITIAL_VELOCITY_FACTOR * config.velocity_std * scales) ** 2,
    )


def predict(states: KalmanStates, config: MotionConfig) -> None:
    """Moves all states one frame on, in place."""
    scales = _scales(states.position)
    states.position += states.velocity
    states.p_xx += 2 * states.p_xv + states.p_vv + (config.position_std * scales) ** 2
    states.p_xv += states.p_vv
    states.p_vv += (config.velocity_std * scales) ** 2


def update(
    states: KalmanStates,
    rows: NDArray[np.intp],
    measurements: Array,
    config: MotionConfig,
    scores: NDArray[np.floating] | None = None,
) -> None:
    """Corrects some states by what was measured, in place.

    Args:
        states: the states of all tracks.
        rows: ``(K,)`` which of them were measured, each at most once.
        measurements: ``(K, 4)`` centre x, centre y, width, height.
        config: the noise.
        scores: ``(K,)`` the detections' scores in [0, 1], None for 1; the standard deviation of a
            measurement's noise is divided by its score.
    """
    position, p_xx, p_xv = states.position[rows], states.p_xx[rows], states.p_xv[rows]
    deviation = config.position_std * _scales(position)
    if scores is not None:
        deviation /= np.maximum(scores, _LEAST_SCORE)[:, None]
    innovation_variance = p_xx + deviation**2
    gain_x = p_xx / innovation_variance
    gain_v = p_xv / innovation_variance
    innovation = measurements - position
    states.position[rows] = position + gain_x * innovation
    states.velocity[rows] += gain_v * innovation
    states.p_xx[rows] = p_xx - gain_x * p_xx
    states.p_xv[rows] = p_xv - gain_x * p_xv
    states.p_vv[rows] -= gain_v * p_xv


def warp(states: KalmanStates, affine: Array) -> None:
    """Carries all states into the coordinates of the next frame, in place, as the camera moved.

    Centres and their velocities go through the affine's linear part. Widths and heights only scale by it: a
    box stays upright when the camera rolls. Variances follow; the small coupling of x and y that a roll
    brings is left out, so that the filter stays four filters.

    Args:
        states: the states of all tracks.
        affine: ``(2, 3)``, maps pixels of the last frame to pixels of this one.
    """
    linear, shift = affine[:, :2], affine[:, 2]
    squared = linear**2
    scale = np.sqrt(abs(linear[0, 0] * linear[1, 1] - linear[0, 1] * linear[1, 0]))
    states.position[:, :2] = states.position[:, :2] @ linear.T + shift
    states.velocity[:, :2] = states.velocity[:, :2] @ linear.T
    states.position[:, 2:] *= scale
    states.velocity[:, 2:] *= scale
    for variance in (states.p_xx, states.p_xv, states.p_vv):
        variance[:, :2] = variance[:, :2] @ squared.T
        variance[:, 2:] *= scale**2
