"""``mot-reid gallery``: what is in a gallery; add, merge, embed again, forget, export."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from mot_reid.cli.errors import UsageError, usage_errors
from mot_reid.cli.gallery_filling import add, embed, merge, warn_of_damage
from mot_reid.cli.options import print_table
from mot_reid.files import same_file
from mot_reid.gallery.opening import gallery_exists, require_place
from mot_reid.gallery.sheet import clock
from mot_reid.video.files import prepare_output_folder
from mot_reid.wording import counted

__all__ = ["gallery"]

_ACTIONS = {
    "list": (0, ""),
    "tracks": (0, ""),
    "add": (2, "VIDEO TRACKS.txt"),
    "merge": (1, "OTHER"),
    "embed": (1, "NEW"),
    "forget": (None, "CAMERA:ID ..., --identity, --keep-days or --camera"),
    "export": (1, "FOLDER"),
    "one": (2, "CAMERA:ID CAMERA:ID"),
    "two": (2, "CAMERA:ID CAMERA:ID"),
    "compact": (0, ""),
}
_OPTIONS = {
    "--camera": ("add", "tracks", "forget"),
    **dict.fromkeys(("--started", "--replace"), ("add",)),
    **dict.fromkeys(("--embedder", "--quiet"), ("add", "embed")),
    **dict.fromkeys(("--keep-days", "--identity"), ("forget",)),
}
"""The actions that an option is for, in the order in which `gallery` hands over their values."""

KeepDaysOption = Annotated[
    float | None, typer.Option(help="forget: all that was seen more than so many days ago.", min=0)
]


def gallery(
    place: Annotated[str, typer.Argument(metavar="GALLERY", help="The gallery's folder or address.")],
    action: Annotated[str, typer.Argument(metavar="|".join(_ACTIONS), help="What to do.")] = "list",
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="...", help="What to do it with.", show_default=False)
    ] = None,
    camera: Annotated[
        str | None, typer.Option(help="add: the camera's name; tracks, forget: only this camera.")
    ] = None,
    started: Annotated[
        str | None, typer.Option(help="add: date and time at which the video starts, if known.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="add: replace what the gallery has of this video.")
    ] = False,
    embedder: Annotated[
        str | None, typer.Option(help="add, embed: a checkpoint, ONNX export, strong, or a name that ships.")
    ] = None,
    keep_days: KeepDaysOption = None,
    identity: Annotated[
        int | None,
        typer.Option(help="forget: all tracks of this person, by the number that the last identify gave."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="add, embed: no progress bar and no closing line.")
    ] = False,
) -> None:
    r"""Show what is in a gallery, or change it: pictures and embeddings of people lie in it.

    list and tracks show cameras and tracklets. add takes in a video with its tracks, merge another gallery.
    embed makes a gallery NEW of the kept pictures for another embedder, by default the one that ships now.
    forget removes records with their pictures and embeddings for good. export writes plain files. one and two
    say that two tracks are one person or two: the next identify obeys. compact tidies up after many runs.

    For example

    \b
    mot-reid gallery shop/
    mot-reid gallery shop/ tracks --camera door
    mot-reid gallery shop/ add door.mp4 tracks.txt
    mot-reid gallery shop/ merge branch/
    mot-reid gallery old/ embed shop/
    mot-reid gallery shop/ forget door:17
    mot-reid gallery shop/ forget --keep-days 30
    mot-reid gallery shop/ export plain/
    mot-reid gallery shop/ one door:17 yard:4
    """
    from mot_reid.gallery.gallery import Gallery

    given = arguments or []
    with usage_errors():
        _require_arguments(action, given, chosen=(keep_days, camera, identity) != (None, None, None))
        values = (camera, started, replace or None, embedder, quiet or None, keep_days, identity)
        _require_fitting(action, dict(zip(_OPTIONS, values, strict=True)))
        _require_one(action, (given or None, identity, keep_days))
        _require_places(action, place, given)
    made = None if embedder is None else _embedder(embedder)
    kept = Gallery(place, None if action == "embed" else made)
    with _damage_told(kept):
        if action == "list":
            _list(kept)
        elif action == "tracks":
            _tracks(kept, camera)
        elif action == "add":
            add(kept, given[0], Path(given[1]), camera, started, replace, quiet)
        elif action == "merge":
            merge(kept, Gallery(given[0]))
        elif action == "embed":
            embed(kept, Gallery(given[0], made), quiet)
        elif action == "forget":
            _forget(kept, given, keep_days, camera, identity)
        elif action == "export":
            typer.echo("\n".join(f"written: {path}" for path in kept.export(given[0])))
        elif action == "compact":
            kept.store.compact()
            typer.echo(counted(len(kept), "tracklet"))
        else:
            _say(kept, action, given)


def _require_arguments(action: str, given: list[str], *, chosen: bool) -> None:
    """Refuses arguments that the action does not take; ``chosen`` says whether options name some records."""
    if action not in _ACTIONS:
        raise UsageError(f"gallery: {action!r} is not known; known: {', '.join(_ACTIONS)}")
    count, expected = _ACTIONS[action]
    if len(given) != count if count is not None else not (given or chosen):
        raise UsageError(f"gallery GALLERY {action}: expected {expected or 'nothing more'}")


def _require_fitting(action: str, options: Mapping[str, object]) -> None:
    """Refuses options that would be passed over: by name, with None for those that were not given."""
    for name, value in options.items():
        if value is not None and action not in _OPTIONS[name]:
            raise UsageError(f"{name}: is for {', '.join(_OPTIONS[name])}, not for {action}")


def _require_one(action: str, ways: Sequence[object]) -> None:
    """Refuses several ways at once to say what is forgotten: all of it, or what is in each?"""
    if action == "forget" and len([way for way in ways if way is not None]) > 1:
        raise UsageError("forget: expected tracks, --identity or --keep-days, not several at once")


def _require_places(action: str, place: str, given: Sequence[str]) -> None:
    """Refuses places that cannot be filled, or would be filled with themselves."""
    if action == "export":
        prepare_output_folder(given[0])
    elif action in ("merge", "embed"):
        source, into = (given[0], place) if action == "merge" else (place, given[0])
        if same_file(source, into):
            raise UsageError(f"{action}: {given[0]} is the gallery itself; name another one")
        if gallery_exists(source):
            require_place(into)


def _embedder(weights: str) -> Any:
    from mot_reid.appearance.embedder import NetworkEmbedder
    from mot_reid.config import EmbedderConfig

    with usage_errors():
        return NetworkEmbedder(EmbedderConfig(weights=weights))


def _list(kept: Any) -> None:
    """One line for each camera and source."""
    from mot_reid.evaluation.tables import Column, Table

    table, info = kept.table(), kept.store.info
    rows = []
    pairs = Counter(zip(table.camera.tolist(), table.source.tolist(), strict=True))
    for (camera, source), count in sorted(pairs.items()):
        own = (table.camera == camera) & (table.source == source)
        rows.append(
            {
                "camera": camera,
                "source": source,
                "tracklets": count,
                "boxes": int(table.boxes[own].sum()),
                "from": clock(float(table.start[own].min()), float(table.epoch[own][0])),
                "to": clock(float(table.end[own].max()), float(table.epoch[own][0])),
            }
        )
    names = ("camera", "source", "tracklets", "boxes", "from", "to")
    notes = [f"Embedder: {info.embedder}, {info.fingerprint[:12]}, {info.dimension} numbers"]
    title = (
        f"{kept.place}: {counted(len(table), 'tracklet')} of "
        f"{counted(len(set(table.camera.tolist())), 'camera')}"
    )
    print_table(Table(title, [Column(name) for name in names], rows, notes=notes))


def _tracks(kept: Any, camera: str | None) -> None:
    from mot_reid.evaluation.tables import Column, Table
    from mot_reid.gallery.filters import require_cameras

    table = kept.table()
    if camera is not None:
        require_cameras(table, [camera], str(kept.place))
        table = table[table.camera == camera]
    rows = [
        {
            "track": label,
            "class": table.class_name[row],
            "from": clock(table.start[row], table.epoch[row]),
            "to": clock(table.end[row], table.epoch[row]),
            "boxes": int(table.boxes[row]),
            "views": int(table.views[row]),
            "quality": float(table.quality[row]),
            "confidence": float(table.confidence[row]),
        }
        for row, label in enumerate(table.labels())
    ]
    columns = [Column(name) for name in ("track", "class", "from", "to", "boxes", "views")]
    columns += [Column("quality", 2), Column("confidence", 2)]
    print_table(Table(f"{kept.place}: {counted(len(rows), 'tracklet')}", columns, rows))


@contextmanager
def _damage_told(kept: Any) -> Iterator[None]:
    """Says at the end what is damaged, also where what was asked for is not found: it may lie in there."""
    try:
        yield
    finally:
        warn_of_damage(kept)


def _forget(
    kept: Any, given: list[str], keep_days: float | None, camera: str | None, identity: int | None
) -> None:
    """Forgets who is named: an error where that is nobody, but for age, which is asked for day by day."""
    from mot_reid.gallery.documents import older_records, records_of
    from mot_reid.gallery.filters import require_cameras
    from mot_reid.gallery.records import parse_track
    from mot_reid.gallery.store import GalleryError

    table = kept.table()
    if camera is not None:
        require_cameras(table, [camera], str(kept.place))
    chosen = np.arange(len(table))
    if given:
        chosen = np.unique(np.concatenate([kept.find(label, table) for label in given]))
        other = [label for label in given if parse_track(label)[0] != (camera or parse_track(label)[0])]
        if other:
            raise GalleryError(f"{other[0]}: not of --camera {camera}; nothing was forgotten")
    elif identity is not None:
        names = records_of(kept.identities(), identity)
        chosen = np.flatnonzero(np.isin(table.record.astype(str), names))
        if not len(chosen):
            raise UsageError(
                f"{kept.place}: no identity {identity} in it; `mot-reid identify` says who has which number"
            )
    elif keep_days is not None:
        chosen = np.flatnonzero(
            np.isin(table.record.astype(str), older_records(table, keep_days, time.time()))
        )
    if camera is not None:
        chosen = chosen[table.camera[chosen] == camera]
    if not len(chosen) and identity is not None:
        raise GalleryError(f"{kept.place}: identity {identity} is not in {camera}; nothing was forgotten")
    gone = kept.forget(table.record[chosen].tolist())
    where, when = ("" if camera is None else f" of {camera}"), f"{keep_days or 0:g}"
    told = "" if len(chosen) else f": nothing{where} was seen more than {when} days ago"
    typer.echo(f"{counted(gone, 'tracklet')} forgotten, {len(kept)} left{told}")


def _say(kept: Any, kind: str, given: list[str]) -> None:
    table = kept.table()
    first, second = (kept.find(label, table) for label in given)
    if not set(first.tolist()).isdisjoint(second.tolist()):
        raise UsageError(f"{kind}: {given[0]} and {given[1]} are the same track; name two")
    for one in table.record[first].tolist():
        for other in table.record[second].tolist():
            kept.say(kind, one, other)
    told = "one person" if kind == "one" else "two people"
    typer.echo(f"{given[0]} and {given[1]} are {told}: kept for the next identify")
