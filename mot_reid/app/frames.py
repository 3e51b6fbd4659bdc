"""Single frames of a video or a folder of pictures, at random or one after the other."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2

from mot_reid.app.video_index import StillReading, VideoIndex
from mot_reid.typing import Image
from mot_reid.video.container import frame_places, open_container, restamp
from mot_reid.video.frames import Selection, SourceError
from mot_reid.video.pictures import open_sequence, picture_names, read_picture
from mot_reid.video.pixels import PixelReader

if TYPE_CHECKING:
    from av import VideoFrame

__all__ = ["FrameReader", "encode", "size_of"]

_READ_ON = 24  # frames that are decoded and left out sooner than the file is searched for a key frame
_CACHED = 64 << 20  # bytes of encoded pictures that a reader keeps


def encode(image: Image, quality: int = 80) -> bytes:
    """A picture ``(H, W, 3)`` BGR as JPEG."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("the picture cannot be encoded")
    return data.tobytes()


class FrameReader:
    """Gives frames by their numbers, as JPEG; safe to call from several threads.

    A video is decoded from the key frame before; the one after the last asked for costs no seek. It is read
    through by a thread meanwhile: until that has come to a frame, whoever asks for it gets a `StillReading`.

    Args:
        path: a video file, a folder of pictures, or a MOTChallenge sequence.
        seconds: the time of a frame; frames of a damaged video, of which some are lost, are found by it.
        first: the number of the frame that comes first.
        stride: by how much numbers ascend from one to the next; those between are the one before.

    Raises:
        SourceError: it cannot be opened.
    """

    def __init__(
        self, path: Path, seconds: Callable[[int], float] | None = None, first: int = 1, stride: int = 1
    ) -> None:
        self.path, self._first, self._stride = path, first, stride
        self._lock = threading.Lock()
        self._cache: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._cached = 0
        self._frames: _Video | _Pictures = _Pictures(path) if path.is_dir() else _Video(path, seconds)

    def jpeg(self, number: int, width: int = 0) -> bytes | None:
        """The frame of this number, from 1; None if there is none.

        Args:
            number: the source's frame number.
            width: most pixels across; 0 for all.
        """
        key = (number, width)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
            image = self._frames.read(self._place(number))
            if image is None:
                return None
            if width and image.shape[1] > width:
                size = (width, max(1, round(image.shape[0] * width / image.shape[1])))
                image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
            data = encode(image)
            self._cache[key] = data
            self._cached += len(data)
            while self._cached > _CACHED:
                self._cached -= len(self._cache.popitem(last=False)[1])
            return data

    def image(self, number: int) -> Image | None:
        """The frame of this number ``(H, W, 3)`` BGR, from 1; None if there is none."""
        with self._lock:
            return self._frames.read(self._place(number))

    def _place(self, number: int) -> int:
        return (number - self._first) // self._stride + 1

    def wait(self) -> None:
        """Waits until every frame can be given."""
        self._frames.wait()

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._frames.close()
            self._cache.clear()
            self._cached = 0


def size_of(reader: FrameReader | None) -> tuple[int, int] | None:
    """Width and height of a reader's first picture; None where there is none."""
    try:
        image = None if reader is None else reader.image(1)
    except StillReading:
        return None
    return None if image is None else (image.shape[1], image.shape[0])


class _Pictures:
    def __init__(self, path: Path) -> None:
        self._files: dict[int, Path] = {}
        self._folder = path
        self._names: list[str] = []
        if (path / "seqinfo.ini").is_file():
            with open_sequence(path, path.name, Selection()) as source:
                self._files = dict(source.files)
            return
        self._names = picture_names(path)
        if not self._names:
            raise SourceError(f"{path}: no pictures in this folder")

    def read(self, number: int) -> Image | None:
        path = self._files.get(number)
        if 1 <= number <= len(self._names):
            path = self._folder / self._names[number - 1]
        try:
            return None if path is None else read_picture(path)
        except SourceError:
            return None

    def wait(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Video:
    def __init__(self, path: Path, seconds: Callable[[int], float] | None) -> None:
        self._seconds = seconds
        self._container, self._stream = open_container(str(path.absolute()), str(path), None)
        self._pixels = PixelReader(self._stream.sample_aspect_ratio, lambda _: None, path)
        self._places = frame_places(self._container, self._stream)
        self._index = VideoIndex(path)
        self._next = -1
        self._decoded: Iterator[tuple[int, VideoFrame]] = iter(())

    def read(self, number: int) -> Image | None:
        place = number if self._seconds is None else self._index.at(self._seconds(number))
        return None if place is None else self._read(place)

    def _read(self, number: int) -> Image | None:
        stamp = self._index.stamp(number)
        if stamp is None:
            return None
        try:
            if self._next < 0 or not 0 <= number - self._next <= _READ_ON:
                self._seek(number, 0 if self._index.counted else stamp)
            for place, frame in self._decoded:
                self._next = place + 1
                if place >= number:
                    return self._pixels.read(frame)
            self._next = -1  # the file ends before, or is damaged from there on
            return None
        except av.FFmpegError:
            self._next = -1
            return None

    def _seek(self, number: int, stamp: int) -> None:
        """Begins at a key frame before; from ever further back where seeking misses it, as in MPEG-TS."""
        begin = 0 if self._index.counted else self._index.stamp(1) or 0
        back, second = 0, int(1 / (self._stream.time_base or 1))
        while True:
            place = max(stamp - back, begin)
            self._container.seek(place, stream=self._stream, backward=True)
            frames = self._numbered()
            found = next(frames, None)
            if place == begin or (found is not None and found[0] <= number):
                break
            back = 2 * back or second
        self._decoded = iter(()) if found is None else chain([found], frames)

    def _numbered(self) -> Iterator[tuple[int, VideoFrame]]:
        """Frames from the next key frame on, with their numbers."""
        count, begun = 0, False
        for packet in self._container.demux(self._stream):
            begun |= packet.is_keyframe or self._index.counted
            if not begun:
                continue
            restamp(packet, self._places)
            try:
                frames = self._stream.decode(packet)
            except av.FFmpegError:  # one that is damaged; those behind it may be whole
                continue
            for frame in frames:
                count += 1
                if self._index.counted or frame.pts is None:
                    yield count, frame
                else:
                    yield self._index.number(frame.pts), frame

    def wait(self) -> None:
        self._index.wait()

    def close(self) -> None:
        self._index.close()
        self._container.close()
