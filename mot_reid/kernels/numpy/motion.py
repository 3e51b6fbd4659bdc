"""How boxes move, in NumPy."""

import numpy as np
from numpy.typing import NDArray

from mot_reid.kernels.constants import LEAST_SCORE, LEAST_SIDE, MOST_INNOVATION, Status
from mot_reid.typing import Floats, Indices, Mask

__all__ = ["carry", "coast", "innovate", "predict", "update", "warp"]


def predict(values: Floats, position_variance: float, velocity_variance: float, frames: float) -> None:
    """Moves Kalman states ``(5, 4, N)`` on, in place.

    With x the position and v the velocity, ``n`` steps of ``x += v``, each with white noise ``q_x`` and
    ``q_v`` added after it, come to ``p_xx + 2 n p_xv + n^2 p_vv + n q_x + (n - 1) n (2 n - 1) / 6 q_v``,
    ``p_xv + n p_vv + n (n - 1) / 2 q_v`` and ``p_vv + n q_v``. Between whole numbers the same is taken, but
    never less noise than none.

    Args:
        values: of all boxes; the noise is a fraction of their sides.
        position_variance: ``q_x`` of a box with sides 1, a frame.
        velocity_variance: ``q_v`` likewise.
        frames: ``n``.
    """
    position, velocity, p_xx, p_xv, p_vv = values
    if frames == 1:
        squares = np.maximum(position[2:], LEAST_SIDE)
        squares *= squares
        values[:3:2] += values[1::2]  # places by velocities, p_xx by p_xv
        p_xv += p_vv
        p_xx += p_xv
        for variances, noise in ((p_xx, position_variance), (p_vv, velocity_variance)):
            by_coordinate = variances.reshape(2, 2, -1)
            by_coordinate += noise * squares
        return
    n, squares = frames, squared_sides(position)
    position += n * velocity
    p_xx += 2 * n * p_xv + n * n * p_vv
    p_xx += (n * position_variance + max((n - 1) * n * (2 * n - 1) / 6, 0.0) * velocity_variance) * squares
    p_xv += n * p_vv + max(n * (n - 1) / 2, 0.0) * velocity_variance * squares
    p_vv += n * velocity_variance * squares


def coast(values: Floats, status: NDArray[np.int8], ages: Floats, longest: float) -> None:
    """Makes lost boxes keep their size, and those that have been gone for long stay where they are, in place.

    Args:
        values: Kalman states ``(5, 4, N)``.
        status: ``(N,)`` of `Status`.
        ages: ``(N,)`` seconds since each was seen.
        longest: that a lost one moves on, seconds.
    """
    lost = (status == Status.LOST).nonzero()[0]
    if lost.size:
        values[1, 2:, lost] = 0
        values[1, :2, lost[ages[lost] > longest]] = 0


def update(
    values: Floats,
    rows: Indices,
    measured: Floats,
    scores: Floats,
    certainty: Floats,
    position_variance: float,
) -> None:
    """Corrects the states ``rows`` ``(K,)`` by measurements ``(K, 4)``, in place.

    The noise of each is divided by its score ``(K,)`` times the certainty of the coordinate ``(4,)``.
    """
    chosen = values.take(rows, axis=2)
    position, velocity, p_xx, p_xv, p_vv = chosen
    squares = np.maximum(position[2:], LEAST_SIDE)
    squares *= squares
    squares *= position_variance
    sure = np.multiply.outer(certainty, scores)
    np.maximum(sure, LEAST_SCORE, out=sure)
    sure *= sure
    noise = squares / sure.reshape(2, 2, -1)  # centre and size; x and y
    innovation_variance = p_xx + noise.reshape(4, -1)
    gain_x, gain_v = p_xx / innovation_variance, p_xv / innovation_variance
    innovation = measured.T - position
    position += gain_x * innovation
    velocity += gain_v * innovation
    p_vv -= gain_v * p_xv
    p_xv -= gain_x * p_xv
    p_xx -= gain_x * p_xx
    values[:, :, rows] = chosen


def innovate(
    position: Floats, rows: Indices, measured: Floats, last: Floats, again: Mask
) -> tuple[Floats, int]:
    """Compares what was measured with what was expected, and with how that came out last time.

    Args:
        position: ``(T, 4)`` expected centre x, centre y, width, height.
        rows: ``(K,)`` which of them were measured.
        measured: ``(K, 4)`` likewise.
        last: ``(T, 4)`` the innovations as shares of the sides, bounded; those measured are written into.
        again: ``(K,)`` whose innovation before is to be compared with this one.

    Returns:
        Sums over those ``(2, 4)``: of the products of the two, and of their mean squares; and how many.
    """
    now, columns = position.T.take(rows, axis=1), last.T
    sides = np.maximum(now[2:], LEAST_SIDE)
    np.subtract(measured.T, now, out=now)
    by_coordinate = now.reshape(2, 2, -1)  # centre and size; x and y
    by_coordinate /= sides
    np.maximum(now, -MOST_INNOVATION, out=now)
    np.minimum(now, MOST_INNOVATION, out=now)
    before = columns.take(rows, axis=1)
    columns[:, rows] = now
    count = int(np.count_nonzero(again))
    if count < len(rows):
        before, now = before[:, again], now[:, again]
    squares = np.vecdot(before, before)
    squares += np.vecdot(now, now)
    squares /= 2
    return np.stack([np.vecdot(before, now), squares]), count


def warp(values: Floats, affine: Floats) -> None:
    """Carries all states as the camera moved, an affine ``(2, 3)``, in place."""
    linear = affine[:, :2]
    (a, b), (c, d) = linear.tolist()
    scale = abs(a * d - b * c)  # of areas
    values[:2, :2] = linear @ values[:2, :2]
    values[0, :2] += affine[:, 2:]
    values[:2, 2:] *= scale**0.5
    values[2:, :2] = linear**2 @ values[2:, :2]
    values[2:, 2:] *= scale


def carry(drift: Floats, carried: Floats, before: Floats, values: Floats) -> None:
    """Adds to how far the camera moved tracks, in place.

    Args:
        drift: ``(N, 2)`` since they were seen, pixels.
        carried: ``(N,)`` the longest that it was, heights of the box.
        before: ``(2, N)`` their centres before the camera moved.
        values: ``(5, 4, N)`` their states afterwards.
    """
    moved = drift.T
    moved += values[0, :2] - before
    carried[:] = np.maximum(carried, np.hypot(*moved) / np.maximum(values[0, 3], 1))


def squared_sides(position: Floats) -> Floats:
    """Squares of each box's width, height, width, height, what variances are a fraction of: ``(4, N)``."""
    squares = np.empty_like(position)
    np.maximum(position[2:], LEAST_SIDE, out=squares[:2])
    squares[:2] *= squares[:2]
    squares[2:] = squares[:2]
    return squares
