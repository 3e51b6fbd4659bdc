"""The time of frames: seconds of the source since its first frame, strictly ascending."""

from __future__ import annotations

import time

__all__ = ["LiveClock", "StampClock"]

_LEAST_STEP = 1e-4  # seconds; two frames never share a time
_NEW_COUNT = 1.0  # seconds; a stamp so far back begins a new count, one less far back is out of order
_MOST_DRIFT = 6.0
"""Seconds by which a live source's own stamps may leave the wall clock: FFmpeg looks at 5 s of a stream
before it gives the first frame, and the others come at once."""


class StampClock:
    """Times of a recording's frames, by their time stamps.

    A frame without a time stamp is one frame interval later than the frame before, and so is one with the
    same stamp (a clock too coarse for single frames), and one whose stamp lies far before it (recordings put
    together, a counter that begins again): the frames behind it go on from there.

    Args:
        fps: frames a second, for frames without a time stamp.
        by_rate: leave time stamps aside and count by ``fps`` alone.
    """

    def __init__(self, fps: float, by_rate: bool = False) -> None:
        self._fps, self._by_rate = fps, by_rate
        self._origin: float | None = None  # what is taken from a stamp to have a time
        self._last, self._last_number = 0.0, 1
        self._stamp: float | None = None  # of the last frame

    def at(self, number: int, stamp: float | None) -> float:
        """The time of a frame.

        Args:
            number: the frame's, from 1; ascending from call to call.
            stamp: seconds on the source's own clock, None where it has none.
        """
        if self._by_rate:
            return (number - 1) / self._fps
        expected = self._last + (number - self._last_number) / self._fps
        if stamp is None:
            time_ = expected
        elif stamp == self._stamp and self._origin is not None:
            most = stamp - self._origin + _NEW_COUNT
            time_ = max(min(expected, most), self._last + _LEAST_STEP)
        else:
            if self._origin is None or stamp - self._origin < self._last - _NEW_COUNT:
                self._origin = stamp - expected
            time_ = max(stamp - self._origin, self._last + (_LEAST_STEP if number > 1 else 0))
        self._last, self._last_number, self._stamp = time_, number, stamp
        return time_


class LiveClock:
    """Times of a live source's frames, and when they came.

    The source's own stamps are more even than the moments at which frames come; but a clock that runs wrong,
    or begins again, is left for the wall clock, up to the next connection.
    """

    def __init__(self) -> None:
        self._begin: float | None = None  # monotonic
        self._origin: float | None = None  # of the source's stamps
        self._anew = True
        self._last = -_LEAST_STEP

    def restart(self) -> None:
        """Takes the next stamp for the first one of a new connection; time goes on."""
        self._anew, self._origin = True, None

    def now(self, stamp: float | None = None) -> tuple[float, float]:
        """The time of a frame that came just now, and the wall clock, seconds since 1970 UTC.

        Args:
            stamp: seconds on the source's own clock, None where it has none that means anything.
        """
        came = time.monotonic()
        if self._begin is None:
            self._begin = came
        passed = came - self._begin
        if self._anew and stamp is not None:  # of RTP the first frame may have none
            self._anew, self._origin = False, stamp - passed
        shown = None if stamp is None or self._origin is None else stamp - self._origin
        if shown is not None and abs(shown - passed) <= _MOST_DRIFT and shown >= self._last - _NEW_COUNT:
            passed = shown
        elif self._origin is not None:  # the wall clock goes on from the last frame, which may be ahead of it
            self._begin -= max(self._last - passed, 0.0)
            self._origin, passed = None, max(passed, self._last)
        self._last = max(passed, self._last + _LEAST_STEP)
        return self._last, time.time()
