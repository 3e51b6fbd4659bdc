"""Scores of tracking results against ground truth."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from mot_reid.evaluation.comparison import compare
from mot_reid.evaluation.metrics import Scores, evaluate
from mot_reid.evaluation.motchallenge import (
    PEDESTRIAN,
    BoxRows,
    Problem,
    Problems,
    read_ground_truth,
    read_results,
)
from mot_reid.evaluation.parallel import map_tasks
from mot_reid.evaluation.sequences import Sequence
from mot_reid.notices import shares_of_picture
from mot_reid.video.formats import FORMATS
from mot_reid.wording import counted

__all__ = ["ScoredSequence", "find_results", "other_results", "score_files", "score_rows"]

OUR_FILE = "tracks.txt"
_CONVERTED = ("csv", "jsonl", "parquet", "coco", "cvat", "kitti")  # what `mot-reid convert` reads
_MOST_OUTSIDE = 0.1  # share of the boxes that may lie where no ground truth is
_SMALL = 1_000_000  # bytes of ground truth, scored in less time than a process takes to start


@dataclass(frozen=True)
class ScoredSequence:
    """The scores of one sequence.

    Attributes:
        sequence: which.
        scores: its.
        problems: what was wrong with its files, where one was lenient.
        notice: what looks wrong with the results, though every row is in order; empty where nothing does.
    """

    sequence: Sequence
    scores: Scores
    problems: tuple[Problem, ...] = ()
    notice: str = ""


def score_rows(sequence: Sequence, results: BoxRows, truth: BoxRows | None = None) -> Scores:
    """Scores results on the frames of a sequence.

    Args:
        sequence: which.
        results: boxes of tracks.
        truth: its ground truth, where it is read already.

    Raises:
        FileNotFoundError, FileError: as `read_ground_truth`.
    """
    if truth is None:
        truth = _ground_truth(sequence.ground_truth, sequence.length, sequence.protocol.has_classes)
    return evaluate(compare(truth, results, sequence.frames, sequence.protocol.distractors))


@lru_cache(maxsize=2)  # a sweep scores one sequence many times over
def _ground_truth(path: Path, length: int, has_classes: bool) -> BoxRows:
    return read_ground_truth(path, length, has_classes=has_classes)


def score_files(
    pairs: list[tuple[Sequence, Path | None]],
    *,
    lenient: bool = False,
    jobs: int = 0,
    on_done: Callable[[], None] | None = None,
) -> list[ScoredSequence]:
    """Scores result files, several sequences side by side.

    Args:
        pairs: each sequence and its results; None for none at all, which misses everybody.
        lenient: leave broken rows out and list them, instead of raising.
        jobs: most processes; 0 for one a core, or a single one for little work.
        on_done: called each time one is scored.

    Raises:
        FileNotFoundError: a file is missing.
        FileError: a file is broken; the message names it and the line.
    """
    sizes = [sequence.ground_truth.stat().st_size for sequence, _ in pairs]
    if not jobs and sum(sizes) < _SMALL:
        jobs = 1
    order = sorted(range(len(pairs)), key=lambda i: -sizes[i])
    found = map_tasks(
        partial(_score_file, lenient=lenient),
        [pairs[i] for i in order],
        jobs=jobs,
        on_done=None if on_done is None else lambda _: on_done(),
    )
    return [entry for _, entry in sorted(zip(order, found, strict=True), key=lambda item: item[0])]


def _score_file(pair: tuple[Sequence, Path | None], lenient: bool) -> ScoredSequence:
    sequence, path = pair
    problems = Problems(lenient)
    truth = read_ground_truth(  # first: how long the sequence is may be known from it alone
        sequence.ground_truth, sequence.length, problems, has_classes=sequence.protocol.has_classes
    )
    results = BoxRows.empty() if path is None else read_results(path, sequence.length, problems)
    scores = score_rows(sequence, results, truth)
    notice = _nobody(truth, sequence.ground_truth)
    if not notice and path is not None:
        notice = _notice(truth, results, path)
    return ScoredSequence(sequence, scores, tuple(problems.found), notice)


def _nobody(truth: BoxRows, path: Path) -> str:
    """Says if there is nobody in the ground truth that results could find."""
    if not len(truth):
        return f"{path}: there is no box in it"
    if not truth.counted.any():
        return f"{path}: none of its {len(truth)} boxes counts: column 7 is 0 in all of them"
    classes = sorted(set(truth.classes[truth.counted].tolist()))
    if PEDESTRIAN in classes:
        return ""
    named = ", ".join(map(str, classes))
    return (
        f"{path}: none of its {len(truth)} boxes is of class {PEDESTRIAN}, which counts, but of {named}; "
        "--protocol mot15 takes all as one class"
    )


def _notice(truth: BoxRows, results: BoxRows, path: Path) -> str:
    """Says if most boxes are in other units than the ground truth's, or of a picture of another size."""
    if not len(results):
        return f"{path}: there is no box in it"
    if shares_of_picture(results.xyxy):
        return (
            f"{path}: all coordinates lie between {results.xyxy.min():.3g} and {results.xyxy.max():.3g}, as "
            "shares of the picture do; boxes are left, top, width, height in pixels"
        )
    low, high = truth.xyxy[:, :2].min(axis=0), truth.xyxy[:, 2:].max(axis=0)
    extent = f"{low[0]:.0f}, {low[1]:.0f} to {high[0]:.0f}, {high[1]:.0f}"
    outside = ((results.xyxy[:, 2:] < low) | (results.xyxy[:, :2] > high)).any(axis=1)
    if outside.mean() <= _MOST_OUTSIDE:
        reaching = (results.xyxy[:, 2:] > high + (high - low) / 4).any(axis=1)
        if reaching.mean() <= _MOST_OUTSIDE:
            return ""
        return (
            f"{path}: {reaching.sum()} of {counted(len(results), 'box')} end far outside of all of the "
            f"ground truth's, which reach from {extent}; were right and bottom taken for width and height?"
        )
    return (
        f"{path}: {outside.sum()} of {counted(len(results), 'box')} outside of all of the ground "
        f"truth's, which reach from {extent}; are they of a picture of another size?"
    )


