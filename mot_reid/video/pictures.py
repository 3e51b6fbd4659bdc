"""Frames from picture files: any folder of pictures, and MOTChallenge sequences."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mot_reid.typing import Image
from mot_reid.video.frames import DEFAULT_FPS, Frame, Selection, Source, SourceError, SourceInfo, SourceKind
from mot_reid.video.seqinfo import frame_rate, picture_folder, read_seqinfo

__all__ = ["PictureSource", "only_video", "open_folder", "open_sequence", "read_picture"]

_log = logging.getLogger(__name__)

PICTURE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".avif", ".gif"),
    *(".jp2", ".pgm", ".ppm", ".pbm", ".pnm"),
)
# Files that hold pictures too, but cannot be read: who has them in a folder shall know.
_UNREAD_SUFFIXES = (
    *(".heic", ".heif", ".hif", ".jxl", ".exr", ".hdr", ".tga", ".psd", ".svg"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf"),
)
_VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv"),
    *(".flv", ".3gp", ".ogv"),
)
_FULL = 1 / 4  # of the range of 16 bits: pictures that use less come out dark
_STRETCHED = (0.5, 99.5)  # percentiles that become black and white
_NAMED = 3  # files in a message; of others the number


class PictureSource(Source):
    """Numbered picture files, all of one size; those that cannot be read are skipped and counted.

    Args:
        pictures: frame numbers and files, in order; at least one.
        name: the source's name.
        kind: ``"images"`` or ``"sequence"``.
        fps: frames a second.
        selection: which frames are wanted.
        stretch: let pictures of 16 bits that use a part of their range use all of it: the darkest and
            brightest half percent of the first picture become black and white, in all pictures.

    Attributes:
        file_numbers: the frame of each number that a picture's name ends in, of all pictures.

    Raises:
        SourceError: no picture is wanted, or of those wanted none can be read.
    """

    def __init__(
        self,
        pictures: list[tuple[int, Path]],
        name: str,
        kind: SourceKind,
        fps: float,
        selection: Selection,
        stretch: bool = False,
    ) -> None:
        self._label = str(pictures[0][1].parent)
        self._pictures = [(number, path) for number, path in pictures if number in selection]
        if not self._pictures:
            first, last = pictures[0][0], pictures[-1][0]
            raise SourceError(
                f"{self._label}: holds frames {first} to {last}, none of them wanted: "
                f"start {selection.start}, stop {selection.stop}, stride {selection.stride}"
            )
        self.file_numbers = {
            int(match[1]): number
            for number, path in pictures
            if (match := re.search(r"(\d+)$", path.stem, re.ASCII)) is not None
        }
        self._depth = _Depth(stretch, self.tell)
        self._unread: list[str] = []
        height, width = self._first_size()
        self.info = SourceInfo(name, kind, width, height, fps, len(self._pictures))
        self._first, self._closed = pictures[0][0], False

    def __iter__(self) -> Iterator[Frame]:
        expected = (self.info.width, self.info.height)
        for number, path in self._pictures:
            if self._closed:
                return
            try:
                image = self._depth.to_8_bits(read_pixels(path))
            except SourceError as error:
                self._leave_out(path, error)
                continue
            height, width = image.shape[:2]
            if (width, height) != expected:
                raise SourceError(
                    f"{path}: the picture is {width}x{height}, "
                    f"but those before it are {expected[0]}x{expected[1]}"
                )
            yield Frame(number, image, (number - self._first) / self.info.fps)
        if self._unread:
            self.tell(f"damaged pictures skipped: {_listed(self._unread)}")

    def close(self) -> None:
        """Ends the iteration; no file stays open between frames."""
        self._closed = True

    @property
    def files(self) -> dict[int, Path]:
        """The picture file of each frame number wanted."""
        return dict(self._pictures)

    def _first_size(self) -> tuple[int, int]:
        """Height and width of the first picture that can be read."""
        failure: SourceError | None = None
        for _, path in self._pictures:
            try:
                pixels = read_pixels(path)
            except SourceError as error:
                failure = failure or error
                continue
            self._depth.learn(pixels, path.name)
            return pixels.shape[:2]
        assert failure is not None
        if len(self._pictures) == 1:
            raise failure
        raise SourceError(f"{failure} (and none of the other {len(self._pictures) - 1} can be read)")

    def _leave_out(self, path: Path, error: SourceError) -> None:
        self.damaged += 1
        self._unread.append(path.name)
        _log.info("skipped: %s", error)


class _Depth:
    """Brings pictures to 8 bits a channel; those of 16 bits all in the same way.

    Args:
        stretch: see `PictureSource`.
        tell: takes in what a user should know.
    """

    def __init__(self, stretch: bool, tell: Callable[[str], None]) -> None:
        self._stretch, self._tell = stretch, tell
        self._low, self._high = 0.0, 65535.0

    def learn(self, pixels: NDArray[Any], name: str) -> None:
        """Looks at the first picture."""
        if pixels.dtype != np.uint16:
            return
        if self._stretch:
            self._low, self._high = (float(value) for value in np.percentile(pixels, _STRETCHED))
            self._high = max(self._high, self._low + 1)
            self._tell(f"16 bits: {self._low:.0f} becomes black and {self._high:.0f} white (by {name})")
        elif (brightest := int(pixels.max(initial=0))) < _FULL * 65535:
            self._tell(
                f"16 bits, of which {name} uses values up to {brightest}: pictures come out dark "
                "(stretch=True or --stretch uses all of the range)"
            )

    def to_8_bits(self, pixels: NDArray[Any]) -> Image:
        """A picture as uint8."""
        if pixels.dtype == np.uint8:
            return pixels
        if not self._stretch:
            return (pixels >> 8).astype(np.uint8)
        scaled = (pixels.astype(np.float32) - self._low) * np.float32(255 / (self._high - self._low))
        return np.clip(scaled, 0, 255).astype(np.uint8)


def only_video(folder: Path) -> Path | None:
    """The video of a folder, or of a MOTChallenge sequence, that holds one instead of pictures.

    Returns:
        The video; None where there are pictures, or nothing of both.

    Raises:
        SourceError: there are several videos and no pictures, or ``seqinfo.ini`` is wrong.
    """
    try:
        pictures = picture_folder(folder, read_seqinfo(folder))
    except ValueError as error:
        raise SourceError(str(error)) from None
    videos = sorted(_files_in(folder, _VIDEO_SUFFIXES))
    if not videos or _files_in(folder, PICTURE_SUFFIXES) or pictures.is_dir():
        return None
    if len(videos) > 1:
        names = _listed([path.name for path in videos])
        raise SourceError(
            f"{folder}: no pictures in this folder, but {len(videos)} videos ({names}): give those"
        )
    return videos[0]


def open_folder(
    folder: Path, name: str, selection: Selection, fps: float | None = None, stretch: bool = False
) -> PictureSource:
    """Opens a folder of pictures, numbered from 1 in the natural order of their names (2 before 10)."""
    paths = _files_in(folder, PICTURE_SUFFIXES)
    others = sorted(path.name for path in _files_in(folder, _UNREAD_SUFFIXES))
    if not paths:
        kinds = ", ".join(suffix.removeprefix(".") for suffix in PICTURE_SUFFIXES)
        found = f"; {_listed(others)} cannot be read: convert them, to PNG say" if others else ""
        raise SourceError(f"{folder}: no pictures in this folder (looked for {kinds}){found}")
    paths.sort(key=lambda path: _natural_key(path.name))
    numbered = list(enumerate(paths, start=1))
    source = PictureSource(numbered, name, "images", fps or DEFAULT_FPS, selection, stretch)
    if others:
        source.tell(f"left out, as pictures of their kind cannot be read: {_listed(others)}")
    return source


def open_sequence(
    folder: Path, name: str, selection: Selection, fps: float | None = None, stretch: bool = False
) -> PictureSource:
    """Opens a MOTChallenge sequence; each frame has the number in its picture's name.

    There may be fewer pictures than ``seqLength`` in ``seqinfo.ini`` says. Frames are numbered from 1: where
    the pictures count from 0, each frame's number is one more than its picture's.

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
    paths = _files_in(pictures, (extension.lower(),)) if pictures.is_dir() else []
    if not paths:
        raise SourceError(f"{folder}: a sequence without pictures (no *{extension} in {pictures})")
    numbered: dict[int, Path] = {}
    for path in paths:
        digits = re.search(r"(\d+)$", path.stem, re.ASCII)
        if digits is None:
            raise SourceError(f"{path}: expected a frame number as the name, such as 000001{extension}")
        if (twin := numbered.setdefault(int(digits[1]), path)) is not path:
            raise SourceError(f"{path}: same frame number as {twin.name}")
    first = numbered.get(0)
    if first is not None:
        numbered = {number + 1: path for number, path in numbered.items()}
    source = PictureSource(sorted(numbered.items()), name, "sequence", rate, selection, stretch)
    if first is not None:
        source.tell(f"its pictures count from 0 and frames from 1: {first.name} is frame 1, and so on")
    kinds = (*PICTURE_SUFFIXES, *_UNREAD_SUFFIXES)
    if others := sorted({path.name for path in _files_in(pictures, kinds)} - {path.name for path in paths}):
        source.tell(f"left out, as seqinfo.ini says imExt={extension}: {_listed(others)}")
    return source


