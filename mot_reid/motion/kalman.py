"""A constant-velocity Kalman filter over many boxes at once.

The textbook filter has eight states a box: centre x, centre y, width, height and their velocities. With
diagonal noise and a measurement of the first four it never couples the four coordinates, so it falls apart
into four filters of two states each, whose 2x2 covariance is three numbers. That is how it is kept here: one
``(5, 4, N)`` array and element-wise arithmetic, no inverse, no loop. Units are pixels and frames.

The noise model (standard deviations as fractions of the box's width and height) is BoT-SORT's
(Aharon et al. 2022, arXiv 2206.14651, section 3.1); that a doubtful detection says less about the place is
GIAOTracker's idea (Du et al. 2022, arXiv 2202.11983, section 3.2), here with a noise of ``1 / score``.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.config import MotionConfig
from mot_reid.kernels.numpy.motion import squared_sides
from mot_reid.typing import Floats, Indices

__all__ = [
    "INITIAL_POSITION_FACTOR",
    "INITIAL_VELOCITY_FACTOR",
    "NOMINAL_INTERVAL",
    "KalmanStates",
    "at_interval",
    "certainty",
    "coast",
    "initiate",
    "predict",
    "squared_distances",
    "update",
    "warp",
]


NOMINAL_INTERVAL = 1 / 30
"""Seconds from frame to frame for which the noise of the velocity is set."""
# A measured place is so many times less sure than one predicted from the frame before, at that interval.
_MEASURED_FACTOR = 2.0
_SURE = np.ones(4)
INITIAL_POSITION_FACTOR = 2.0
"""A new track's uncertainty, as a multiple of the noise of one frame (DeepSORT's value)."""
INITIAL_VELOCITY_FACTOR = 10.0
"""The same of its velocity."""


@dataclass
class KalmanStates:
    """The states of N boxes.

    Attributes:
        values: ``(5, 4, N)`` float64. Along the first axis: `position`, `velocity`, `p_xx`, `p_xv`, `p_vv`;
            along the second: centre x, centre y, width, height. The boxes come last, so that each of the
            twenty numbers lies in one piece for all of them.
    """

    values: Floats

    @property
    def position(self) -> Floats:
        """Mean of the coordinates, a view ``(N, 4)``."""
        return self.values[0].T

    @property
    def velocity(self) -> Floats:
        """Mean of their velocities, a view ``(N, 4)``."""
        return self.values[1].T

    @property
    def p_xx(self) -> Floats:
        """Variance of each coordinate, a view ``(N, 4)``."""
        return self.values[2].T

    @property
    def p_xv(self) -> Floats:
        """Covariance of each coordinate with its velocity, a view ``(N, 4)``."""
        return self.values[3].T

    @property
    def p_vv(self) -> Floats:
        """Variance of each velocity, a view ``(N, 4)``."""
        return self.values[4].T


def at_interval(config: MotionConfig, seconds: float) -> MotionConfig:
    """Gives the noise of one frame of a source whose frames are so many seconds apart.

    People turn and stop no less often where fewer frames show it, so their velocity is surer of itself the
    sooner the next frame comes: its standard deviation, of which a new track has a multiple, grows with the
    root of the interval. (A velocity that wanders at random would make it the power 1.5 in pixels a frame;
    0.5 was better than 0.25, 1 and nothing on every third frame of PETS09-S2L1, see
    ``docs/notes/2026-11-29-association.md``.)
    """
    return replace(config, velocity_std=config.velocity_std * (seconds / NOMINAL_INTERVAL) ** 0.5)


def certainty(seconds: float, exponents: Floats) -> Floats:
    """How sure a measured place is beside one predicted from the frame before, so many seconds ago.

    A detector errs alike at any rate; where people are in the next frame is the surer the sooner it comes:
    what they do until then grows with a power of the interval. Measurements at 30 frames a second have twice
    the noise of a prediction, at 7.5 the same where the power is 1/2 (docs/notes/2026-11-30-association.md).

    Args:
        seconds: from frame to frame.
        exponents: ``(4,)`` the powers, of centre x, centre y, width and height; those that a video shows
            are `mot_reid.association.innovations.Innovations.exponents`.

    Returns:
        ``(4,)``, what `update` takes.
    """
    sure: Floats = (seconds / NOMINAL_INTERVAL) ** exponents / _MEASURED_FACTOR
    return sure


def initiate(measurements: Floats, config: MotionConfig) -> KalmanStates:
    """States of tracks that start at ``(N, 4)`` centre x, centre y, width, height, at rest."""
    position = measurements.T
    values = np.zeros((5, *position.shape))
    values[0] = position
    squares = squared_sides(position)
    values[2] = (INITIAL_POSITION_FACTOR * config.position_std) ** 2 * squares
    values[4] = (INITIAL_VELOCITY_FACTOR * config.velocity_std) ** 2 * squares
    return KalmanStates(values)


def predict(states: KalmanStates, config: MotionConfig, frames: float = 1.0) -> None:
    """Moves all states on, in place.

    Args:
        states: of all tracks.
        config: the noise of one frame.
        frames: how many, whole or not; a whole number gives what so many predictions in a row would.
    """
    kernels.predict(states.values, config.position_std**2, config.velocity_std**2, frames)


def coast(states: KalmanStates, status: NDArray[np.int8], ages: Floats, longest: float) -> None:
    """Makes lost boxes keep their size, and stay where they are when they were not seen for long, in place.

    Args:
        states: of all tracks.
        status: ``(N,)`` of `mot_reid.kernels.constants.Status`.
        ages: ``(N,)`` seconds since each was seen.
        longest: that a lost one moves on, seconds.
    """
    kernels.coast(states.values, status, ages, longest)


def update(
    states: KalmanStates,
    rows: Indices,
    measurements: Floats,
    config: MotionConfig,
    scores: NDArray[np.floating] | None = None,
    certainty: Floats | None = None,
) -> None:
    """Corrects some states by what was measured, in place.

    Args:
        states: the states of all tracks.
        rows: ``(K,)`` which of them were measured, each at most once.
        measurements: ``(K, 4)`` centre x, centre y, width, height.
        config: the noise.
        scores: ``(K,)`` the detections' scores in [0, 1], None for 1; the standard deviation of a
            measurement's noise is divided by its score.
        certainty: ``(4,)`` what it is divided by as well, by coordinate, see `certainty`; None for 1.
    """
    exact = np.ones(len(rows)) if scores is None else scores.astype(np.float64, copy=False)
    sure = _SURE if certainty is None else certainty
    kernels.update(states.values, rows, measurements, exact, sure, config.position_std**2)


def squared_distances(
    states: KalmanStates, rows: Indices, measurements: Floats, config: MotionConfig
) -> Floats:
    """Squared Mahalanobis distances ``(K,)`` of measurements from where states expect them.

    Args:
        states: of all tracks.
        rows: ``(K,)`` which of them.
        measurements: ``(K, 4)`` centre x, centre y, width, height, one for each.
        config: the noise of a measurement.
    """
    position, variance = states.values[0][:, rows], states.values[2][:, rows]
    variance = variance + config.position_std**2 * squared_sides(position)
    distances: Floats = ((measurements.T - position) ** 2 / variance).sum(axis=0)
    return distances


def warp(states: KalmanStates, affine: Floats) -> None:
    """Carries all states into the coordinates of the next frame, in place, as the camera moved.

    Centres and their velocities go through the affine's linear part. Widths and heights only scale by it: a
    box stays upright when the camera rolls. Variances follow; the small coupling of x and y that a roll
    brings is left out, so that the filter stays four filters.

    Args:
        states: the states of all tracks.
        affine: ``(2, 3)``, maps pixels of the last frame to pixels of this one.
    """
    kernels.warp(states.values, np.asarray(affine, np.float64))
