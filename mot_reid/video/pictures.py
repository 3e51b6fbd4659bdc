"""Frames from picture files: any folder of pictures, and MOTChallenge sequences."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mot_reid.typing import Image
from mot_reid.video.decoding import decoded, holds_several
from mot_reid.video.frames import DEFAULT_FPS, Frame, Selection, Source, SourceError, SourceInfo, SourceKind
from mot_reid.video.seqinfo import frame_rate, picture_folder, picture_suffix, read_seqinfo

__all__ = ["PictureSource", "only_video", "open_folder", "open_sequence", "picture_names", "read_picture"]

_log = logging.getLogger(__name__)

PICTURE_SUFFIXES = (
    *(
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".pjpeg",
        ".pjp",
        ".png",
        ".bmp",
        ".dib",
        ".webp",
        ".tif",
        ".tiff",
        ".avif",
        ".gif",
    ),
    *(".jp2", ".pgm", ".ppm", ".pbm", ".pnm"),
)
# Files that hold pictures too, but cannot be read: who has them in a folder shall know.
_UNREAD_SUFFIXES = (
    *(".heic", ".heif", ".hif", ".jxl", ".jxr", ".exr", ".hdr", ".tga", ".psd", ".svg", ".pcx", ".ico"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf"),
)
_VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv"),
    *(".flv", ".3gp", ".ogv"),
)
_FULL = 1 / 4  # of the range of 16 bits: pictures that use less come out dark
_STRETCHED = (0.5, 99.5)  # percentiles that become black and white
_LOOKED_AT = 3  # pictures, where the first two are of different sizes
_DIGITS = str.maketrans("123456789", "000000000")
_NAMED = 3  # files in a message; of others the number


class PictureSource(Source):
    """Numbered picture files, all of one size; those that cannot be read are skipped and counted.

    So are those of another size than the others have, unless they are more than the others. Of a file that
    holds several pictures the first is taken, and that is told.

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
        self._odd: list[str] = []
        self._several: list[str] = []
        height, width = self._first_size()
        self.info = SourceInfo(name, kind, width, height, fps, len(self._pictures))
        self._first, self._closed = pictures[0][0], False

    def __iter__(self) -> Iterator[Frame]:
        expected, taken = (self.info.width, self.info.height), 0
        for number, path in self._pictures:
            if self._closed:
                return
            try:
                image = self._depth.to_8_bits(read_pixels(path), path.name)
            except SourceError as error:
                self._leave_out(path, error)
                continue
            height, width = image.shape[:2]
            if (width, height) != expected:
                self.damaged += 1
                self._odd.append(f"{path.name} ({width}x{height})")
                continue
            taken += 1
            if holds_several(path):
                self._several.append(path.name)
            yield Frame(number, image, (number - self._first) / self.info.fps)
        if self._unread:
            self.tell(f"damaged pictures skipped: {_listed(self._unread)}")
        if self._odd:
            others = f"the others are {expected[0]}x{expected[1]}"
            self.tell(f"pictures of another size skipped: {_listed(self._odd)}; {others}")
        if self._several:
            self.tell(f"only the first picture is taken of files that hold several: {_listed(self._several)}")
        if len(self._odd) > taken:
            raise SourceError(f"{self._label}: its pictures are of different sizes; only {taken} were taken")

    def close(self) -> None:
        """Ends the iteration; no file stays open between frames."""
        self._closed = True

    @property
    def files(self) -> dict[int, Path]:
        """The picture file of each frame number wanted."""
        return dict(self._pictures)

    def _first_size(self) -> tuple[int, int]:
        """Height and width of the first picture that can be read, or of the two behind it if they agree."""
        failure: SourceError | None = None
        sizes: list[tuple[int, int]] = []
        for _, path in self._pictures:
            try:
                pixels = read_pixels(path)
            except SourceError as error:
                failure = failure or error
                continue
            if not sizes:
                self._depth.learn(pixels, path.name)
            sizes.append(pixels.shape[:2])
            if sizes[0] in sizes[1:] or len(sizes) == _LOOKED_AT:
                break
        if sizes:
            return sizes[1] if len(sizes) == _LOOKED_AT and sizes[1] == sizes[2] else sizes[0]
        assert failure is not None
        if len(self._pictures) == 1:
            raise failure
        raise SourceError(f"{failure} (and none of the other {len(self._pictures) - 1} can be read)")

    def _leave_out(self, path: Path, error: SourceError) -> None:
        self.damaged += 1
        self._unread.append(path.name)
        _log.info("skipped: %s", error)


