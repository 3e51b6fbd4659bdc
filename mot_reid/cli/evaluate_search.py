"""``mot-reid evaluate-search``: how well people are found, and how far its probabilities can be trusted."""

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from mot_reid.cli.errors import UsageError, usage_errors
from mot_reid.cli.options import setting_option, show_tables
from mot_reid.cli.progress import WorkProgress
from mot_reid.files import atomic
from mot_reid.provenance import provenance
from mot_reid.video.files import prepare_output_file, prepare_output_folder
from mot_reid.wording import counted

__all__ = ["evaluate_search"]


def evaluate_search(
    gallery: Annotated[
        str | None, typer.Argument(metavar="GALLERY", help="A gallery whose people --gt knows.")
    ] = None,
    ground_truth: Annotated[
        Path | None,
        typer.Option("--gt", help="Ground truth of its cameras: folders with gt/gt.txt, one id space."),
    ] = None,
    crops: Annotated[
        Path | None, typer.Option(help="Or a folder of crops named as Market-1501's, as tracklets.")
    ] = None,
    held_out: Annotated[
        int,
        typer.Option(help="Only so many people of the crops, those that trainings hold out; 0: all.", min=0),
    ] = 100,
    seed: Annotated[int, typer.Option(help="Which people those are.")] = 0,
    embedder: Annotated[str | None, setting_option("embedder.weights", "--embedder")] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(help="Fit probabilities on all of these people and write them, NAME.calibration.json."),
    ] = None,
    same_camera: Annotated[
        bool, typer.Option("--same-camera", help="Count finds in the query's own camera, too.")
    ] = False,
    rerank: Annotated[bool, typer.Option(help="Use k-reciprocal re-ranking.")] = True,
    every: Annotated[int, typer.Option(help="Ask for every n-th tracklet only.", min=1)] = 1,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder for the table as JSON, CSV and Markdown, and a reliability diagram.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    r"""Ask for every tracklet in turn: mAP, CMC, mINP, and how often "nobody" is the right answer.

    What the query's own camera has of its person is left out. Open set: each query is asked again with its
    person's tracklets away; the share of right answers is told at 1 % and 0.1 % of false ones. With crops,
    each half of the people has probabilities that were fitted on the other half. Of a gallery there is a
    second line without glimpses: tracklets with less than half a second in clear view, which `identify` does
    not count as people by themselves either.

    For example

    \b
    mot-reid evaluate-search --crops market1501/bounding_box_train
    mot-reid evaluate-search --crops market1501/bounding_box_train --calibrate my.calibration.json
    mot-reid evaluate-search shop/ --gt campus4
    """
    from mot_reid.gallery.search import SearchSettings

    with usage_errors():
        if (gallery is None) == (crops is None):
            raise UsageError("evaluate-search: expected a gallery with --gt, or --crops")
        if gallery is not None and ground_truth is None:
            raise UsageError("--gt: needed to know who is in the gallery")
        if calibrate is not None and crops is None:
            raise UsageError("--calibrate: needs --crops")
        _prepare(calibrate, output)
    settings = SearchSettings(rerank=rerank)
    with WorkProgress(quiet) as progress, tempfile.TemporaryDirectory(prefix="mot_reid-") as folder:
        if crops is not None:
            found = _crops(crops, held_out, seed, embedder, Path(folder), calibrate, progress)
        else:
            assert gallery is not None
            assert ground_truth is not None
            found = _gallery(gallery, ground_truth)
        runs = {"all": _run(*found, settings, not same_camera, progress, every)}
        if gallery is not None:
            runs |= _without_glimpses(*found, settings, not same_camera, progress, every)
    run = runs["all"]
    table = _table(found[0], found[2], runs)
    try:
        picture = None if output is None else _drawn(run.bins, found[0], output / "reliability.png")
    finally:
        show_tables({"search": table}, output)
    if picture is not None:
        typer.echo(f"written: {picture}", err=True)


def _prepare(calibrate: Path | None, output: Path | None) -> None:
    if calibrate is not None:
        prepare_output_file(calibrate)
    if output is not None:
        prepare_output_folder(output)


def _drawn(bins: Any, title: str, path: Path) -> Path:
    import cv2

    from mot_reid.evaluation.reliability_picture import draw_reliability

    encoded = cv2.imencode(".png", draw_reliability(bins, title))[1]
    with atomic(path) as part:
        part.write_bytes(encoded.tobytes())
    return path


