"""``mot-reid serve``: look at runs in a browser."""

import secrets
import socket
import threading
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from mot_reid.cli.errors import UsageError, usage_errors
from mot_reid.extras import require

__all__ = ["open_gallery", "place_of", "serve"]


def serve(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUNS", help="Output folders of `mot-reid track`, or folders of such."),
    ] = None,
    gallery: Annotated[
        str | None,
        typer.Option(
            help="A gallery in which people are looked for, see `mot-reid gallery`; with --cameras it"
            " remembers who they see, and says who was seen today over all of them."
        ),
    ] = None,
    cameras: Annotated[
        Path | None, typer.Option(help="YAML file with live cameras; see docs/browser.md.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            help="YAML file with settings: of live cameras, and what embeds pictures that are searched for.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any.", min=0, max=65535)] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            help="Secret without which no browser is answered; it goes behind ?token= in the address.",
            show_default="on loopback none, else a new one",
        ),
    ] = None,
    video: Annotated[
        list[str] | None,
        typer.Option(
            help="RUN=PATH: where a run's video or pictures are, by its folder's name.",
            show_default="where they were tracked from",
        ),
    ] = None,
    truth: Annotated[
        list[str] | None,
        typer.Option(
            help="RUN=gt.txt: ground truth of a run, for scores before and after corrections.",
            show_default="that of the MOTChallenge sequence that was tracked, if it was one",
        ),
    ] = None,
) -> None:
    r"""Look at runs in a browser: boxes over the video, identities over time, counts, corrections.

    Listens on this machine only; for any other address a token is needed, which is printed. Nothing is
    fetched from anywhere. Corrections go to corrections.jsonl in the run's folder, and are replayed over the
    results: nothing is overwritten.

    For example

    \b
    mot-reid serve out/
    mot-reid serve --gallery shop/
    mot-reid serve --cameras cameras.yaml --gallery seen/
    mot-reid serve out/ --video street=/videos/street.mp4
    """
    with usage_errors():
        require("starlette", "serve")
        require("uvicorn", "serve")
        from mot_reid.app.runs import runs_in
        from mot_reid.app.safety import is_loopback

        if not runs and cameras is None and gallery is None:
            raise UsageError("serve: expected the output folder of a run, --cameras FILE or --gallery")
        places = dict(place_of("--video", entry) for entry in video or [])
        truths = dict(place_of("--truth", entry) for entry in truth or [])
        shown = runs_in(runs or [], places, truths)
        if token is not None and not token.strip():
            raise UsageError("--token: expected a word that is not empty; without --token one is made")
        if token is None and not is_loopback(host):
            token = secrets.token_urlsafe(24)
        names = frozenset({"localhost", "127.0.0.1", "[::1]", host.lower()})
        hosts = names if is_loopback(host) else frozenset()
        app, watched = _application(shown, cameras, config, gallery, hosts, token or "")
    _serve(app, shown, watched, host, port, token or "")


def _application(
    shown: list[Any],
    cameras: Path | None,
    config: Path | None,
    gallery: str | None,
    hosts: frozenset[str],
    token: str,
) -> tuple[Any, list[Any]]:
    """What is served, and the cameras in it."""
    from mot_reid.app.live_people import LivePeople
    from mot_reid.app.live_routes import live_routes
    from mot_reid.app.people import People
    from mot_reid.app.server import make_app
    from mot_reid.gallery.gallery import Gallery

    together = LivePeople(gallery) if gallery is not None and cameras is not None else None
    watched = _cameras(cameras, config, together)
    # With cameras there may be none yet: the first whom they see makes it, and until then it has nobody.
    weights = _weights(config)
    kept = (
        None if gallery is None else Gallery(gallery, weights) if watched else open_gallery(gallery, weights)
    )
    app = make_app(
        shown,
        hosts=hosts,
        token=token,
        routes=live_routes(watched, together) + ([] if gallery is None else _search(gallery, weights, shown)),
        people=People(shown, kept),
        features=[
            *(["search"] if kept is not None else []),
            *(["live"] if watched else []),
            *(["today"] if together else []),
        ],
    )
    return app, watched


def _serve(app: Any, shown: list[Any], watched: list[Any], host: str, port: int, token: str) -> None:
    """Listens, says where, and goes on until Ctrl-C; cameras run meanwhile."""
    import uvicorn

    served = uvicorn.Config(
        app, host=host, port=port, log_level="warning", access_log=False, server_header=False
    )
    server = uvicorn.Server(served)
    listening = _listening(host, port)
    typer.echo(f"{_address(host, listening.getsockname()[1], token)}  (Ctrl-C ends)")
    for camera in watched:
        camera.start()
    if shown:  # read while the browser opens; what is wrong with it the page will tell
        threading.Thread(target=shown[0].prepare, daemon=True).start()
    try:
        server.run(sockets=[listening])
    finally:
        for camera in watched:
            camera.stop(3)


def _address(host: str, port: int, token: str) -> str:
    """What a browser on this machine opens."""
    name = "localhost" if host == "127.0.0.1" else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/" + (f"?token={quote(token, safe='')}" if token else "")


def _listening(host: str, port: int) -> socket.socket:
    """What takes connections; who comes at once waits, and is not refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()  # --host :: is of IPv4, too
    try:
        return socket.create_server((host, port), family=family, backlog=128, dualstack_ipv6=both)
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (while")[0]
        raise UsageError(f"--host {host} --port {port}: cannot listen there ({why})") from error


def _cameras(path: Path | None, config: Path | None, people: Any) -> list[Any]:
    if path is None:
        return []
    from mot_reid.app.live import Camera, read_cameras, trackers

    settings = read_cameras(path)
    make = trackers(settings, config)
    return [Camera(entry, make, people) for entry in settings]


def _weights(config: Path | None) -> str | None:
    """The embedder's weights of a configuration, if it names some."""
    from mot_reid.config import load_config
    from mot_reid.settings import changed_settings
    from mot_reid.tracker import NONE

    named = None if config is None else changed_settings(load_config(config)).get("embedder.weights")
    return None if named == NONE else named


def open_gallery(place: str, weights: str | None = None) -> Any:
    """A gallery that is there."""
    from mot_reid.gallery.gallery import Gallery

    kept = Gallery(place, weights)
    if not kept.exists():
        raise UsageError(f"--gallery {place}: there is no gallery")
    return kept


def _search(place: str, weights: str | None, shown: list[Any]) -> list[Any]:
    from mot_reid.app.search_routes import search_routes
    from mot_reid.gallery.gallery import Gallery

    return search_routes(Gallery(place, weights), shown)


def place_of(option: str, entry: str) -> tuple[str, Path]:
    """A run's name and a path that is there, of ``RUN=PATH``."""
    name, equals, path = entry.partition("=")
    if not equals or not Path(path).exists():
        raise UsageError(f"{option} {entry}: expected RUN=PATH of a file or folder that exists")
    return name, Path(path)
