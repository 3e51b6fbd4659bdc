"""The server: runs in, a page and its data out. Everything comes from this machine and stays on it."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mot_reid.app.bodies import answered, json_body
from mot_reid.app.exporting import EXPORTS
from mot_reid.app.people import People
from mot_reid.app.people_routes import people_routes
from mot_reid.app.run_routes import RUN_ROUTES, Answer
from mot_reid.app.runs import Run, folder_names
from mot_reid.app.safety import Guard
from mot_reid.video.formats import FORMATS

__all__ = ["make_app"]

STATIC = Path(__file__).parent / "static"
_OPEN = 4  # runs whose tracks are in memory, those that were asked for last
_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def make_app(
    runs: Sequence[Run],
    *,
    hosts: frozenset[str] = frozenset(),
    token: str = "",
    routes: Sequence[Route] = (),
    features: Sequence[str] = (),
    people: People | None = None,
) -> Guard:
    """Makes the application.

    Args:
        runs: what is shown.
        hosts: names under which requests may come; empty for any.
        token: what requests must bring; empty for nothing.
        routes: more routes, such as those of live cameras or a gallery.
        features: what these are called on the page.
        people: of these runs, with a gallery that knows more of them.
    """
    by_key = {run.key: run for run in runs}
    recent: OrderedDict[str, Run] = OrderedDict()
    session = secrets.token_hex(4)  # tells browsers this server's pictures from an earlier one's

    def run_of(request: Request) -> Run:
        run = by_key.get(request.path_params["run"])
        if run is None:
            raise HTTPException(404, "no such run")
        recent[run.key] = run
        recent.move_to_end(run.key)
        while len(recent) > _OPEN:
            # In a thread: one that is still being read lets go only then, and nobody waits for it.
            Thread(target=recent.popitem(last=False)[1].release, daemon=True).start()
        return run

    async def overview(request: Request) -> Response:
        entries = [{"key": run.key, "name": name} for run, name in zip(runs, folder_names(runs), strict=True)]
        formats = {name: FORMATS[name].help for name in EXPORTS}
        found = {"runs": entries, "features": list(features), "formats": formats, "session": session}
        return JSONResponse(found)

    def on_run(path: str, method: str, answer: Answer) -> Route:
        async def endpoint(request: Request) -> Response:
            run = run_of(request)
            body = await json_body(request) if method in ("POST", "PUT") else None
            return await answered(lambda: answer(run, request, body))

        return Route(f"/api/runs/{{run}}{path}", endpoint, methods=[method], name=f"{method} {path}")

    api = [
        Route("/api/runs", overview),
        *(on_run(*entry) for entry in RUN_ROUTES),
        *people_routes(people or People(runs)),
    ]
    page = [
        Route("/", _static("index.html")),
        *(Route(f"/{path.name}", _static(path.name)) for path in _files()),
    ]
    app = Starlette(routes=[*api, *routes, *page], exception_handlers={HTTPException: _refused, 500: _failed})
    return Guard(app, hosts, token)


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
