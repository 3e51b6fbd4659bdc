"""The time of the source, as association counts it: seconds, and frames at the usual rate."""

import math
from bisect import insort
from fractions import Fraction

import numpy as np

from mot_reid.rollback import KeepsAttributes

__all__ = ["NOMINAL_RATE", "Clock", "Place", "checked_rate", "next_frame"]

Place = tuple[int | None, float | None]
"""A frame's number and its time in seconds, each None where it is not given."""

NOMINAL_RATE = 30.0
"""Frames a second, where neither the rate nor any frame's time is known."""

# So many intervals tell the usual one.
_ENOUGH = 15
# An interval this near to a whole number of usual ones is one: time stamps are rounded to milliseconds.
_JITTER = 0.06


class Clock(KeepsAttributes):
    """Knows when the last frame was, and how long it usually takes until the next.

    Ages and gates are measured in seconds. The noise of the motion model is that of one frame at the usual
    rate, so a gap of any length is a number of such frames, whole or not.

    Args:
        fps: frames a second of the source; None where it is not known: then the median of the first intervals
            stands for it, and `NOMINAL_RATE` until there is one.

    Attributes:
        time: of the last frame, seconds.
        interval: seconds from one frame to the next as a rule.
        elapsed: seconds between the last two frames.
        since_look: seconds since the last frame before this one that the detector looked at.
        looks: how many frames the detector looked at so far.
        frames: how many usual frames the last gap was long; 1 for a regular source.
        rest: how many frames ago that one was; 1 where the detector looks at every frame.
    """

    def __init__(self, fps: float | None = None) -> None:
        self._fps = fps
        self._intervals: tuple[float, ...] = ()
        self._started = False
        self._looked = True
        self.time = 0.0
        self.interval = self.elapsed = self.since_look = 1 / (fps or NOMINAL_RATE)
        self.looks, self.rest, self.frames = 0, 1, 1.0

    def advance(self, time: float | None = None, *, looked: bool = True) -> None:
        """Goes on to the next frame.

        Args:
            time: of the frame, seconds; None for one interval after the last.
            looked: whether a detector looked at it.

        Raises:
            ValueError: the time is not finite, or does not lie behind the last frame's.
        """
        # Numbers of NumPy compare to its own bools, which are no indices.
        time = self.time + self.interval if time is None else float(time)
        if not math.isfinite(time) or (self._started and time <= self.time):
            last = f" later than {self.time:g}" if self._started else ""
            raise ValueError(f"time: expected seconds{last}, got {time}")
        if self._started:
            self.elapsed = time - self.time
            if self._fps is None and len(self._intervals) < _ENOUGH:
                intervals = list(self._intervals)
                insort(intervals, self.elapsed)
                self._intervals = tuple(intervals)
                self.interval = intervals[len(intervals) // 2]
        self.time, self._started = time, True
        self.since_look = self.elapsed + (0.0 if self._looked else self.since_look)
        self.rest = 1 if self._looked else self.rest + 1
        self._looked = looked
        self.looks += looked
        frames = self.elapsed / self.interval
        whole = max(round(frames), 1)
        self.frames = float(whole) if abs(frames - whole) <= _JITTER else frames


def checked_rate(fps: float) -> float:
    """A frame rate as it was given, if it is one.

    Raises:
        TypeError: it is no number.
        ValueError: it is not positive.
    """
    if not isinstance(fps, int | float | Fraction | np.integer | np.floating) or isinstance(fps, bool):
        raise TypeError(f"fps: expected a number of frames a second, got {fps!r}")
    if not 0 < fps < math.inf:
        raise ValueError(f"fps: expected a positive number of frames a second, got {fps}")
    return float(fps)


def next_frame(place: Place, last: tuple[int, float], fps: float | None) -> tuple[int, float]:
    """Gives the number and the time of the frame that follows.

    Args:
        place: number and time as given; None for one more than the last number, and for a time that goes on
            with it, at ``fps`` or `NOMINAL_RATE` frames a second; of frame 1 it is 0.
        last: number and time of the last frame, both 0 before the first.
        fps: frames a second, if known.

    Raises:
        TypeError: the number is not whole, or the time is no number.
        ValueError: one of the two does not ascend, or the time is not finite.
    """
    number, time = place
    number = last[0] + 1 if number is None else number
    if not isinstance(number, int | np.integer) or isinstance(number, bool):
        raise TypeError(f"frame_number: expected a whole number, got {number!r}")
    if number <= last[0]:
        raise ValueError(f"frame_number: expected more than {last[0]}, got {number}")
    if time is None:
        return int(number), last[1] + (int(number) - (last[0] or 1)) / (fps or NOMINAL_RATE)
    if not isinstance(time, int | float | np.integer | np.floating) or isinstance(time, bool):
        raise TypeError(f"time: expected seconds, got {time!r}")
    if not math.isfinite(time) or (last[0] and time <= last[1]):
        later = f" after {last[1]:g}, the last frame's" if last[0] else ""
        raise ValueError(f"time: expected seconds{later}, got {time}")
    return int(number), float(time)
