"""What ``track`` and ``gallery add`` need to put tracklets into a gallery."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import typer

from mot_reid.cli.errors import UsageError, usage_errors
from mot_reid.tracker import Tracker
from mot_reid.video.files import prepare_output_folder
from mot_reid.video.sources import is_live
from mot_reid.wording import counted

if TYPE_CHECKING:  # what galleries need takes a moment to load, and most runs have none
    from mot_reid.gallery.gallery import Gallery
    from mot_reid.gallery.online import OnlineIdentities
    from mot_reid.gallery.opening import StoreKind
    from mot_reid.gallery.recorder import TrackletRecorder

__all__ = [
    "EVENTS_FILE",
    "CameraOption",
    "GalleryOption",
    "IdentifyOption",
    "Remembering",
    "ReplaceOption",
    "StartedOption",
    "StoreOption",
    "clock_time",
    "identify_runs",
    "nobody_instead",
    "remembering",
    "to_replace",
]

GALLERY = "Gallery"
EVENTS_FILE = "identities.jsonl"

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
        help="The camera's name in the gallery; once for each source, in their order.",
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
    typer.Option("--replace", help="Replace what the gallery has of these files.", rich_help_panel=GALLERY),
]
IdentifyOption = Annotated[
    bool,
    typer.Option(
        "--identify",
        help="With --gallery: one number for one person in all sources. While they run it is the column"
        " identity of CSV, JSON lines and Parquet, and identities.jsonl says what was proposed, committed and"
        " merged. At the end tracks_global.txt beside each tracks.txt has it, from everything in the gallery"
        " (of files with hindsight, as with --offline, unless --no-offline).",
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
        ImportError: a package that galleries need is not installed.
        OSError: it cannot be made or written there.
    """
    from mot_reid.gallery.gallery import Gallery
    from mot_reid.gallery.opening import require_place

    embedder = tracker.embedder
    if embedder is None:
        raise UsageError("--gallery: needs an embedder: with --embedder none nobody could be found again")
    require_place(place, store)
    return Gallery(place, embedder, store)


def to_replace(gallery: Gallery, source: str, replace: bool) -> list[str]:
    """Names of the records that a gallery has of a file, which is not to be remembered twice.

    Raises:
        UsageError: it is remembered already and shall not be replaced.
    """
    from mot_reid.gallery.sources import records_of

    there = [] if is_live(source) else records_of(gallery, source)
    if there and not replace:
        raise UsageError(
            f"{gallery.place}: has {counted(len(there), 'tracklet')} of {source} already;"
            " --replace puts others in their place"
        )
    return there


@dataclass(frozen=True)
class Remembering:
    """Makes the recorder of each source of a run, see `mot_reid.cli.runs.Runs.remember`.

    Attributes:
        gallery: they write into.
        cameras: name of each source's camera, by the source's output folder.
        epoch: seconds since 1970 at the start of files, or NaN. Live sources start now.
        class_names: of class numbers.
        earlier: names of the records that the gallery had of each source, to be replaced.
        online: says who is who meanwhile; None where nobody shall be identified.
        recorders: that were made.
    """

    gallery: Gallery
    cameras: Mapping[Path, str]
    epoch: float
    class_names: Mapping[int, str]
    earlier: Mapping[str, Sequence[str]] = field(default_factory=dict)
    online: OnlineIdentities | None = None
    recorders: list[TrackletRecorder] = field(default_factory=list)

    def __call__(self, source: str, folder: Path, own: Tracker) -> TrackletRecorder:
        """The recorder of a source that is tracked into a folder by a tracker."""
        from mot_reid.gallery.queries import crop_embedder
        from mot_reid.gallery.sources import source_label

        recorder = self.gallery.recorder(
            self.cameras[folder],
            source_label(source),
            embed=False if own.embedder is None else crop_embedder(own.embedder),
            class_names=self.class_names,
            epoch=time.time() if is_live(source) else self.epoch,
            online=self.online,
        )
        self.recorders.append(recorder)
        return recorder

    def done(self, source: str) -> None:
        """Forgets what the gallery had of a source before, if new tracklets are there.

        A line says so where there are none, or another process has remembered the same file meanwhile.
        """
        if not self.gallery.exists():
            return
        from mot_reid.gallery.sources import source_label

        if earlier := self.earlier.get(source):
            label = source_label(source)
            if any(recorder.written for recorder in self.recorders if recorder.source == label):
                self.gallery.forget(earlier)
            else:
                typer.echo(f"warning: {nobody_instead(self.gallery, source, source, earlier)}", err=True)
                return
        warn_of_other_runs(self.gallery, source, [recorder.run for recorder in self.recorders])


