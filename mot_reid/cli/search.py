"""``mot-reid search``: find somebody in a gallery."""

import csv
import io
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from mot_reid.cli.errors import UsageError, usage_errors
from mot_reid.cli.options import print_table
from mot_reid.cli.remembering import clock_time
from mot_reid.files import atomic, same_file, spreadsheet_row
from mot_reid.wording import counted

__all__ = ["moment", "search"]

_FILES = ("search.json", "search.csv", "search.png")
WHERE, OUTPUTS = "Where to look", "Outputs"


PlaceOption = Annotated[str, typer.Argument(metavar="GALLERY", help="The gallery's folder or address.")]
PicturesOption = Annotated[
    list[Path] | None,
    typer.Argument(metavar="PICTURE", help="Pictures of the person.", show_default=False),
]
BoxOption = Annotated[
    str | None, typer.Option(help="Where the person is in the picture: x1,y1,x2,y2 in pixels.")
]
PersonOption = Annotated[
    int | None, typer.Option(help="Which of the people in the picture, from 1 at the left.", min=1)
]
TrackOption = Annotated[
    str | None,
    typer.Option(help="A track of the gallery, CAMERA:ID, instead; CAMERA:ID@RUN if several runs have it."),
]
DescribeOption = Annotated[
    str | None, typer.Option(help="A description instead, such as 'red top, backpack'.")
]
LikeOption = Annotated[list[str] | None, typer.Option(help="A track that shows the person, too: CAMERA:ID.")]
UnlikeOption = Annotated[list[str] | None, typer.Option(help="A track that shows somebody else: CAMERA:ID.")]
CameraOption = Annotated[
    str | None, typer.Option(help="Only these cameras, with commas between.", rich_help_panel=WHERE)
]
AfterOption = Annotated[
    str | None,
    typer.Option(
        help="Seen after this: 00:10:00 from the video's start, or a date and time.",
        rich_help_panel=WHERE,
    ),
]
BeforeOption = Annotated[str | None, typer.Option(help="Seen before this, likewise.", rich_help_panel=WHERE)]
TopOption = Annotated[int, typer.Option(help="Show so many hits at most.", min=1)]
LeastOption = Annotated[float, typer.Option(help="Least probability of a hit that is shown.", min=0, max=1)]
EmbedderOption = Annotated[
    str | None,
    typer.Option("--embedder", help="For pictures: weights that the gallery was made with, if not ours."),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Folder for search.json, search.csv and the contact sheet search.png.",
        rich_help_panel=OUTPUTS,
    ),
]
ClipsOption = Annotated[
    bool,
    typer.Option(
        "--clips",
        help="Cut the hits out of their videos, too, but for those of probability 0.00.",
        rich_help_panel=OUTPUTS,
    ),
]


def search(
    place: PlaceOption,
    pictures: PicturesOption = None,
    box: BoxOption = None,
    person: PersonOption = None,
    track: TrackOption = None,
    describe: DescribeOption = None,
    like: LikeOption = None,
    unlike: UnlikeOption = None,
    camera: CameraOption = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    top: TopOption = 10,
    least: LeastOption = 0.0,
    output: OutputOption = None,
    clips: ClipsOption = False,
    embedder: EmbedderOption = None,
) -> None:
    r"""Find somebody in a gallery: by pictures, by a track of it, or by a description.

    Each hit has the probability that it shows the person; "nobody" is an answer, too. Hits of one identity
    stand together, after `mot-reid identify`. Several pictures show one person. Nothing leaves here.

    For example

    \b
    mot-reid search shop/ person.jpg
    mot-reid search shop/ frame.jpg --box 410,120,470,300
    mot-reid search shop/ --track door:17 --camera yard,hall --after 00:10:00 --top 20 -o found
    mot-reid search shop/ --describe "red top, backpack"
    mot-reid search shop/ person.jpg --like yard:4 --unlike hall:9
    """
    from mot_reid.gallery.gallery import Gallery
    from mot_reid.gallery.queries import PictureError
    from mot_reid.video.files import prepare_output_folder

    with usage_errors():
        if sum(map(bool, (pictures, track, describe))) != 1:
            raise UsageError("search: expected pictures, --track or --describe")
        _require_fitting(pictures, box, person, describe, like or unlike, embedder)
        if clips and output is None:
            raise UsageError("--clips: needs --output")
        where = _where(camera, after, before)
        chosen = None if box is None else _box(box)
        images = [_read(path) for path in pictures or ()]
        if output is not None:
            _keep_pictures(pictures or (), output)
            prepare_output_folder(output)
    gallery = Gallery(place, embedder)
    table = gallery.table()
    if not len(table):
        raise UsageError(f"{place}: the gallery is empty")
    if camera in table.camera.tolist():  # its own name may have commas
        where["cameras"] = [camera]
    _require_known(where, table, place)
    with usage_errors():
        if pictures:
            gallery.embedder  # noqa: B018  # what it cannot be is told before the work
    if describe is not None:
        hits = gallery.describe(describe, top, **where)
    else:
        alike, others = (_records(gallery, table, labels) for labels in (like, unlike))
        if person is not None:
            images, chosen = [_chosen(gallery, images, person)], None
        try:
            hits = gallery.search(track or images, top, box=chosen, **where, like=alike, unlike=others)
        except PictureError as error:
            path = (pictures or [])[error.number - 1]
            raise UsageError(f"{path}: {error.told}{_numbered(error.boxes)}") from None
    hits[:] = [hit for hit in hits if hit.probability >= least]
    asked, written = describe or track or ", ".join(path.name for path in pictures or ()), list[Path]()
    try:  # before the table: its reader may have gone, as in `| head`
        if output is not None:
            written = _save(gallery, hits, asked, images, chosen, track, output, clips)
    finally:
        _show(gallery, hits, asked, dict(zip(table.record.tolist(), table.labels(), strict=True)))
    for line in gallery.store.damaged:
        typer.echo(f"warning: {line}", err=True)
    for path in written:
        typer.echo(f"written: {path}", err=True)


