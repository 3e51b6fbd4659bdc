"""How long people take from camera to camera, learnt from the links that looks make sure; arrays only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from mot_reid.typing import Floats, Indices

__all__ = ["learned_travel"]


_BIN = 5.0  # seconds
_SPREAD = 20.0  # seconds over which travel times are smoothed
_LONGEST = 1800.0  # seconds; who takes longer may have been anywhere
_LINKS = 20.0  # links between two cameras at which what they say counts half


def learned_travel(
    cameras: NDArray[np.object_], begin: Floats, end: Floats, rows: Indices, columns: Indices, likely: Floats
) -> Floats:
    """How much likelier one person than two makes the time between two records, ``(E,)``, logarithms.

    The transition times of st-ReID (Wang et al., AAAI 2019), without labels: for each two cameras the times
    between pairs that are one person by their looks, smoothed by a Gaussian, over those of all others. A pair
    does not count for itself. What few links say is drawn towards nothing.

    Args:
        cameras: ``(N,)`` names.
        begin: ``(N,)`` seconds on one clock; NaN where it is not known: such pairs get 0.
        end: ``(N,)`` likewise.
        rows: ``(E,)`` one record of each pair.
        columns: ``(E,)`` the other.
        likely: ``(E,)`` probability that they are one person, in [0, 1].
    """
    found = np.zeros(len(rows))
    _, number = np.unique(cameras.astype(str), return_inverse=True)
    turned = number[rows] > number[columns]
    first, second = np.where(turned, columns, rows), np.where(turned, rows, columns)
    gap = np.maximum(begin[second] - end[first], 0) - np.maximum(begin[first] - end[second], 0)
    gap = np.where(number[first] == number[second], np.abs(gap), gap)
    usable = np.flatnonzero(np.abs(gap) < _LONGEST)  # NaN is not
    ways = number[first[usable]] * (number.max(initial=0) + 1) + number[second[usable]]
    order = np.argsort(ways, kind="stable")
    starts = np.flatnonzero(np.diff(ways[order], prepend=-1))
    for own in np.split(usable[order], starts[1:]) if len(usable) else []:
        found[own] = _one_way(gap[own], likely[own])
    return found


def _one_way(gap: Floats, likely: Floats) -> Floats:
    places = ((gap + _LONGEST) / _BIN).astype(np.intp)
    count, width = int(2 * _LONGEST / _BIN) + 1, _SPREAD / _BIN

    def smoothed(weights: Floats) -> Floats:
        return np.asarray(gaussian_filter1d(np.bincount(places, weights, count), width, mode="constant"))

    others = smoothed(1 - likely)[places] / max(float((1 - likely).sum()), 1e-9)
    peak = 1 / (width * np.sqrt(2 * np.pi))
    links = np.maximum(smoothed(likely)[places] - likely * peak, 0)
    ratio = (links / np.maximum(others, 1e-9) + _LINKS) / (likely.sum() - likely + _LINKS)
    return np.asarray(np.log(ratio))
