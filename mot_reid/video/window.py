"""A window that shows pictures as they come."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from functools import cache
from typing import Self

import cv2

from mot_reid.typing import Image

__all__ = ["Window"]

_WAIT = 60  # seconds for a first window, at most


class Window:
    """A window that shows pictures; q, Escape or its button closes it.

    It belongs to the thread that opens it.

    Args:
        title: of the window.

    Raises:
        RuntimeError: there is no display, or OpenCV was built without windows.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        require_display()
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        self._sized = False

    def show(self, picture: Image) -> bool:
        """Shows a picture ``(H, W, 3)``; False where the user has closed the window."""
        if not self._sized:
            cv2.resizeWindow(self._title, picture.shape[1], picture.shape[0])
            self._sized = True
        cv2.imshow(self._title, picture)
        pressed = cv2.waitKey(1) & 0xFF
        closed = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
        return not (closed or pressed in (ord("q"), 27))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(cv2.error):  # the user may have closed it
            cv2.destroyWindow(self._title)


@cache
def require_display() -> None:
    """Makes sure that a window can be opened, by a process of its own: OpenCV's Qt ends one that has none.

    Raises:
        RuntimeError: none can be.
    """
    probe = "import cv2; cv2.namedWindow('mot_reid'); cv2.destroyAllWindows()"
    try:
        done = subprocess.run(
            [sys.executable, "-c", probe], capture_output=True, timeout=_WAIT, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        done = None
    if done != 0:
        raise RuntimeError(
            "a window cannot be shown: there is no display, or OpenCV is opencv-python-headless; "
            "do without it, or install opencv-python"
        )
