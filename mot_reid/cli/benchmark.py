"""``mot-reid benchmark``: track a data set, score it, and write the table."""

import hashlib
import json
import re
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mot_reid.cli.errors import UsageError, usage_errors
from mot_reid.cli.labels import file_stem
from mot_reid.cli.options import (
    ConfigOption,
    HalfOption,
    JobsOption,
    PresetOption,
    ProtocolOption,
    QuietOption,
    SequenceOption,
    SplitOption,
    TrustOption,
    build_config,
    given_settings,
    setting_option,
    show_tables,
    takes,
)
from mot_reid.cli.progress import WorkProgress
from mot_reid.config import Config
from mot_reid.devices import resolve_device
from mot_reid.provenance import provenance
from mot_reid.resources import cache_folder
from mot_reid.settings import changed_settings
from mot_reid.video.files import prepare_output_folder

if TYPE_CHECKING:
    from mot_reid.evaluation.benchmark import SequenceRun
    from mot_reid.evaluation.inputs import ScoreMap
    from mot_reid.evaluation.sequences import Sequence
    from mot_reid.evaluation.tables import Table

__all__ = ["benchmark"]

INPUTS, SWEEP, OUTPUTS = "Inputs", "Sweep", "Outputs"


@dataclass(frozen=True)
class BenchmarkOptions:
    """Options of `mot-reid benchmark`."""

    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET",
            help="A folder in MOTChallenge layout (a data set or one sequence), or its name below --data.",
        ),
    ]
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the data sets.", envvar="MOT_REID_DATA", rich_help_panel=INPUTS),
    ] = None
    detections: Annotated[
        str | None,
        typer.Option(
            help="Detections from files: frcnn, dpm or another name for det/NAME.txt of each sequence, public"
            " for det/det.txt, or a path in which {sequence} stands for its name.",
            show_default="a detector run on the frames",
            rich_help_panel=INPUTS,
        ),
    ] = None
    scores: Annotated[
        str,
        typer.Option(
            metavar="auto|as-is|logistic",
            help="How the files' scores are read; logistic is 1 / (1 + exp(-2 s)), auto takes it for DPM's.",
            rich_help_panel=INPUTS,
        ),
    ] = "auto"
    detector: Annotated[str | None, setting_option("detector.weights", "--detector", panel=INPUTS)] = None
    image_size: Annotated[int | None, setting_option("detector.image_size", "--image-size", panel=INPUTS)] = (
        None
    )
    embedder: Annotated[str | None, setting_option("embedder.weights", "--embedder", panel=INPUTS)] = None
    camera_motion: Annotated[str | None, setting_option("camera.motion", "--camera-motion", panel=INPUTS)] = (
        None
    )
    device: Annotated[str | None, setting_option("device", "--device", panel=INPUTS)] = None
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Where computed detections, embeddings and camera motion are kept.",
            show_default="~/.cache/mot_reid/benchmark",
            rich_help_panel=INPUTS,
        ),
    ] = None
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Compute all inputs anew, keep none.", rich_help_panel=INPUTS)
    ] = False
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="Link, lengthen, prune, fill and smooth the tracks with hindsight before they are scored.",
        ),
    ] = False
    half: HalfOption = "all"
    split: SplitOption = None
    sequence: SequenceOption = None
    protocol: ProtocolOption = None
    preset: PresetOption = None
    config: ConfigOption = None
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Change a setting: NAME=VALUE; with NAME=VALUE,VALUE,... a sweep tries all."
        ),
    ] = None
    search: Annotated[
        Path | None,
        typer.Option(
            help="YAML file with a list of values for each setting to sweep.", rich_help_panel=SWEEP
        ),
    ] = None
    metric: Annotated[
        str, typer.Option(help="What the best of a sweep is chosen by.", rich_help_panel=SWEEP)
    ] = "HOTA"
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder for the table: JSON, CSV, Markdown.", rich_help_panel=OUTPUTS
        ),
    ] = Path("benchmark")
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the saved files.", show_default="of what was run", rich_help_panel=OUTPUTS
        ),
    ] = None
    save_results: Annotated[
        bool,
        typer.Option(
            "--save-results",
            help="Save the tracks too, as NAME.txt for each sequence (TrackEval's layout).",
            rich_help_panel=OUTPUTS,
        ),
    ] = False
    jobs: JobsOption = 0
    trust_weights: TrustOption = False
    quiet: QuietOption = False