def _crops(
    crops: Path,
    held_out: int,
    seed: int,
    embedder: str | None,
    folder: Path,
    calibrate: Path | None,
    progress: Any,
) -> tuple[str, Any, Any, Any]:
    """Title, store, people, and a calibration for each query that has not seen its person."""
    from dataclasses import replace

    from mot_reid.appearance.embedder import NetworkEmbedder
    from mot_reid.config import EmbedderConfig
    from mot_reid.evaluation.gallery_truth import crop_tracklets, fit_calibration, listed_crops
    from mot_reid.gallery.fingerprint import embedder_fingerprint
    from mot_reid.gallery.folder_store import FolderStore
    from mot_reid.gallery.store import GalleryInfo
    from mot_reid.training.reid.crops import hold_out
    from mot_reid.video.pictures import read_picture

    with usage_errors():
        files, names = listed_crops(crops)
        network = NetworkEmbedder(EmbedderConfig() if embedder is None else EmbedderConfig(weights=embedder))
    if held_out:
        kept = hold_out(names[:, 0], held_out, seed)
        files, names = [file for file, keep in zip(files, kept, strict=True) if keep], names[kept]
    rows = []
    for done, file in enumerate(files):
        progress("embedding crops", done, len(files))
        picture = read_picture(file)
        rows.append(
            network.embed(picture, np.array([[0, 0, picture.shape[1], picture.shape[0]]], np.float32))[0]
        )
    records, people = crop_tracklets(np.array(rows, np.float32), names)
    name, fingerprint = embedder_fingerprint(network)
    about = (
        f"{counted(len(np.unique(people)), 'person')} of {crops.parent.name}, "
        f"{counted(len(records), 'tracklet')}"
    )
    if calibrate is not None:
        whole = fit_calibration(records, people, name, fingerprint, about)
        with atomic(calibrate) as part:
            part.write_text(whole.to_json(), encoding="utf-8")
        typer.echo(f"written: {calibrate}", err=True)
    known = np.unique(people)
    first = np.isin(people, np.random.default_rng(0).permutation(known)[: len(known) // 2])
    halves = {
        half: fit_calibration(
            [record for record, keep in zip(records, first != half, strict=True) if keep],
            people[first != half],
            name,
            fingerprint,
            about,
        )
        for half in (True, False)
    }
    store = FolderStore(folder / "gallery", GalleryInfo(name, fingerprint, len(records[0].mean)))
    store.append([replace(record) for record in records])
    store.table()
    return f"{about}, {name}", store, people, lambda row: halves[bool(first[row])]


def _gallery(place: str, ground_truth: Path) -> tuple[str, Any, Any, Any]:
    from mot_reid.evaluation.gallery_truth import gallery_people
    from mot_reid.gallery.gallery import Gallery

    kept = Gallery(place)
    with usage_errors():
        _, people = gallery_people(kept, ground_truth)
    calibration = kept.calibration
    return f"{place} beside {ground_truth.name}", kept.store, people, lambda _: calibration


def _run(
    _: str,
    store: Any,
    people: Any,
    calibration: Any,
    settings: Any,
    across: bool,
    progress: Any,
    every: int,
) -> Any:
    from mot_reid.evaluation.search_run import run_searches

    progress("searching", 0, -(-int((people >= 0).sum()) // every))
    return run_searches(store, people, calibration, settings, across, progress.advance, every)


def _without_glimpses(title: str, store: Any, people: Any, *rest: Any) -> dict[str, Any]:
    """The same without tracklets that are too short to tell; nothing where there are none, or nobody else."""
    from mot_reid.gallery.identifying import glimpses

    clear = np.where(glimpses(store.table()), -1, people)
    if (clear == people).all():
        return {}
    with suppress(ValueError):  # nobody is there twice
        return {"without glimpses": _run(title, store, clear, *rest)}
    return {}


def _table(title: str, people: Any, runs: dict[str, Any]) -> Any:
    from mot_reid.evaluation.search_run import FALSE_RATES
    from mot_reid.evaluation.tables import Column, Table

    rows = [_row(name, people, found, FALSE_RATES) for name, found in runs.items()]
    counts = ("tracklets asked for", "queries", "tracklets", "people")
    columns = [
        Column(name, None if name in counts else 3 if name == "calibration error" else 1) for name in rows[0]
    ]
    notes = [
        "Probability said, share that was right, hits (first ten of each query): "
        + "; ".join(f"{said:.2f} {came:.2f} {count}" for said, came, count in runs["all"].bins)
    ]
    return Table(title, columns, rows, provenance=provenance(), notes=notes)


def _row(name: str, people: Any, found: Any, rates: Any) -> dict[str, Any]:
    scores = found.scores
    row: dict[str, Any] = {
        "tracklets asked for": name,
        "queries": found.queries,
        "tracklets": len(people),
        "people": len(np.unique(people[people >= 0])),
        "mAP": 100 * scores.mean_average_precision,
        "rank-1": 100 * scores.cmc[0],
        "rank-5": 100 * scores.cmc[1],
        "rank-10": 100 * scores.cmc[2],
        "mINP": 100 * scores.inverse_negative_penalty,
    }
    for rate, share in zip(rates, found.open_set, strict=True):
        row[f"found at {100 * rate:g} % false"] = 100 * share
    row |= {"calibration error": found.calibration_error, "ms a query": found.milliseconds}
    return row
