"""What ``track`` and ``gallery add`` need to put tracklets into a gallery."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from mot_reid.cli.errors import UsageError, usage_errors
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.opening import StoreKind
from mot_reid.gallery.queries import crop_embedder
from mot_reid.gallery.recorder import Recorder
from mot_reid.gallery.sources import records_of, source_label
from mot_reid.tracker import Tracker
from mot_reid.video.sources import is_live

__all__ = [
    "CameraOption",
    "GalleryOption",
    "IdentifyOption",
    "ReplaceOption",
    "StartedOption",
    "StoreOption",
    "clock_time",
    "identify_runs",
    "prepare_source",
    "remembering",
]

GALLERY = "Gallery"

GalleryOption = Annotated[
    str | None,
    typer.Option(
        "--gallery",
        help="Remember every tracklet in this gallery, for `mot-reid search` and `mot-reid identify`.",
        rich_help_panel=GALLERY,
    ),
]
CameraOption = Annotated[
    list[str] | None,
    typer.Option(
        "--camera",
        help="The camera's name in the gallery, once for each source.",
        show_default="the source's name",
        rich_help_panel=GALLERY,
    ),
]
StartedOption = Annotated[
    str | None,
    typer.Option(
        "--started",
        help="Date and time at which the files start, such as 2026-11-29T10:00:00: for searches by time, and"
        " so that nobody is in two places at once.",
        rich_help_panel=GALLERY,
    ),
]
ReplaceOption = Annotated[
    bool,
    typer.Option("--replace", help="Forget what the gallery has of these files.", rich_help_panel=GALLERY),
]
IdentifyOption = Annotated[
    bool,
    typer.Option(
        "--identify",
        help="Join everything in the gallery to identities at the end, and write tracks_global.txt beside"
        " each tracks.txt: the same number is the same person in every camera.",
        rich_help_panel=GALLERY,
    ),
]
StoreOption = Annotated[
    Literal["folder", "lance"] | None,
    typer.Option(
        "--store",
        help="How a new gallery is kept: a folder, or LanceDB.",
        show_default="folder",
        rich_help_panel=GALLERY,
    ),
]


def clock_time(text: str) -> float:
    """Seconds since 1970 of ``2026-11-29T10:00:00``, in the machine's time zone unless it names one.

    Raises:
        ValueError: it is not such a time.
    """
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise ValueError(f"time {text!r}: expected a date and time such as 2026-11-29T10:00:00") from None


def open_gallery(place: str, tracker: Tracker, store: StoreKind | None) -> Gallery:
    """The gallery that a run writes into, which its embedder must fit.

    Raises:
        UsageError: nothing embeds.
        GalleryError: the gallery is another embedder's.
    """
    embedder = tracker.embedder
    if embedder is None:
        raise UsageError("--gallery: needs an embedder: with --embedder none nobody could be found again")
    return Gallery(place, embedder, store)


def prepare_source(gallery: Gallery, source: str, replace: bool) -> None:
    """Makes sure that a file is not remembered twice.

    Raises:
        UsageError: it is remembered already and shall not be replaced.
    """
    there = [] if is_live(source) else records_of(gallery, source)
    if there and not replace:
        raise UsageError(
            f"--gallery {gallery.place}: has {len(there)} tracklets of {source} already;"
            " --replace forgets those first"
        )
    if there:
        gallery.forget(there)


def remembering(
    place: str,
    tracker: Tracker,
    cameras: Mapping[Path, str],
    sources: Sequence[str],
    started: str | None,
    replace: bool,
    store: StoreKind | None,
) -> Callable[[str, Path, Tracker], Recorder]:
    """What makes the recorder of each source, see `mot_reid.cli.runs.Runs.remember`.

    Args:
        place: of the gallery.
        tracker: with the embedder whose embeddings go in.
        cameras: name of each source's camera, by the source's output folder.
        sources: all of them.
        started: date and time at the start of files, if known. Live sources start now.
        replace: forget first what the gallery has of them.
        store: kind of a new gallery.

    Raises:
        UsageError: an option does not fit.
    """
    with usage_errors():
        if len(cameras) != len(sources):
            raise UsageError(f"--camera: {len(cameras)} different names for {len(sources)} sources")
        epoch = float("nan") if started is None else clock_time(started)
        gallery = open_gallery(place, tracker, store)
        for source in sources:
            prepare_source(gallery, source, replace)
    names = tracker.class_names

    def remember(source: str, folder: Path, own: Tracker) -> Recorder:
        return gallery.recorder(
            cameras[folder],
            source_label(source),
            embed=False if own.embedder is None else crop_embedder(own.embedder),
            class_names=names,
            epoch=time.time() if is_live(source) else epoch,
        )

    return remember


def identify_runs(place: str, output: Path) -> None:
    """Joins everything in a gallery to identities after some runs, and writes their tracks with them."""
    from mot_reid.cli.identify import write_global_tracks

    gallery = Gallery(place)
    if not gallery.exists():
        typer.echo(f"{place}: nobody was seen, so there is nobody to identify", err=True)
        return
    found = gallery.identify()
    written = write_global_tracks(found, output)
    typer.echo(f"{len(found)} identities of {len(found.table)} tracklets in {place}")
    for path in written:
        typer.echo(f"written: {path}", err=True)