class _Depth:
    """Brings pictures to 8 bits a channel; those of 16 or 32 bits all in the same way.

    Args:
        stretch: see `PictureSource`.
        tell: takes in what a user should know.
    """

    def __init__(self, stretch: bool, tell: Callable[[str], None]) -> None:
        self._stretch, self._tell = stretch, tell
        self._low, self._high = 0.0, 65535.0
        self._learnt = False

    def learn(self, pixels: NDArray[Any], name: str) -> None:
        """Looks at the first picture, or at the first of more than 8 bits."""
        if pixels.dtype == np.uint8:
            return
        self._learnt = True
        kind = "16 bits" if pixels.dtype == np.uint16 else "32 bits"
        brightest, darkest = float(pixels.max(initial=0)), float(pixels.min(initial=0))
        whole = 65535.0 if pixels.dtype == np.uint16 else 1.0 if brightest <= 1 else 255.0
        self._high = whole
        if self._stretch or darkest < 0 or brightest > whole:
            self._low, self._high = (float(value) for value in np.percentile(pixels, _STRETCHED))
            self._high = max(self._high, self._low + 1 / 255)
            self._tell(f"{kind}: {self._low:.5g} becomes black and {self._high:.5g} white (by {name})")
        elif brightest < _FULL * whole:
            self._tell(
                f"{kind}, of which {name} uses values up to {brightest:.5g}: pictures come out dark "
                "(stretch=True or --stretch uses all of the range)"
            )

    def to_8_bits(self, pixels: NDArray[Any], name: str) -> Image:
        """A picture as uint8; ``name`` is its file's."""
        if pixels.dtype == np.uint8:
            return pixels
        if not self._learnt:  # those before had 8 bits
            self.learn(pixels, name)
        if pixels.dtype == np.uint16 and (self._low, self._high) == (0, 65535):
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


def picture_names(folder: Path) -> list[str]:
    """The names of a folder's pictures in their natural order (2 before 10): the n-th is frame n."""
    names = _names_in(folder, PICTURE_SUFFIXES)
    shapes = {name.translate(_DIGITS) for name in names}
    names.sort(key=None if len(shapes) == 1 else _natural_key)  # of one shape: it is the order of the texts
    return names


