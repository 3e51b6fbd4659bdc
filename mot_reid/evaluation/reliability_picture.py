"""What probabilities promise and what came, as a picture."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_reliability"]

_SIDE, _LEFT, _TOP, _BOTTOM = 420, 64, 48, 64


def draw_reliability(bins: Sequence[tuple[float, float, int]], title: str) -> NDArray[np.uint8]:
    """Draws a reliability diagram: a disc for each bin, as large as the logarithm of its count.

    On the diagonal as many are right as was said; above it more are.

    Args:
        bins: mean probability said, share that was right, and how many, as
            `mot_reid.evaluation.person_search.reliability` gives them.
        title: one line above it.

    Returns:
        ``(H, W, 3)`` uint8 BGR.
    """
    import cv2

    canvas = np.full((_TOP + _SIDE + _BOTTOM, _LEFT + _SIDE + 40, 3), 255, np.uint8)

    def at(said: float, came: float) -> tuple[int, int]:
        return _LEFT + round(said * _SIDE), _TOP + round((1 - came) * _SIDE)

    def write(text: str, x: int, y: int, size: float = 0.42) -> None:
        cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, (60, 60, 60), 1, cv2.LINE_AA)

    for tenth in range(0, 11, 2):
        share = tenth / 10
        cv2.line(canvas, at(share, 0), at(share, 1), (230, 230, 230), 1)
        cv2.line(canvas, at(0, share), at(1, share), (230, 230, 230), 1)
        write(f"{share:.1f}", at(share, 0)[0] - 10, _TOP + _SIDE + 20)
        write(f"{share:.1f}", _LEFT - 34, at(0, share)[1] + 5)
    cv2.line(canvas, at(0, 0), at(1, 1), (150, 150, 150), 1, cv2.LINE_AA)
    points = [at(said, came) for said, came, _ in bins]
    for first, second in itertools.pairwise(points):
        cv2.line(canvas, first, second, (196, 120, 40), 2, cv2.LINE_AA)
    for (_, _, count), point in zip(bins, points, strict=True):
        cv2.circle(canvas, point, 3 + round(2 * np.log10(max(count, 1))), (196, 120, 40), -1, cv2.LINE_AA)
    write(title, 12, 26, 0.46)
    write("probability said", _LEFT + _SIDE // 2 - 60, _TOP + _SIDE + 46)
    write("right", 8, _TOP - 8)
    return canvas
