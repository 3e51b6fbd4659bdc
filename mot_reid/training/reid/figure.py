"""Query by example, as a picture: a row for each query, the gallery's most alike crops beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mot_reid.training.reid.crops import CropSet
from mot_reid.training.reid.retrieval import rank_gallery
from mot_reid.typing import Floats, Image, Ints

__all__ = ["choose_queries", "draw_galleries"]

QUERY, RIGHT, WRONG = (60, 60, 60), (60, 160, 40), (50, 50, 220)  # BGR: grey, green, red
_CELL = (128, 64)  # height and width of a crop, pixels
_FRAME, _GAP, _TEXT, _HEAD = 4, 6, 14, 22


def choose_queries(average_precisions: Floats, count: int) -> Ints:
    """Rows of queries from the worst to the best, evenly over all that can be answered.

    Args:
        average_precisions: (Q,), nan where there is nothing to find.
        count: how many at the most.
    """
    order = np.argsort(average_precisions, kind="stable")
    order = order[: np.count_nonzero(~np.isnan(average_precisions))]
    places = np.linspace(0, len(order) - 1, min(count, len(order)))
    return np.asarray(order[np.round(places).astype(np.intp)], np.int64)


def draw_galleries(
    query: CropSet,
    gallery: CropSet,
    similarity: NDArray[np.floating],
    rows: Sequence[int] | Ints,
    average_precisions: Floats,
    top: int = 10,
) -> Image:
    """Draw what some queries find.

    Crops that do not count (junk, the same person in the query's camera) are left out. Green frames are
    right, red ones wrong; below each crop stand its similarity and its camera.

    Args:
        query: all queries.
        gallery: the gallery.
        similarity: (Q, G), higher is more alike.
        rows: the queries to draw, from top to bottom.
        average_precisions: (Q,), written at each query.
        top: how many of the gallery to draw.

    Returns:
        (height, width, 3) uint8, BGR.
    """
    height, width = _CELL[0] + 2 * _FRAME + _TEXT, _CELL[1] + 2 * _FRAME
    shape = (_HEAD + len(rows) * (height + _GAP), (top + 1) * (width + _GAP) + 2 * _GAP, 3)
    canvas = np.full(shape, 255, np.uint8)
    _write(canvas, "query", (_GAP, _HEAD - 8))
    for place in range(top):
        _write(canvas, str(place + 1), (_GAP + (place + 1) * (width + _GAP) + _GAP, _HEAD - 8))
    ranking = rank_gallery(
        similarity[rows],
        query.identities[rows],
        gallery.identities,
        query.cameras[rows],
        gallery.cameras,
    )
    for line, row in enumerate(rows):
        y = _HEAD + line * (height + _GAP)
        text = f"AP {100 * average_precisions[row]:.0f} c{query.cameras[row]}"
        _paste(canvas, query.images[row], QUERY, text, (_GAP, y))
        counting = np.flatnonzero(ranking.counts[line])[:top]
        for place, position in enumerate(counting, 1):
            found = ranking.order[line, position]
            colour = RIGHT if ranking.hits[line, position] else WRONG
            text = f"{similarity[row, found]:.2f} c{gallery.cameras[found]}"
            x = _GAP + place * (width + _GAP) + _GAP
            _paste(canvas, gallery.images[found], colour, text, (x, y))
    return canvas


def _paste(
    canvas: Image,
    image: Image,
    colour: tuple[int, int, int],
    text: str,
    corner: tuple[int, int],
) -> None:
    import cv2

    (x, y), (height, width) = corner, _CELL
    canvas[y : y + height + 2 * _FRAME, x : x + width + 2 * _FRAME] = colour
    small = cv2.resize(image[..., ::-1], (width, height), interpolation=cv2.INTER_AREA)
    canvas[y + _FRAME : y + _FRAME + height, x + _FRAME : x + _FRAME + width] = small
    _write(canvas, text, (x, y + height + 2 * _FRAME + 11))


def _write(canvas: Image, text: str, place: tuple[int, int]) -> None:
    import cv2

    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, (0, 0, 0), 1, cv2.LINE_AA)
