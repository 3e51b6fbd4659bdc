"""Frames from a video file or a stream, decoded by FFmpeg through PyAV."""

from __future__ import annotations

import errno
import logging
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

from mot_reid.video.clock import LiveClock, StampClock
from mot_reid.video.container import (
    declared_length,
    frame_places,
    frame_rate,
    has_more_fragments,
    has_time_stamps,
    is_cut,
    open_container,
    reason,
    restamp,
)
from mot_reid.video.decoding import jpeg_is_whole
from mot_reid.video.fitting import Fitter
from mot_reid.video.frames import DEFAULT_FPS, Frame, Selection, Source, SourceError, SourceInfo, SourceKind
from mot_reid.video.numbering import FrameNumbers, Unread, piece_of
from mot_reid.video.pixels import PixelReader
from mot_reid.video.skipping import WORTH, Skipped, skippable
from mot_reid.video.sound import Sound
from mot_reid.wording import counted

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

__all__ = ["VideoSource"]

# How far a whole file may end before its declared end: declared lengths are inexact.
_SLACK_FRAMES, _SLACK_SHARE = 3, 0.02
# So many packets tell the frame rate; they are held until they are decoded.
_LOOKED_AT, _LOOKED_AT_BYTES = 100, 1 << 25
_ONE_PICTURE = ("image2", "jpeg_pipe")  # FFmpeg's names for a JPEG by itself
_MOVING = ("gif", "apng")  # pictures that move
_MOST_FAILURES = 1000  # of reading a file, in a row

_log = logging.getLogger(__name__)
av.logging.set_level(None)  # FFmpeg's own lines about damaged data; what matters comes as a SourceError


