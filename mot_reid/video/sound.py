"""The sound of a video file, for the video that is made of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import av

from mot_reid.video.container import open_media

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet

__all__ = ["Sound"]

# What MP4 in fragments holds and browsers know, and the bytes that its track needs beside the packets. FFmpeg
# crashes on some others (AC-3), so what is not here is encoded anew.
_COPIED = {"aac": 2, "mp3": 0, "opus": 19}
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
_AAC_RATE = 48000  # where AAC knows none of the source's

_log = logging.getLogger(__name__)


class Sound:
    """Reads the first sound track of a file beside its pictures, and gives it out piece by piece.

    AAC, MP3 and Opus are copied; other sound, such as PCM, is encoded as AAC. Damaged sound ends
    the sound and nothing else.

    Args:
        path: the file.
        begin: where time 0 of the pictures lies, in seconds on the file's own clock.
    """

    def __init__(self, path: str, begin: float) -> None:
        self._path, self._begin = path, begin
        self._pieces: Iterator[Packet[Any]] = iter(())
        self._next: Packet[Any] | None = None
        self._container = open_media(path)
        streams = [s for s in self._container.streams.audio if s.codec_context is not None]
        self._stream: AudioStream | None = streams[0] if streams else None

    @property
    def is_there(self) -> bool:
        """Whether the file has a sound track that can be read."""
        return self._stream is not None

    def add_to(self, container: OutputContainer, start: float) -> None:
        """Makes a sound track in ``container``, whose time 0 is the pictures' time ``start`` in seconds."""
        if self._stream is None:
            return
        start += self._begin
        context = self._stream.codec_context
        needed = _COPIED.get(context.codec.canonical_name)
        if needed is not None and len(context.extradata or b"") >= needed:
            self._pieces = self._copied(container.add_stream_from_template(self._stream), start)
        else:
            self._pieces = self._encoded(container, start)
        self._next = self._take()

    def until(self, seconds: float) -> Iterator[Packet[Any]]:
        """The packets that begin before ``seconds``, and were not given out before."""
        while self._next is not None:
            if float((self._next.pts or 0) * self._next.time_base) >= seconds:
                return
            yield self._next
            self._next = self._take()

    def close(self) -> None:
        """Lets go of the file."""
        self._next = None
        self._container.close()

    def _take(self) -> Packet[Any] | None:
        try:
            return next(self._pieces, None)
        except (av.FFmpegError, ValueError) as error:
            _log.warning("%s: its sound ends early in the video made of it: %s", self._path, error)
            return None

    def _copied(self, stream: AudioStream, start: float) -> Iterator[Packet[Any]]:
        last = -1
        for packet in self._container.demux(self._stream):
            if packet.pts is None or packet.dts is None or not packet.size:
                continue
            shift = round(start / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            if packet.dts > last and packet.pts >= 0:
                last = packet.dts
                packet.stream = stream
                yield packet

    def _encoded(self, container: OutputContainer, start: float) -> Iterator[Packet[Any]]:
        assert self._stream is not None
        rate = self._stream.codec_context.sample_rate
        rate = rate if rate in _AAC_RATES else _AAC_RATE
        layout = "mono" if self._stream.codec_context.layout.nb_channels == 1 else "stereo"
        encoder = container.add_stream("aac", rate, layout=layout)
        resampler = av.AudioResampler("fltp", layout, rate, encoder.codec_context.frame_size or 1024)
        return self._encode(encoder, resampler, start)

    def _encode(
        self, encoder: AudioStream, resampler: av.AudioResampler, start: float
    ) -> Iterator[Packet[Any]]:
        for frame in self._container.decode(self._stream):
            if not isinstance(frame, av.AudioFrame) or frame.pts is None or not frame.time_base:
                continue
            frame.pts -= round(start / frame.time_base)
            if frame.pts < 0:
                continue
            for piece in resampler.resample(frame):
                yield from encoder.encode(piece)
        for piece in resampler.resample(None):
            yield from encoder.encode(piece)
        yield from encoder.encode(None)
