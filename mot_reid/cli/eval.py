"""``mot-reid eval``: score tracking results against ground truth."""

from pathlib import Path
from typing import Annotated

import typer

from mot_reid.cli.errors import usage_errors
from mot_reid.cli.labels import file_stem
from mot_reid.cli.options import (
    HalfOption,
    JobsOption,
    ProtocolOption,
    QuietOption,
    SequenceOption,
    SplitOption,
    print_table,
)
from mot_reid.cli.progress import WorkProgress
from mot_reid.provenance import provenance
from mot_reid.video.files import prepare_output_folder

__all__ = ["eval_"]

_MOST_NAMED = 5


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
    """
    from mot_reid.evaluation.motchallenge import Problems
    from mot_reid.evaluation.report import score_table
    from mot_reid.evaluation.scoring import find_results, other_results, score_files
    from mot_reid.evaluation.sequences import find_sequences, list_sequences

    with usage_errors():
        if not ground_truth.exists():
            raise FileNotFoundError(
                f"ground truth not found: {ground_truth}; expected a data set, a sequence or a gt.txt file"
            )
        chosen = find_sequences(
            ground_truth, splits=split or (), names=sequence or (), half=half, protocol=protocol
        )
        known = list_sequences(ground_truth, protocol)
        if not results.exists():
            raise FileNotFoundError(f"results not found: {results}")
        file_stem(name)
        if output is not None:
            prepare_output_folder(output)
    problems = Problems(lenient)
    pairs = find_results(results, chosen, known, problems)
    with WorkProgress(quiet) as progress:
        progress("scoring", 0, len(pairs))
        scored = score_files(pairs, lenient=lenient, jobs=jobs, on_done=progress.advance)
    notes = [f"Problem: {entry}" for entry in problems.found]
    scored_files = {path for _, path in pairs}
    if len(known) == 1 and (others := [p for p in other_results(results, known) if p not in scored_files]):
        names = ", ".join(path.relative_to(results).as_posix() for path in others[:_MOST_NAMED])
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        notes.append(f"Left out, as the ground truth is that of {known[0].name} only: {names}{more}")
    title = f"{results.resolve().name} against {ground_truth.resolve().name}"
    if half != "all":
        title += f", {half} half"
    table = score_table(title, scored, provenance(), notes=notes)
    print_table(table)
    if output is not None:
        for path in table.save(output, name):
            typer.echo(f"written: {path}", err=True)
