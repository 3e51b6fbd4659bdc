"""Single frames of a video or a folder of pictures, at random or one after the other."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mot_reid.typing import Image
from mot_reid.video.frames import Selection, SourceError
from mot_reid.video.pixels import PixelReader

if TYPE_CHECKING:
    from av import VideoFrame

__all__ = ["FrameReader", "encode"]

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

    A video is decoded from the key frame before; the one after the last asked for costs no seek.

    Args:
        path: a video file, a folder of pictures, or a MOTChallenge sequence.

    Raises:
        SourceError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._cache: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._cached = 0
        self._frames: _Video | _Pictures = _Pictures(path) if path.is_dir() else _Video(path)

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
            image = self._frames.read(number)
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
            return self._frames.read(number)

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._frames.close()
            self._cache.clear()
            self._cached = 0


class _Pictures:
    def __init__(self, path: Path) -> None:
        from mot_reid.video.pictures import open_folder, open_sequence

        opener = open_sequence if (path / "seqinfo.ini").is_file() else open_folder
        with opener(path, path.name, Selection()) as source:
            self._files = dict(source.files)

    def read(self, number: int) -> Image | None:
        from mot_reid.video.pictures import read_picture

        path = self._files.get(number)
        try:
            return None if path is None else read_picture(path)
        except SourceError:
            return None

    def close(self) -> None:
        pass


class _Video:
    def __init__(self, path: Path) -> None:
        import av

        from mot_reid.video.container import open_media

        try:
            self._container = open_media(str(path.absolute()))
            self._stream = self._container.streams.video[0]
            self._stream.thread_type = "AUTO"
            self._pixels = PixelReader(self._stream.sample_aspect_ratio, lambda _: None)
            # What the packets' times are, in the order of display: frame n is the n-th of them.
            stamps = [packet.pts for packet in self._container.demux(self._stream) if packet.size]
        except (av.FFmpegError, IndexError) as error:
            raise SourceError(f"{path}: cannot be opened as a video ({error})") from None
        known = all(stamp is not None for stamp in stamps)
        self._stamps = np.sort(np.array(stamps if known else range(len(stamps)), np.int64))
        self._known = known
        self._next = -1
        self._decoded: Iterator[tuple[int, VideoFrame]] = iter(())

    def read(self, number: int) -> Image | None:
        import av

        if not 1 <= number <= len(self._stamps):
            return None
        wanted = int(self._stamps[number - 1])
        try:
            if self._next < 0 or not 0 <= number - self._next <= _READ_ON:
                self._seek(wanted if self._known else 0)
            last = None
            for place, frame in self._decoded:
                self._next = place + 1
                last = frame
                if place >= number:
                    break
            else:
                self._next = -1
            if last is None:
                return None
            return self._pixels.read(last)
        except av.FFmpegError:
            self._next = -1
            return None

    def _seek(self, stamp: int) -> None:
        self._container.seek(stamp, stream=self._stream, backward=True)
        self._decoded = iter(self._numbered())

    def _numbered(self) -> Iterator[tuple[int, VideoFrame]]:
        """Frames from the key frame on, with their numbers."""
        for count, frame in enumerate(self._container.decode(self._stream), start=1):
            if self._known and frame.pts is not None:
                yield int(np.searchsorted(self._stamps, frame.pts)) + 1, frame
            else:
                yield count, frame

    def close(self) -> None:
        self._container.close()