def open_folder(
    folder: Path, name: str, selection: Selection, fps: float | None = None, stretch: bool = False
) -> PictureSource:
    """Opens a folder of pictures, numbered from 1 in the natural order of their names (2 before 10)."""
    paths = [folder / name for name in picture_names(folder)]
    others = sorted(path.name for path in _files_in(folder, _UNREAD_SUFFIXES))
    if not paths:
        kinds = ", ".join(suffix.removeprefix(".") for suffix in PICTURE_SUFFIXES)
        found = f"; {_listed(others)} cannot be read: convert them, to PNG say" if others else ""
        found += _inside(folder)
        raise SourceError(f"{folder}: no pictures in this folder (looked for {kinds}){found}")
    numbered = list(enumerate(paths, start=1))
    source = PictureSource(numbered, name, "images", fps or DEFAULT_FPS, selection, stretch)
    if others:
        source.tell(f"left out, as pictures of their kind cannot be read: {_listed(others)}")
    if videos := sorted(path.name for path in _files_in(folder, _VIDEO_SUFFIXES)):
        source.tell(f"a folder of pictures; left out are its videos: {_listed(videos)}")
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
    extension = picture_suffix(settings) or ".jpg"
    paths = _files_in(pictures, (extension,)) if pictures.is_dir() else []
    if not paths:
        raise SourceError(f"{folder}: a sequence without pictures (no *{extension} in {pictures})")
    numbered: dict[int, Path] = {}
    foreign: list[str] = []
    for path in sorted(paths):
        digits = re.search(r"(\d+)$", path.stem, re.ASCII)
        if digits is None:
            foreign.append(path.name)
            continue
        if (twin := numbered.setdefault(int(digits[1]), path)) is not path:
            raise SourceError(f"{path}: same frame number as {twin.name}")
    if not numbered:
        raise SourceError(
            f"{pictures / foreign[0]}: expected a frame number as the name, such as 000001{extension}"
        )
    first = numbered.get(0)
    if first is not None:
        numbered = {number + 1: path for number, path in numbered.items()}
    source = PictureSource(sorted(numbered.items()), name, "sequence", rate, selection, stretch)
    if first is not None:
        source.tell(f"its pictures count from 0 and frames from 1: {first.name} is frame 1, and so on")
    if foreign:
        source.tell(f"left out, as their names end in no frame number: {_listed(foreign)}")
    kinds = (*PICTURE_SUFFIXES, *_UNREAD_SUFFIXES)
    if others := sorted({path.name for path in _files_in(pictures, kinds)} - {path.name for path in paths}):
        source.tell(f"left out, as seqinfo.ini says imExt={extension}: {_listed(others)}")
    return source


def read_picture(path: Path) -> Image:
    """Reads a picture as ``(H, W, 3)`` uint8 BGR: grey is spread, alpha dropped, 16 bits cut to 8.

    Raises:
        SourceError: it cannot be read, is not a picture, or is cut off.
    """
    pixels, depth = read_pixels(path), _Depth(stretch=False, tell=lambda _: None)
    depth.learn(pixels, path.name)
    return depth.to_8_bits(pixels, path.name)


def read_pixels(path: Path) -> NDArray[Any]:
    """Reads a picture as ``(H, W, 3)`` BGR: uint8, or uint16 or float32 where it has more bits a channel.

    Raises:
        SourceError: it cannot be read, is not a picture, or is cut off.
    """
    try:
        data = np.fromfile(path, np.uint8)  # cv2.imread fails on non-ASCII names under Windows
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    image = decoded(data.tobytes())
    if image is None:
        what = "not a picture, or damaged"
        if not len(data):
            what = "the file is empty (0 bytes)"
        elif path.suffix.lower() in _UNREAD_SUFFIXES:
            what = "pictures of this kind cannot be read: convert it, to PNG say"
        raise SourceError(f"{path}: {what}")
    return image


def _files_in(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return [folder / name for name in _names_in(folder, suffixes)]


def _names_in(folder: Path, suffixes: tuple[str, ...]) -> list[str]:
    names = os.listdir(folder)  # a folder of an hour has 100,000: no path for each
    return [n for n in names if os.path.splitext(n)[1].lower() in suffixes and not n.startswith(".")]


def _inside(folder: Path) -> str:
    """Where pictures lie below a folder that has none itself, for its message."""
    inside = [entry for entry in sorted(folder.iterdir()) if entry.is_dir()]
    holding = [entry.name for entry in inside if _files_in(entry, PICTURE_SUFFIXES)]
    return f"; there are pictures in {_listed(holding)}" if holding else ""


def _listed(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _natural_key(name: str) -> list[tuple[int, str]]:
    """Orders by the numbers within a name; the name itself comes last, to settle 1.jpg and 01.jpg."""
    parts = re.split(r"(\d+)", name.lower())
    # Odd places are digits by the split; text sorts behind numbers and never meets them at one place.
    return [(int(part), "") if place % 2 else (-1, part) for place, part in enumerate(parts)] + [(-1, name)]
