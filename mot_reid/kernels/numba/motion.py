"""How boxes move, in loops."""

import math

import numpy as np
from numba import types

from mot_reid.kernels.constants import LEAST_SCORE, LEAST_SIDE, MOST_INNOVATION, Status
from mot_reid.kernels.numba.compiling import BOXES, F8, FLOATS, MASKS, ROWS, compiled, taken

__all__ = ["carry", "coast", "innovate", "predict", "update", "warp"]

# numba takes numbers from outside, not classes.
_LOST = Status.LOST


@compiled()
def _predict_far(values, position_variance, velocity_variance, n):
    far = n * position_variance + max((n - 1) * n * (2 * n - 1) / 6, 0.0) * velocity_variance
    both = max(n * (n - 1) / 2, 0.0) * velocity_variance
    for k in range(values.shape[2]):
        for side in range(2):
            length = max(values[0, 2 + side, k], LEAST_SIDE)
            square = length * length
            for axis in (side, 2 + side):
                values[0, axis, k] += n * values[1, axis, k]
                values[2, axis, k] += 2 * n * values[3, axis, k] + n * n * values[4, axis, k]
                values[2, axis, k] += far * square
                values[3, axis, k] += n * values[4, axis, k] + both * square
                values[4, axis, k] += n * velocity_variance * square


@compiled(types.void, types.Array(F8, 3, "A"), F8, F8, F8)
def predict(values, position_variance, velocity_variance, frames):
    if frames != 1:
        _predict_far(values, position_variance, velocity_variance, frames)
        return
    for n in range(values.shape[2]):
        for side in range(2):
            length = max(values[0, 2 + side, n], LEAST_SIDE)
            square = length * length
            for axis in (side, 2 + side):
                values[0, axis, n] += values[1, axis, n]
                values[2, axis, n] += values[3, axis, n]
                values[3, axis, n] += values[4, axis, n]
                values[2, axis, n] += values[3, axis, n]
                values[2, axis, n] += position_variance * square
                values[4, axis, n] += velocity_variance * square


@compiled(types.void, types.Array(F8, 3, "A"), taken(types.int8, 1), FLOATS, F8)
def coast(values, status, ages, longest):
    for n in range(len(status)):
        if status[n] == _LOST:
            for axis in range(0 if ages[n] > longest else 2, 4):
                values[1, axis, n] = 0


@compiled(
    types.Tuple((types.Array(F8, 2, "C"), types.intp)),
    *(BOXES, ROWS, BOXES, types.Array(F8, 2, "A"), MASKS),
)
def innovate(position, rows, measured, last, again):
    sums, count = np.zeros((2, 4)), 0
    for k in range(len(rows)):
        n = rows[k]
        for axis in range(4):
            side = max(position[n, 2 + axis % 2], LEAST_SIDE)
            now = (measured[k, axis] - position[n, axis]) / side
            now = min(max(now, -MOST_INNOVATION), MOST_INNOVATION)
            if again[k]:
                before = last[n, axis]
                sums[0, axis] += before * now
                sums[1, axis] += (before * before + now * now) / 2
            last[n, axis] = now
        count += again[k]
    return sums, count


@compiled(types.void, types.Array(F8, 3, "A"), ROWS, BOXES, FLOATS, FLOATS, F8)
def update(values, rows, measured, scores, certainty, position_variance):
    for k in range(len(rows)):
        n = rows[k]
        for side in range(2):
            length = max(values[0, 2 + side, n], LEAST_SIDE)
            square = position_variance * (length * length)
            for axis in (side, 2 + side):
                sure = max(certainty[axis] * scores[k], LEAST_SCORE)
                noise = square / (sure * sure)
                p_xx, p_xv = values[2, axis, n], values[3, axis, n]
                variance = noise + p_xx
                gain_x, gain_v = p_xx / variance, p_xv / variance
                innovation = measured[k, axis] - values[0, axis, n]
                values[0, axis, n] += gain_x * innovation
                values[1, axis, n] += gain_v * innovation
                values[4, axis, n] -= gain_v * p_xv
                values[3, axis, n] -= gain_x * p_xv
                values[2, axis, n] -= gain_x * p_xx


@compiled(types.void, types.Array(F8, 3, "A"), BOXES)
def warp(values, affine):
    a, b, c, d = affine[0, 0], affine[0, 1], affine[1, 0], affine[1, 1]
    scale = abs(a * d - b * c)
    length = math.sqrt(scale)
    for n in range(values.shape[2]):
        for k in range(2):
            x, y = values[k, 0, n], values[k, 1, n]
            values[k, 0, n] = a * x + b * y
            values[k, 1, n] = c * x + d * y
            values[k, 2, n] *= length
            values[k, 3, n] *= length
        values[0, 0, n] += affine[0, 2]
        values[0, 1, n] += affine[1, 2]
        for k in range(2, 5):
            x, y = values[k, 0, n], values[k, 1, n]
            values[k, 0, n] = a * a * x + b * b * y
            values[k, 1, n] = c * c * x + d * d * y
            values[k, 2, n] *= scale
            values[k, 3, n] *= scale


@compiled(types.void, types.Array(F8, 2, "A"), types.Array(F8, 1, "A"), BOXES, taken(F8, 3))
def carry(drift, carried, before, values):
    for n in range(len(drift)):
        for axis in range(2):
            drift[n, axis] += values[0, axis, n] - before[axis, n]
        length = math.hypot(drift[n, 0], drift[n, 1])
        carried[n] = max(carried[n], length / max(values[0, 3, n], 1.0))