def _records(gallery: Any, table: Any, labels: Sequence[str] | None) -> list[str]:
    """The names of the records of tracks such as ``door:17``."""
    return [str(table.record[row]) for label in labels or () for row in gallery.find(label, table)]


def _require_fitting(
    pictures: Sequence[Path] | None,
    box: str | None,
    person: int | None,
    describe: str | None,
    marked: Sequence[str] | None,
    embedder: str | None,
) -> None:
    """Refuses options that what is searched for has no use for."""
    if (box is not None or person is not None) and len(pictures or ()) != 1:
        raise UsageError(f"{'--person' if box is None else '--box'}: needs one picture")
    if box is not None and person is not None:
        raise UsageError("--box, --person: give either; both say who is meant")
    if describe is not None and marked:
        raise UsageError("--like, --unlike: refine a search by pictures or --track, not by --describe")
    if embedder is not None and not pictures:
        raise UsageError("--embedder: embeds pictures; --track and --describe go by what is in the gallery")


def _where(camera: str | None, after: str | None, before: str | None) -> dict[str, Any]:
    """The filters of `Gallery.search`.

    Raises:
        ValueError: a time is none, or nothing can lie between the two.
    """
    times = [None if text is None else moment(text) for text in (after, before)]
    if None not in times and times[1] < times[0]:  # type: ignore[operator]
        raise ValueError(f"--after {after}: is later than --before {before}")
    names = None if camera is None else [name.strip() for name in camera.split(",")]
    return {"cameras": names, "after": times[0], "before": times[1]}


def _require_known(where: dict[str, Any], table: Any, place: str) -> None:
    """Refuses cameras that no record has, and dates where no record has one: they would find nobody."""
    from mot_reid.gallery.filters import CLOCK, require_cameras

    if where["cameras"] is not None:
        require_cameras(table, where["cameras"], place)
    for name in ("after", "before"):
        if (where[name] or 0) >= CLOCK and not np.isfinite(table.epoch).any():
            raise UsageError(
                f"--{name}: {place}: no record has a date, for no clock was known (track --started);"
                " HH:MM:SS counts from each video's start"
            )


def moment(text: str) -> float:
    """Seconds from the start for ``00:10:00`` or ``90``, since 1970 for a date and time.

    Raises:
        ValueError: it is neither.
    """
    if "-" in text:
        return clock_time(text)
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or not all(0 <= part < math.inf for part in parts):
        raise ValueError(f"time {text!r}: expected HH:MM:SS, seconds, or a date and time") from None
    return float(sum(part * 60**power for power, part in enumerate(reversed(parts))))


