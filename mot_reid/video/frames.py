"""What every source of frames shares: the frame, the source's description, and the choice of frames."""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from mot_reid.typing import Image

if TYPE_CHECKING:
    from mot_reid.video.sound import Sound

__all__ = ["DEFAULT_FPS", "Frame", "Selection", "Source", "SourceError", "SourceInfo", "SourceKind"]

SourceKind = Literal["video", "images", "sequence", "webcam", "stream"]

_log = logging.getLogger(__name__)

DEFAULT_FPS = 30.0  # where the source does not say


class SourceError(RuntimeError):
    """A source cannot be opened, or breaks off; the message is one line that names it and says why."""


@dataclass(frozen=True)
class SourceInfo:
    """What is known of a source before its frames are read.

    Attributes:
        name: short, and safe as a folder's name: the file's stem, the folder's name, ``webcam0``.
        kind: what the source is.
        width: of every frame, pixels.
        height: of every frame, pixels.
        fps: frames a second of the source itself, before any stride; 30 where it does not say.
        frame_count: frames that will come after start, stop and stride, as far as the source declares its
            length (a video's declared length can be off by a few); None where that is unknown.
        live: frames come when they come and do not wait: a webcam, or a stream without an end.
        location: absolute path of the file or folder; empty for webcams and streams.
    """

    name: str
    kind: SourceKind
    width: int
    height: int
    fps: float
    frame_count: int | None
    live: bool = False
    location: str = field(default="", compare=False)

    def time_of(self, frame: Frame) -> float:
        """A frame's time in seconds; by its number and the frame rate where the source leaves it out."""
        left_out = frame.time is None or math.isnan(frame.time)  # None: of sources without types
        return (frame.number - 1) / self.fps if left_out else frame.time


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame.

    Attributes:
        number: the source's own frame number, from 1; in a MOTChallenge sequence, the picture file's.
        image: ``(H, W, 3)`` uint8, BGR.
        time: seconds of the source since its first frame, by its time stamps where it has any, or else by its
            frame rate; ascending. NaN from a source that leaves it out: then a run counts by ``info.fps``.
        wall_clock: when the frame of a live source came, seconds since 1970 UTC; None in a recording.
    """

    number: int
    image: Image = field(repr=False)
    time: float = math.nan
    wall_clock: float | None = None


@dataclass(frozen=True)
class Selection:
    """Which frames of a source are wanted: ``start`` to ``stop`` (both from 1, included), each ``stride``-th.

    Raises:
        ValueError: a value is below 1, or ``stop`` lies before ``start``.
        TypeError: a value is not an integer.
    """

    start: int = 1
    stop: int | None = None
    stride: int = 1

    def __post_init__(self) -> None:
        for name in ("start", "stop", "stride"):
            value = getattr(self, name)
            if name == "stop" and value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"{name}: expected an integer, got {type(value).__name__} {value!r}")
            if value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}")
        if self.stop is not None and self.stop < self.start:
            raise ValueError(f"stop: expected at least start = {self.start}, got {self.stop}")

    def __contains__(self, number: int) -> bool:
        return number >= self.start and not self.is_past(number) and (number - self.start) % self.stride == 0

    def is_past(self, number: int) -> bool:
        """Whether frame ``number`` lies behind the last one wanted."""
        return self.stop is not None and number > self.stop

    def count(self, total: int | None) -> int | None:
        """How many of the frames 1 to ``total`` are wanted; None if ``total`` is unknown."""
        if total is None:
            return None
        last = total if self.stop is None else min(total, self.stop)
        return len(range(self.start, last + 1, self.stride))


class Source(ABC):
    """Frames to be read once, front to back: a context manager that is iterated over.

    Attributes:
        info: what is known of the source.
        damaged: how many frames so far could not be decoded and were left out.
        notes: what a user should know of it, found out so far, a sentence each.
    """

    info: SourceInfo
    damaged: int = 0
    notes: tuple[str, ...] = ()

    def tell(self, text: str) -> None:
        """Adds to `notes`, and to the log as a warning.

        Args:
            text: one sentence, without the source's name.
        """
        self.notes += (text,)
        _log.warning("%s: %s", getattr(self, "_label", None) or self.info.name, text)

    def sound(self) -> Sound | None:
        """What was heard beside the frames, for the video made of them; None where there is none."""
        return None

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Yields the frames.

        Raises:
            SourceError: the source breaks off or a frame cannot be read; the frames before were yielded.
        """

    def stop(self) -> None:  # noqa: B027  # a recording's iteration ends by itself
        """Asks a live source to end its iteration soon; from any thread."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of files and devices; safe to call at any time, and more than once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
