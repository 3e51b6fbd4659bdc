"""Pictures with person boxes: the YOLO layout read and written, MOTChallenge sequences turned into it."""

import glob
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mot_reid.boxes import areas, clip, cxcywh_to_xyxy, tlwh_to_xyxy, xyxy_to_cxcywh
from mot_reid.training.sequences import (
    PICTURE_SUFFIXES,
    number_rows,
    read_truth,
    sequence_frames,
)
from mot_reid.typing import Boxes, Floats, Mask
from mot_reid.video.pictures import read_picture
from mot_reid.video.seqinfo import read_seqinfo, sequence_name

__all__ = ["Boxes", "MotFrames", "convert_mot", "convert_yolo", "labelled_pictures"]

MIN_VISIBILITY = 0.1
GREY = 114  # Ultralytics pads pictures with it
PEDESTRIAN = 1
DISTRACTORS = (2, 7, 8, 12)
"""MOT16/17 classes that the official protocol neither rewards nor punishes: person on vehicle, static person,
distractor, reflection."""


@dataclass(frozen=True)
class MotFrames:
    """Frames of a MOTChallenge sequence: every ``step``-th from ``first`` to ``last``, counted from 1.

    Attributes:
        sequence: folder with ``seqinfo.ini``, ``gt/gt.txt`` and the pictures (``img1/``, or one video file).
        first: first frame.
        last: last frame; ``None`` for the sequence's last.
        step: distance between frames.
    """

    sequence: Path
    first: int = 1
    last: int | None = None
    step: int = 1

    @classmethod
    def parse(cls, text: str) -> "MotFrames":
        """From ``FOLDER``, ``FOLDER:FIRST-LAST`` or ``FOLDER:FIRST-LAST:STEP``; LAST may be empty."""
        found = re.fullmatch(r"(.+?)(?::(\d+)-(\d*)(?::(\d+))?)?", text)  # a folder may be C:\MOT17-02
        if found is None:
            raise ValueError("expected FOLDER, FOLDER:FIRST-LAST or FOLDER:FIRST-LAST:STEP, got nothing")
        folder, first, last, step = found.groups()
        frames = cls(Path(folder), int(first or 1), int(last) if last else None, int(step or 1))
        if not (1 <= frames.first <= (frames.last or frames.first) and frames.step >= 1):
            raise ValueError(f"{text}: expected FIRST and STEP from 1, and LAST not before FIRST")
        return frames


def labelled_pictures(folder: Path) -> Iterator[tuple[Path, Boxes, Boxes]]:
    """Pictures of a YOLO-layout folder, in order of name, with their people and ignored areas.

    Args:
        folder: holds ``images/``, ``labels/`` (rows ``class cx cy w h``, relative; class 0 is person) and
            perhaps ``ignore/`` (the same rows: areas neither to be learnt nor scored). A picture without a
            label file has no people; where none has one, an empty folder ``labels/`` says so.

    Yields:
        The picture's path, and boxes ``(N, 4)`` xyxy relative to the picture's sides: people, ignored.

    Raises:
        FileNotFoundError: there are no pictures, or no ``labels/``.
        ValueError: a row is something else (the message names the file and the line), or no label is named as
            a picture.
    """
    pictures = sorted(
        path for path in (folder / "images").glob("*") if path.suffix.lower() in PICTURE_SUFFIXES
    )
    if not pictures:
        raise FileNotFoundError(f"no pictures in {folder / 'images'}")
    labels = folder / "labels"
    if not labels.is_dir():
        raise FileNotFoundError(f"no folder {labels}; an empty one says that the pictures show nobody")
    stems = {path.stem for path in labels.glob("*.txt")} - {"classes"}  # which some tools write beside them
    if stems and stems.isdisjoint(path.stem for path in pictures):
        raise ValueError(f"{labels}: no label is named as a picture, such as {pictures[0].stem}.txt")
    for path in pictures:
        people, ignored = (
            _read_relative(folder / part / f"{path.stem}.txt") for part in ("labels", "ignore")
        )
        yield path, people, ignored


def _read_relative(path: Path) -> Boxes:
    rows = (number_rows(path, (5,)) if path.is_file() else np.zeros((0, 5))).astype(np.float32)
    outside = np.any((rows[:, 1:] < 0) | (rows[:, 1:] > 1), axis=1)
    if outside.any():
        row = rows[outside.argmax()]
        raise ValueError(f"{path}: expected class, cx, cy, w, h with sides of the picture as 1, got {row}")
    return cxcywh_to_xyxy(rows[rows[:, 0] == 0, 1:])


