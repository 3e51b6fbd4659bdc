"""Finished tracks on their video: drawn, hidden, cropped, shown."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mot_reid.structures import Tracks
from mot_reid.typing import Image
from mot_reid.video.files import prepare_output_file, prepare_output_folder
from mot_reid.video.frames import Source
from mot_reid.video.hiding import hide
from mot_reid.video.overlay import Overlay
from mot_reid.video.track_files import TrackFile
from mot_reid.video.video_sink import VideoSink
from mot_reid.video.window import Window

__all__ = ["Drawing", "Drawn", "draw_tracks"]


@dataclass(frozen=True)
class Drawing:
    """How tracks are drawn.

    Attributes:
        hide: ``blur`` or ``pixelate`` who is in a track, or None.
        boxes: draw boxes, ids and trails.
        labels: draw the id at each box.
        trail: frames of each track's trail; 0 for none.
        show: show a window, too.
        crops: folder for pictures of each track; None for none.
        crop_every: seconds between two of one track.
    """

    hide: str | None = None
    boxes: bool = True
    labels: bool = True
    trail: int = 30
    show: bool = False
    crops: Path | None = None
    crop_every: float = 0.5


class Drawn(NamedTuple):
    """What became of a video.

    Attributes:
        frames: how many were drawn.
        last: the source's number of the last of them, 0 where there is none.
        closed: whether the user closed the window before the end.
    """

    frames: int = 0
    last: int = 0
    closed: bool = False


def draw_tracks(
    source: Source,
    given: TrackFile,
    output: Path,
    how: Drawing,
    on_frame: Callable[[int], None] = lambda done: None,
) -> Drawn:
    """Draws tracks on their video.

    Crops are cut out before anybody is hidden, and are written as ``ID/FRAME.jpg``.

    Args:
        source: open, read from its beginning; it is not closed here.
        given: the tracks of its frame numbers.
        output: the ``.mp4`` file to write.
        how: what is drawn.
        on_frame: told how many frames are done.

    Returns:
        How far it came.

    Raises:
        OSError: an output cannot be written.
        SourceError: the source breaks off; what was drawn stays readable.
        RuntimeError: no window can be shown.
    """
    prepare_output_file(output)
    overlay = Overlay(how.labels, how.trail, given.class_names or {0: "person"})
    cropper = None if how.crops is None else _Cropper(how.crops, source.info.fps * how.crop_every)
    nobody, drawn = Tracks.empty(), Drawn()
    with ExitStack() as stack:
        window = stack.enter_context(Window(source.info.name)) if how.show else None
        sink = stack.enter_context(VideoSink(output, source.info.fps))
        for frame in source:
            tracks = given.tracks.get(frame.number, nobody)
            if cropper is not None:
                cropper.add(frame.number, frame.image, tracks)
            picture = frame.image if how.hide is None else hide(frame.image, tracks.xyxy, how.hide)
            picture = overlay.draw(picture, tracks) if how.boxes else picture
            sink.write(frame.number, picture, tracks, frame.time)
            closed = window is not None and not window.show(picture)
            drawn = Drawn(drawn.frames + 1, frame.number, closed)
            on_frame(drawn.frames)
            if closed:
                break
    return drawn


class _Cropper:
    """Writes a picture of each track now and then."""

    def __init__(self, folder: Path, every: float) -> None:
        self._folder, self._every = prepare_output_folder(folder), max(every, 1.0)
        self._last: dict[int, int] = {}

    def add(self, number: int, image: Image, tracks: Tracks) -> None:
        height, width = image.shape[:2]
        for track in tracks.seen:
            if number - self._last.get(track.id, -(10**9)) < self._every:
                continue
            x1, y1, x2, y2 = np.clip(np.rint(track.xyxy), 0, [width, height] * 2).astype(int).tolist()
            if x2 - x1 < 2 or y2 - y1 < 2:
                continue
            path = self._folder / str(track.id) / f"{number:06d}.jpg"
            path.parent.mkdir(exist_ok=True)
            if not cv2.imwrite(str(path), image[y1:y2, x1:x2]):
                raise OSError(f"{path}: cannot be written")
            self._last[track.id] = number
