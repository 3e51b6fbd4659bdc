"""The frames of a sequence: where they lie, whether all are there, and what tells them from others."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mot_reid.evaluation.sequences import Sequence
from mot_reid.video.seqinfo import picture_folder, picture_suffix, read_seqinfo

if TYPE_CHECKING:
    from mot_reid.video.frames import Frame, Source

__all__ = ["SequenceFrames", "find_frames"]

_PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
_VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
_SAMPLE = 1 << 20  # bytes of a video's head and of its tail


@dataclass(frozen=True)
class SequenceFrames:
    """The frames of a sequence: numbered pictures, or else a video.

    Attributes:
        sequence: whose frames they are; only `Sequence.frames` count.
        pictures: the picture of each frame that has one.
        video: the video, where there are no pictures.
        place: where the frames lie, or should.
    """

    sequence: Sequence
    pictures: dict[int, Path]
    video: Path | None
    place: Path

    @property
    def count(self) -> int:
        """How many frames are there; of a video, all that are wanted: only decoding it would tell."""
        return len(self.sequence.frames) if self.video else len(self.pictures)

    @property
    def complete(self) -> bool:
        """Whether no frame is missing."""
        return self.count == len(self.sequence.frames)

    def fingerprint(self) -> str:
        """Changes with the frames: a SHA-256.

        Of pictures it covers names, sizes and times of change; of a video also the first and the last MiB of
        its content. To read all content would cost more than it could ever save.
        """
        digest = hashlib.sha256()
        for path in self.pictures.values() if self.video is None else [self.video]:
            status = path.stat()
            digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode())
        if self.video is not None:
            with self.video.open("rb") as file:
                digest.update(file.read(_SAMPLE))
                file.seek(max(file.tell(), self.video.stat().st_size - _SAMPLE))
                digest.update(file.read())
        return digest.hexdigest()

    def read(self) -> Generator[Frame, None, None]:
        """Yields the sequence's frames, in order, every one of them.

        Raises:
            SourceError: a picture or the video cannot be read.
            ValueError: a frame of the video is missing.
        """
        frames = self.sequence.frames
        with self._open() as source:
            numbers = iter(frames)
            for frame in source:
                if (wanted := next(numbers)) != frame.number:
                    raise ValueError(f"{self.sequence.name}: {self.place} has no frame {wanted}")
                yield frame
            if (wanted := next(numbers, 0)) != 0:
                raise ValueError(f"{self.sequence.name}: {self.place} has no frame {wanted}")

    def _open(self) -> Source:
        frames = self.sequence.frames
        if self.video is not None:
            from mot_reid.video.sources import open_source

            return open_source(self.video, start=frames[0], stop=frames[-1])
        from mot_reid.video.frames import Selection
        from mot_reid.video.pictures import PictureSource

        numbered = list(self.pictures.items())
        return PictureSource(numbered, self.sequence.name, "sequence", self.sequence.fps, Selection())


def find_frames(sequence: Sequence) -> SequenceFrames:
    """Looks for the pictures of a sequence (in ``img1``, or where ``seqinfo.ini`` says), or for its video.

    Raises:
        ValueError: two pictures have the same frame number, or there are several videos.
    """
    folder, suffix = _picture_place(sequence.folder)
    pictures = _pictures(folder, suffix)
    if pictures:
        wanted = {number: pictures[number] for number in sequence.frames if number in pictures}
        return SequenceFrames(sequence, wanted, None, folder)
    videos = sorted(
        path
        for path in sequence.folder.iterdir()
        if path.suffix.lower() in _VIDEO_SUFFIXES and not path.name.startswith(".")
    )
    if len(videos) > 1:
        names = ", ".join(path.name for path in videos)
        raise ValueError(f"{sequence.folder}: expected pictures in {folder.name} or one video, got {names}")
    return SequenceFrames(sequence, {}, videos[0] if videos else None, videos[0] if videos else folder)


def _picture_place(folder: Path) -> tuple[Path, str]:
    """The folder of the pictures, and what their names end in (nothing where that is not said)."""
    info = read_seqinfo(folder)
    return picture_folder(folder, info), picture_suffix(info)


def _pictures(folder: Path, suffix: str) -> dict[int, Path]:
    """The pictures of a folder by the numbers that their names end in, ascending; counted from 1 on."""
    numbered: dict[int, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        known = path.suffix.lower() == suffix if suffix else path.suffix.lower() in _PICTURE_SUFFIXES
        digits = re.search(r"(\d+)$", path.stem, re.ASCII)
        if not known or digits is None or path.name.startswith("."):
            continue
        if (twin := numbered.setdefault(int(digits[1]), path)) is not path:
            raise ValueError(f"{path}: same frame number as {twin.name}")
    first = 0 in numbered
    return {number + first: path for number, path in sorted(numbered.items())}
