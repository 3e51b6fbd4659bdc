"""What the server answers about live cameras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mot_reid.app.bodies import answered, json_body, record_names
from mot_reid.app.live import Camera
from mot_reid.app.live_people import LivePeople
from mot_reid.gallery.store import GalleryError

__all__ = ["live_routes"]


def live_routes(cameras: Sequence[Camera], people: LivePeople | None = None) -> list[Route]:
    """The addresses below ``/api/live``; cameras are numbered there.

    Args:
        cameras: those watched.
        people: who was seen over all of them; None where nobody remembers.
    """

    def on_camera(path: str, method: str, answer: Callable[[Camera, Request], Any]) -> Route:
        def endpoint(request: Request) -> Response:
            number = request.path_params["number"]
            if not 0 <= number < len(cameras):
                raise HTTPException(404, "no such camera")
            result = answer(cameras[number], request)
            return result if isinstance(result, Response) else JSONResponse(result)

        return Route(f"/api/live/{{number:int}}{path}", endpoint, methods=[method])

    def overview(request: Request) -> Response:
        return JSONResponse([camera.status() for camera in cameras])

    def picture(camera: Camera, request: Request) -> Response:
        return _jpeg(camera.picture())

    def person(camera: Camera, request: Request) -> Response:
        return _jpeg(camera.person(request.path_params["track"]))

    def start(camera: Camera, request: Request) -> Any:
        camera.start()
        return camera.status()

    def stop(camera: Camera, request: Request) -> Any:
        camera.stop()
        return camera.status()

    def forget(camera: Camera, request: Request) -> Any:
        camera.forget()
        return camera.status()

    def today(request: Request) -> Response:
        if people is None:
            raise HTTPException(404, "there is no gallery")
        try:
            return JSONResponse(people.today())
        except GalleryError as error:
            raise HTTPException(422, str(error)) from None

    async def forget_person(request: Request) -> Response:
        body = await json_body(request)
        if people is None:
            raise HTTPException(404, "there is no gallery")
        records = record_names(body)

        return await answered(lambda: {"forgotten": people.forget(records)})

    def face(request: Request) -> Response:
        return _jpeg(None if people is None else people.crop(request.path_params["row"]))

    return [
        Route("/api/live", overview),
        Route("/api/live/today", today),
        Route("/api/live/today/forget", forget_person, methods=["POST"]),
        Route("/api/live/today/{row:int}", face),
        on_camera("/picture", "GET", picture),
        on_camera("/people", "GET", lambda camera, _: camera.people()),
        on_camera("/people", "DELETE", forget),
        on_camera("/people/{track:int}", "GET", person),
        on_camera("/start", "POST", start),
        on_camera("/stop", "POST", stop),
    ]


def _jpeg(data: bytes | None) -> Response:
    if data is None:
        raise HTTPException(404, "there is no picture")
    return Response(data, media_type="image/jpeg", headers={"cache-control": "no-store"})
