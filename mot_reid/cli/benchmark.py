"""``mot-reid benchmark``: track a data set, score it, and write the table."""

import hashlib
import json
import re
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

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
    print_table,
    setting_option,
)
from mot_reid.cli.progress import WorkProgress
from mot_reid.config import Config
from mot_reid.devices import resolve_device
from mot_reid.provenance import provenance
from mot_reid.resources import cache_folder
from mot_reid.settings import changed_settings
from mot_reid.video.files import prepare_output_folder

__all__ = ["benchmark"]

INPUTS, SWEEP, OUTPUTS = "Inputs", "Sweep", "Outputs"


def benchmark(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET",
            help="A folder in MOTChallenge layout (a data set or one sequence), or its name below --data.",
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the data sets.", envvar="MOT_REID_DATA", rich_help_panel=INPUTS),
    ] = None,
    detections: Annotated[
        str | None,
        typer.Option(
            help="Detections from files: frcnn, dpm or another name for det/NAME.txt of each sequence, public"
            " for det/det.txt, or a path in which {sequence} stands for its name.",
            show_default="a detector run on the frames",
            rich_help_panel=INPUTS,
        ),
    ] = None,
    scores: Annotated[
        str,
        typer.Option(
            metavar="auto|as-is|logistic",
            help="How the files' scores are read; logistic is 1 / (1 + exp(-2 s)), auto takes it for DPM's.",
            rich_help_panel=INPUTS,
        ),
    ] = "auto",
    detector: Annotated[str | None, setting_option("detector.weights", "--detector", panel=INPUTS)] = None,
    image_size: Annotated[
        int | None, setting_option("detector.image_size", "--image-size", panel=INPUTS)
    ] = None,
    embedder: Annotated[str | None, setting_option("embedder.weights", "--embedder", panel=INPUTS)] = None,
    camera_motion: Annotated[
        str | None, setting_option("camera.motion", "--camera-motion", panel=INPUTS)
    ] = None,
    device: Annotated[str | None, setting_option("device", "--device", panel=INPUTS)] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Where computed detections, embeddings and camera motion are kept.",
            show_default="~/.cache/mot_reid/benchmark",
            rich_help_panel=INPUTS,
        ),
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Compute all inputs anew, keep none.", rich_help_panel=INPUTS)
    ] = False,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="Link, lengthen, prune, fill and smooth the tracks with hindsight before they are scored.",
        ),
    ] = False,
    half: HalfOption = "all",
    split: SplitOption = None,
    sequence: SequenceOption = None,
    protocol: ProtocolOption = None,
    preset: PresetOption = None,
    config: ConfigOption = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Change a setting: NAME=VALUE; with NAME=VALUE,VALUE,... a sweep tries all."
        ),
    ] = None,
    search: Annotated[
        Path | None,
        typer.Option(
            help="YAML file with a list of values for each setting to sweep.", rich_help_panel=SWEEP
        ),
    ] = None,
    metric: Annotated[
        str, typer.Option(help="What the best of a sweep is chosen by.", rich_help_panel=SWEEP)
    ] = "HOTA",
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder for the table: JSON, CSV, Markdown.", rich_help_panel=OUTPUTS
        ),
    ] = Path("benchmark"),
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the saved files.", show_default="of what was run", rich_help_panel=OUTPUTS
        ),
    ] = None,
    save_results: Annotated[
        bool,
        typer.Option(
            "--save-results",
            help="Save the tracks too, as NAME.txt for each sequence (TrackEval's layout).",
            rich_help_panel=OUTPUTS,
        ),
    ] = False,
    jobs: JobsOption = 0,
    trust_weights: TrustOption = False,
    quiet: QuietOption = False,
) -> None:
    r"""Track a data set, score it by MOTChallenge's protocol, and write one table.

    Detections, embeddings and camera motion are computed once and kept, so that another association setting
    costs seconds. What needs no pixels works without the frames.

    For example

    \b
    mot-reid benchmark MOT17 --data DIR --detections frcnn --embedder none --camera-motion none
    mot-reid benchmark MOT17 --data DIR --detector yolo11x.pt --half second
    mot-reid benchmark pets09-s2l1 --data DIR --set association.confident.min_iou=0.1,0.2,0.3
    """
    from mot_reid.evaluation.benchmark import InputChoice, prepare_all, run_all
    from mot_reid.evaluation.inputs import SCORE_MAPS, needs_pixels
    from mot_reid.evaluation.report import Mode, benchmark_table
    from mot_reid.evaluation.sequences import find_sequences, one_of_each
    from mot_reid.evaluation.sweep import grid, read_search, require_metric, split_values, sweep_table

    with usage_errors():
        if scores not in SCORE_MAPS:
            raise ValueError(f"--scores {scores!r} is not known; known: {', '.join(SCORE_MAPS)}")
        unused = {"--detector": detector, "--image-size": image_size}
        for option, value in unused.items():
            if detections is not None and value is not None:
                raise UsageError(f"{option}: has no effect with --detections, which runs no detector")
        if cache is not None and no_cache:
            raise UsageError("--cache and --no-cache: choose one")
        options = given_settings(benchmark, locals())
        swept = dict(split_values(entry) for entry in set_ or [])
        fixed = [f"{key}={values[0]}" for key, values in swept.items() if len(values) == 1]
        swept = {key: values for key, values in swept.items() if len(values) > 1}
        if search is not None:
            swept |= read_search(search)
        base = build_config(config, options, fixed, preset)
        require_metric(metric)
        combinations = grid(base, swept)
        sequences = one_of_each(
            find_sequences(
                dataset, data, splits=split or (), names=sequence or (), half=half, protocol=protocol
            ),
            detections,
        )
        if swept and save_results:
            raise UsageError("--save-results: has no effect in a sweep")
        if name is not None:
            file_stem(name)
        prepare_output_folder(output)
    mode: Mode = "offline" if offline else "online"
    title = f"{_title(Path(dataset).name, half, detections, base)} ({mode})"
    choice: dict[str, Any] = {"split": split, "sequence": sequence, "protocol": protocol, "swept": swept}
    choice["scores"] = None if scores == "auto" else scores
    stem = name or _file_name(title) + _digest(base, choice) + ("-sweep" if swept else "")
    configs = [entry for _, entry in combinations]
    if needs_pixels(base, detections):  # told once here, "auto" costs the workers no import of torch
        configs = [replace(entry, device=resolve_device(entry.device)) for entry in configs]
    with ExitStack() as stack:
        if no_cache:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mot_reid-")))
        else:
            folder = cache or cache_folder() / "benchmark"
        inputs = InputChoice(folder, detections, scores)
        progress = stack.enter_context(WorkProgress(quiet))
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
            results=output / stem if save_results else None,
            offline=offline,
            jobs=jobs,
            on_done=progress.advance,
        )
    made_by: dict[str, Any] = {**provenance(), "settings": changed_settings(base)}
    if swept:
        made_by["swept"] = {key: " ".join(values) for key, values in swept.items()}
        table = sweep_table(title, swept, [entry for entry, _ in combinations], runs, metric, made_by, mode)
    else:
        made_by |= {"models": runs[0][0].models, "configuration": asdict(base)}
        table = benchmark_table(title, runs[0], made_by, mode, cached)
    print_table(table)
    for path in table.save(output, stem):
        typer.echo(f"written: {path}", err=True)


def _title(dataset: str, half: str, detections: str | None, config: Config) -> str:
    """What was run, in one line: the same for the same inputs."""
    parts = [dataset if half == "all" else f"{dataset} {half} half"]
    if detections is not None:
        parts.append(f"{Path(detections).stem} detections")
    else:
        parts.append(f"{Path(config.detector.weights).stem} at {config.detector.image_size}")
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
