"""Frames from a webcam, through OpenCV."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2

from mot_reid.video.clock import LiveClock
from mot_reid.video.frames import DEFAULT_FPS, Frame, Selection, Source, SourceError, SourceInfo

__all__ = ["WebcamSource"]

_SILENT = 0  # OpenCV's LOG_LEVEL_SILENT


class WebcamSource(Source):
    """A webcam; it ends only at ``stop``, so ``info.frame_count`` is None without one.

    Raises:
        SourceError: the webcam cannot be opened or gives no picture.
    """

    endless = True

    def __init__(self, index: int, selection: Selection, clock: LiveClock | None = None) -> None:
        self.label = self._label = f"webcam {index}"
        self._selection = selection
        with _quiet_opencv():
            self._capture = cv2.VideoCapture(index)
            opened, image = self._capture.read()
        if not opened:
            self._capture.release()
            raise SourceError(f"{self._label}: cannot be opened (none there, in use, or not permitted)")
        height, width = image.shape[:2]
        fps = self._capture.get(cv2.CAP_PROP_FPS)  # drivers say 0, -1 or nan where they do not know
        count = selection.count(selection.stop)
        name, rate = f"webcam{index}", fps if 0 < fps < math.inf else DEFAULT_FPS
        self.info = SourceInfo(name, "webcam", width, height, rate, count, live=True)
        self._number = 0
        self._clock = clock or LiveClock()

    def __iter__(self) -> Iterator[Frame]:
        while self._capture.isOpened() and not self._selection.is_past(self._number + 1):
            there, image = self._capture.read()
            if not there:
                raise SourceError(f"{self._label}: breaks off after frame {self._number}")
            self._number += 1
            if self._number in self._selection:
                yield Frame(self._number, image, *self._clock.now())  # type: ignore[arg-type]

    def close(self) -> None:
        """Releases the webcam."""
        self._capture.release()


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keeps OpenCV from printing a page about a webcam that is not there; the error says it in a line."""
    control: Any = cv2.utils.logging if hasattr(cv2.utils, "logging") else cv2  # OpenCV 5, OpenCV 4
    level = control.getLogLevel()
    control.setLogLevel(_SILENT)
    try:
        yield
    finally:
        control.setLogLevel(level)