def read_picture(path: Path) -> Image:
    """Reads a picture as ``(H, W, 3)`` uint8 BGR: grey is spread, alpha dropped, 16 bits cut to 8.

    Raises:
        SourceError: it cannot be read, is not a picture, or is cut off.
    """
    return _Depth(stretch=False, tell=lambda _: None).to_8_bits(read_pixels(path))


def read_pixels(path: Path) -> NDArray[Any]:
    """Reads a picture as ``(H, W, 3)`` BGR: uint8, or uint16 where it has 16 bits a channel.

    Raises:
        SourceError: it cannot be read, is not a picture, or is cut off.
    """
    try:
        data = np.fromfile(path, np.uint8)  # cv2.imread fails on non-ASCII names under Windows
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    image: NDArray[Any] | None = None
    if len(data) and not _is_cut_off(data.tobytes()):
        try:
            image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
            if image is not None and image.dtype not in (np.uint8, np.uint16):
                image = cv2.imdecode(data, cv2.IMREAD_COLOR)  # as OpenCV brings floats to 8 bits
        except cv2.error:  # such as one of more pixels than OpenCV allows
            image = None
    if image is None:
        what = "the file is empty (0 bytes)" if not len(data) else "not a picture, or damaged"
        raise SourceError(f"{path}: {what}")
    return image


def _is_cut_off(data: bytes) -> bool:
    """Whether a JPEG lacks its end; the decoder would fill what is missing with grey and say nothing."""
    start_of_scan, end_of_image = b"\xff\xda", b"\xff\xd9"
    return data.startswith(b"\xff\xd8") and data.find(end_of_image, data.find(start_of_scan)) < 0


def _files_in(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return [p for p in folder.iterdir() if p.suffix.lower() in suffixes and not p.name.startswith(".")]


def _listed(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _natural_key(name: str) -> list[tuple[int, str]]:
    """Orders by the numbers within a name; the name itself comes last, to settle 1.jpg and 01.jpg."""
    parts = re.split(r"(\d+)", name.lower())
    # Odd places are digits by the split; text sorts behind numbers and never meets them at one place.
    return [(int(part), "") if place % 2 else (-1, part) for place, part in enumerate(parts)] + [(-1, name)]