def convert_mot(frames: MotFrames, out: Path) -> int:
    """Writes frames of a MOTChallenge sequence into a YOLO-layout folder: images, labels, ignored areas.

    Boxes are the full bodies of the ground truth, clipped to the picture. In MOT16's layout (nine columns)
    people are class 1 with visibility above 0.1; people hidden more than that and the protocol's distractor
    classes are ignored areas. In MOT15's layout (ten columns) every row with column 7 equal to 1 is a person.

    Args:
        frames: the sequence and which of its frames.
        out: folder to write into; the files' names begin with the sequence's.

    Returns:
        The number of pictures written.
    """
    truth = read_truth(frames.sequence)
    name = sequence_name(frames.sequence, read_seqinfo(frames.sequence))
    wanted = range(frames.first, (frames.last or 10**9) + 1, frames.step)
    count = 0
    for number, source in sequence_frames(frames.sequence, wanted):
        stem = f"{name}_{number:06d}"
        target = _picture_path(out, stem, source.suffix if isinstance(source, Path) else ".png")
        if isinstance(source, Path):
            shutil.copyfile(source, target)
        else:
            cv2.imwrite(str(target), source)
        image = read_picture(target)
        height, width = image.shape[:2]
        people, ignored = _people(truth[truth[:, 0] == number], width, height)
        _write_relative(out / "labels" / f"{stem}.txt", people, width, height)
        _write_relative(out / "ignore" / f"{stem}.txt", ignored, width, height)
        count += 1
    if not count:
        raise ValueError(f"{frames.sequence}: no picture among frames {frames.first} .. {frames.last}")
    return count


def _people(rows: Floats, width: int, height: int) -> tuple[Boxes, Boxes]:
    """One frame's ground-truth rows as people and ignored areas, xyxy clipped to the picture."""
    full = tlwh_to_xyxy(rows[:, 2:6].astype(np.float32))
    boxes = clip(full, width, height)
    visible = areas(boxes) / np.maximum(areas(full), 1e-6)
    counted = rows[:, 6] == 1
    relevant = counted
    if rows.shape[1] == 9:
        pedestrian = rows[:, 7] == PEDESTRIAN
        relevant = pedestrian | np.isin(rows[:, 7], DISTRACTORS)
        counted = counted & pedestrian
        visible = np.minimum(visible, rows[:, 8])
    person = counted & (visible > MIN_VISIBILITY)
    return boxes[person], boxes[relevant & ~person & (areas(boxes) > 0)]


def convert_yolo(folder: Path, out: Path) -> int:
    """Copies a YOLO-layout folder into a training folder, ignored areas painted grey where no person stands.

    Ultralytics knows no ignored areas: it would teach the model that the people in them are background.

    Returns:
        The number of pictures written.
    """
    count = 0
    for path, people, ignored in labelled_pictures(folder):
        image = read_picture(path)
        height, width = image.shape[:2]
        sides = np.array([width, height] * 2, np.float32)
        if len(ignored):
            image[_mask(ignored * sides, width, height) & ~_mask(people * sides, width, height)] = GREY
            cv2.imwrite(str(_picture_path(out, path.stem, ".png")), image)
        else:
            shutil.copyfile(path, _picture_path(out, path.stem, path.suffix))
        _write_relative(out / "labels" / f"{path.stem}.txt", people * sides, width, height)
        count += 1
    return count


def _mask(boxes: Boxes, width: int, height: int) -> Mask:
    mask = np.zeros((height, width), bool)
    for left, top, right, bottom in np.rint(boxes).astype(int):
        mask[max(top, 0) : bottom, max(left, 0) : right] = True
    return mask


def _picture_path(out: Path, stem: str, suffix: str) -> Path:
    folder = out / "images"
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob(f"{glob.escape(stem)}.*")):
        raise FileExistsError(f"{folder}: two pictures are called {stem}")
    return folder / f"{stem}{suffix}"


def _write_relative(path: Path, boxes: Boxes, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    relative = xyxy_to_cxcywh(boxes) / np.array([width, height] * 2, np.float32)
    path.write_text("".join(f"0 {cx:.6f} {cy:.6f} {w:.6f} {h:.6f}\n" for cx, cy, w, h in relative))