@takes(BenchmarkOptions)
def benchmark(given: BenchmarkOptions) -> None:
    r"""Track a data set, score it by MOTChallenge's protocol, and write one table.

    Detections, embeddings and camera motion are computed once and kept, so that another association setting
    costs seconds. What needs no pixels works without the frames.

    For example

    \b
    mot-reid benchmark MOT17 --data DIR --detections frcnn --embedder none --camera-motion none
    mot-reid benchmark MOT17 --data DIR --detector yolo11x.pt --half second
    mot-reid benchmark pets09-s2l1 --data DIR --set association.confident.min_iou=0.1,0.2,0.3
    """
    from mot_reid.evaluation.sequences import find_sequences, one_of_each
    from mot_reid.evaluation.sweep import grid, require_metric

    with usage_errors():
        _check(given)
        base, swept = _settings(given)
        require_metric(given.metric)
        combinations = grid(base, swept)
        found = find_sequences(
            given.dataset,
            given.data,
            splits=given.split or (),
            names=given.sequence or (),
            half=given.half,
            protocol=given.protocol,
        )
        sequences = one_of_each(found, given.detections)
        if swept and given.save_results:
            raise UsageError("--save-results: has no effect in a sweep")
        if given.name is not None:
            file_stem(given.name)
        prepare_output_folder(given.output)
    title = _title(Path(given.dataset).name, given.half, given.detections, base)
    late = f"{base.output.lag:g} s late" if base.output.lag else "online"
    title += " (offline)" if given.offline else f" ({late})"
    stem = given.name or _file_name(title) + _digest(base, _choice(given, swept)) + (
        "-sweep" if swept else ""
    )
    configs = [entry for _, entry in combinations]
    runs, cached = _run(given, base, sequences, configs, stem)
    table = _table(given, title, base, swept, [entry for entry, _ in combinations], runs, cached)
    show_tables({stem: table}, given.output)


def _check(given: BenchmarkOptions) -> None:
    """Refuses options that do not go together.

    Raises:
        UsageError, ValueError: naming the option.
    """
    _score_map(given.scores)
    for option, value in (("--detector", given.detector), ("--image-size", given.image_size)):
        if given.detections is not None and value is not None:
            raise UsageError(f"{option}: has no effect with --detections, which runs no detector")
    if given.cache is not None and given.no_cache:
        raise UsageError("--cache and --no-cache: choose one")


def _score_map(scores: str) -> "ScoreMap":
    from mot_reid.evaluation.inputs import SCORE_MAPS

    if scores not in SCORE_MAPS:
        raise ValueError(f"--scores {scores!r} is not known; known: {', '.join(SCORE_MAPS)}")
    return scores


def _settings(given: BenchmarkOptions) -> tuple[Config, dict[str, list[str]]]:
    """The configuration, and the values that a sweep tries of each setting."""
    from mot_reid.evaluation.sweep import read_search, split_values

    values = dict(split_values(entry) for entry in given.set_ or [])
    fixed = [f"{key}={entries[0]}" for key, entries in values.items() if len(entries) == 1]
    swept = {key: entries for key, entries in values.items() if len(entries) > 1}
    if given.search is not None:
        swept |= read_search(given.search)
    options = given_settings(BenchmarkOptions, vars(given))
    return build_config(given.config, options, fixed, given.preset), swept