def find_results(
    results: Path, sequences: list[Sequence], known: list[Sequence], problems: Problems
) -> list[tuple[Sequence, Path | None]]:
    """The result file of each sequence.

    Known layouts: one file for one sequence; ``NAME.txt`` for each (MOTChallenge's submissions), also in a
    folder ``data`` (TrackEval's); ``NAME/tracks.txt`` for each, or ``tracks.txt`` alone (``mot-reid track``).
    NAME is the sequence's, or that of its folder.

    Args:
        results: the file or the folder.
        sequences: those to be scored.
        known: all of the data set, whose results may lie beside them.
        problems: takes missing results, and files that belong to no sequence of a data set; to those of
            other sequences than the only one there is, see `other_results`.

    Raises:
        FileNotFoundError: there is nothing at ``results``.
        FileError: results are missing or belong to another data set, unless ``problems`` is lenient.
    """
    if results.is_file():
        named = [sequence for sequence in sequences if sequence.name == results.stem]
        if len(sequences) == 1:
            if not named and any(sequence.name == results.stem for sequence in known):
                rule = f"results of another sequence, expected those of {sequences[0].name}"
                problems.report(results, None, rule)
            return [(sequences[0], results)]
        if not named:
            raise FileNotFoundError(
                f"{results}: one file, but {len(sequences)} sequences; choose with --sequence"
            )
        return [(named[0], results)]
    if not results.is_dir():
        raise FileNotFoundError(f"results not found: {results}")
    folder = _folder_of_files(results)
    if len(sequences) == 1 and (folder / OUR_FILE).is_file():
        return [(sequences[0], folder / OUR_FILE)]
    tracked = _tracked_source(folder) if (folder / OUR_FILE).is_file() else None
    if mine := [s for s in sequences if tracked is not None and tracked in (s.name, s.folder.name)]:
        return [(mine[0], folder / OUR_FILE)]
    pairs: list[tuple[Sequence, Path | None]] = []
    for sequence in sequences:
        choices = [
            folder / choice
            for name in dict.fromkeys((sequence.name, sequence.folder.name))
            for choice in (f"{name}.txt", f"{name}/{OUR_FILE}")
        ]
        path = next((choice for choice in choices if choice.is_file()), None)
        if path is None:
            rule = f"no results for {sequence.name} ({sequence.name}.txt)"
            places = [folder / sequence.name, folder / sequence.folder.name]
            if len(sequences) == 1 or _tracked_source(folder) in (sequence.name, sequence.folder.name):
                places.append(folder)
            rule += next(filter(None, map(_other_formats, places)), "")
            if len(sequences) > 1 and not problems.lenient:
                rule += "; --sequence chooses what is scored, --lenient counts it as nobody found"
            problems.report(folder, None, rule)
        pairs.append((sequence, path))
    if len(known) > 1:
        shown = ", ".join(sorted(sequence.name for sequence in known))
        for path in other_results(results, known):
            problems.report(path, None, f"belongs to no sequence of the ground truth ({shown})")
    return pairs


def _other_formats(folder: Path) -> str:
    """Says what a run has written there instead of rows, and how rows come of it; empty where nothing."""
    there = [name for name, entry in FORMATS.items() if (folder / entry.file).exists()]
    if not there:
        return ""
    told = f"; there is {', '.join(FORMATS[name].file for name in there)}"
    file = next((FORMATS[name].file for name in _CONVERTED if name in there), None)
    if file is None:
        return f"{told}; `mot-reid track --formats mot` writes {OUR_FILE}"
    source, target = shlex.quote(str(folder / file)), shlex.quote(str(folder))
    return f"{told}: `mot-reid convert {source} --to mot -o {target}` makes {OUR_FILE} of it"


def _tracked_source(folder: Path) -> str | None:
    """The name of what `mot-reid track` has tracked into a folder, by its summary."""
    try:
        return str(json.loads((folder / "summary.json").read_text(encoding="utf-8"))["source"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def other_results(results: Path, known: list[Sequence]) -> list[Path]:
    """The result files in a folder, laid out as for `find_results`, that are of no known sequence; sorted."""
    folder = _folder_of_files(results)
    names = {name for sequence in known for name in (sequence.name, sequence.folder.name)}
    files = {path: path.stem for path in folder.glob("*.txt")}
    files |= {path: path.parent.name for path in folder.glob(f"*/{OUR_FILE}")}
    return sorted(path for path, name in files.items() if name not in names)


def _folder_of_files(results: Path) -> Path:
    return results / "data" if any((results / "data").glob("*.txt")) else results
