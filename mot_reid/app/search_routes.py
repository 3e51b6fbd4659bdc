"""What the server answers about a gallery: find somebody by a picture, a box, a track, or a description."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mot_reid.app.bodies import answered, json_body, read_body
from mot_reid.app.owners import rows_of
from mot_reid.app.runs import Run
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.queries import PictureError
from mot_reid.video.picture_size import picture_size

__all__ = ["search_routes"]

_MOST_HITS = 60
_MOST_PIXELS = 50_000_000


def search_routes(gallery: Gallery, runs: Sequence[Run]) -> list[Route]:
    """The addresses below ``/api/search``.

    Args:
        gallery: in which people are looked for; nobody else asks this one.
        runs: those shown; hits from their videos can be gone to.
    """
    lock = threading.Lock()  # an embedder does one thing at a time, and the gallery counts its own rows

    def found(query: Any) -> dict[str, Any]:
        if not gallery.exists():  # the first whom a camera sees makes it
            raise ValueError(f"{gallery.place}: nobody is remembered yet")
        with lock:
            if isinstance(query, dict):
                hits = gallery.describe(query["describe"], _MOST_HITS)
            elif isinstance(query, _Boxed):
                hits = gallery.search(query.image, _MOST_HITS, box=query.box)
            else:
                hits = gallery.search(query, _MOST_HITS)
        readable = (run for run in runs if run.problem() is None)
        table = gallery.table()
        places = {str(table.record[row]): run.key for run in readable for row in rows_of(table, run)}
        entries = [hit.to_dict() | {"run": places.get(hit.record)} for hit in hits]
        return {"hits": entries, "absent": float(hits.absent), "searched": int(hits.searched)}

    async def by_picture(request: Request) -> Response:
        data, box = await read_body(request), request.query_params.get("box")

        def work() -> Any:
            image = _picture(data)
            try:
                return found(image if box is None else _Boxed(image, _box(box.split(","), image)))
            except PictureError as error:  # who is meant can be chosen
                told = {"error": f"the picture: {error.told}", "people": error.boxes.round().tolist()}
                return JSONResponse(told, 422)

        return await answered(work)

    async def by_words(request: Request) -> Response:
        body = await json_body(request)
        return await answered(lambda: found(_asked(body, runs)))

    async def crop(request: Request) -> Response:
        def work() -> Response:
            with lock:  # by its name: rows move when others are forgotten
                rows = np.flatnonzero(gallery.table().record == request.path_params["record"])
                pictures = [crop for record in gallery.tracklets(rows) for crop in record.crops]
            if not pictures:
                raise HTTPException(404, "it has no picture")
            best = max(pictures, key=lambda one: one.quality)
            return Response(best.jpeg, media_type="image/jpeg", headers={"cache-control": "no-store"})

        return await answered(work)

    return [
        Route("/api/search", by_words, methods=["POST"]),
        Route("/api/search/picture", by_picture, methods=["POST"]),
        Route("/api/search/crops/{record}", crop),
    ]


class _Boxed:
    """A box in a picture."""

    def __init__(self, image: Any, box: list[int]) -> None:
        self.image, self.box = image, box


def _picture(data: bytes) -> Any:
    width, height = picture_size(data) or (0, 0)
    if width * height > _MOST_PIXELS:  # found out before it takes gigabytes
        raise ValueError("the picture is too large")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error:  # more pixels than OpenCV takes
        raise ValueError("the picture is too large") from None
    if image is None:
        raise ValueError("the picture cannot be read")
    if image.size > 3 * _MOST_PIXELS:
        raise ValueError("the picture is too large")
    return image


def _asked(body: Any, runs: Sequence[Run]) -> Any:
    """What is asked for: a description, a track of the gallery, or a box in a run's frame."""
    if not isinstance(body, dict):
        raise ValueError("expected run, frame and box; or track; or describe")
    if isinstance(body.get("describe"), str):
        return {"describe": body["describe"][:200]}
    if isinstance(body.get("track"), str):
        return body["track"][:200]
    run = next((run for run in runs if run.key == body.get("run")), None)
    frame, box = body.get("frame"), body.get("box")
    if run is None or isinstance(frame, bool) or not isinstance(frame, int) or not 0 < frame < 2**31:
        raise ValueError("expected run, frame and box; or track; or describe")
    reader = run.pictures.reader()
    image = None if reader is None else reader.image(frame)
    if image is None:
        raise ValueError("frame: there is no picture of it")
    if not isinstance(box, list) or not all(type(value) in (int, float) for value in box):
        raise ValueError("box: expected four numbers")
    return _Boxed(image, _box(box, image))


def _box(values: list[Any], image: Any) -> list[int]:
    """A box within a picture, of four numbers or their texts."""
    height, width = image.shape[:2]
    try:
        numbers = np.array([float(value) for value in values])
    except (ValueError, OverflowError):
        numbers = np.zeros(0)
    if numbers.shape != (4,) or not np.isfinite(numbers).all():
        raise ValueError("box: expected four numbers")
    x1, y1, x2, y2 = np.clip(np.rint(numbers), 0, [width, height, width, height]).astype(int).tolist()
    if x2 - x1 < 4 or y2 - y1 < 8:
        raise ValueError("box: it is too small")
    return [x1, y1, x2, y2]
