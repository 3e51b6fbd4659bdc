"""Data sets in MOTChallenge's layout: their sequences, splits, halves and protocols."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from mot_reid.video.frames import DEFAULT_FPS
from mot_reid.video.seqinfo import frame_rate, read_seqinfo, sequence_name

__all__ = [
    "HALVES",
    "PROTOCOLS",
    "Protocol",
    "Sequence",
    "find_sequences",
    "list_sequences",
    "one_of_each",
]

HALVES = ("all", "first", "second")

_PUBLIC_DETECTORS = ("DPM", "FRCNN", "SDP")
_LOOKED_AT = 1000  # lines of ground truth that say what its columns are
_MOST_FRAMES = 10_000_000
"""Four days of video; memory grows with the length, and a broken number shall not use it up."""
_DISTRACTORS_16 = frozenset({2, 7, 8, 12})  # person on vehicle, static person, distractor, reflection


@dataclass(frozen=True)
class Protocol:
    """How ground truth is read and what is left out of the scores.

    Attributes:
        name: the benchmark's.
        has_classes: whether ground truth has a class column.
        distractors: classes whose matches are neither right nor wrong.
    """

    name: str
    has_classes: bool
    distractors: frozenset[int]


PROTOCOLS = {
    "mot15": Protocol("mot15", False, frozenset()),
    "mot16": Protocol("mot16", True, _DISTRACTORS_16),
    "mot17": Protocol("mot17", True, _DISTRACTORS_16),
    "mot20": Protocol("mot20", True, _DISTRACTORS_16 | {6}),  # and non-motorized vehicles
}
"""By name; TrackEval's MotChallenge2DBox leaves out the same classes."""


@dataclass(frozen=True)
class Sequence:
    """One sequence in MOTChallenge's layout.

    Attributes:
        name: its folder's.
        folder: where ``seqinfo.ini``, ``gt``, ``det`` and the frames lie.
        ground_truth: the file.
        length: number of frames; they count from 1.
        fps: frames a second.
        split: the folder it lies in, such as ``train``.
        protocol: how it is scored.
        half: which frames are tracked and scored.
    """

    name: str
    folder: Path
    ground_truth: Path
    length: int
    fps: float
    split: str
    protocol: Protocol
    half: str = "all"

    @property
    def frames(self) -> range:
        """The frames that are tracked and scored.

        The halves are those the field reports for MOT17 (Zhou et al. 2020, arXiv 2004.01177, and ByteTrack's
        ``val_half``): the first ends with frame N // 2 + 1.
        """
        middle = self.length // 2 + 2
        if self.half == "first":
            return range(1, min(middle, self.length + 1))
        return range(middle if self.half == "second" else 1, self.length + 1)


def find_sequences(
    dataset: str | Path,
    data: str | Path | None = None,
    *,
    splits: Collection[str] = (),
    names: Collection[str] = (),
    half: str = "all",
    protocol: str | None = None,
) -> list[Sequence]:
    """The sequences of a data set that have ground truth, sorted by split and name.

    Args:
        dataset: a folder, or a name below ``data`` whatever the case: of a data set (with its sequences in
            it, or in splits such as ``train``), or of one sequence; or a ``gt.txt`` file.
        data: the folder of all data sets.
        splits: only these.
        names: only the sequences of these names; ``*`` stands for anything.
        half: which frames of each.
        protocol: one of `PROTOCOLS`; by default what the name of each sequence or its ground truth says.

    Raises:
        FileNotFoundError: there is no such folder, or no such sequence in it.
        ValueError: a ``seqinfo.ini`` is broken, two sequences have the same name, or the protocol or half is
            not known.
    """
    if protocol is not None and protocol not in PROTOCOLS:
        raise ValueError(f"protocol {protocol!r} is not known; known: {', '.join(PROTOCOLS)}")
    if half not in HALVES:
        raise ValueError(f"half {half!r} is not known; known: {', '.join(HALVES)}")
    root = _dataset_folder(dataset, data)
    found = list_sequences(root, protocol)
    if not found:
        raise FileNotFoundError(f"{root}: no sequence with ground truth (NAME/gt/gt.txt) in it")
    if splits:
        _require(splits, {entry.split for entry in found}, root, "split")
        found = [entry for entry in found if any(_fits(entry.split, split) for split in splits)]
    if names:
        _require(names, {entry.name for entry in found}, root, "sequence")
        found = [entry for entry in found if any(_fits(entry.name, name) for name in names)]
    if twice := [name for name, times in Counter(entry.name for entry in found).items() if times > 1]:
        places = ", ".join(str(entry.folder) for entry in found if entry.name == twice[0])
        raise ValueError(f"two sequences are called {twice[0]}; choose a split: {places}")
    found = [replace(entry, half=half) for entry in found]
    for entry in found:
        if not entry.frames:
            raise ValueError(f"{entry.name}: has no {half} half, its length is {entry.length}")
    return found


def _fits(name: str, pattern: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), name, re.IGNORECASE) is not None


def _require(wanted: Collection[str], known: set[str], root: Path, what: str) -> None:
    for name in wanted:
        if not any(_fits(entry, name) for entry in known):
            raise FileNotFoundError(f"{root}: no {what} {name}; there are: {', '.join(sorted(known))}")


