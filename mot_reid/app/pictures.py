"""Where a run's pictures come from: its source, or its own video where that is gone or damaged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mot_reid.app.frames import FrameReader
from mot_reid.app.video_index import StillReading
from mot_reid.video.formats import FORMATS
from mot_reid.video.frames import SourceError

__all__ = ["Pictures"]


class Pictures:
    """A run's pictures, opened when they are first needed; safe to use from several threads.

    Args:
        folder: the run's.
        video: its video or pictures; by default where the run says that they were.
        summary: gives what the run says of itself.
        second: gives the time of a frame by its number.

    Attributes:
        missing: why there are none; empty where there are, as far as is known.
    """

    def __init__(
        self,
        folder: Path,
        video: Path | None,
        summary: Callable[[], Mapping[str, Any]],
        second: Callable[[int], float],
    ) -> None:
        self._own, self._video = folder / FORMATS["video"].file, video
        self._summary, self._second = summary, second
        self._opening = threading.Lock()
        self._reader: FrameReader | None = None
        self.missing = ""

    def source(self) -> Path | None:
        """Where the video or the pictures that were tracked are, or were; None where nobody knows."""
        place = self._video or self._location()
        return None if place is None else place.absolute()

    def place(self) -> Path | None:
        """Where they come from, as far as is known before they are opened; None if there are none."""
        reader = self._reader
        if reader is not None:
            return reader.path
        found = [] if self.missing else self._places()
        if not found:
            self.missing = self.missing or "the video is not where it was; --video says where it is"
        return next(iter(found), None)

    @property
    def drawn(self) -> bool:
        """Whether they are those of the run's own video, in which boxes are drawn."""
        return self.place() == self._own

    def reader(self) -> FrameReader | None:
        """What gives them; None where there are none."""
        with self._opening:  # a long video takes a while, in which tracks are shown
            if self._reader is None and self.place() is not None:
                self._reader = self._open()
            return self._reader

    def close(self, why: str = "") -> None:
        """Closes the file.

        Args:
            why: there are no pictures from now on; without it they are opened again when they are needed.
        """
        with self._opening:
            if self._reader is not None:
                self._reader.close()
            self._reader, self.missing = None, why

    def _location(self) -> Path | None:
        location = str((self._summary().get("source") or {}).get("location") or "")
        return Path(location) if location else None

    def _places(self) -> list[Path]:
        places = (self._video, self._location(), self._own)
        return [place for place in places if place is not None and place.exists()]

    def _open(self) -> FrameReader | None:
        """Opens the first of the places that has a picture."""
        summary, told = self._summary(), ""
        for place in self._places():
            try:
                if place == self._own:
                    return FrameReader(place, first=_first(summary), stride=summary.get("stride") or 1)
                reader = FrameReader(place, self._second if summary.get("frames_damaged") else None)
                if place.is_dir() or summary.get("frames_damaged") or _has_picture(reader):
                    return reader
                reader.close()
                told = told or f"{place}: no picture in it can be read"
            except SourceError as error:
                told = told or str(error)
        self.missing = told
        return None


def _first(summary: Mapping[str, Any]) -> int:
    """The number of the first frame that was tracked."""
    frames, last = summary.get("frames"), summary.get("last_frame")
    if not isinstance(frames, int) or not isinstance(last, int) or summary.get("frames_dropped"):
        return 1
    return max(last - (frames - 1) * int(summary.get("stride") or 1), 1)


def _has_picture(reader: FrameReader) -> bool:
    """Whether there is any: one that cannot be decoded is passed over."""
    try:
        return reader.image(1) is not None
    except StillReading:
        return True
