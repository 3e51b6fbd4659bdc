"""The sink for annotated video."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import cv2
import numpy as np

from mot_reid.structures import Tracks
from mot_reid.typing import Image
from mot_reid.video.files import AppendOnlyFile
from mot_reid.video.sinks import Sink

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

__all__ = ["VideoSink"]

# A fragment needs nothing that comes after it, and FFmpeg gives each out as a whole.
_MUXER_OPTIONS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
_BT601 = 6  # SMPTE 170M in H.264's tables of primaries, transfer characteristics and matrices alike
_LIMITED_RANGE = 1


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

    It plays in browsers, and after a kill or on a full disk up to its last whole fragment. The first picture
    fixes the size; an odd width or height gains one pixel, because H.264's colour planes have half the
    resolution. No picture, no file.

    Args:
        path: the file to write.
        fps: frames a second.
        crf: constant rate factor, 0 (lossless) to 51; lower is better and larger.
        preset: of libx264. ``ultrafast`` takes a third of the time of ``veryfast`` (11 to 13 against 36 ms of
            CPU for 1920x1080) for twice the bytes, and tracking needs the cores itself.

    Raises:
        ValueError: ``fps`` is not positive, or ``crf`` out of range.
        OSError: the file cannot be made.
    """

    def __init__(
        self, path: str | Path, fps: float | Fraction, crf: int = 23, preset: str = "ultrafast"
    ) -> None:
        self._rate = Fraction(fps).limit_denominator(1001)  # 29.97... becomes 30000/1001
        if self._rate <= 0:
            raise ValueError(f"fps: expected a positive number, got {fps}")
        if not 0 <= crf <= 51:
            raise ValueError(f"crf: expected 0 to 51, got {crf}")
        self._options = {"crf": str(crf), "preset": preset}
        self.path = Path(path)
        self._file = AppendOnlyFile(path)
        self._outbox = _Outbox()
        self._container = av.open(self._outbox, "w", format="mp4", options=_MUXER_OPTIONS)
        self._stream: VideoStream | None = None
        self._size = (0, 0)
        self._closed = self._failed = False

    def write(
        self,
        frame_number: int,
        image: Image | None,
        tracks: Tracks,
        time: float | None = None,
        wall_clock: float | None = None,
    ) -> None:
        """Writes one picture; the tracks are not used, they are drawn on it already.

        Raises:
            ValueError: there is no picture, its size is not the first one's, or the sink is closed.
            OSError: it cannot be written; what was written before stays readable.
        """
        if self._closed:
            raise ValueError(f"{self.path}: the video is closed")
        if self._failed:
            raise OSError(f"{self.path}: an earlier frame could not be written")
        if image is None:
            raise ValueError(f"image: expected the picture of frame {frame_number}, got None")
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"image: expected (H, W, 3) uint8, got {image.shape} {image.dtype}")
        height, width = image.shape[:2]
        if self._stream is None:
            self._stream, self._size = self._add_stream(width, height), (width, height)
        elif self._size != (width, height):
            raise ValueError(
                f"image: frame {frame_number} is {width}x{height}, "
                f"but {self.path} has {self._size[0]}x{self._size[1]}"
            )
        self._mux(self._stream.encode(_to_yuv(image)))

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
            self._container.close()
            if self._stream is not None and not self._failed:
                self._file.write(self._outbox.take())
        finally:
            self._file.close()
            if self._stream is None:
                self.path.unlink(missing_ok=True)

    def _add_stream(self, width: int, height: int) -> VideoStream:
        stream = self._container.add_stream("libx264", self._rate, options=self._options)
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        stream.gop_size = max(1, round(self._rate))  # fragments start at key frames
        # OpenCV converts by BT.601; unless told so, players take BT.709 for large pictures and shift colours.
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT601
        context.color_range = _LIMITED_RANGE
        return stream

    def _mux(self, packets: Iterable[Packet[Any]]) -> None:
        for packet in packets:
            self._container.mux(packet)
        # Fragment by fragment: one that does not fit on the disk is left out as a whole.
        try:
            self._file.write(self._outbox.take())
        except OSError:
            self._failed = True
            raise


def _to_yuv(image: Image) -> av.VideoFrame:
    """Converts to the encoder's colours; OpenCV does it four times as fast as FFmpeg's scaler."""
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    planes = cast("Image", cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420))
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.colorspace, frame.color_range = _BT601, _LIMITED_RANGE
    return frame
