"""``mot-reid identify``: one identity across cameras and times."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from mot_reid.app.exporting import tracks_text
from mot_reid.app.owners import run_corrections
from mot_reid.cli.errors import UsageError, usage_errors
from mot_reid.cli.options import print_table
from mot_reid.files import atomic
from mot_reid.pipeline.finished_tracks import track_file_of
from mot_reid.pipeline.outputs import OFFLINE_FILE
from mot_reid.wording import counted

__all__ = ["borrowed_line", "floors_line", "identify", "records_of_run", "results_of", "write_global_tracks"]


def identify(
    place: Annotated[str, typer.Argument(metavar="GALLERY", help="The gallery's folder or address.")],
    false_links: Annotated[
        float,
        typer.Option(
            help="Expected share of wrong links, at most; a smaller one joins fewer tracklets.",
            min=1e-6,
            max=0.9,
        ),
    ] = 0.05,
    cameras: Annotated[
        Path | None, typer.Option(help="YAML file with what is known of the cameras, such as travel times.")
    ] = None,
    synchronised: Annotated[
        bool,
        typer.Option(
            "--synchronised", help="Take it that all sources whose start is not known started together."
        ),
    ] = False,
    tolerance: Annotated[float, typer.Option(help="Seconds by which clocks may be off.", min=0)] = 2.0,
    results: Annotated[
        Path | None,
        typer.Option(
            help="Output folder of `track`: its corrections are obeyed, and tracks_global.txt is written"
            " beside each tracks.txt, with hindsight."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for identities.csv and a picture of all routes."),
    ] = None,
) -> None:
    r"""Join all tracklets of a gallery to identities: the same number is the same person in every camera.

    Two tracklets that one camera sees at the same time are two people; what `mot-reid gallery GALLERY one`
    and `two` have said is obeyed, and with --results so is what was corrected in `mot-reid serve`: merges,
    splits, swaps, deletions, and names, of which the same one is the same person in every camera. Identities
    keep their numbers from one call to the next.

    For example

    \b
    mot-reid identify shop/
    mot-reid identify shop/ --cameras cameras.yaml --false-links 0.01 -o who
    mot-reid identify shop/ --results out/
    """
    from mot_reid.gallery.cameras_file import read_cameras
    from mot_reid.gallery.gallery import Gallery
    from mot_reid.video.files import prepare_output_folder

    with usage_errors():
        times = None if cameras is None else read_cameras(cameras, synchronised, tolerance)
        if output is not None:
            prepare_output_folder(output)
        if results is not None and not results.is_dir():
            raise UsageError(f"--results {results}: no such folder")
    gallery = Gallery(place)
    if not len(gallery):
        raise UsageError(f"{place}: the gallery is empty")
    with usage_errors():
        folders = {} if results is None else results_of(gallery, results)
        runs, table = run_corrections(folders), gallery.table()
    found = gallery.identify(false_links, times=times, corrected=_by_run(table, runs, folders))
    written: list[Path] = []
    try:  # before the table: its reader may have gone, as in `| head`
        if results is not None:
            corrected = {name: run for name, (run, _) in runs.items()}
            written += write_global_tracks(found, folders, corrected)
        if output is not None:
            written += _save(gallery, found, output)
    finally:
        _show(gallery, found)
    for camera, (run, _) in runs.items():
        typer.echo(f"{camera}: {counted(run.state.applied, 'correction')} of {run.folder} obeyed", err=True)
    if results is not None and not any((folder / "tracks.txt").is_file() for folder in folders.values()):
        typer.echo(f"warning: {_nothing_in(results, table)}", err=True)
    for path in written:
        typer.echo(f"written: {path}", err=True)
    for line in [*_said_in_vain(cameras, times, table), *gallery.store.damaged]:
        typer.echo(f"warning: {line}", err=True)


def _said_in_vain(path: Path | None, times: Any, table: Any) -> list[str]:
    """What the file of cameras says that this gallery has no use for; one line each."""
    if path is None:
        return []
    told, names = [], sorted(set(table.camera.tolist()))
    if strange := sorted(times.cameras - set(names)):
        told.append(f"{path}: not in the gallery: {', '.join(strange)} (cameras: {', '.join(names)})")
    if (times.between or times.homographies) and np.isnan(times.start_of(table.epoch)).all():
        told.append(
            f"{path}: travel and ground do not count, for no clock is known: --synchronised, or"
            " --started when they are tracked"
        )
    return told


def _show(gallery: Any, found: Any) -> None:
    from mot_reid.evaluation.tables import Column, Table
    from mot_reid.gallery.sheet import clock

    rows = []
    for number in np.unique(found.numbers[found.sure]).tolist():
        route = found.route(number)
        steps: list[str] = []
        for row in route.tolist():
            camera, start, epoch = (found.table.camera[row], found.table.start[row], found.table.epoch[row])
            if not steps or not steps[-1].startswith(f"{camera} "):
                steps.append(f"{camera} {clock(start, epoch)}")
        rows.append(
            {
                "person": f"{number} {found.names[number]}" if number in found.names else number,
                "tracklets": len(route),
                "cameras": len(set(found.table.camera[route].tolist())),
                "boxes": int(found.table.boxes[route].sum()),
                "least probability": float(found.probability[route].min()),
                "route": ", ".join(steps[:6]) + (" ..." if len(steps) > 6 else ""),
            }
        )
    columns = [Column("person"), Column("tracklets"), Column("cameras"), Column("boxes")]
    columns += [Column("least probability", 2), Column("route")]
    title = f"{gallery.place}: {counted(len(found), 'identity')} of {counted(len(found.table), 'tracklet')}"
    notes = []
    if found.unsure:
        notes.append(f"Seen once and for too short a time to be sure that it is anybody: {found.unsure} more")
    notes += [*floors_line(found), *borrowed_line(gallery, "Probabilities, and with them --false-links,")]
    print_table(Table(title, columns, rows, notes=notes))


def floors_line(found: Any) -> list[str]:
    """Which cameras look at one floor, as was learnt; no line if none do."""
    pairs = [
        f"{one} and {other} ({counted(round(floor.view.links), 'pair')})"
        for (one, other), floor in found.views.items()
    ]
    return [f"One floor, so that places count: {'; '.join(pairs)}"] if pairs else []


def borrowed_line(gallery: Any, what: str) -> list[str]:
    """That what a gallery says is by the calibration of another embedder; no line if it has its own."""
    info, other = gallery.store.info, gallery.calibration
    if other.fingerprint == info.fingerprint:
        return []
    return [
        f"{what} are those of the embedder {other.embedder} ({other.fingerprint[:12]}), for there are none"
        f" for {info.embedder} ({info.fingerprint[:12]}): `mot-reid evaluate-search --calibrate` makes them"
    ]


def _nothing_in(results: Path, table: Any) -> str:
    names = sorted(set(table.camera.tolist()))
    return (
        f"--results {results}: nothing is written there: it has no tracks.txt of the gallery's cameras, such"
        f" as {results / names[0] / 'tracks.txt'}"
    )


def results_of(gallery: Any, results: Path) -> dict[str, Path]:
    """The output folder of each camera of a gallery: ``RESULTS/CAMERA``, or RESULTS if it has one camera."""
    names = sorted(set(gallery.table().camera.tolist()))
    folders = {}
    for camera in names:
        folder = results / camera
        if (folder / "tracks.txt").is_file() or track_file_of(folder) is not None:
            folders[camera] = folder
        elif len(names) == 1:
            folders[camera] = results
    return folders


def records_of_run(table: Any, camera: str, folder: Path) -> NDArray[np.intp]:
    """Rows of the records of one camera that a run left, by its output folder: ids count anew in each run.

    Of a folder that does not say all records of its camera are taken.
    """
    own = np.flatnonzero(table.camera == camera)
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        run, location = summary.get("gallery_run"), summary["source"].get("location")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return own
    mine = own[table.run[own] == run]
    if not mine.size and location:
        place = str(Path(location).resolve())
        mine = own[table.source[own] == place]
    return mine if mine.size or run is not None else own


def _by_run(table: Any, runs: Mapping[str, Any], folders: Mapping[str, Path]) -> dict[str, Any]:
    """Corrections by the gallery's runs, from what `run_corrections` gives by camera."""
    return {
        str(name): said
        for camera, (_, said) in runs.items()
        for name in table.run[records_of_run(table, camera, folders[camera])]
    }


