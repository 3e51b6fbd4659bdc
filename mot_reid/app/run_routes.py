"""What the server answers about one run. A wrong question is a ValueError, told to whoever asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from mot_reid.app.correction_log import OutdatedError
from mot_reid.app.exporting import CORRECTED, Export
from mot_reid.app.renewing import renew
from mot_reid.app.runs import Run
from mot_reid.app.scoring import scores
from mot_reid.app.summaries import summary_of
from mot_reid.app.video_index import StillReading

__all__ = ["RUN_ROUTES", "Answer"]

Answer: TypeAlias = Callable[[Run, Request, Any], Any]
"""Of a run, the request, and the JSON in its body: JSON, or a response."""

_MOST_EVENTS = 2000
_AT_ONCE = 0.5  # seconds in which a short run is exported
_MOST_FRAMES = 20_000  # of boxes in one answer


def _summary(run: Run, request: Request, body: Any) -> Any:
    renew(run)
    return summary_of(run, whole="whole" in request.query_params)


def _rows(run: Run, request: Request, body: Any) -> Response:
    first, last = _whole(request, "from"), _whole(request, "to")
    if last - first > _MOST_FRAMES:
        raise ValueError(f"to: at most {_MOST_FRAMES} frames at once")
    start = run.beginning()
    known = start is not None and last <= start.columns.frames[-1]
    columns = start.columns if start is not None and known else run.columns
    return Response(columns.packed(first, last), media_type="application/octet-stream")


def _frame(run: Run, request: Request, body: Any) -> Response:
    reader = run.pictures.reader()
    width = min(_whole(request, "width"), 4096) if request.query_params.get("width") else 0
    try:
        data = None if reader is None else reader.jpeg(request.path_params["number"], width)
    except StillReading as error:
        return _later(error)
    if data is None:
        number = request.path_params["number"]
        cut = f"the video ends before frame {number}, or is damaged there"
        inside = reader is not None and 1 <= number <= run.frames()
        raise HTTPException(404, run.pictures.missing or (cut if inside else "no such frame"))
    headers = {"cache-control": "private, max-age=300"} | ({"x-drawn": "yes"} if run.pictures.drawn else {})
    return Response(data, media_type="image/jpeg", headers=headers)


def _crop(run: Run, request: Request, body: Any) -> Response:
    try:
        data = run.crop(request.path_params["track"])
    except StillReading as error:
        return _later(error)
    if data is None:
        raise HTTPException(404, "there is no picture")
    return Response(data, media_type="image/jpeg", headers={"cache-control": "no-store"})


def _later(error: StillReading) -> Response:
    """No picture yet: it is no failure, and the page asks again."""
    return JSONResponse({"told": str(error)}, 202, {"cache-control": "no-store"})


def _score(run: Run, request: Request, body: Any) -> Any:
    return scores(run)


def _count(run: Run, request: Request, body: Any) -> Any:
    analytics, events = run.count(body)
    found = analytics.summary()
    if analytics.heat is not None:
        found["heat"] = {
            "cell": analytics.heat.cell,
            "presence": analytics.heat.presence.tolist(),
            "seconds": analytics.heat.seconds.round(2).tolist(),
        }
    visitors: dict[str, dict[int, None]] = {}
    for event in events:
        if event.kind == "enter":
            visitors.setdefault(event.place, {})[event.track] = None
    found["visitors"] = {zone: list(tracks) for zone, tracks in visitors.items()}
    told = [event.to_dict() for event in events[:_MOST_EVENTS]]
    return found | {"events": told, "events_in_all": len(events)}


def _scene(run: Run, request: Request, body: Any) -> Any:
    return run.scene()


def _keep_scene(run: Run, request: Request, body: Any) -> Any:
    run.keep_scene(body)
    return run.scene()


def _correct(run: Run, request: Request, body: Any) -> Any:
    seen = body.pop("seen", None) if isinstance(body, dict) else None
    if seen is not None and (not isinstance(seen, int) or isinstance(seen, bool)):
        raise ValueError("seen: expected the number of corrections in the log, with those that were undone")
    try:
        run.correct(body, seen)
    except OutdatedError as error:
        raise HTTPException(409, str(error)) from None
    return summary_of(run)


def _export(run: Run, request: Request, body: Any) -> Any:
    names = body.get("formats", []) if isinstance(body, dict) else []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("formats: expected a list of names")
    with run.exporting:  # who asks at the same time finds that it goes on
        run.export = Export(run, names)
    run.export.wait(_AT_ONCE)
    return run.export.state()


def _exporting(run: Run, request: Request, body: Any) -> Any:
    return {"files": [], "working": ""} if run.export is None else run.export.state()


def _exported(run: Run, request: Request, body: Any) -> Response:
    folder = run.folder / CORRECTED
    known = {path.name: path for path in folder.iterdir() if path.is_file()} if folder.is_dir() else {}
    path = known.get(request.path_params["name"])
    if path is None:
        raise HTTPException(404, "no such file")
    return FileResponse(path, filename=path.name)


def _kept(run: Run, request: Request, body: Any) -> Any:
    return {"folder": str(run.folder), "files": run.kept()}


def _delete(run: Run, request: Request, body: Any) -> Any:
    run.delete(request.path_params["name"])
    return {"folder": str(run.folder), "files": run.kept()}


def _whole(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{name}: expected a whole number, got {text[:20]!r}")
    return int(text)


RUN_ROUTES: tuple[tuple[str, str, Answer], ...] = (
    ("", "GET", _summary),
    ("/rows", "GET", _rows),
    ("/frames/{number:int}", "GET", _frame),
    ("/crops/{track:int}", "GET", _crop),
    ("/score", "GET", _score),
    ("/count", "POST", _count),
    ("/scene", "GET", _scene),
    ("/scene", "PUT", _keep_scene),
    ("/corrections", "POST", _correct),
    ("/export", "POST", _export),
    ("/export", "GET", _exporting),
    ("/export/{name}", "GET", _exported),
    ("/kept", "GET", _kept),
    ("/kept/{name}", "DELETE", _delete),
)
"""What can be asked of a run: the address below the run's, the method, and what answers."""
