"""MOTChallenge sequences as trainings read them, and the tables of numbers in their files."""

from __future__ import annotations

import math
from collections.abc import Collection, Container, Iterator
from pathlib import Path

import cv2
import numpy as np

from mot_reid.typing import Floats, Image
from mot_reid.video.seqinfo import picture_folder, read_seqinfo

__all__ = ["PICTURE_SUFFIXES", "number_rows", "read_truth", "sequence_frames"]

PICTURE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png"})
_VIDEO_SUFFIXES = frozenset({".avi", ".mp4", ".webm"})
_TRUTH_COLUMNS = (9, 10)  # MOT16 and later; MOT15


def number_rows(path: Path, columns: Collection[int], separator: str | None = None) -> Floats:
    """The numbers ``(N, C)`` in the lines of a file; blank lines do not count.

    Args:
        path: the file.
        columns: the numbers of columns C that it may have.
        separator: what stands between the columns; None for blanks.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is not that many finite numbers, or not as many as the first; the message names the
            file and the line.
    """
    rows: list[list[float]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = [float(entry) for entry in line.split(separator)]
        except ValueError:
            row = []
        wanted = (len(rows[0]),) if rows else columns
        if len(row) not in wanted or not all(map(math.isfinite, row)):
            counts = " or ".join(map(str, wanted))
            raise ValueError(f"{path}:{number}: expected {counts} numbers, got {line.strip()!r}")
        rows.append(row)
    return np.array(rows) if rows else np.zeros((0, min(columns)))


def read_truth(folder: Path) -> Floats:
    """The ground truth of a sequence: ``frame, id, left, top, width, height, counts, ...``, 9 or 10 columns.

    Raises:
        FileNotFoundError: there is none.
        ValueError: a line does not fit, or there is none; the message names the file.
    """
    path = folder / "gt" / "gt.txt"
    rows = number_rows(path, _TRUTH_COLUMNS, ",")
    if not len(rows):
        raise ValueError(f"{path}: nobody is in it")
    return rows


def sequence_frames(folder: Path, wanted: Container[int]) -> Iterator[tuple[int, Path | Image]]:
    """The wanted frames of a sequence, in order.

    Where the pictures count from 0, each frame's number is one more than its picture's, as in a run.

    Args:
        folder: with numbered pictures in ``img1`` (or where ``seqinfo.ini`` says), or one video.
        wanted: the numbers of frames, from 1.

    Yields:
        The frame's number, and its picture's file, or the frame ``(H, W, 3)`` BGR of the video.

    Raises:
        FileNotFoundError: there are neither pictures nor a video.
        ValueError: a picture's name is not a number.
    """
    pictures = picture_folder(folder, read_seqinfo(folder))
    there = sorted(pictures.iterdir()) if pictures.is_dir() else []
    if paths := [path for path in there if path.suffix.lower() in PICTURE_SUFFIXES]:
        for path in paths:
            if not path.stem.isdecimal():
                raise ValueError(f"{path}: expected a frame's number as the name, such as 000001.jpg")
        numbered = {int(path.stem): path for path in paths}
        for number, path in sorted(numbered.items()):
            if (frame := number + (0 in numbered)) in wanted:
                yield frame, path
        return
    videos = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in _VIDEO_SUFFIXES]
    if len(videos) != 1:
        raise FileNotFoundError(f"{folder}: neither pictures in {pictures.name} nor one video file")
    capture = cv2.VideoCapture(str(videos[0]))
    try:
        number = 0
        while capture.grab():
            number += 1
            if number in wanted:
                yield number, capture.retrieve()[1].astype(np.uint8, copy=False)
    finally:
        capture.release()
