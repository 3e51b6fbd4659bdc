"""Where the frames of a video lie: found by a thread that reads the file through, while frames are shown."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from numpy.typing import NDArray

from mot_reid.video.container import frame_places, open_container, restamp
from mot_reid.video.frames import SourceError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

__all__ = ["StillReading", "VideoIndex"]

_EVERY = 0.1  # seconds, or so many packets at first, after which what is known is told
_FIRST = 64
_AT_FIRST = 2.0  # seconds
_SLACK = 0.005  # seconds; times in files of tracks are rounded to 1 ms
_MOST_FAILURES = 1000  # of reading the file


class StillReading(ValueError):
    """A frame's place in the video is not known yet.

    Attributes:
        share: of the file that is read, from 0 to 1.
    """

    def __init__(self, share: float) -> None:
        super().__init__(f"the video is still being read: {share:.0%}")
        self.share = share


class VideoIndex:
    """The time stamps of a video's frames in the order of display; frame n has the n-th.

    They are those of the packets, for which nothing is decoded; what an edit list leaves out does not count.
    Those up to where the thread has come are known for certain: no packet is shown before it is decoded. An
    MP4 whose own index has all frames at one interval is not read through.

    Args:
        path: the video.

    Attributes:
        counted: some packet has no stamp: frame n is the n-th that is decoded.
    """

    def __init__(self, path: Path) -> None:
        self.counted = False
        self._path = path
        self._news = threading.Condition()
        self._stamps = np.zeros(0, np.int64)
        self._total: int | None = None  # frames, when all is read
        self._share, self._base = 0.0, 1.0
        self._closed = False
        threading.Thread(target=self._read, name="video index", daemon=True).start()

    def stamp(self, number: int) -> int | None:
        """The time stamp of a frame, from 1, or its number where frames are counted; None if there is none.

        Raises:
            StillReading: the thread has not come so far.
        """
        with self._news:
            # The first frames are known at once: whoever asks at the very beginning waits for them.
            self._news.wait_for(lambda: len(self._stamps) or self._total is not None, _AT_FIRST)
            if number < 1 or (self._total is not None and number > self._total):
                return None
            if self.counted:
                return number
            if number > len(self._stamps):
                raise StillReading(self._share)
            return int(self._stamps[number - 1])

    def at(self, seconds: float) -> int | None:
        """The number of the frame that is shown so long after the first one; None if there is none.

        Raises:
            StillReading: the thread has not come so far.
        """
        with self._news:
            self._news.wait_for(lambda: len(self._stamps) or self._total is not None, _AT_FIRST)
            if not len(self._stamps):
                return None
            wanted = self._stamps[0] + seconds / self._base
            place = int(np.searchsorted(self._stamps, wanted - _SLACK / self._base))
            if place < len(self._stamps) and self._stamps[place] <= wanted + _SLACK / self._base:
                return place + 1
            if self._total is None and place == len(self._stamps):
                raise StillReading(self._share)
            return None

    def number(self, stamp: int) -> int:
        """The number of the frame with a time stamp, which is not behind the last one that is known."""
        with self._news:
            return int(np.searchsorted(self._stamps, stamp)) + 1

    def wait(self) -> None:
        """Waits until all is read."""
        with self._news:
            self._news.wait_for(lambda: self._total is not None)

    def close(self) -> None:
        """Lets the thread end."""
        self._closed = True

    def _read(self) -> None:
        try:
            container, stream = open_container(str(self._path.absolute()), str(self._path), None)
            with container:
                self._follow(container, stream)
        except (av.FFmpegError, SourceError, OSError):
            pass  # it was there a moment ago; what is known stays
        finally:
            with self._news:
                self._total = self._total or len(self._stamps)
                self._news.notify_all()

    def _follow(self, container: InputContainer, stream: VideoStream) -> None:
        """Reads the packets to the end."""
        size = max(self._path.stat().st_size, 1)
        self._base = float(stream.time_base or 1)
        places = frame_places(container, stream)
        pending: list[int] = []
        count = failures = 0
        told = time.monotonic()
        packets = container.demux(stream)
        while not self._closed and failures < _MOST_FAILURES:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except av.FFmpegError:  # a hole; what lies behind it may be read
                failures += 1
                packets = container.demux(stream)
                continue
            if not packet.size or packet.is_discard:
                continue
            restamp(packet, places)
            count += 1
            if packet.pts is None:
                self.counted = True
            else:
                pending.append(packet.pts)
            now = time.monotonic()
            if packet.dts is not None and (count == _FIRST or now > told + _EVERY):
                pending, told = self._tell(pending, packet.dts, (packet.pos or 0) / size), now
            if count == _FIRST and self._is_even(container, stream):
                return
        self._tell(pending, np.iinfo(np.int64).max, 1.0)
        self._total = count

    def _is_even(self, container: InputContainer, stream: VideoStream) -> bool:
        """Takes all frames to be at one interval, if an MP4's index has them so and the first ones are."""
        if self.counted or "mp4" not in container.format.name or not stream.frames:
            return False
        entries = list(stream.index_entries)
        steps = {later.timestamp - earlier.timestamp for earlier, later in pairwise(entries)}
        if len(entries) != stream.frames or len(steps) != 1 or len(self._stamps) < _FIRST // 2:
            return False
        count = sum(not entry.is_discard for entry in entries)
        stamps = self._stamps[0] + steps.pop() * np.arange(count, dtype=np.int64)
        if (stamps[: len(self._stamps)] != self._stamps).any():
            return False
        with self._news:
            self._stamps, self._total, self._share = stamps, count, 1.0
        return True

    def _tell(self, pending: list[int], decoded: int, share: float) -> list[int]:
        """Adds the stamps up to that of decoding to those that are known; gives the others."""
        found: NDArray[np.int64] = np.sort(np.array(pending, np.int64))
        certain = int(np.searchsorted(found, decoded, side="right"))
        with self._news:
            self._stamps = np.concatenate([self._stamps, found[:certain]])
            self._share = share
            self._news.notify_all()
        return found[certain:].tolist()
