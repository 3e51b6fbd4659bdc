"""Frames from picture files: any folder of pictures, and MOTChallenge sequences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from mot_reid.typing import Image
from mot_reid.video.frames import DEFAULT_FPS, Frame, Selection, Source, SourceError, SourceInfo, SourceKind
from mot_reid.video.seqinfo import frame_rate, picture_folder, read_seqinfo

__all__ = ["PictureSource", "open_folder", "open_sequence", "read_picture"]

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


class PictureSource(Source):
    """Numbered picture files, all of one size.

    Args:
        pictures: frame numbers and files, in order; at least one.
        name: the source's name.
        kind: ``"images"`` or ``"sequence"``.
        fps: frames a second.
        selection: which frames are wanted.

    Raises:
        SourceError: the first picture cannot be read, or no picture is wanted.
    """

    def __init__(
        self,
        pictures: list[tuple[int, Path]],
        name: str,
        kind: SourceKind,
        fps: float,
        selection: Selection,
    ) -> None:
        self._pictures = [(number, path) for number, path in pictures if number in selection]
        if not self._pictures:
            folder, first, last = pictures[0][1].parent, pictures[0][0], pictures[-1][0]
            raise SourceError(
                f"{folder}: holds frames {first} to {last}, none of them wanted: "
                f"start {selection.start}, stop {selection.stop}, stride {selection.stride}"
            )
        height, width = read_picture(self._pictures[0][1]).shape[:2]
        self.info = SourceInfo(name, kind, width, height, fps, len(self._pictures))
        self._first, self._closed = pictures[0][0], False

    def __iter__(self) -> Iterator[Frame]:
        expected = (self.info.width, self.info.height)
        for number, path in self._pictures:
            if self._closed:
                return
            image = read_picture(path)
            height, width = image.shape[:2]
            if (width, height) != expected:
                raise SourceError(
                    f"{path}: the picture is {width}x{height}, "
                    f"but those before it are {expected[0]}x{expected[1]}"
                )
            yield Frame(number, image, (number - self._first) / self.info.fps)

    def close(self) -> None:
        """Ends the iteration; no file stays open between frames."""
        self._closed = True


def open_folder(folder: Path, name: str, selection: Selection, fps: float | None = None) -> PictureSource:
    """Opens a folder of pictures, numbered from 1 in the natural order of their names (2 before 10)."""
    paths = _pictures_in(folder, PICTURE_SUFFIXES)
    if not paths:
        kinds = ", ".join(suffix.removeprefix(".") for suffix in PICTURE_SUFFIXES)
        raise SourceError(f"{folder}: no pictures in this folder (looked for {kinds})")
    paths.sort(key=lambda path: _natural_key(path.name))
    return PictureSource(list(enumerate(paths, start=1)), name, "images", fps or DEFAULT_FPS, selection)


def open_sequence(folder: Path, name: str, selection: Selection, fps: float | None = None) -> PictureSource:
    """Opens a MOTChallenge sequence; each frame has the number in its picture's name.

    There may be fewer pictures than ``seqLength`` in ``seqinfo.ini`` says.

    Raises:
        SourceError: ``seqinfo.ini`` is wrong, or no picture is there.
    """
    try:
        settings = read_seqinfo(folder)
        rate = fps or frame_rate(folder, settings)
        pictures = picture_folder(folder, settings)
    except ValueError as error:
        raise SourceError(str(error)) from None
    extension = settings.get("imExt", ".jpg")
    paths = _pictures_in(pictures, (extension.lower(),)) if pictures.is_dir() else []
    if not paths:
        raise SourceError(f"{folder}: a sequence without pictures (no *{extension} in {pictures})")
    numbered: dict[int, Path] = {}
    for path in paths:
        digits = re.search(r"(\d+)$", path.stem)
        if digits is None:
            raise SourceError(f"{path}: expected a frame number as the name, such as 000001{extension}")
        if (twin := numbered.setdefault(int(digits[1]), path)) is not path:
            raise SourceError(f"{path}: same frame number as {twin.name}")
    return PictureSource(sorted(numbered.items()), name, "sequence", rate, selection)


def read_picture(path: Path) -> Image:
    """Reads a picture as ``(H, W, 3)`` uint8 BGR: grey is spread, alpha dropped, 16 bits cut to 8.

    Raises:
        SourceError: it cannot be read, is not a picture, or is cut off.
    """
    try:
        data = np.fromfile(path, np.uint8)  # cv2.imread fails on non-ASCII names under Windows
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    image = None
    if len(data) and not _is_cut_off(data.tobytes()):
        try:
            image = cv2.imdecode(data, cv2.IMREAD_COLOR)
        except cv2.error:  # such as one of more pixels than OpenCV allows
            image = None
    if image is None:
        what = "the file is empty (0 bytes)" if not len(data) else "not a picture, or damaged"
        raise SourceError(f"{path}: {what}")
    return image  # type: ignore[return-value]


def _is_cut_off(data: bytes) -> bool:
    """Whether a JPEG lacks its end; the decoder would fill what is missing with grey and say nothing."""
    start_of_scan, end_of_image = b"\xff\xda", b"\xff\xd9"
    return data.startswith(b"\xff\xd8") and data.find(end_of_image, data.find(start_of_scan)) < 0


def _pictures_in(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return [p for p in folder.iterdir() if p.suffix.lower() in suffixes and not p.name.startswith(".")]


def _natural_key(name: str) -> list[tuple[int, str]]:
    """Orders by the numbers within a name; the name itself comes last, to settle 1.jpg and 01.jpg."""
    parts = re.split(r"(\d+)", name.lower())
    # Odd places are digits by the split; text sorts behind numbers and never meets them at one place.
    return [(int(part), "") if place % 2 else (-1, part) for place, part in enumerate(parts)] + [(-1, name)]
