"""The sink for annotated video."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import cv2
import numpy as np
from av.video.frame import PictureType

from mot_reid.typing import Image
from mot_reid.video.files import AppendOnlyFile
from mot_reid.video.sinks import Sink, TrackedFrame
from mot_reid.video.sound import Sound

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

__all__ = ["VideoSink"]

_log = logging.getLogger(__name__)

# A fragment needs nothing that comes after it, and FFmpeg gives each out as a whole.
_MUXER_OPTIONS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "max_interleave_delta": "1000000"}
_BT601 = 6  # SMPTE 170M in H.264's tables of primaries, transfer characteristics and matrices alike
_LIMITED_RANGE = 1
_MOST_PIXELS = 16_384  # a side, of what libx264 takes
_TICKS = 90_000  # a second
_MOST_TICKS = 2**30  # between two pictures


class _Outbox:
    """Takes what FFmpeg writes; it has no ``seek``, so FFmpeg never goes back to change what is written."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def take(self) -> bytes:
        content = b"".join(self._pieces)
        self._pieces.clear()
        return content


class VideoSink(Sink):
    """H.264 video in a fragmented MP4, a fragment about every second.

    Its pictures have the times that they are written with, so that a source of varying rate, or a live one,
    plays as it was; the first one comes at 0.

    It plays in browsers, and after a kill or on a full disk up to its last whole fragment. The first picture
    fixes the size; an odd width or height gains one pixel, because H.264's colour planes have half the
    resolution. No picture, no file.

    Args:
        path: the file to write.
        fps: frames a second; pictures without a time come at this rate.
        crf: constant rate factor, 0 (lossless) to 51; lower is better and larger.
        preset: of libx264. ``ultrafast`` takes a third of the time of ``veryfast`` (11 to 13 against 36 ms of
            CPU for 1920x1080) for twice the bytes, and tracking needs the cores itself.
        sound: what shall be heard, the source's; it is closed with the sink.

    Raises:
        ValueError: ``fps`` is not positive, or ``crf`` out of range.
        OSError: the file cannot be made.
    """

    def __init__(
        self,
        path: str | Path,
        fps: float | Fraction,
        crf: int = 23,
        preset: str = "ultrafast",
        sound: Sound | None = None,
    ) -> None:
        if not 0 < fps < math.inf:
            raise ValueError(f"fps: expected a positive number, got {fps}")
        self._rate = _usual_rate(fps)
        self._ticks = _ticks_a_second(self._rate)
        self._sound = sound if sound is not None and sound.is_there else None
        if not 0 <= crf <= 51:
            raise ValueError(f"crf: expected 0 to 51, got {crf}")
        self._options = {"crf": str(crf), "preset": preset}
        self.path = Path(path)
        self._file = AppendOnlyFile(path)
        self._outbox = _Outbox()
        self._container = av.open(self._outbox, "w", format="mp4", options=_MUXER_OPTIONS)
        self._stream: VideoStream | None = None
        self._size = (0, 0)
        self._begin = self._last = 0.0  # times of the first picture and of the last one
        self._last_tick, self._late = -1, 0
        self._last_key = -math.inf
        self._closed = self._failed = False

    def put(self, frame: TrackedFrame) -> None:
        """Writes one picture; the tracks are not used, they are drawn on it already.

        Raises:
            ValueError: there is no picture, its size is not the first one's, or the sink is closed.
            OSError: it cannot be written; what was written before stays readable.
        """
        image, time = frame.image, frame.time
        if self._closed:
            raise ValueError(f"{self.path}: the video is closed")
        if self._failed:
            raise OSError(f"{self.path}: an earlier frame could not be written")
        if image is None:
            raise ValueError(f"image: expected the picture of frame {frame.number}, got None")
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"image: expected (H, W, 3) uint8, got {image.shape} {image.dtype}")
        height, width = image.shape[:2]
        if self._stream is None:
            if max(width, height) > _MOST_PIXELS:
                raise ValueError(
                    f"{self.path}: H.264 holds pictures of up to {_MOST_PIXELS} pixels a side, "
                    f"this one has {width}x{height}"
                )
            self._begin = self._last = 0.0 if time is None else time
            self._stream, self._size = self._add_stream(width, height), (width, height)
            if self._sound is not None:
                self._sound.add_to(self._container, self._begin)
        elif self._size != (width, height):
            raise ValueError(
                f"image: frame {frame.number} is {width}x{height}, "
                f"but {self.path} has {self._size[0]}x{self._size[1]}"
            )
        self._last = time if time is not None else self._last + float(1 / self._rate) * (self._last_tick >= 0)
        picture = _to_yuv(image)
        picture.pts, picture.time_base = self._tick(self._last - self._begin), Fraction(1, self._ticks)
        # Fragments start at key frames; a rate that varies may bring few pictures a second.
        if self._last - self._last_key >= 1 - 0.5 / self._rate:
            self._last_key, picture.pict_type = self._last, PictureType.I
        self._mux(self._stream.encode(picture))
        self._mux_sound(self._last - self._begin)

    def close(self) -> None:
        """Completes the video; after a failed write it only lets go of the file.

        Raises:
            OSError: the last frames cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if self._stream is not None and not self._failed:
                self._mux(self._stream.encode(None))
                self._mux_sound(self._last - self._begin + float(1 / self._rate))
            self._container.close()
            if self._stream is not None and not self._failed:
                self._file.write(self._outbox.take())
        finally:
            self._file.close()
            if self._sound is not None:
                self._sound.close()
            if self._stream is None:
                self.path.unlink(missing_ok=True)

    def _tick(self, seconds: float) -> int:
        """The time stamp of the next picture, behind the last one; no gap is more than MP4 can hold."""
        tick = max(round(seconds * self._ticks) - self._late, self._last_tick + 1)
        if self._last_tick >= 0 and tick - self._last_tick > _MOST_TICKS:
            self._late += tick - self._last_tick - _MOST_TICKS
            tick = self._last_tick + _MOST_TICKS
        self._last_tick = tick
        return tick

    def _add_stream(self, width: int, height: int) -> VideoStream:
        stream = self._container.add_stream("libx264", self._rate, options=self._options)
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        stream.gop_size = max(1, round(self._rate))
        # OpenCV converts by BT.601; unless told so, players take BT.709 for large pictures and shift colours.
        context = stream.codec_context
        context.time_base = Fraction(1, self._ticks)
        context.colorspace = context.color_primaries = context.color_trc = _BT601
        context.color_range = _LIMITED_RANGE
        return stream

    def _mux_sound(self, seconds: float) -> None:
        if self._sound is None:
            return
        try:
            packets = list(self._sound.until(seconds))
            for packet in packets:
                self._container.mux(packet)
        except (av.FFmpegError, ValueError) as error:
            _log.warning("%s: goes on without sound: %s", self.path, error)
            self._sound.close()
            self._sound = None

    def _mux(self, packets: Iterable[Packet[Any]]) -> None:
        for packet in packets:
            self._container.mux(packet)
        # Fragment by fragment: one that does not fit on the disk is left out as a whole.
        try:
            self._file.write(self._outbox.take())
        except OSError:
            self._failed = True
            raise


def _usual_rate(fps: float | Fraction) -> Fraction:
    """The rate as the fraction that is meant: 29.97... is 30000/1001, and 0.000277... one an hour."""
    if fps >= 1:
        return Fraction(fps).limit_denominator(1001)
    return 1 / Fraction(1 / fps).limit_denominator(1001)


def _ticks_a_second(rate: Fraction) -> int:
    """Ticks of the video's clock: about 90,000 a second, a whole number of them a frame.

    One picture every minutes gets 1,000, for a gap between two pictures has room for 2**30 ticks and a bit.
    """
    if rate < Fraction(1, 60):
        return 1000
    return rate.numerator * max(1, round(_TICKS / rate.numerator))


def _to_yuv(image: Image) -> av.VideoFrame:
    """Converts to the encoder's colours; OpenCV does it four times as fast as FFmpeg's scaler."""
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    planes = cast("Image", cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420))
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.colorspace, frame.color_range = _BT601, _LIMITED_RANGE
    return frame
