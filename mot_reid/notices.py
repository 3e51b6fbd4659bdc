"""What looks wrong in a tracker's input without being an error: told once, and kept for the run's summary."""

from __future__ import annotations

import sys
import warnings

from mot_reid.structures import Detections
from mot_reid.typing import Boxes, Floats

__all__ = ["InputWarning", "Notices", "shares_of_picture"]

_SHARES = 1.5
"""Coordinates up to this, all of a frame's, are no pixels: detectors that give shares go over 1 a little."""
_FAR = 0.1
"""Share of the picture's longer side, on each side of it, that a box of a detector may lie outside."""
_REACH = (1.5, 2.0)
"""Widths and heights of the picture up to which boxes may reach that begin in the picture."""

_WEAK_FRAMES = 25
"""Frames with detections, none of which counts, after which that is told."""

_SLOW = 500.0
"""How many times as long as the rate says a frame lasts at least where milliseconds are given as seconds."""
_SLOW_FRAMES = 25
"""So many such frames from the start on are told."""


class InputWarning(UserWarning):
    """Something in the input is most likely not what was meant; the message says what was seen."""


def shares_of_picture(xyxy: Boxes | Floats) -> bool:
    """Tells whether boxes ``(N, 4)`` look like shares of the picture, 0 to 1, instead of pixels.

    Example:
        >>> import numpy as np
        >>> shares_of_picture(np.array([[0.1, 0.2, 0.3, 0.6]]))
        True
        >>> shares_of_picture(np.array([[0.1, 0.2, 30, 60]]))
        False
    """
    return len(xyxy) > 0 and float(xyxy.max()) <= _SHARES and float(xyxy.min()) >= -_SHARES


class Notices:
    """Looks at what goes into a tracker, and says each kind of thing once.

    Attributes:
        texts: what was said so far.
        warns: whether it is said as an `InputWarning` too; False where somebody else shows the texts.
    """

    def __init__(self, warns: bool = True) -> None:
        self.texts: list[str] = []
        self.warns = warns
        self._said: set[str] = set()
        self._weak: list[float] | None = []  # best scores of the frames so far, all of them low
        self._slow: list[float] | None = []  # seconds from frame to frame so far, all of them long

    def of_boxes(self, detections: Detections, shape: tuple[int, ...] | None, number: int) -> None:
        """Says if the boxes of a frame are in other units than pixels, or of another picture.

        Args:
            detections: the frame's.
            shape: height and width of the frame, where it is known.
            number: of the frame.
        """
        xyxy = detections.xyxy
        if not len(xyxy):
            return
        if shares_of_picture(xyxy):
            self._say(
                "shares",
                f"boxes of frame {number}: all coordinates lie between {xyxy.min():.3g} and "
                f"{xyxy.max():.3g}, as shares of the picture do; boxes are x1, y1, x2, y2 in pixels",
            )
        elif shape is not None:
            height, width = shape[:2]
            if (reaching := _reaching(xyxy, width, height)) is not None:
                self._say("reach", f"boxes of frame {number}: {reaching}")
            far = _FAR * max(height, width)
            if xyxy.min() >= -far and xyxy[:, :2].max() <= min(height, width) + far:
                return  # as nearly always; what follows takes longer
            outside = (xyxy[:, 2] < -far) | (xyxy[:, 3] < -far)
            outside |= (xyxy[:, 0] > width + far) | (xyxy[:, 1] > height + far)
            if outside.any():
                row = int(outside.argmax())
                box = ", ".join(f"{value:g}" for value in xyxy[row].round(1).tolist())
                self._say(
                    "outside",
                    f"boxes of frame {number}: row {row} is {box}, far outside of the picture of {width} x "
                    f"{height} pixels; is it of a picture of another size?",
                )

    def of_scores(self, detections: Detections, low: float, number: int) -> None:
        """Says if from the start on no detection has a score that counts.

        Args:
            detections: the frame's.
            low: the score below which they are left out.
            number: of the frame.
        """
        if self._weak is None or not len(detections):
            return
        self._weak.append(float(detections.scores.max()))
        if self._weak[-1] >= low:
            self._weak = None
        elif len(self._weak) == _WEAK_FRAMES:
            best, self._weak = max(self._weak), None
            self._say(
                "scores",
                f"boxes up to frame {number}: the best score is {best:.3g}, and none is taken below "
                f"{low:g}: association.low_score lets lower ones in",
            )

    def of_time(self, last: tuple[int, float], this: tuple[int, float], fps: float | None) -> None:
        """Says if from the start on frames lie so far apart that their times can hardly be seconds.

        Args:
            last: number and time of the last frame, both 0 before the first.
            this: those of this one.
            fps: frames a second, where it is known; without it a time lapse may be meant.
        """
        if self._slow is None or fps is None or not last[0]:
            return
        self._slow.append((this[1] - last[1]) / (this[0] - last[0]))
        if self._slow[-1] * fps < _SLOW:
            self._slow = None
        elif len(self._slow) == _SLOW_FRAMES:
            usual, self._slow = sorted(self._slow)[_SLOW_FRAMES // 2], None
            self._say(
                "time",
                f"time up to frame {this[0]}: frames lie {usual:.3g} seconds apart, at fps {fps:.3g} it is "
                f"{1 / fps:.3g}; are these milliseconds? A time lapse wants its own fps, {1 / usual:.3g}",
            )

    def of_crowd(self, left_out: int, most: int, number: int) -> None:
        """Says if detections were left out because too many lay on one spot.

        Args:
            left_out: how many up to this frame.
            most: that count on a spot.
            number: of the frame.
        """
        if left_out:
            self._say(
                "crowd",
                f"boxes of frame {number}: {left_out} are left out: more than {most} of one class and size "
                f"on one spot, or {2 * most} of all classes, where only the best count; does the detector "
                "suppress duplicates?",
            )

    def _say(self, kind: str, text: str) -> None:
        if kind not in self._said:
            self._said.add(kind)
            self.texts.append(text)
            if self.warns:
                warnings.warn(text, InputWarning, stacklevel=_callers_level())


def _callers_level() -> int:
    """How far up from `_say` is who called this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith("mot_reid."):
        level, frame = level + 1, frame.f_back
    return level


def _reaching(xyxy: Boxes, width: int, height: int) -> str | None:
    """Says which box begins in the picture and ends far outside of it; None where none does."""
    right, bottom = xyxy[:, 2:].max(axis=0)
    if right <= _REACH[0] * width and bottom <= _REACH[1] * height:
        return None  # as nearly always
    reach = (xyxy[:, 2] > _REACH[0] * width) | (xyxy[:, 3] > _REACH[1] * height)
    reach &= (xyxy[:, 0] < width) & (xyxy[:, 1] < height)  # the others lie outside, which is told
    if not reach.any():
        return None
    row = int(reach.argmax())
    box = ", ".join(f"{value:g}" for value in xyxy[row].round(1).tolist())
    return (
        f"row {row} is {box}, which begins in the picture of {width} x {height} pixels and ends far outside; "
        "were right and bottom taken for width and height?"
    )
