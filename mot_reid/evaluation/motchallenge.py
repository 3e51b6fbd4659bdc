"""MOTChallenge text files: ground truth and tracking results, checked row by row."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mot_reid.boxes import tlwh_to_xyxy, xyxy_to_tlwh
from mot_reid.structures import Tracks
from mot_reid.typing import Floats, Ints, Mask

__all__ = ["BoxRows", "FileError", "Problem", "Problems", "read_ground_truth", "read_results"]

PEDESTRIAN = 1
CLASSES = range(1, 14)
"""Of MOT16, MOT17 and MOT20, whose eighth column holds them."""
GROUND_TRUTH_COLUMNS = range(7, 11)
RESULT_COLUMNS = range(7, 11)
_FARTHEST = 1e9
"""Pixels; beyond, areas lose their digits and at last overflow."""
_NAMES = "frame, id, left, top, width, height, score"
_OTHERS = "mot-reid convert --to mot makes such rows of other formats"


class FileError(ValueError):
    """A file does not fit; the message names it and the line."""


@dataclass(frozen=True)
class Problem:
    """Something wrong with a file.

    Attributes:
        path: the file.
        line: the first line where it shows; None where it is the whole file.
        rule: what was broken.
        detail: what was there instead, in the first line.
        count: how many lines break it.
    """

    path: Path
    line: int | None
    rule: str
    detail: str = ""
    count: int = 1

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else f"{self.path}"
        text = ", ".join(part for part in (f"{place}: {self.rule}", self.detail) if part)
        return text + (f" ({self.count} such lines)" if self.count > 1 else "")


@dataclass
class Problems:
    """What is wrong with the files: the first is raised, or all are counted where one is lenient.

    Attributes:
        lenient: count instead of raising.
        found: what was counted.
    """

    lenient: bool = False
    found: list[Problem] = field(default_factory=list)

    def report(self, path: Path, line: int | None, rule: str, detail: str = "", count: int = 1) -> None:
        """Takes note of a problem; one that a file has in many lines is kept once and counted.

        Raises:
            FileError: it is not `lenient`.
        """
        problem = Problem(path, line, rule, detail, count)
        if not self.lenient:
            raise FileError(str(problem))
        for place, known in enumerate(self.found):
            if (known.path, known.rule) == (path, rule):
                self.found[place] = replace(known, count=known.count + count)
                return
        self.found.append(problem)


@dataclass(frozen=True)
class BoxRows:
    """The boxes of a file, sorted by frame.

    Attributes:
        frames: ``(N,)`` int64, ascending.
        ids: ``(N,)`` int64.
        xyxy: ``(N, 4)`` float64, pixels.
        counted: ``(N,)`` bool, whether the row counts (ground truth: column 7 is not 0; results: all do).
        classes: ``(N,)`` int64, MOTChallenge's classes; pedestrian where the file has none.
    """

    frames: Ints
    ids: Ints
    xyxy: Floats
    counted: Mask
    classes: Ints

    def __len__(self) -> int:
        return len(self.frames)

    @classmethod
    def empty(cls) -> BoxRows:
        """No box at all."""
        none = np.zeros(0, np.int64)
        return cls(none, none, np.zeros((0, 4)), np.zeros(0, bool), none)

    @classmethod
    def from_tracks(cls, tracks: Mapping[int, Tracks]) -> BoxRows:
        """What a tracker reported in each frame, rounded to 0.01 pixels as result files hold it."""
        numbers = sorted(tracks)
        if not numbers:
            return cls.empty()
        ids = np.concatenate([tracks[number].ids for number in numbers])
        xyxy = np.concatenate([tracks[number].xyxy for number in numbers]).astype(np.float64)
        tlwh = xyxy_to_tlwh(xyxy).round(2)
        return cls(
            frames=np.repeat(np.array(numbers, np.int64), [len(tracks[number]) for number in numbers]),
            ids=ids,
            xyxy=tlwh_to_xyxy(tlwh),
            counted=np.ones(len(ids), bool),
            classes=np.full(len(ids), PEDESTRIAN),
        )

    def of_frames(self, frames: range) -> Iterator[slice]:
        """The rows of each of these consecutive frames, as slices."""
        bounds = np.searchsorted(self.frames, np.arange(frames.start, frames.stop + 1)).tolist()
        return (slice(first, last) for first, last in itertools.pairwise(bounds))


def read_results(path: str | Path, length: int, problems: Problems | None = None) -> BoxRows:
    """Reads tracking results: rows of ``frame, id, left, top, width, height, score`` and up to three more.

    Args:
        path: the file.
        length: number of frames in the sequence; frames count from 1.
        problems: by default the first problem is raised; a lenient one counts, and the rows are left out.

    Raises:
        FileNotFoundError: there is no such file.
        FileError: a row is broken; the message names the file and the line.
    """
    problems = problems or Problems()
    table, lines = _read_table(Path(path), RESULT_COLUMNS, problems, strict_format=True)
    table, lines = _checked(Path(path), table, lines, length, problems)
    if table.shape[1] > 7:  # -1 stands for no class
        rule = f"the class in column 8 must be {PEDESTRIAN}, pedestrian, or none; others are not scored"
        table, lines = _without(table[:, 7] > PEDESTRIAN, rule, Path(path), table, lines, problems)
    everything = np.ones(len(table), bool)
    return _sorted_rows(table, everything, np.full(len(table), PEDESTRIAN))


def read_ground_truth(
    path: str | Path, length: int, problems: Problems | None = None, *, has_classes: bool | None = None
) -> BoxRows:
    """Reads ground truth: ``frame, id, left, top, width, height, counted`` and what the year adds.

    MOT16, MOT17 and MOT20 add class and visibility; MOT15 adds world coordinates, which are not classes.

    Args:
        path: the file.
        length: number of frames in the sequence; frames count from 1.
        problems: by default the first problem is raised; a lenient one counts, and the rows are left out.
        has_classes: whether column 8 is the class; by default it is in files of eight or nine columns.

    Raises:
        FileNotFoundError: there is no such file.
        FileError: a row is broken; the message names the file and the line.
    """
    path, problems = Path(path), problems or Problems()
    table, lines = _read_table(path, GROUND_TRUTH_COLUMNS, problems, strict_format=False)
    table, lines = _checked(path, table, lines, length, problems)
    if has_classes is None:
        has_classes = table.shape[1] in (8, 9)
    if not has_classes:
        return _sorted_rows(table, table[:, 6] != 0, np.full(len(table), PEDESTRIAN))
    if not len(table):
        return BoxRows.empty()
    if table.shape[1] < 8:
        raise FileError(f"{path}: expected a class in column 8, there are {table.shape[1]} columns")
    unknown = ~np.isin(table[:, 7], list(CLASSES))
    rule = f"the class must be a whole number from {CLASSES[0]} to {CLASSES[-1]}"
    table, _ = _without(unknown, rule, path, table, lines, problems)
    return _sorted_rows(table, table[:, 6] != 0, table[:, 7].astype(np.int64))


def _sorted_rows(table: Floats, counted: Mask, classes: Ints) -> BoxRows:
    order = np.argsort(table[:, 0], kind="stable")
    whole = table[order, :2].astype(np.int64)
    return BoxRows(whole[:, 0], whole[:, 1], tlwh_to_xyxy(table[order, 2:6]), counted[order], classes[order])


def _read_table(path: Path, columns: range, problems: Problems, strict_format: bool) -> tuple[Floats, Ints]:
    """The numbers of a file ``(N, C)`` and the line of each row; rows that are no numbers are problems."""
    if not path.is_file():
        raise FileNotFoundError(f"file not found: {path}")
    content = path.read_bytes()
    if not content.strip():
        return np.zeros((0, columns[0])), np.zeros(0, np.int64)
    if b"\0" in content.partition(b"\n")[0]:
        raise FileError(f"{path}:1: no text, expected rows of {_NAMES}; {_OTHERS}")
    if not (strict_format and b"\r" in content):
        try:  # the whole file at once; the few files in which that fails are read line by line
            table = np.loadtxt(io.BytesIO(content), delimiter=",", ndmin=2, comments=None, encoding="ascii")
        except ValueError:
            pass
        else:
            lines = np.arange(1, len(table) + 1)
            if table.shape[1] in columns and len(table) == content.count(b"\n") + (content[-1:] != b"\n"):
                return table, lines
    return _read_lines(path, content.decode("utf-8-sig", errors="replace"), columns, problems, strict_format)


def _read_lines(
    path: Path, text: str, columns: range, problems: Problems, strict_format: bool
) -> tuple[Floats, Ints]:
    if strict_format and "\r" in text:
        first = text[: text.index("\r")].count("\n") + 1
        problems.report(path, first, "the line ends in CR LF, expected LF", count=text.count("\r"))
    rows: list[list[float]] = []
    numbers: list[int] = []
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        if not line.strip():
            continue
        blanks = "," not in line and len(line.split()) > 1
        try:
            row = _numbers(line.split() if blanks else line.split(","))
        except ValueError:
            other = "" if rows else f"; {_OTHERS}"  # a file without one row that fits is another format's
            problems.report(path, number, f"expected numbers {_NAMES}", f"got {line.strip()[:80]!r}{other}")
            continue
        if blanks:
            problems.report(path, number, "blanks between the columns, expected commas")
        wanted = [len(rows[0])] if rows else columns
        if len(row) not in wanted:
            expected = f"{wanted[0]}" if rows else f"{columns[0]} to {columns[-1]}"
            problems.report(path, number, f"expected {expected} columns", f"got {len(row)}")
            continue
        rows.append(row)
        numbers.append(number)
    if not rows:
        return np.zeros((0, columns[0])), np.zeros(0, np.int64)
    return np.array(rows), np.array(numbers)


def _numbers(entries: list[str]) -> list[float]:
    for entry in entries:
        if "_" in entry or not entry.isascii():  # numbers for Python, but for nobody who wrote the file
            raise ValueError(entry)
    return [float(entry) for entry in entries]


def _checked(path: Path, table: Floats, lines: Ints, length: int, problems: Problems) -> tuple[Floats, Ints]:
    """The rows that keep the rules that hold for every file; the others are problems."""
    rules: list[tuple[str, Callable[[Floats], Any]]] = [
        ("a value is not finite", lambda rows: ~np.isfinite(rows[:, :7]).all(axis=1)),
        (
            f"the frame must be a whole number from 1 to {length}, the sequence's length",
            lambda rows: (rows[:, 0] < 1) | (rows[:, 0] > length) | (rows[:, 0] % 1 != 0),
        ),
        (
            "the id must be a whole number from 0 to 2147483647",
            lambda rows: (rows[:, 1] < 0) | (rows[:, 1] >= 2**31) | (rows[:, 1] % 1 != 0),
        ),
        (
            f"coordinates must be between -{_FARTHEST:g} and {_FARTHEST:g}",
            lambda rows: (abs(rows[:, 2:6]) > _FARTHEST).any(axis=1),
        ),
        ("width and height must be positive", lambda rows: (rows[:, 4:6] <= 0).any(axis=1)),
        ("this id is there already in this frame", _repeated),
    ]
    for rule, broken in rules:
        table, lines = _without(broken(table), rule, path, table, lines, problems)
    return table, lines


def _repeated(rows: Floats) -> Mask:
    """Rows whose frame and id were there before."""
    keys = rows[:, 0].astype(np.int64) << 31 | rows[:, 1].astype(np.int64)
    repeated = np.ones(len(rows), bool)
    repeated[np.unique(keys, return_index=True)[1]] = False
    return repeated


def _without(
    broken: Mask,
    rule: str,
    path: Path,
    table: Floats,
    lines: Ints,
    problems: Problems,
) -> tuple[Floats, Ints]:
    """What is left without the broken rows, which are reported."""
    if not broken.any():
        return table, lines
    first = int(broken.argmax())
    shown = ",".join(f"{value:.12g}" for value in table[first])
    problems.report(path, int(lines[first]), rule, f"got {shown}", int(broken.sum()))
    return table[~broken], lines[~broken]