def nobody_instead(gallery: Gallery, results: str | Path, source: str, earlier: Sequence[str]) -> str:
    """Says that what a gallery has of a source stays, as there is nobody to put in its place.

    Args:
        gallery: where the records are.
        results: in what nobody was found.
        source: its records are these.
        earlier: their names.
    """
    table = gallery.table()
    name = table.camera[np.isin(table.record.astype(str), earlier)][0]
    return (
        f"--replace: nobody in {results} can be remembered, so {counted(len(earlier), 'tracklet')} of"
        f" {source} stay; mot-reid gallery {gallery.place} forget --camera {name} forgets all of a camera"
    )


def warn_of_other_runs(gallery: Gallery, source: str, own: Sequence[str]) -> None:
    """Says so where a gallery has a file's tracklets from other runs than one's own, too."""
    if is_live(source):
        return
    from mot_reid.gallery.sources import source_label

    table = gallery.table()
    twice = int(((table.source == source_label(source)) & ~np.isin(table.run.astype(str), own)).sum())
    if twice:
        typer.echo(
            f"warning: {gallery.place}: {counted(twice, 'tracklet')} of {source} from another run"
            " that was at work meanwhile; --replace leaves those of one",
            err=True,
        )


def remembering(
    place: str,
    tracker: Tracker,
    cameras: Mapping[Path, str],
    sources: Sequence[str],
    started: str | None,
    replace: bool,
    store: StoreKind | None,
    class_names: Mapping[int, str],
    events: Path | None = None,
) -> Remembering:
    """What makes the recorder of each source.

    Args:
        place: of the gallery.
        tracker: with the embedder whose embeddings go in.
        cameras: name of each source's camera, by the source's output folder.
        sources: all of them.
        started: date and time at the start of files, if known. Live sources start now.
        replace: what the gallery has of them goes when the new tracklets are there.
        store: kind of a new gallery.
        class_names: of class numbers.
        events: file for what becomes known of identities meanwhile; None where nobody shall be identified.

    Raises:
        UsageError: an option does not fit.
    """
    with usage_errors():
        epoch = float("nan") if started is None else clock_time(started)
        gallery = open_gallery(place, tracker, store)
        earlier = {source: to_replace(gallery, source, replace) for source in sources}
        if events is not None:
            prepare_output_folder(events.parent)
    online = None
    if events is not None:
        from mot_reid.gallery.live import online_identities

        events.write_text("", encoding="utf-8")
        gone = [name for names in earlier.values() for name in names]
        online = online_identities(gallery, tell=lambda event: _append(events, event.to_dict()), without=gone)
    return Remembering(gallery, cameras, epoch, class_names, earlier, online)


def _append(path: Path, event: Mapping[str, object]) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")
    except OSError as error:  # that of a full disk names no file
        raise type(error)(error.errno, error.strerror, str(path)) from None


def identify_runs(memory: Remembering, output: Path) -> None:
    """Joins everything in a gallery to identities after some runs, and writes their tracks with them.

    Numbers that were given while the sources ran stay where that can be; where two have turned out to be one,
    that is an event, too.
    """
    from mot_reid.cli.identify import borrowed_line, floors_line, results_of, write_global_tracks

    gallery = memory.gallery
    if not gallery.exists():
        typer.echo(f"{gallery.place}: nobody was seen, so there is nobody to identify", err=True)
        return
    numbers = {name: number for recorder in memory.recorders for name, number in recorder.numbers.items()}
    online = memory.online
    if online is not None:
        numbers = {name: online.final(number) for name, number in numbers.items()}
    found = gallery.identify(online=numbers)
    votes: dict[int, Counter[int]] = {}
    for (name, number), boxes in zip(found, found.table.boxes.tolist(), strict=True):
        if name in numbers:
            votes.setdefault(numbers[name], Counter())[number] += boxes
    for number, counts in sorted(votes.items()):
        into = counts.most_common(1)[0][0]
        if into != number:
            _append(output / EVENTS_FILE, {"event": "merged", "identity": number, "into": into, "at": "end"})
    folders = results_of(gallery, output) | {camera: folder for folder, camera in memory.cameras.items()}
    written = write_global_tracks(found, folders)
    glimpses = f", and {found.unsure} seen too shortly to be sure" if found.unsure else ""
    typer.echo(
        f"{counted(len(found), 'identity')} of {counted(len(found.table), 'tracklet')} in "
        f"{gallery.place}{glimpses}"
    )
    for line in [*floors_line(found), *borrowed_line(gallery, "Probabilities")]:
        typer.echo(line)
    for path in written:
        typer.echo(f"written: {path}", err=True)
    if not written:
        typer.echo("no tracks_global.txt: it comes beside a tracks.txt, which --formats left out", err=True)
