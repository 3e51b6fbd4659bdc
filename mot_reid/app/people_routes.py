"""What the server answers about people over all runs, and about what a gallery keeps of them."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mot_reid.app.bodies import answered, json_body, record_names
from mot_reid.app.people import People
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.store import RecordTable

__all__ = ["people_routes"]


def people_routes(people: People) -> list[Route]:
    """The addresses below ``/api/people`` and ``/api/gallery``.

    Args:
        people: of the runs that are shown.
    """

    def gallery() -> Gallery:
        if people.gallery is None:
            raise HTTPException(404, "there is no gallery")
        return people.gallery

    async def everybody(request: Request) -> Response:
        return await answered(people.found)

    async def fits(request: Request) -> Response:
        body = await json_body(request)
        text = body.get("describe") if isinstance(body, dict) else None
        if not isinstance(text, str) or not text.strip():
            raise HTTPException(422, "describe: expected words such as red top")
        return await answered(lambda: people.fits(text[:200]))

    async def identify(request: Request) -> Response:
        await json_body(request)
        return await answered(people.identify)

    async def kept(request: Request) -> Response:
        def work() -> Any:
            with people.lock:
                return _kept(gallery())

        return await answered(work)

    async def forget(request: Request) -> Response:
        body = await json_body(request)
        given: dict[str, Any] = body if isinstance(body, dict) else {}
        days: Any = given.get("days")
        records = record_names(body) if "records" in given else None
        wrong = isinstance(days, bool) or not isinstance(days, int | float) or not 0 <= days < 1e6
        if records is None and wrong:
            raise HTTPException(422, "days: expected a number from 0")

        def work() -> Any:
            kept, now = gallery(), time.time()
            with people.lock:
                forgotten = kept.forget_older(days, now) if records is None else kept.forget(records)
                return _kept(kept) | {"forgotten": forgotten}

        return await answered(work)

    return [
        Route("/api/people", everybody),
        Route("/api/people/fits", fits, methods=["POST"]),
        Route("/api/people/identify", identify, methods=["POST"]),
        Route("/api/gallery", kept),
        Route("/api/gallery/forget", forget, methods=["POST"]),
    ]


def _kept(gallery: Gallery) -> dict[str, Any]:
    """What a gallery keeps, and how old it is."""
    table = gallery.table() if gallery.exists() else RecordTable.empty()
    ended = np.where(np.isfinite(table.epoch), table.epoch + table.end, table.added)
    oldest = round((time.time() - float(ended.min())) / 86400, 2) if len(table) else None
    damaged = gallery.store.damaged if gallery.exists() else []
    return {
        "place": str(gallery.place),
        "tracklets": len(table),
        "oldest_days": oldest,
        "damaged": list(damaged),
    }
