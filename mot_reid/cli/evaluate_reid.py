"""``mot-reid evaluate-reid``: how well embedders find people again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mot_reid.cli.errors import UsageError, usage_errors
from mot_reid.cli.labels import file_stem, short_names
from mot_reid.cli.options import QuietOption, show_tables, takes
from mot_reid.cli.progress import WorkProgress
from mot_reid.provenance import provenance
from mot_reid.video.files import prepare_output_file, prepare_output_folder
from mot_reid.wording import counted

if TYPE_CHECKING:
    from mot_reid.evaluation.tables import Table
    from mot_reid.training.reid.evaluation import Embed
    from mot_reid.training.reid.exclusions import Exclusion

__all__ = ["evaluate_reid"]

RETRIEVAL, FIGURE, CAMERAS, SEQUENCES = "Retrieval", "Figure", "Across cameras", "Sequences"


@dataclass(frozen=True)
class EvaluateReidOptions:
    """Options of `mot-reid evaluate-reid`."""

    weights: Annotated[
        list[str],
        typer.Argument(
            metavar="WEIGHTS",
            help="Embedders: checkpoints, .onnx exports, OpenVINO's .xml, or shipped ones' names.",
        ),
    ]
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of crops as `mot-reid train` takes: its query and gallery, or else held-out "
            "identities.",
            rich_help_panel=RETRIEVAL,
        ),
    ] = None
    pattern: Annotated[
        str | None,
        typer.Option(
            help="Regular expression with the groups identity and camera for the crops' file names.",
            show_default="the known sets",
            rich_help_panel=RETRIEVAL,
        ),
    ] = None
    held_out: Annotated[
        int,
        typer.Option(
            help="Identities of a folder without query and gallery: those that a training with the same "
            "number and --seed did not see; 0 for all.",
            min=0,
            rich_help_panel=RETRIEVAL,
        ),
    ] = 100
    seed: Annotated[
        int, typer.Option(help="Decides which identities those are.", rich_help_panel=RETRIEVAL)
    ] = 0
    flip: Annotated[
        bool, typer.Option("--flip", help="Embed mirrored crops too.", rich_help_panel=RETRIEVAL)
    ] = False
    rerank: Annotated[
        bool,
        typer.Option(
            "--rerank",
            help="Re-rank by k-reciprocal neighbours, too (20, 6, 0.3).",
            rich_help_panel=RETRIEVAL,
        ),
    ] = False
    figure: Annotated[
        Path | None,
        typer.Option(
            help="Draw what some queries find, from the worst to the best: right in green, wrong in red.",
            metavar="PICTURE",
            rich_help_panel=FIGURE,
        ),
    ] = None
    queries: Annotated[int, typer.Option(help="Queries to draw.", min=1, rich_help_panel=FIGURE)] = 8
    top: Annotated[int, typer.Option(help="Crops to draw for each.", min=1, rich_help_panel=FIGURE)] = 10
    cameras: Annotated[
        list[Path] | None,
        typer.Option(
            help="People known across cameras: MOTChallenge sequences that share their ids, Market-1501 "
            "(tracklets of held-out identities), or PERSON/CAMERA_NUMBER.png.",
            rich_help_panel=CAMERAS,
        ),
    ] = None
    sequence: Annotated[
        list[Path] | None,
        typer.Option(
            help="MOTChallenge folder: recognise its people some seconds later, as they are and perturbed.",
            rich_help_panel=SEQUENCES,
        ),
    ] = None
    gap: Annotated[
        float, typer.Option(help="Seconds between compared crops.", min=0, rich_help_panel=SEQUENCES)
    ] = 2.0
    every: Annotated[
        float, typer.Option(help="Seconds between the frames to use.", min=0.01, rich_help_panel=SEQUENCES)
    ] = 0.5
    hidden: Annotated[
        float,
        typer.Option(help="Largest hidden share of a crop.", min=0, max=1, rich_help_panel=SEQUENCES),
    ] = 0.4
    without: Annotated[
        Path | None,
        typer.Option(
            help="CSV file with the columns sequence, identity, first and last: boxes, from one frame to "
            "another, that show somebody else and are left out.",
            metavar="FILE",
            rich_help_panel=SEQUENCES,
        ),
    ] = None
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Save the tables there as JSON, CSV and Markdown.")
    ] = None
    name: Annotated[str, typer.Option(help="Name of the saved files.")] = "reid"
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps, or auto for the best there is.")] = (
        "auto"
    )
    threads: Annotated[
        int | None, typer.Option(help="CPU threads.", min=1, show_default="torch's choice")
    ] = None
    quiet: QuietOption = False


@takes(EvaluateReidOptions)
def evaluate_reid(given: EvaluateReidOptions) -> None:
    r"""Score embedders: how well they find people again in other cameras, or seconds later.

    With --data by the protocol of Market-1501: mean average precision (mAP) and the share of queries with a
    true match among the first 1, 5 and 10. Junk and the query's own camera do not count. With --sequence on
    the ground truth of a tracking sequence: rank-1 and AUC of the same against different people. With
    --cameras over pairs of two cameras: rank-1, mAP, AUC, and the share of true pairs that are found when 1 %
    and 0.1 % of the false ones are let through.

    For example

    \b
    mot-reid evaluate-reid runs/reid/embedder.safetensors --data market1501
    mot-reid evaluate-reid ours.safetensors theirs.onnx --data market1501 --rerank -o scores
    mot-reid evaluate-reid ours.safetensors --data market1501 --figure galleries.png
    mot-reid evaluate-reid ours.safetensors --sequence pets09-s2l1 --sequence adl-rundle-6
    mot-reid evaluate-reid ours.safetensors --cameras campus4 --cameras market1501
    """
    if given.data is None and not given.sequence and not given.cameras:
        raise UsageError("nothing to do: give --data, --cameras or --sequence")
    _check_figure(given)
    with usage_errors():
        embedders = _embedders(given)
        sequences = dict(zip(_stems(given.name, given.sequence), given.sequence or [], strict=True))
        crossings = dict(
            zip(_stems(f"{given.name}-cameras", given.cameras), given.cameras or [], strict=True)
        )
        _check_folders(given.sequence or [], given.cameras or [])
        excluded = {stem: _excluded(folder, given.without) for stem, folder in sequences.items()}
        if given.output is not None:
            prepare_output_folder(given.output)
        if given.figure is not None:
            prepare_output_file(given.figure)
    tables: dict[str, Table] = {}
    try:
        with WorkProgress(given.quiet) as progress:
            if given.data is not None:
                tables[given.name] = _retrieval(embedders, given.data, given, progress)
            for stem, folder in crossings.items():
                tables[stem] = _across_cameras(embedders, folder, given, progress)
            for stem, folder in sequences.items():
                tables[stem] = _separability(embedders, folder, given, excluded[stem], progress)
    finally:  # an error in one folder, or Ctrl-C, does not cost what was scored before
        _report(tables, given.output, given.figure if given.name in tables else None)


def _check_figure(given: EvaluateReidOptions) -> None:
    if given.figure is not None and (given.data is None or len(given.weights) > 1):
        raise UsageError("--figure: needs --data and one embedder")
    if given.figure is not None and given.figure.suffix not in (".png", ".jpg"):
        raise UsageError(f"--figure {given.figure}: expected a name that ends in .png or .jpg")


def _embedders(given: EvaluateReidOptions) -> dict[str, tuple["Embed", tuple[int, int]]]:
    """What embeds, and the size of its input, by the name in the tables."""
    import torch

    from mot_reid.devices import resolve_device

    if given.threads is not None:
        torch.set_num_threads(given.threads)
    place = resolve_device(given.device)
    texts = dict.fromkeys(given.weights)
    return {label: _open(text, place) for label, text in zip(short_names(texts), texts, strict=True)}


def _excluded(folder: Path, without: Path | None) -> "Sequence[Exclusion]":
    """The boxes of a sequence that are left out."""
    from mot_reid.training.reid.exclusions import read_exclusions
    from mot_reid.video.seqinfo import read_seqinfo, sequence_name

    return read_exclusions(without, sequence_name(folder, read_seqinfo(folder))) if without else ()


def _check_folders(sequences: list[Path], cameras: list[Path]) -> None:
    for folder in sequences:
        if not (folder / "seqinfo.ini").is_file():
            raise FileNotFoundError(f"{folder}: no seqinfo.ini, so no MOTChallenge sequence")
    for folder in cameras:
        if not folder.is_dir():
            raise FileNotFoundError(f"no such folder: {folder}")


def _stems(name: str, folders: list[Path] | None) -> list[str]:
    """Names of the files with the tables of some folders."""
    labels = short_names([folder.resolve() for folder in folders or []])
    return [f"{file_stem(name)}-{label.replace('/', '-')}" for label in labels]


def _report(tables: dict[str, "Table"], output: Path | None, figure: Path | None) -> None:
    show_tables(tables, output)
    if figure is not None:
        typer.echo(f"written: {figure}", err=True)


def _open(weights: str, device: str) -> tuple["Embed", tuple[int, int]]:
    """What embeds RGB crops, and the size of its input."""
    from mot_reid.appearance.backends import load_backend
    from mot_reid.resources import EMBEDDERS, find_weights
    from mot_reid.training.reid.evaluation import backend_embed
    from mot_reid.training.reid.teachers import open_teacher

    if weights.endswith(".xml"):
        teacher = open_teacher(weights)
        return teacher.embed, teacher.size
    backend = load_backend(find_weights(weights, (".safetensors", ".onnx"), EMBEDDERS), device)
    return backend_embed(backend), backend.input_size


def _retrieval(
    embedders: dict[str, tuple["Embed", tuple[int, int]]],
    data: Path,
    given: EvaluateReidOptions,
    progress: WorkProgress,
) -> "Table":
    from mot_reid.evaluation.tables import Column, Table
    from mot_reid.gallery import reranking
    from mot_reid.training.reid.evaluation import Trial, embed_crops, list_trial, read_trial
    from mot_reid.training.reid.retrieval import score_retrieval

    def told(what: str, total: int) -> Callable[[int], None]:
        return lambda done: progress(what, done, total)

    with usage_errors():
        query, gallery, found = list_trial(data, given.pattern, given.held_out, given.seed)
    total = len(query.paths) + len(gallery.paths)
    trials: dict[tuple[int, int], Trial] = {}
    rows = []
    for label, (embed, size) in embedders.items():
        if size not in trials:
            trials[size] = read_trial(query, gallery, size, told("reading crops", total))
        trial = trials[size]
        asks, answers = (
            embed_crops(embed, part.images, flip=given.flip, on_embed=told(f"{label} {name}", len(part)))
            for name, part in zip(("queries", "gallery"), trial, strict=True)
        )
        likeness = {"": asks @ answers.T}
        if given.rerank:
            likeness[" re-ranked"] = -reranking.rerank(asks, answers)
        labels = (query.identities, gallery.identities, query.cameras, gallery.cameras)
        for suffix, similarity in likeness.items():
            scores = score_retrieval(similarity, *labels)
            ranks = {f"rank-{rank}": 100 * float(scores.cmc[rank - 1]) for rank in (1, 5, 10)}
            rows.append({"embedder": label + suffix, "mAP": 100 * scores.mean_average_precision, **ranks})
        if given.figure is not None:
            _draw(given.figure, trial, next(iter(likeness.values())), given.queries, given.top)
    columns = [Column("embedder"), *(Column(key, digits=1) for key in ("mAP", "rank-1", "rank-5", "rank-10"))]
    queries = counted(scores.queries, "query")
    title = f"{data.resolve().name}, {found}: {queries}, {counted(len(gallery.paths), 'crop')}"
    if given.flip:
        title += ", mirrored crops too"
    return Table(title, columns, rows, provenance())


def _draw(path: Path, trial: Any, similarity: Any, queries: int, top: int) -> None:
    import cv2

    from mot_reid.training.reid.figure import choose_queries, draw_galleries
    from mot_reid.training.reid.retrieval import score_retrieval

    query, gallery = trial
    labels = (query.identities, gallery.identities, query.cameras, gallery.cameras)
    precisions = score_retrieval(similarity, *labels).average_precisions
    rows = choose_queries(precisions, queries)
    picture = draw_galleries(query, gallery, similarity, rows, precisions, top)
    if not cv2.imwrite(str(path), picture):
        raise OSError(f"{path}: cannot be written")


def _across_cameras(
    embedders: dict[str, tuple["Embed", tuple[int, int]]],
    folder: Path,
    given: EvaluateReidOptions,
    progress: WorkProgress,
) -> "Table":
    from mot_reid.evaluation.tables import Column, Table
    from mot_reid.training.reid.across_cameras import (
        FALSE_RATES,
        CameraTrial,
        assess_across_cameras,
        read_camera_trial,
    )

    trials: dict[tuple[int, int], CameraTrial] = {}
    rows: list[dict[str, Any]] = []
    found = [f"found at {100 * rate:g} %" for rate in FALSE_RATES]
    for label, (embed, size) in embedders.items():
        with usage_errors():
            if size not in trials:
                trials[size] = read_camera_trial(
                    folder,
                    size,
                    every=given.every,
                    hidden=given.hidden,
                    held_out=given.held_out,
                    seed=given.seed,
                )
            trial = trials[size]
            total = len(trial.crops)
            scores = assess_across_cameras(
                embed,
                trial,
                lambda done, name=label, all_=total: progress(name, done, all_),  # type: ignore[misc]
            )
        shares = dict(zip(found, (100 * share for share in scores.found), strict=True))
        rows.append(
            {
                "embedder": label,
                "rank-1": 100 * scores.rank1,
                "mAP": 100 * scores.mean_average_precision,
                "AUC": 100 * scores.auc,
                **shares,
            }
        )
    columns = [Column("embedder"), *(Column(name, digits=1) for name in ("rank-1", "mAP"))]
    columns += [Column("AUC", digits=2), *(Column(name, digits=1) for name in found)]
    queries = counted(scores.queries, "query")
    title = f"{folder.resolve().name}, {trial.name}: {queries}, pairs of two cameras only"
    note = f"Pairs: {scores.true_pairs} true, {scores.false_pairs} false; found: share of the true ones."
    return Table(title, columns, rows, provenance(), [note])


def _separability(
    embedders: dict[str, tuple["Embed", tuple[int, int]]],
    folder: Path,
    given: EvaluateReidOptions,
    without: "Sequence[Exclusion]",
    progress: WorkProgress,
) -> "Table":
    from mot_reid.evaluation.tables import Column, Table
    from mot_reid.training.reid.separability import PERCENTILES, assess_sequence

    rows: list[dict[str, Any]] = []
    notes = []
    for done, (label, (embed, size)) in enumerate(embedders.items()):
        progress(f"comparing the people of {folder.resolve().name}", done, len(embedders))
        scores = assess_sequence(embed, size, folder, given.gap, given.every, given.hidden, without)
        for view, score in scores.items():
            rows.append(
                {"embedder": label, "crops": view, "rank-1": 100 * score.rank1, "AUC": 100 * score.auc}
            )
        clean = scores["clean"]
        for kind, values in (("one person", clean.same), ("two people", clean.different)):
            listed = ", ".join(f"{p} %: {v:.3f}" for p, v in zip(PERCENTILES, values, strict=True))
            notes.append(f"{label}, cosines of {kind}: {listed}.")
    if without:
        spans = f"{counted(len(without), 'span')} of boxes"
        notes.append(f"Left out: {spans} that show somebody or something else.")
    if clean.doubtful:
        notes.append(
            f"Not compared: {counted(clean.doubtful, 'pair')} of identities that no frame shows together: "
            "maybe one person who left and came back."
        )
    progress(f"comparing the people of {folder.resolve().name}", len(embedders), len(embedders))
    columns = [
        Column("embedder"),
        Column("crops"),
        *(Column(key, digits=1) for key in ("rank-1", "AUC")),
    ]
    title = f"{folder.resolve().name}: {counted(clean.crops, 'crop')}, compared {given.gap:g} s or more apart"
    return Table(title, columns, rows, provenance(), notes)
