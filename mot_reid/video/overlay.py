"""Drawing tracks on a picture: boxes, labels and trails."""

from __future__ import annotations

import colorsys
from collections import deque
from collections.abc import Mapping

import cv2
import numpy as np

from mot_reid.structures import Tracks
from mot_reid.typing import Image

__all__ = ["Overlay", "id_color"]

_GOLDEN_RATIO = 0.618033988749895
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SUBPIXEL_BITS = 4  # OpenCV takes coordinates in 1/16 pixel, so that trails do not jitter
_TRAIL_STEPS = 5  # a trail grows from thin and dark to full in so many steps
_FAR = 2.0**15 - 1  # pixels; beyond this OpenCV's fixed-point lines wrap round


def id_color(track_id: int) -> tuple[int, int, int]:
    """The colour of a track, ``(b, g, r)``: always the same, bright, and far from those of the ids beside it.

    Steps of the golden ratio spread the hues of any run of ids evenly round the colour circle.
    """
    hue = track_id * _GOLDEN_RATIO % 1.0
    saturation = (0.85, 0.6, 1.0)[track_id % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, 1.0)
    return round(255 * blue), round(255 * green), round(255 * red)


class Overlay:
    """Draws the tracks of a run, frame by frame; it remembers where each track stood, for the trails.

    Args:
        labels: write ``id 7`` at each box, with the name of its class once several classes were seen.
        trail: frames for which the trail of a track's foot point lasts; 0 for no trails.
        class_names: class numbers to names; a class without one appears as ``class 5``.

    Raises:
        ValueError: ``trail`` is negative.
    """

    def __init__(
        self, labels: bool = True, trail: int = 30, class_names: Mapping[int, str] | None = None
    ) -> None:
        if trail < 0:
            raise ValueError(f"trail: expected 0 or more, got {trail}")
        self._labels = labels
        self._trail = trail
        self._class_names = dict(class_names or {})
        self.reset()

    def reset(self) -> None:
        """Forgets the trails and classes seen, for a new run."""
        self._frame = 0
        self._paths: dict[int, deque[tuple[int, float, float]]] = {}
        self._classes: set[int] = set()

    def draw(self, image: Image, tracks: Tracks) -> Image:
        """Draws the tracks of the next frame.

        Args:
            image: ``(H, W, 3)`` uint8 BGR; it stays as it is.
            tracks: the tracks seen in this frame.

        Returns:
            The picture with the tracks, ``(H, W, 3)`` uint8 BGR, a copy.
        """
        canvas = image.copy()
        height, width = canvas.shape[:2]
        # A line of one pixel loses its colour in video, which keeps colours at half the resolution.
        line = max(2, round(height / 360))
        self._remember(tracks)
        # Who stands lower stands nearer to the camera and is drawn over the others.
        order = np.argsort(tracks.xyxy[:, 3], kind="stable")
        ids, classes = tracks.ids[order].tolist(), tracks.classes[order].tolist()
        # Corners beyond the picture go just out of view: OpenCV overflows on boxes of a million pixels.
        margin = 4 * line
        limits = np.array([width, height, width, height], np.float32) + margin
        corners = np.rint(np.clip(tracks.xyxy[order], -margin, limits)).astype(int).tolist()
        for track_id in ids:
            self._draw_path(canvas, track_id, line)
        for track_id, (x1, y1, x2, y2) in zip(ids, corners, strict=True):
            cv2.rectangle(canvas, (x1, y1), (x2, y2), id_color(track_id), line)
        if self._labels:
            for track_id, class_id, (x1, y1, *_) in zip(ids, classes, corners, strict=True):
                _draw_label(canvas, self._label(track_id, class_id), x1, y1, id_color(track_id), line)
        return canvas

    def _remember(self, tracks: Tracks) -> None:
        """Adds the foot points of this frame and drops all that is older than the trail."""
        self._frame += 1
        self._classes.update(tracks.classes.tolist())
        oldest = self._frame - self._trail
        for track_id, (x1, _, x2, y2) in zip(tracks.ids.tolist(), tracks.xyxy.tolist(), strict=True):
            self._paths.setdefault(track_id, deque()).append((self._frame, (x1 + x2) / 2, y2))
        for track_id, path in list(self._paths.items()):
            while path and path[0][0] <= oldest:
                path.popleft()
            if not path:
                del self._paths[track_id]

    def _label(self, track_id: int, class_id: int) -> str:
        if len(self._classes) < 2:
            return f"id {track_id}"
        return f"{self._class_names.get(class_id, f'class {class_id}')} {track_id}"

    def _draw_path(self, canvas: Image, track_id: int, line: int) -> None:
        path = self._paths.get(track_id)
        if path is None or len(path) < 2:
            return
        points = np.array(path)
        fixed = np.rint(np.clip(points[:, 1:], -_FAR, _FAR) * 2**_SUBPIXEL_BITS).astype(np.int32)
        begins = self._frame - self._trail * (1 - np.arange(_TRAIL_STEPS) / _TRAIL_STEPS)
        starts = [*np.searchsorted(points[:, 0], begins).tolist(), len(path)]
        color = id_color(track_id)
        for step in range(_TRAIL_STEPS):
            piece = fixed[starts[step] : starts[step + 1] + 1]  # one point on, to join the next piece
            if len(piece) < 2:
                continue
            share = (step + 1) / _TRAIL_STEPS
            shade = tuple(channel * (0.45 + 0.55 * share) for channel in color)
            thickness = max(1, round(line * share))
            cv2.polylines(canvas, [piece], False, shade, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def _draw_label(canvas: Image, text: str, x: int, y: int, color: tuple[int, int, int], line: int) -> None:
    """Writes ``text`` on a ground of ``color`` above the corner ``(x, y)``, moved so that it stays inside."""
    height, width = canvas.shape[:2]
    scale = max(0.35, height / 1700)
    stroke = max(1, round(height / 540))
    (text_width, text_height), _ = cv2.getTextSize(text, _FONT, scale, stroke)
    pad = max(2, 2 * line - 1)
    full_width, full_height = text_width + 2 * pad, text_height + 2 * pad
    left = min(max(x - line // 2, 0), max(width - full_width, 0))
    top = y - full_height if y >= full_height else max(y, 0)
    top = min(top, max(height - full_height, 0))
    cv2.rectangle(canvas, (left, top), (left + full_width - 1, top + full_height - 1), color, cv2.FILLED)
    blue, green, red = color
    ink = (0, 0, 0) if 0.114 * blue + 0.587 * green + 0.299 * red > 110 else (255, 255, 255)
    cv2.putText(canvas, text, (left + pad, top + pad + text_height), _FONT, scale, ink, stroke, cv2.LINE_AA)
