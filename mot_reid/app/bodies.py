"""Bodies of requests, and answers: what is wrong with a request is told in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from mot_reid.app.safety import LARGEST_BODY
from mot_reid.gallery.store import GalleryError

__all__ = ["answered", "json_body", "read_body", "record_names"]

_ERRORS = (ValueError, OverflowError, ImportError, OSError, GalleryError)


async def answered(work: Callable[[], Any]) -> Response:
    """Does the work in a thread; what is wrong with a request is told in one line."""
    try:
        result = await run_in_threadpool(work)
    except HTTPException:
        raise
    except _ERRORS as error:
        told = str(error)
        if isinstance(error, OSError) and error.strerror and error.filename:
            told = f"{error.filename}: {error.strerror}"
        return JSONResponse({"error": " ".join(told.split()) or type(error).__name__}, 422)
    return result if isinstance(result, Response) else JSONResponse(result)


async def read_body(request: Request) -> bytes:
    """The body of a request, as long as it is not too large.

    Raises:
        HTTPException: it is.
    """
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > LARGEST_BODY:
                raise HTTPException(413, f"at most {LARGEST_BODY} bytes")
            parts.append(part)
    except ClientDisconnect:
        raise HTTPException(400, "the request broke off") from None
    return b"".join(parts)


async def json_body(request: Request) -> Any:
    """The JSON in the body of a request.

    Raises:
        HTTPException: it is none, or too large.
    """
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise HTTPException(415, "expected application/json")
    try:
        found = json.loads(await read_body(request))
        json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair is no text, for no file
        return found
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None


def record_names(body: Any) -> list[str]:
    """The names of records under ``records`` in a body.

    Raises:
        HTTPException: they are none.
    """
    names = body.get("records") if isinstance(body, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise HTTPException(422, "records: expected their names")
    return names
