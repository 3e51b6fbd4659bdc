"""The picture's edges, in loops."""

import numpy as np
from numba import types

from mot_reid.kernels.constants import LEAST_TOUCHES, SAME_PIXEL
from mot_reid.kernels.numba.compiling import B1, BOXES, F8, FLOATS, I1, I8, compiled, taken

__all__ = ["at_edge", "cut_off", "ends", "extended"]

_EDGES, _COUNTS = types.Array(F8, 1, "C"), types.Array(I8, 1, "C")


@compiled(types.UniTuple(F8, 4), BOXES)
def ends(xyxy):
    left, top, right, bottom = -xyxy[0, 0], -xyxy[0, 1], xyxy[0, 2], xyxy[0, 3]
    for n in range(1, len(xyxy)):
        left, top = max(left, -xyxy[n, 0]), max(top, -xyxy[n, 1])
        right, bottom = max(right, xyxy[n, 2]), max(bottom, xyxy[n, 3])
    return left, top, right, bottom


@compiled(types.Tuple((_EDGES, _COUNTS, _EDGES)), FLOATS, taken(I8, 1), BOXES)
def extended(before, touched, xyxy):
    furthest, touches, edges = before.copy(), touched.copy(), np.empty(4)
    for side in range(4):
        sign = -1.0 if side < 2 else 1.0
        reached = furthest[side]
        for n in range(len(xyxy)):
            reached = max(reached, sign * xyxy[n, side])
        if reached > furthest[side] + SAME_PIXEL:
            touches[side] = 0
        for n in range(len(xyxy)):
            touches[side] += sign * xyxy[n, side] >= reached - SAME_PIXEL
        furthest[side] = reached
        edges[side] = sign * (reached if touches[side] >= LEAST_TOUCHES else np.inf)
    return furthest, touches, edges


@compiled(types.Array(B1, 1, "C"), FLOATS, BOXES, F8)
def at_edge(edges, xyxy, margin):
    near_edge = np.zeros(len(xyxy), np.bool_)
    for n in range(len(xyxy)):
        near = margin * (xyxy[n, 2] - xyxy[n, 0])
        for side in range(4):
            sign = -1.0 if side < 2 else 1.0
            near_edge[n] |= (edges[side] - xyxy[n, side]) * sign < near
    return near_edge


@compiled(types.Array(I1, 1, "C"), FLOATS, BOXES)
def cut_off(edges, xyxy):
    sides = np.zeros(len(xyxy), np.int8)
    for n in range(len(xyxy)):
        left, right = xyxy[n, 0] - edges[0] <= SAME_PIXEL, edges[2] - xyxy[n, 2] <= SAME_PIXEL
        upright = xyxy[n, 1] - edges[1] > SAME_PIXEL and edges[3] - xyxy[n, 3] > SAME_PIXEL
        sides[n] = 2 if (left and right) or not upright else right - left
    return sides