def _choice(given: BenchmarkOptions, swept: dict[str, list[str]]) -> dict[str, Any]:
    """What was chosen besides the settings, and is not in a table's title."""
    choice: dict[str, Any] = {"split": given.split, "sequence": given.sequence}
    choice |= {"protocol": given.protocol, "swept": swept}
    return choice | {"scores": None if given.scores == "auto" else given.scores}


def _run(
    given: BenchmarkOptions, base: Config, sequences: "list[Sequence]", configs: list[Config], stem: str
) -> "tuple[list[list[SequenceRun]], set[str]]":
    """Tracks and scores: for each configuration the sequences' runs, and which stages came from the cache."""
    from mot_reid.evaluation.benchmark import InputChoice, prepare_all, run_all
    from mot_reid.evaluation.inputs import needs_pixels

    if needs_pixels(base, given.detections):  # told once here, "auto" costs the workers no import of torch
        configs = [replace(entry, device=resolve_device(entry.device)) for entry in configs]
    with ExitStack() as stack:
        if given.no_cache:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mot_reid-")))
        else:
            folder = given.cache or cache_folder() / "benchmark"
        inputs = InputChoice(folder, given.detections, _score_map(given.scores))
        progress = stack.enter_context(WorkProgress(given.quiet))
        cached = prepare_all(
            sequences,
            configs,
            inputs,
            lambda entry, stage, done, total: progress(f"{entry.name} {stage}", done, total),
        )
        progress("tracking and scoring", 0, len(sequences) * len(configs))
        runs = run_all(
            sequences,
            configs,
            inputs,
            results=given.output / stem if given.save_results else None,
            offline=given.offline,
            jobs=given.jobs,
            on_done=progress.advance,
        )
    return runs, cached


def _table(
    given: BenchmarkOptions,
    title: str,
    base: Config,
    swept: dict[str, list[str]],
    combinations: "list[dict[str, str]]",
    runs: "list[list[SequenceRun]]",
    cached: set[str],
) -> "Table":
    from mot_reid.evaluation.report import Mode, benchmark_table
    from mot_reid.evaluation.sweep import sweep_table

    mode: Mode = "offline" if given.offline else "late" if base.output.lag else "online"
    made_by: dict[str, Any] = {**provenance(), "settings": changed_settings(base)}
    if swept:
        made_by["swept"] = {key: " ".join(values) for key, values in swept.items()}
        return sweep_table(title, swept, combinations, runs, given.metric, made_by, mode)
    made_by |= {"models": runs[0][0].models, "configuration": asdict(base)}
    return benchmark_table(title, runs[0], made_by, mode, cached)


def _title(dataset: str, half: str, detections: str | None, config: Config) -> str:
    """What was run, in one line: the same for the same inputs."""
    parts = [dataset if half == "all" else f"{dataset} {half} half"]
    if detections is not None:
        parts.append(f"{Path(detections).stem} detections")
    else:
        parts.append(f"{Path(config.detector.weights).stem} at {config.detector.image_size}")
    if config.association.cascade != Config().association.cascade:
        parts.append(f"cascade {config.association.cascade}")
    parts.append(Path(config.embedder.weights).stem if config.embeds else "no appearance")
    motion = config.camera.motion
    parts.append("no camera motion" if motion == "none" else f"camera motion {Path(motion).name}")
    return ", ".join(parts)


def _digest(config: Config, choice: dict[str, Any]) -> str:
    """Tells runs of one title apart by what the title does not say; empty where there is no such thing."""
    said = ("detector.weights", "detector.image_size", "embedder.weights", "camera.motion", "device")
    rest = {key: str(value) for key, value in changed_settings(config).items() if key not in said}
    rest |= {key: str(value) for key, value in choice.items() if value}
    if not rest:
        return ""
    return "-" + hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()[:6]


def _file_name(title: str) -> str:
    return re.sub(r"[^a-z0-9._]+", "-", title.lower()).strip("-")