def _dataset_folder(dataset: str | Path, data: str | Path | None) -> Path:
    if data is None:
        if Path(dataset).exists():
            return Path(dataset)
        raise FileNotFoundError(
            f"data set not found: {dataset} (a name needs --data or MOT_REID_DATA, the folder it lies in)"
        )
    data = Path(data)
    if not data.is_dir():
        raise FileNotFoundError(f"data folder not found: {data}")
    if (data / dataset).is_dir():
        return data / dataset
    known = sorted(entry.name for entry in data.iterdir() if entry.is_dir())
    for name in known:
        if name.lower() == str(dataset).lower():
            return data / name
    if Path(dataset).is_dir():
        return Path(dataset)
    raise FileNotFoundError(
        f"data set not found: {dataset}; in {data} there are: {', '.join(known) or 'none'}"
    )


def list_sequences(root: Path, protocol: str | None = None) -> list[Sequence]:
    """All sequences with ground truth: ``root`` itself, its folders, or the folders of its splits."""
    if root.is_file():
        folder = root.resolve().parent
        return [_sequence(folder.parent if folder.name == "gt" else folder, root, protocol)]
    if (root / "gt" / "gt.txt").is_file():
        return [_sequence(root, root / "gt" / "gt.txt", protocol)]
    folders = [entry for entry in sorted(root.iterdir()) if entry.is_dir()]
    found = _sequences_in(root, protocol)
    for split in folders:
        if not found or split.name in ("train", "val", "test"):
            found += _sequences_in(split, protocol)
    return found


def _sequences_in(folder: Path, protocol: str | None) -> list[Sequence]:
    files = [entry / "gt" / "gt.txt" for entry in sorted(folder.iterdir())]
    return [_sequence(path.parents[1], path, protocol) for path in files if path.is_file()]


def _sequence(folder: Path, ground_truth: Path, protocol: str | None) -> Sequence:
    length, fps, name = _sequence_info(folder, ground_truth)
    return Sequence(
        name=name,
        folder=folder,
        ground_truth=ground_truth,
        length=length,
        fps=fps,
        split=folder.resolve().parent.name,
        protocol=PROTOCOLS[protocol or _guess_protocol(name, ground_truth)],
    )


def _sequence_info(folder: Path, ground_truth: Path) -> tuple[int, float, str]:
    """Length, frames a second and name, from ``seqinfo.ini``; without one, ground truth gives the length."""
    path = folder / "seqinfo.ini"
    if not path.is_file():
        return _last_frame(ground_truth), DEFAULT_FPS, folder.resolve().name
    section = read_seqinfo(folder)
    fps, text = frame_rate(folder, section), section.get("seqLength", "nothing")
    length = int(text[:20]) if text.isdecimal() else 0
    if not 0 < length <= _MOST_FRAMES:
        raise ValueError(f"{path}: seqLength: expected a number from 1 to {_MOST_FRAMES}, got {text[:20]!r}")
    return length, fps, sequence_name(folder, section)


def _last_frame(ground_truth: Path) -> int:
    """The highest frame number of a ground truth file; rows that are none do not count."""
    last = 0
    text = ground_truth.read_text(encoding="utf-8-sig", errors="replace")
    for line, row in enumerate(text.splitlines(), start=1):
        try:
            number = float(row.split(",", 1)[0].split()[0].replace("_", "?"))
        except (ValueError, IndexError):
            continue
        if number > _MOST_FRAMES:
            raise ValueError(f"{ground_truth}:{line}: the frame must be at most {_MOST_FRAMES}")
        if number >= 1 and number % 1 == 0:
            last = max(last, int(number))
    if not last:
        raise ValueError(f"{ground_truth}: no row of it starts with a frame number")
    return last


def _guess_protocol(name: str, ground_truth: Path) -> str:
    """MOT16, 17 and 20 by name; others by their columns: eight or nine have a class, others do not.

    Raises:
        ValueError: the columns are VisDrone's, ten with a class in the eighth; read as MOT15's world
            coordinates, what is another class or does not count would have to be found.
    """
    for known in ("mot16", "mot17", "mot20"):
        if name.lower().startswith(known):
            return known
    with ground_truth.open(encoding="utf-8-sig", errors="replace") as file:
        rows = [line.split(",") for line in itertools.islice(file, _LOOKED_AT) if line.strip()]
    columns = len(rows[0]) if rows else 0
    classes = {row[7].strip() for row in rows if len(row) > 7}
    if columns == 10 and classes - {"0"} and all(_like_visdrone(row) for row in rows):
        raise ValueError(
            f"{ground_truth}: ten columns with a class in the eighth, as VisDrone's, are not MOTChallenge's: "
            "write nine, with MOT17's classes in the eighth; --protocol mot15 takes all as one class"
        )
    return "mot17" if columns in (8, 9) else "mot15"


def _like_visdrone(row: list[str]) -> bool:
    """Whether the last three of ten columns are a class, a truncation and an occlusion."""
    last = [entry.strip() for entry in row[7:]]
    whole = len(last) == 3 and all(entry.isascii() and entry.isdigit() for entry in last)
    return whole and int(last[0][:9]) <= 20 and int(last[1][:9]) <= 2 and int(last[2][:9]) <= 3


def one_of_each(sequences: Collection[Sequence], detections: str | None) -> list[Sequence]:
    """Only one of the three that MOT17's official layout has of each video, one for each public detector.

    Args:
        sequences: such as MOT17-02-DPM, MOT17-02-FRCNN and MOT17-02-SDP; others stay as they are.
        detections: the detections that are wanted; the sequences made for them are kept, or else the first.
    """
    kept: dict[str, Sequence] = {}
    for sequence in sequences:
        video, _, detector = sequence.name.rpartition("-")
        if detector not in _PUBLIC_DETECTORS:
            video = sequence.name
        if video not in kept or detector.lower() == (detections or "").lower():
            kept[video] = sequence
    return list(kept.values())
