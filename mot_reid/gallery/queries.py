"""From pictures of somebody to embeddings that a gallery can be asked with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mot_reid.columns import unit_rows
from mot_reid.gallery.records import Tracklet
from mot_reid.structures import Detections
from mot_reid.typing import Boxes, Embeddings, Floats32, Image

if TYPE_CHECKING:
    from mot_reid.appearance.base import Embedder
    from mot_reid.gallery.recorder import EmbedCrops

__all__ = ["PictureError", "crop_embedder", "embedded_people", "embedded_query", "people_in"]

_SURE = 0.4
"""Score from which on a detection in a query picture is a person."""
_UPRIGHT = 1.5
"""A picture so many times as high as wide may be one of a person already cut out."""


class PictureError(ValueError):
    """A query picture shows nobody, or several people.

    Attributes:
        told: what is wrong with it.
        boxes: ``(N, 4)`` those that it shows, pixels.
        number: of the picture, from 1.
    """

    def __init__(self, told: str, boxes: Boxes, number: int, pictures: int) -> None:
        super().__init__(f"picture {number}: {told}" if pictures > 1 else f"the picture: {told}")
        self.told, self.boxes, self.number = told, boxes, number


def people_in(picture: Image, detect: Callable[[Image], Detections]) -> Any:
    """Boxes ``(N, 4)`` of the people in a picture, from left to right; all of it where it is one person.

    Args:
        picture: ``(H, W, 3)`` uint8 BGR.
        detect: what finds people in it.
    """
    found = detect(picture)
    boxes = found.xyxy[found.scores >= _SURE]
    height, width = picture.shape[:2]
    if len(boxes) <= 1 and height >= _UPRIGHT * width:
        whole = np.array([[0, 0, width, height]], np.float32)
        if not len(boxes):
            return whole
        x1, y1, x2, y2 = boxes[0].tolist()
        if (x2 - x1) * (y2 - y1) >= 0.5 * width * height:  # a crop: its borders are meant
            return whole
    return boxes[np.argsort(boxes[:, 0], kind="stable")]


def embedded_people(
    pictures: Sequence[Image],
    box: Sequence[float] | None,
    embedder: Embedder,
    detect: Callable[[Image], Detections],
) -> Embeddings:
    """Embeddings ``(Q, D)`` of the one person that each picture shows.

    Raises:
        PictureError: nobody is in a picture, or several people are and no box says which one is meant.
        ValueError: a picture or the box is none.
    """
    rows = []
    for number, picture in enumerate(pictures, start=1):
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError(f"query: expected (H, W, 3) uint8 BGR, got {picture.shape} {picture.dtype}")
        boxes = people_in(picture, detect) if box is None else _in_picture(box, picture)
        if len(boxes) != 1:
            told = f"{len(boxes)} people are in it; choose one"
            nobody = "nobody is found in it; a box says where somebody is"
            raise PictureError(told if len(boxes) else nobody, boxes, number, len(pictures))
        rows.append(np.asarray(embedder.embed(picture, boxes), np.float32)[0])
    found = np.asarray(rows, np.float32)
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


def _in_picture(box: Sequence[float], picture: Image) -> Floats32:
    """A box ``(1, 4)`` of somebody in a picture.

    Raises:
        ValueError: it has no area, or lies outside of the picture.
    """
    boxes = Detections([list(box)]).xyxy
    height, width = picture.shape[:2]
    left, top, right, bottom = boxes[0].tolist()
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        told = ",".join(f"{value:g}" for value in boxes[0].tolist())
        raise ValueError(f"box {told}: lies outside of the picture of {width} x {height} pixels")
    return boxes


def embedded_query(
    query: NDArray[Any] | Sequence[NDArray[Any]] | Tracklet | str,
    box: Sequence[float] | None,
    embedder: Callable[[], Embedder],
    detect: Callable[[Image], Detections],
    dimension: int,
) -> Embeddings:
    """Embeddings ``(Q, D)`` of a query: pictures, embeddings or a tracklet; see `Gallery.search`.

    Raises:
        PictureError: nobody is in a picture, or several people are and no box says which one is meant.
        ValueError: the query is none, empty, or has embeddings of another length than ``dimension``.
    """
    rows = _embeddings_of(query, box, embedder, detect)
    if rows.shape[1] != dimension:
        raise ValueError(f"query: expected embeddings of {dimension} values, got {rows.shape[1]}")
    return rows


def _embeddings_of(
    query: NDArray[Any] | Sequence[NDArray[Any]] | Tracklet | str,
    box: Sequence[float] | None,
    embedder: Callable[[], Embedder],
    detect: Callable[[Image], Detections],
) -> Embeddings:
    if isinstance(query, Tracklet):
        return query.mean[None]
    if isinstance(query, np.ndarray) and query.dtype != np.uint8:
        rows = np.atleast_2d(query)
        if rows.ndim > 2:
            raise ValueError(f"query: expected (H, W, 3) uint8 BGR, got {query.shape} {query.dtype}")
        if not rows.size:
            raise ValueError(f"query: expected at least one embedding, got shape {query.shape}")
        return unit_rows(rows, len(rows))
    pictures: Sequence[Any] = query if isinstance(query, Sequence) and not isinstance(query, str) else [query]
    if other := [type(entry).__name__ for entry in pictures if not isinstance(entry, np.ndarray)]:
        raise TypeError(
            "query: expected pictures or embeddings as arrays, a Tracklet, or a track such as 'door:17', "
            f"got {other[0]}; cv2.imread reads a picture from its file"
        )
    if not pictures:
        raise ValueError("query: expected at least one picture")
    return embedded_people(pictures, box, embedder(), detect)


def crop_embedder(embedder: Embedder) -> EmbedCrops:
    """What embeds pictures that show one person each, by an embedder of boxes in frames."""

    def embed(pictures: Sequence[Image]) -> Embeddings:
        rows = [
            embedder.embed(picture, np.array([[0, 0, picture.shape[1], picture.shape[0]]], np.float32))[0]
            for picture in pictures
        ]
        found = np.asarray(rows, np.float32)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)

    return embed
