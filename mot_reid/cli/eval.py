"""``mot-reid eval``: score tracking results against ground truth."""

from pathlib import Path
from typing import Annotated

import typer

from mot_reid.cli.across import across_table
from mot_reid.cli.errors import usage_errors
from mot_reid.cli.labels import file_stem
from mot_reid.cli.options import (
    HalfOption,
    JobsOption,
    ProtocolOption,
    QuietOption,
    SequenceOption,
    SplitOption,
    show_tables,
)
from mot_reid.cli.progress import WorkProgress
from mot_reid.video.files import prepare_output_folder

__all__ = ["eval_"]


def eval_(
    results: Annotated[
        Path,
        typer.Argument(
            metavar="RESULTS",
            help="A result file, a folder with NAME.txt for each sequence (also TrackEval's data/NAME.txt), "
            "or the output of `mot-reid track`.",
        ),
    ],
    ground_truth: Annotated[
        Path,
        typer.Option("--gt", help="Data set, sequence folder or gt.txt file, in MOTChallenge layout."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Save the table there as JSON, CSV and Markdown.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the saved files.")] = "scores",
    half: HalfOption = "all",
    split: SplitOption = None,
    sequence: SequenceOption = None,
    protocol: ProtocolOption = None,
    across: Annotated[
        bool,
        typer.Option(
            "--across",
            help="Score all sequences together, too, as cameras with one id space; tracks_global.txt goes"
            " before tracks.txt there.",
        ),
    ] = False,
    lenient: Annotated[
        bool, typer.Option(help="Leave broken rows out and list them, instead of stopping at the first.")
    ] = False,
    jobs: JobsOption = 0,
    quiet: QuietOption = False,
) -> None:
    r"""Score tracking results: HOTA, MOTA, IDF1 and all that belongs to them.

    Follows MOTChallenge's protocol: distractors and what does not count are left out first. Result files are
    rows of frame, id, left, top, width, height, score.

    For example

    \b
    mot-reid eval results/ --gt MOT17/train
    mot-reid eval out/tracks.txt --gt MOT17/train/MOT17-02
    mot-reid eval results/ --gt MOT17/train --half second -o scores
    mot-reid eval out/ --gt campus/ --across
    """
    from mot_reid.evaluation.evaluate import choose_sequences, score_choice

    with usage_errors():
        choice = choose_sequences(results, ground_truth, half, split or (), sequence or (), protocol)
        file_stem(name)
        if output is not None:
            prepare_output_folder(output)
    with usage_errors(), WorkProgress(quiet) as progress:  # it reads as it scores
        table = score_choice(
            results, ground_truth, choice, lenient, jobs, lambda *done: progress("scoring", *done)
        )
        tables = {name: table}
        if across:
            tables[f"{name}-across"] = across_table(results, choice, lenient)
    show_tables(tables, output)
