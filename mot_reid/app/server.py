"""The server: runs in, a page and its data out. Everything comes from this machine and stays on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mot_reid.app.run_routes import RUN_ROUTES, Answer
from mot_reid.app.runs import Run
from mot_reid.app.safety import LARGEST_BODY, Guard

__all__ = ["make_app"]

STATIC = Path(__file__).parent / "static"
_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_ERRORS = (ValueError, OverflowError, ImportError, OSError)


def make_app(
    runs: Sequence[Run],
    *,
    hosts: frozenset[str] = frozenset(),
    token: str = "",
    routes: Sequence[Route] = (),
    features: Sequence[str] = (),
) -> Guard:
    """Makes the application.

    Args:
        runs: what is shown.
        hosts: names under which requests may come; empty for any.
        token: what requests must bring; empty for nothing.
        routes: more routes, such as those of live cameras or a gallery.
        features: what these are called on the page.
    """
    by_key = {run.key: run for run in runs}

    def run_of(request: Request) -> Run:
        run = by_key.get(request.path_params["run"])
        if run is None:
            raise HTTPException(404, "no such run")
        return run

    async def overview(request: Request) -> Response:
        entries = [{"key": run.key, "name": run.folder.name} for run in runs]
        return JSONResponse({"runs": entries, "features": list(features)})

    def on_run(path: str, method: str, answer: Answer) -> Route:
        async def endpoint(request: Request) -> Response:
            run = run_of(request)
            body = await json_body(request) if method in ("POST", "PUT") else None
            return await answered(lambda: answer(run, request, body))

        return Route(f"/api/runs/{{run}}{path}", endpoint, methods=[method], name=f"{method} {path}")

    api = [
        Route("/api/runs", overview),
        *(on_run(*entry) for entry in RUN_ROUTES),
    ]
    page = [
        Route("/", _static("index.html")),
        *(Route(f"/{path.name}", _static(path.name)) for path in _files()),
    ]
    app = Starlette(routes=[*api, *routes, *page], exception_handlers={HTTPException: _refused, 500: _failed})
    return Guard(app, hosts, token)


async def answered(work: Callable[[], Any]) -> Response:
    """Does the work in a thread; what is wrong with a request is told in one line."""
    try:
        result = await run_in_threadpool(work)
    except HTTPException:
        raise
    except _ERRORS as error:
        return JSONResponse({"error": " ".join(str(error).split()) or type(error).__name__}, 422)
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
        return json.loads(await read_body(request))
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None


def _files() -> list[Path]:
    return sorted(path for path in STATIC.iterdir() if path.suffix in _KINDS)


def _static(name: str) -> Callable[[Request], Any]:
    path = STATIC / name

    async def endpoint(request: Request) -> Response:
        return Response(
            path.read_bytes(), media_type=_KINDS[path.suffix], headers={"cache-control": "no-cache"}
        )

    return endpoint


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "the server failed; its own output says why"}, 500)
