"""The arrays that flow through the package, by name: what they hold and how they are shaped.

The names are aliases of ``numpy.typing.NDArray``; shapes are promises of the docstrings, checked where data
come in (see `mot_reid.structures`).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Affine",
    "Boxes",
    "Crops",
    "Embeddings",
    "Floats",
    "Floats32",
    "Image",
    "Indices",
    "Ints",
    "Mask",
]

Image: TypeAlias = NDArray[np.uint8]
"""One picture, ``(H, W, 3)`` uint8 BGR where nothing else is said."""

Crops: TypeAlias = NDArray[np.uint8]
"""Pictures of one size in one array, ``(N, H, W, 3)`` uint8 BGR where nothing else is said."""

Boxes: TypeAlias = NDArray[np.float32]
"""Boxes, ``(N, 4)`` float32 pixels: x1, y1, x2, y2."""

Embeddings: TypeAlias = NDArray[np.float32]
"""Appearance embeddings, ``(N, D)`` float32, each row of length 1."""

Affine: TypeAlias = NDArray[np.float64]
"""Camera motion, ``(2, 3)`` float64: where a point of the last frame lies in this one."""

Floats: TypeAlias = NDArray[np.float64]
"""Any float64 array."""

Floats32: TypeAlias = NDArray[np.float32]
"""Any float32 array."""

Ints: TypeAlias = NDArray[np.int64]
"""Any int64 array: ids, classes, frame numbers."""

Indices: TypeAlias = NDArray[np.intp]
"""Rows of another array."""

Mask: TypeAlias = NDArray[np.bool_]
"""Which rows, or which pairs ``(A, B)``, are meant."""
