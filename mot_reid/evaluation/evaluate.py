"""One call from result files to their table: `evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from mot_reid.evaluation.motchallenge import Problems
from mot_reid.evaluation.sequences import Sequence, find_sequences, list_sequences
from mot_reid.evaluation.tables import Table
from mot_reid.extras import require
from mot_reid.provenance import provenance

__all__ = ["Choice", "choose_sequences", "evaluate", "score_choice"]

_MOST_NAMED = 5


def evaluate(
    results: str | Path,
    ground_truth: str | Path,
    *,
    half: str = "all",
    splits: Collection[str] = (),
    sequences: Collection[str] = (),
    protocol: str | None = None,
    lenient: bool = False,
    jobs: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Table:
    """Scores tracking results: HOTA, MOTA, IDF1 and all that belongs to them, as ``mot-reid eval`` does.

    Args:
        results: a result file, a folder with ``NAME.txt`` for each sequence, or the output of a run.
        ground_truth: data set, sequence folder or ``gt.txt``, in MOTChallenge layout.
        half: ``all``, ``first`` or ``second`` half of each sequence.
        splits: only these, such as ``train``; all by default.
        sequences: only these; ``*`` stands for anything.
        protocol: how ground truth is read: ``mot15``, ``mot16``, ``mot17`` or ``mot20``; by default by name
            and columns.
        lenient: leave broken rows out and list them, instead of stopping at the first.
        jobs: most processes side by side; 0 for one a core.
        on_progress: told how many sequences are scored, and of how many.

    Returns:
        One row for each sequence and one for all, with ``rows``, ``to_markdown`` and ``save``.

    Raises:
        FileNotFoundError: there are no such results, or no such ground truth.
        ImportError: a package of the extra ``eval`` is not installed.
        TypeError: something else than a file or folder is given.
        ValueError: a choice does not exist, or a file is broken; the message names it and the line.

    Example:
        ``mot_reid.evaluate("out", "MOT17/train/MOT17-02-FRCNN").rows[0]["HOTA"]``
    """
    try:
        results, ground_truth = Path(results), Path(ground_truth)
    except TypeError:
        kinds = f"{type(results).__name__} and {type(ground_truth).__name__}"
        told = f"results, ground_truth: expected files or folders, got {kinds}; numpy.savetxt(file, rows, "
        told += "delimiter=',') makes a file of columns frame, id, left, top, width, height and score"
        raise TypeError(told) from None
    choice = choose_sequences(results, ground_truth, half, splits, sequences, protocol)
    return score_choice(results, ground_truth, choice, lenient, jobs, on_progress)


@dataclass(frozen=True)
class Choice:
    """What shall be scored.

    Attributes:
        chosen: the sequences.
        known: all that the ground truth has.
        half: which half of each.
    """

    chosen: list[Sequence]
    known: list[Sequence]
    half: str


def choose_sequences(
    results: Path,
    ground_truth: Path,
    half: str,
    splits: Collection[str],
    sequences: Collection[str],
    protocol: str | None,
) -> Choice:
    """Finds what shall be scored; see `evaluate`."""
    for package in ("motmetrics", "trackeval"):
        require(package, "evaluation")
    if not ground_truth.exists():
        raise FileNotFoundError(
            f"ground truth not found: {ground_truth}; expected a data set, a sequence or a gt.txt file"
        )
    chosen = find_sequences(ground_truth, splits=splits, names=sequences, half=half, protocol=protocol)
    known = list_sequences(ground_truth, protocol)
    if not results.exists():
        raise FileNotFoundError(f"results not found: {results}")
    return Choice(chosen, known, half)


def score_choice(
    results: Path,
    ground_truth: Path,
    choice: Choice,
    lenient: bool,
    jobs: int,
    on_progress: Callable[[int, int], None],
) -> Table:
    """Scores it; see `evaluate`."""
    from mot_reid.evaluation.report import score_table  # needs the extra, as the next
    from mot_reid.evaluation.scoring import find_results, other_results, score_files

    known = choice.known
    problems = Problems(lenient)
    pairs = find_results(results, choice.chosen, known, problems)
    done = count(1)
    on_progress(0, len(pairs))
    scored = score_files(
        pairs, lenient=lenient, jobs=jobs, on_done=lambda: on_progress(next(done), len(pairs))
    )
    notes = [f"Problem: {entry}" for entry in problems.found]
    notes += [f"Looks wrong: {entry.notice}" for entry in scored if entry.notice]
    scored_files = {path for _, path in pairs}
    if len(known) == 1 and (others := [p for p in other_results(results, known) if p not in scored_files]):
        names = ", ".join(path.relative_to(results).as_posix() for path in others[:_MOST_NAMED])
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        notes.append(f"Left out, as the ground truth is that of {known[0].name} only: {names}{more}")
    title = f"{results.resolve().name} against {ground_truth.resolve().name}"
    if choice.half != "all":
        title += f", {choice.half} half"
    return score_table(title, scored, provenance(), notes=notes)