def write_global_tracks(
    found: Any, folders: Mapping[str, Path], corrected: Mapping[str, Any] | None = None
) -> list[Path]:
    """Writes ``tracks_global.txt`` beside each camera's ``tracks.txt``: identities instead of track ids.

    Boxes are those of ``tracks_offline.txt`` where a run wrote it; see
    `mot_reid.gallery.global_tracks.GlobalTracks` for what becomes of them.

    Args:
        found: the identities.
        folders: output folder of each camera's run; one without a ``tracks.txt`` gets nothing.
        corrected: runs by camera whose corrected tracks are written.
    """
    from mot_reid.gallery.global_tracks import GLOBAL_FILE, GlobalTracks

    written, everybody = [], GlobalTracks(found)
    for camera, folder in sorted(folders.items()):
        if not (folder / "tracks.txt").is_file():
            continue
        run, records = (corrected or {}).get(camera), records_of_run(found.table, camera, folder)
        if not len(records) and (folder / "tracks.txt").stat().st_size:
            typer.echo(
                f"warning: {folder}: the gallery has none of its tracks (another gallery's run, or all were"
                f" forgotten): numbers in its {GLOBAL_FILE} are nobody's elsewhere",
                err=True,
            )
        if run is None:
            tracks, offline = (
                path.read_text(encoding="utf-8") if path.is_file() else None
                for path in (folder / "tracks.txt", folder / OFFLINE_FILE)
            )
            text = everybody.text(tracks or "", records, offline)
        else:
            text = everybody.corrected(tracks_text(run.state.rows), records)
        with atomic(folder / GLOBAL_FILE) as part:
            part.write_text(text, encoding="utf-8")
        written.append(folder / GLOBAL_FILE)
    return written


def _save(gallery: Any, found: Any, output: Path) -> list[Path]:
    with atomic(output / "identities.csv") as part:
        part.write_text(found.to_csv(), encoding="utf-8")
    _draw(gallery, found, output / "routes.png")
    return [output / "identities.csv", output / "routes.png"]


def _draw(gallery: Any, found: Any, path: Path) -> None:
    import cv2

    from mot_reid.gallery.route_picture import draw_routes, most_seen

    best = {}
    for number in most_seen(found).tolist():
        route = found.route(number)
        best[number] = str(found.table.record[route[int(found.table.quality[route].argmax())]])
        best[number] = best[number].partition("#")[0]  # of a part that was cut by hand
    rows = np.flatnonzero(np.isin(gallery.table().record.astype(str), list(best.values())))
    crops = {record.record: record.crops for record in gallery.tracklets(rows)}
    faces: dict[int, Any] = {}
    for number, name in best.items():
        if crops.get(name):
            jpeg = max(crops[name], key=lambda crop: crop.quality).jpeg
            faces[number] = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    encoded = cv2.imencode(".png", draw_routes(found, faces))[1]
    with atomic(path) as part:
        part.write_bytes(encoded.tobytes())
