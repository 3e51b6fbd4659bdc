"""Frames from a video file or a stream, decoded by FFmpeg through PyAV."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, cast

import av
import numpy as np
from av.stream import Disposition

from mot_reid.typing import Image
from mot_reid.video.clock import LiveClock, StampClock
from mot_reid.video.frames import DEFAULT_FPS, Frame, Selection, Source, SourceError, SourceInfo, SourceKind

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["VideoSource"]

# How far a whole file may end before its declared end: declared lengths are inexact.
_SLACK_FRAMES, _SLACK_SHARE = 3, 0.02

_NO_TIMESTAMPS = 0x80  # FFmpeg's AVFMT_NOTIMESTAMPS: formats whose data has no time stamps

_log = logging.getLogger(__name__)
av.logging.set_level(None)  # FFmpeg's own lines about damaged data; what matters comes as a SourceError


class VideoSource(Source):
    """A video file or stream, decoded frame by frame and turned upright where it says so.

    A frame that is damaged is skipped, with its number, if later ones can be decoded.

    Args:
        url: what FFmpeg opens.
        label: what error messages call it (without a password).
        name: the source's name.
        kind: ``"video"`` or ``"stream"``.
        selection: which frames are wanted.
        timeout: seconds without data after which the source counts as dead; None to wait for ever.

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
    ) -> None:
        self._label, self._selection, self._timeout = label, selection, timeout
        # UDP loses packets, and a lost packet tears pictures.
        options = {"rtsp_flags": "prefer_tcp"} if url.startswith("rtsp") else {}
        try:
            self._container: InputContainer = av.open(url, timeout=timeout, options=options)
        except av.FFmpegError as error:
            raise SourceError(f"{label}: {_reason(error, timeout)}") from error
        try:
            self._stream = _video_stream(self._container, label)
            self._length = _declared_length(self._container, self._stream)
            self._failure = ""
            self._closed = False
            decoder = self._decode()
            first = next(decoder, None)
            if first is None:
                raise SourceError(f"{label}: not one frame can be decoded")
        except BaseException:
            self._container.close()
            raise
        self._decoded = chain([first], decoder)
        rate = self._stream.average_rate or self._stream.guessed_rate
        self._fps = float(rate) if rate else DEFAULT_FPS
        frames, seconds = self._length
        if frames is None and seconds is not None:
            frames = round(seconds * self._fps)
        # Only a decoded frame tells the size for certain, and which way is up.
        height, width = _upright(first[1]).shape[:2]
        live = kind == "stream" and frames is None
        self.info = SourceInfo(name, kind, width, height, self._fps, selection.count(frames), live)
        self._clock = StampClock(self._fps)
        self._live_clock = LiveClock() if live else None
        # FFmpeg makes up the stamps of streams that have none, from a rate that it makes up as well.
        self._stamped = not live or not self._container.format.flags & _NO_TIMESTAMPS

    def __iter__(self) -> Iterator[Frame]:
        if self._closed:
            return
        for number, picture in self._decoded:
            times = self._times(number, picture.time)
            if number in self._selection:
                image = _upright(picture)
                height, width = image.shape[:2]
                if (width, height) != (self.info.width, self.info.height):
                    raise SourceError(
                        f"{self._label}: frame {number} is {width}x{height}, "
                        f"but those before it are {self.info.width}x{self.info.height}"
                    )
                yield Frame(number, image, *times)
            # Before the next frame is waited for: a stream may never bring it.
            if self._closed or self._selection.is_past(number + 1):
                return

    def _times(self, number: int, stamp: float | None) -> tuple[float, float | None]:
        """The time of a frame, and its wall clock where the source is live."""
        if self._live_clock is None:
            return self._clock.at(number, stamp), None
        return self._live_clock.now(stamp if self._stamped else None)

    def close(self) -> None:
        """Closes the file or connection."""
        self._closed = True
        self._container.close()

    def _decode(self) -> Iterator[tuple[int, VideoFrame]]:
        """Yields the frames that can be decoded with their numbers, and judges the end when it comes."""
        number = last = 0
        seconds: float | None = None
        for packet in self._packets():
            try:
                pictures = self._stream.decode(packet)
            except av.FFmpegError:
                number += 1  # the lost frame keeps its number, so that those behind it keep theirs
                self.damaged += 1
                continue
            for picture in pictures:
                number += 1
                if picture.is_corrupt:
                    self.damaged += 1
                    continue
                last, seconds = number, picture.time
                yield number, picture
        if last and (self._failure or self._falls_short(last, seconds)):
            declared = "" if self._length[0] is None else f" of {self._length[0]} declared"
            raise SourceError(f"{self._label}: breaks off after frame {last}{declared}{self._failure}")
        if last and last < self._selection.start:
            raise SourceError(f"{self._label}: has only {last} frames, start is {self._selection.start}")
        if self.damaged:
            _log.warning("%s: damaged frames skipped: %d", self._label, self.damaged)

    def _packets(self) -> Iterator[Packet[VideoStream] | None]:
        """Yields packets, last an empty one or None, with which the decoder gives out what it still holds."""
        try:
            yield from self._container.demux(self._stream)
        except av.FFmpegError as error:
            self._failure = f": {_reason(error, self._timeout)}"
            yield None

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


def _video_stream(container: InputContainer, label: str) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    # FFmpeg draws any .txt file as a film of its letters.
    if not streams or container.format.name == "tty":
        raise SourceError(f"{label}: not a video (no video stream in it)")
    stream = streams[0]
    if stream.codec_context is None:
        raise SourceError(f"{label}: no decoder for its video stream")
    stream.thread_type = "AUTO"
    return stream


def _declared_length(container: InputContainer, stream: VideoStream) -> tuple[int | None, float | None]:
    """What the file says of its length: frames and seconds, None for what it does not say."""
    frames = stream.frames or None
    if container.format.name == "avi":
        # FFmpeg takes an AVI's duration from the size of the file, so a cut file would look whole.
        return frames, None
    seconds: float | None = None
    if stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    elif match := re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", "")):  # Matroska
        hours, minutes, rest = match.groups()
        seconds = int(hours) * 3600 + int(minutes) * 60 + float(rest)
    elif container.duration is not None and len(container.streams) == 1:  # else the sound may be the longer
        seconds = container.duration / av.time_base
    return frames, seconds


def _upright(picture: VideoFrame) -> Image:
    """The picture as ``(H, W, 3)`` BGR, turned by the quarter turns that phones write beside the video."""
    image = cast("Image", picture.to_ndarray(format="bgr24"))
    turns = round(picture.rotation / 90) % 4  # counter-clockwise, as in np.rot90
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _reason(error: av.FFmpegError, timeout: float | None) -> str:
    if isinstance(error, av.error.ExitError) and timeout is not None:
        return f"no data for {timeout:g} s"
    if isinstance(error, av.error.InvalidDataError):
        return "not a video, damaged, or cut off before its index was written"
    return error.strerror or str(error)