class VideoSource(Source):
    """A video file or stream, decoded frame by frame: upright, with square pixels, and in ordinary colours.

    Frames of another size than the first one are fitted into it with black borders.

    A frame that is damaged is skipped, with its number, if later ones can be decoded.

    Args:
        url: what FFmpeg opens.
        label: what error messages call it (without a password).
        name: the source's name.
        kind: ``"video"`` or ``"stream"``.
        selection: which frames are wanted.
        timeout: seconds without data after which the source counts as dead; None to wait for ever.
        fps: frames a second, where header and time stamps are wrong; None to go by these.
        clock: of a live source, where its connections share one; frames of another size are let through.

    Raises:
        SourceError: it cannot be opened, is not a video, or no frame can be decoded.
    """

    def __init__(
        self,
        url: str,
        label: str,
        name: str,
        kind: SourceKind,
        selection: Selection,
        timeout: float | None = None,
        fps: float | None = None,
        clock: LiveClock | None = None,
    ) -> None:
        self._url, self._label, self._selection, self._timeout = url, label, selection, timeout
        self._container, self._stream = open_container(url, label, timeout)
        try:
            self._failure = ""
            self._closed = False
            self._length = declared_length(self._container, self._stream)
            live = kind == "stream" and self._length == (None, None)
            self.label = label
            self.endless = live and (
                not url.lower().startswith("http") or not has_time_stamps(self._container)
            )
            self.endless &= not self._known_size
            self._any_size = live and clock is not None
            # What comes through a pipe is there once: whoever else opened it would take parts away.
            self._is_file = kind == "video" and Path(url).is_file()
            self._unread = Unread(self._container.format.name, url)
            self._index = frame_places(self._container, self._stream)
            self._jpeg = "perhaps" if self._stream.codec_context.name == "mjpeg" else ""
            if self._jpeg and self._container.format.name in _ONE_PICTURE:
                self._jpeg = "yes"
            self._packets = self._demuxed()
            self._fps = self._frame_rate(fps, look=kind == "video")
            self._numbers = FrameNumbers(self._fps, self._length[0])
            path = Path(url) if self._is_file else None
            self._pixels = PixelReader(self._stream.sample_aspect_ratio, _told_to(self), path)
            self._clock = StampClock(self._fps, by_rate=fps is not None)
            self._skipped = Skipped()
            if self._is_file and selection.start > WORTH:
                self._skipped = skippable(url, label, selection.start, self._fps)
                for place, stamp in enumerate(self._skipped.stamps):
                    self._clock.at(place + 1, stamp)
            self._live_clock = (clock or LiveClock()) if live else None
            self._stamped = not live or has_time_stamps(self._container)
            decoder = self._decode()
            first = next(decoder, None)
            if first is None:
                raise SourceError(f"{label}: not one frame can be decoded{self._behind()}")
            # Only a decoded frame tells the size for certain, and which way is up.
            height, width = self._pixels.read(first[1]).shape[:2]
        except BaseException:
            self._container.close()
            raise
        self._fitter = Fitter(width, height, _told_to(self))
        self._begin = (*self._skipped.stamps, self._seconds(first[1].pts) or 0.0)[0]
        self._sounds = self._is_file and fps is None
        self._decoded: Iterator[tuple[int, VideoFrame]] = chain([first], decoder)
        self._count, seconds = self._length
        if self._count is None and seconds is not None:
            self._count = round(seconds * self._fps)
        self.info = SourceInfo(name, kind, width, height, self._fps, selection.count(self._count), live)

    def __iter__(self) -> Iterator[Frame]:
        if self._closed:
            return
        for number, picture in self._decoded:
            times = self._times(number, self._seconds(picture.pts))
            if number in self._selection:
                image = self._pixels.read(picture)
                yield Frame(number, image if self._any_size else self._fitter.fit(number, image), *times)
            # Before the next frame is waited for: a stream may never bring it.
            if self._closed or self._selection.is_past(number + 1):
                return

    def select(self, selection: Selection) -> None:
        """Chooses other frames than at first; before the first one is taken."""
        self._selection = selection
        self.info = replace(self.info, frame_count=selection.count(self._count))

    def close(self) -> None:
        """Closes the file or connection."""
        self._closed = True
        self._container.close()
        # What is half iterated holds this, and this holds the decoder with its threads: no cycle is left.
        self._decoded, self._packets = iter(()), iter(())

    def sound(self) -> Sound | None:
        """The file's sound; None for streams, pipes, and where a rate is given, which it does not keep."""
        if not self._sounds or not self._container.streams.audio:
            return None
        try:
            return Sound(self._url, self._begin)
        except av.FFmpegError:  # it is no longer there, say; the pictures will tell
            return None

    def _frame_rate(self, given: float | None, look: bool) -> float:
        if given is not None:
            return given
        held: list[tuple[int, Packet[Any]]] = []
        while look and len(held) < _LOOKED_AT and sum(packet.size for _, packet in held) < _LOOKED_AT_BYTES:
            found = next(self._packets, None)
            if found is None:
                break
            held.append(found)
        self._packets = chain(held, self._packets)
        stamps: list[float] = []
        for _, packet in held:
            if packet.stream_index == self._stream.index and packet.pts is not None:
                stamps.append(float(packet.pts * packet.time_base))
            elif packet.stream_index == self._stream.index and packet.size:
                stamps += stamps[-1:]  # in program streams frames may share a stamp: the first one has it
        declared = self._stream.average_rate or self._stream.guessed_rate
        rate = frame_rate(declared, stamps) or DEFAULT_FPS
        if declared and abs(float(declared) - rate) > 0.2 * rate and look:
            _log.info("%s: declares %.4g frames/s, its time stamps say %.4g", self._label, declared, rate)
        return rate

    def _behind(self) -> str:
        """Why there may be no frame in what comes in one piece: how an MP4 is usually written."""
        if self._is_file or not self._container.format.name.startswith("mov"):
            return ""
        return "; an MP4 whose index is at its end cannot be read as it comes: give it as a file"

    def _seconds(self, stamp: int | None) -> float | None:
        """A time stamp in seconds on the source's own clock."""
        if stamp is None or self._stream.time_base is None:
            return None
        return float(stamp * self._stream.time_base)

    def _times(self, number: int, stamp: float | None) -> tuple[float, float | None]:
        """The time of a frame, and its wall clock where the source is live."""
        if self._live_clock is None:
            return self._clock.at(number, stamp), None
        return self._live_clock.now(stamp if self._stamped else None)

    def _decode(self) -> Iterator[tuple[int, VideoFrame]]:
        """Yields the frames that can be decoded with their numbers, and judges the end when it comes."""
        last = 0
        seconds: float | None = None
        for pictures in self._decoded_packets():
            for picture in pictures:
                if picture.is_corrupt:
                    self._numbers.failed()
                    continue
                stamp = self._seconds(picture.pts)
                if stamp is not None and stamp < self._skipped.end:
                    continue
                number = self._numbers.next(stamp, bool(picture.key_frame))
                if number is not None:
                    last, seconds = number, stamp
                    self.damaged = self._numbers.lost
                    yield number, picture
        self._numbers.end()
        self.damaged = self._numbers.lost
        self._judge_the_end(last, seconds)

    def _decoded_packets(self) -> Iterator[list[VideoFrame]]:
        """Yields the pictures that each packet brings."""
        unread, packets = self._unread, 0
        for failures, packet in self._packets:
            for _ in range(failures):
                self._numbers.failed()
            between = unread.before(packet)
            # The empty ones at the end, one for each stream, may all name the first stream.
            if packet.stream_index != self._stream.index or (not packet.size and packet.dts is None):
                continue
            if packet.size:
                self._numbers.demuxed(piece_of(packet, between, unread.is_broken))
                packets += 1
                if packets <= self._skipped.packets:
                    self._numbers.skip(len(self._skipped.stamps))
                    continue
            if packet.size and self._is_torn(packet):
                self._numbers.failed()
                continue
            try:
                yield self._stream.decode(packet)
            except av.FFmpegError:
                self._numbers.failed()
            except ValueError:  # damage made the stream another one (PyAV 19)
                raise SourceError(f"{self._label}: no decoder for its video stream") from None
        with suppress(av.FFmpegError):
            yield self._stream.decode(None)  # what the decoder still holds

    def _is_torn(self, packet: Packet[Any]) -> bool:
        """Whether a picture of Motion JPEG, which decodes in whatever state, is not whole."""
        if not self._jpeg:
            return False
        whole = jpeg_is_whole(bytes(packet))
        if self._jpeg == "perhaps":  # some cameras leave out the end of all their pictures
            self._jpeg = "yes" if whole else ""
        return bool(self._jpeg) and not whole

    def _demuxed(self) -> Iterator[tuple[int, Packet[Any]]]:
        """Yields failures, and the packet behind them: of all streams, at the end an empty one of each."""
        failures = 0
        while True:
            try:
                for packet in self._container.demux():
                    if self._index and packet.stream_index == self._stream.index:
                        restamp(packet, self._index)
                    yield failures, packet
                    failures = 0
                return
            except av.FFmpegError as error:
                failures += 1
                if self._is_file and failures < _MOST_FAILURES:  # a hole; what comes behind it is read
                    continue
                # So FFmpeg reports the end of what a web server sends without saying how long it is.
                finished = error.errno == errno.EIO and self._url.startswith("http") and not self._known_size
                self._failure = "" if finished else f": {reason(error, self._timeout)}"
                return

    def _judge_the_end(self, last: int, seconds: float | None) -> None:
        """Says what is wrong if this is not the end that was declared.

        Raises:
            SourceError: the source breaks off, or ends before the first frame that is wanted.
        """
        short = bool(last) and self._falls_short(last, seconds)
        if last and self._is_file and has_more_fragments(self._container, self._url, self._unread.end):
            self._failure = self._failure or ": the fragments behind it cannot be read"
        cut, declared = short and (self.damaged or self._is_cut()), self._length[0]
        if self._is_file and self._container.format.name in _MOVING:  # FFmpeg counts their frames
            cut, declared = self._is_cut(), None
        if last and (self._failure or cut):
            of_all = "" if declared is None else f" of {declared} declared"
            raise SourceError(f"{self._label}: breaks off after frame {last}{of_all}{self._failure}")
        if last and last < self._selection.start:
            raise SourceError(
                f"{self._label}: has only {counted(last, 'frame')}, start is {self._selection.start}"
            )
        if short:
            frames, duration = self._length
            length = counted(frames, "frame") if frames is not None else f"{duration:.4g} s"
            self.tell(f"declares {length}; all that is in it: {counted(last, 'frame')}")
        if self.damaged:
            self.tell(f"damaged frames skipped: {self.damaged}")

    @property
    def _known_size(self) -> bool:
        return (self._container.size or 0) > 0  # PyAV 19 gives None where FFmpeg gives an error's number

    def _is_cut(self) -> bool:
        if not self._is_file:
            return True  # a stream that ends early has lost its connection
        try:
            return is_cut(Path(self._url))
        except OSError:
            return True

    def _falls_short(self, last: int, seconds: float | None) -> bool:
        """Whether the last good frame, by all that the file declares, lies clearly before its end.

        Both measures must agree where both are known: frames cut out by an edit list still count in a file's
        number of frames, and in a recording of varying rate the last frame may stand for long.
        """
        frames, duration = self._length
        short = []
        if frames is not None:
            short.append(last < frames - max(_SLACK_FRAMES, _SLACK_SHARE * frames))
        if duration is not None and seconds is not None:
            begin = float((self._stream.start_time or 0) * (self._stream.time_base or 0))
            slack = max(_SLACK_FRAMES / self._fps, _SLACK_SHARE * duration)
            short.append(seconds - begin + 1 / self._fps < duration - slack)
        return bool(short) and all(short)


def _told_to(source: Source) -> Callable[[str], None]:
    """Tells a source, as long as there is one, without keeping it."""
    there = weakref.ref(source)

    def tell(text: str) -> None:
        found = there()
        if found is not None:
            found.tell(text)

    return tell
