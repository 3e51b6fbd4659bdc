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
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from mot_reid.app.runs import CORRECTED, Run
from mot_reid.app.safety import LARGEST_BODY, Guard

__all__ = ["make_app"]

STATIC = Path(__file__).parent / "static"
_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_MOST_EVENTS = 2000
_MOST_FRAMES = 20_000  # of boxes in one answer
_ERRORS = (ValueError, FileNotFoundError, ImportError, OSError)


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

    def summary(run: Run, request: Request, body: Any) -> Any:
        return run.summary()

    def rows(run: Run, request: Request, body: Any) -> Response:
        first, last = _whole(request, "from"), _whole(request, "to")
        if last - first > _MOST_FRAMES:
            raise ValueError(f"to: at most {_MOST_FRAMES} frames at once")
        return Response(run.rows(first, last), media_type="application/octet-stream")

    def frame(run: Run, request: Request, body: Any) -> Response:
        reader = run.reader()
        width = min(max(int(request.query_params.get("width", "0") or 0), 0), 4096)
        data = None if reader is None else reader.jpeg(request.path_params["number"], width)
        if data is None:
            raise HTTPException(404, "no such frame")
        return Response(data, media_type="image/jpeg", headers={"cache-control": "private, max-age=300"})

    def count(run: Run, request: Request, body: Any) -> Any:
        analytics, events = run.count(body)
        found = analytics.summary()
        if analytics.heat is not None:
            found["heat"] = {
                "cell": analytics.heat.cell,
                "presence": analytics.heat.presence.tolist(),
                "seconds": analytics.heat.seconds.round(2).tolist(),
            }
        told = [event.to_dict() for event in events[:_MOST_EVENTS]]
        return found | {"events": told, "events_in_all": len(events)}

    def scene(run: Run, request: Request, body: Any) -> Any:
        return run.scene()

    def keep_scene(run: Run, request: Request, body: Any) -> Any:
        run.keep_scene(body)
        return run.scene()

    def correct(run: Run, request: Request, body: Any) -> Any:
        run.correct(body)
        return run.summary()

    def export(run: Run, request: Request, body: Any) -> Any:
        names = body.get("formats", []) if isinstance(body, dict) else []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("formats: expected a list of names")
        return {"files": [path.name for path in run.export(names)]}

    def exported(run: Run, request: Request, body: Any) -> Response:
        folder = run.folder / CORRECTED
        known = {path.name: path for path in folder.iterdir() if path.is_file()} if folder.is_dir() else {}
        path = known.get(request.path_params["name"])
        if path is None:
            raise HTTPException(404, "no such file")
        return FileResponse(path, filename=path.name)

    def kept(run: Run, request: Request, body: Any) -> Any:
        return {"folder": str(run.folder), "files": run.kept()}

    def delete(run: Run, request: Request, body: Any) -> Any:
        run.delete(request.path_params["name"])
        return {"folder": str(run.folder), "files": run.kept()}

    def on_run(path: str, method: str, answer: Callable[[Run, Request, Any], Any]) -> Route:
        async def endpoint(request: Request) -> Response:
            run = run_of(request)
            body = await json_body(request) if method in ("POST", "PUT") else None
            return await answered(lambda: answer(run, request, body))

        return Route(f"/api/runs/{{run}}{path}", endpoint, methods=[method], name=f"{method} {path}")

    api = [
        Route("/api/runs", overview),
        on_run("", "GET", summary),
        on_run("/rows", "GET", rows),
        on_run("/frames/{number:int}", "GET", frame),
        on_run("/count", "POST", count),
        on_run("/scene", "GET", scene),
        on_run("/scene", "PUT", keep_scene),
        on_run("/corrections", "POST", correct),
        on_run("/export", "POST", export),
        on_run("/export/{name}", "GET", exported),
        on_run("/kept", "GET", kept),
        on_run("/kept/{name}", "DELETE", delete),
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


def _whole(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{name}: expected a frame number, got {text[:20]!r}")
    return int(text)


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