def _box(text: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != 4 or values[2] <= values[0] or values[3] <= values[1]:
        raise ValueError(f"--box {text!r}: expected x1,y1,x2,y2 with x1 < x2 and y1 < y2")
    return values


def _keep_pictures(pictures: Sequence[Path], output: Path) -> None:
    """Refuses a folder in which the results would write over what is asked for."""
    for picture in pictures:
        if any(same_file(picture, output / name) for name in _FILES):
            raise UsageError(f"{picture}: would be overwritten by the results; choose another --output")


def _read(path: Path) -> Any:
    from mot_reid.video.pictures import read_picture

    if not path.exists() and re.search(r":\d+(\.\d+)?(@\w+)?$", path.name):
        raise UsageError(f"{path}: there is no such picture; a track of the gallery is --track {path}")
    return read_picture(path)


def _chosen(gallery: Any, images: list[Any], person: int) -> Any:
    """The part of the picture that shows the person with this number."""
    from mot_reid.gallery.queries import people_in

    boxes = people_in(images[0], gallery.detect)
    if person > len(boxes):
        raise UsageError(f"--person {person}: {counted(len(boxes), 'person')} found in the picture")
    x1, y1, x2, y2 = np.rint(np.maximum(boxes[person - 1], 0)).astype(int).tolist()
    return np.ascontiguousarray(images[0][y1:y2, x1:x2])


def _numbered(boxes: Any) -> str:
    """How to choose one of the people in a picture; nothing where nobody is in it."""
    listed = "; ".join(
        f"{number}: {','.join(str(round(float(value))) for value in box)}"
        for number, box in enumerate(boxes, start=1)
    )
    return f" with --person N ({listed})" if listed else ""


def _show(gallery: Any, hits: Any, asked: str, labels: dict[str, str]) -> None:
    from mot_reid.cli.identify import borrowed_line
    from mot_reid.evaluation.tables import Column, Table
    from mot_reid.gallery.sheet import clock

    rank = {hit.record: place for place, hit in enumerate(hits, start=1)}
    rows = [
        {
            "identity": hit.identity,
            "rank": rank[hit.record],
            "track": labels.get(hit.record, hit.label),
            "from": clock(hit.start, hit.epoch),
            "to": clock(hit.end, hit.epoch),
            "probability": hit.probability,
            "likeness": hit.similarity,
        }
        for group in hits.by_identity()
        for hit in group
    ]
    columns = [Column("identity")] if any(hit.identity is not None for hit in hits) else []
    columns += [Column("rank"), Column("track"), Column("from"), Column("to")]
    columns += [Column("probability", 2), Column("likeness", 2)]
    notes = [
        f"Probability that this person is not among the {counted(hits.searched, 'tracklet')}: "
        f"{hits.absent:.2f}"
    ]
    if not hits.searched:
        notes = [
            "No tracklet is left to search: all others were seen beside this one, or the filters leave none"
        ]
    notes += borrowed_line(gallery, "Probabilities")
    print_table(Table(f"{asked} in {gallery.place}", columns, rows, notes=notes))


def _save(
    gallery: Any,
    hits: Any,
    asked: str,
    images: list[Any],
    box: list[float] | None,
    track: str | None,
    output: Path,
    clips: bool,
) -> list[Path]:
    """Writes the results and says which files."""
    content = {
        "query": asked,
        "gallery": str(gallery.place),
        "absent": hits.absent,
        "searched": hits.searched,
        "hits": [hit.to_dict() for hit in hits],
        "identities": [
            {"identity": group[0].identity, "tracks": [hit.label for hit in group]}
            for group in hits.by_identity()
        ],
    }
    written = [output / name for name in _FILES]
    with atomic(written[0]) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    text = io.StringIO()
    if hits:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(hits[0].to_dict())
        writer.writerows(spreadsheet_row(hit.to_dict().values()) for hit in hits)
    with atomic(written[1]) as part:
        part.write_text(text.getvalue(), encoding="utf-8")
    _draw(gallery, hits, images, box, track, written[2])
    if clips:
        from mot_reid.cli.clips import write_clips

        written += write_clips(hits, output)
    return written


def _draw(
    gallery: Any, hits: Any, images: list[Any], box: list[float] | None, track: str | None, path: Path
) -> None:
    import cv2

    from mot_reid.gallery.sheet import Cell, clock, contact_sheet

    def best(record: Any) -> Any:
        if not record.crops:
            return None
        jpeg = max(record.crops, key=lambda crop: crop.quality).jpeg
        return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)

    if track is not None:
        queries = [Cell(best(record), [track]) for record in gallery.tracklets(gallery.find(track))]
    else:
        parts = images
        if box is not None:
            x1, y1, x2, y2 = (max(0, round(value)) for value in box)
            parts = [image[y1:y2, x1:x2] for image in images]
        queries = [Cell(part, ["query"]) for part in parts]
    records = gallery.tracklets([hit.row for hit in hits]) if hits else []
    cells = [
        Cell(
            best(record),
            [f"{hit.probability:.2f}  {hit.label}", clock(hit.start, hit.epoch), _identity(hit)],
            hit.probability,
        )
        for hit, record in zip(hits, records, strict=True)
    ]
    encoded = cv2.imencode(".png", contact_sheet(queries, cells))[1]
    with atomic(path) as part_file:
        part_file.write_bytes(encoded.tobytes())


def _identity(hit: Any) -> str:
    return "" if hit.identity is None else f"person {hit.identity}"
