"""What a video file or stream says of itself, and how far that can be believed."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, BinaryIO

import av
from av.stream import Disposition

from mot_reid.video.frames import SourceError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

__all__ = [
    "declared_length",
    "frame_places",
    "frame_rate",
    "has_more_fragments",
    "has_time_stamps",
    "is_cut",
    "open_container",
    "open_media",
    "reason",
    "restamp",
]

_NO_TIMESTAMPS = 0x80  # FFmpeg's AVFMT_NOTIMESTAMPS: formats whose data has no time stamps
_SAME_RATE = 0.1  # as far as this from what the time stamps say a declared rate is believed
_REGULAR = 0.6  # share of the frames that come at one interval where the rate is one
_TO_THE_END = ("asf", "matroska,webm")  # formats whose length counts from their clock's 0
_DISTINCT = 0.9  # share of the frames with a time stamp of their own
_PAUSE = 5  # an interval so many times the usual one says nothing of the rate
_MOST_FPS = 1000.0
_AVI_HEAD = 8  # bytes of a chunk before its data, at which an index points
_FIRST_BOXES = (b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")  # of MP4 and MOV


def open_container(url: str, label: str, timeout: float | None) -> tuple[InputContainer, VideoStream]:
    """Opens what FFmpeg can read, and its first video.

    Args:
        url: what FFmpeg opens.
        label: what error messages call it.
        timeout: seconds without data after which it counts as dead; None to wait for ever.

    Raises:
        SourceError: it cannot be opened, or is not a video.
    """
    try:
        container = _connected(url, timeout)
    except av.FFmpegError as error:
        raise SourceError(f"{label}: {reason(error, timeout)}") from error
    try:
        return container, _video_stream(container, label)
    except BaseException:
        container.close()
        raise


def open_media(
    url: str, timeout: float | None = None, options: dict[str, str] | None = None
) -> InputContainer:
    """What FFmpeg opens, whatever the encoding of its title and the like, which nobody reads here.

    Raises:
        av.FFmpegError: it cannot be opened.
    """
    # PyAV 19 has no such choice, and never fails for a title.
    spare: dict[str, Any] = (
        {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
    )
    return av.open(url, timeout=timeout, options=options, **spare)


def _connected(url: str, timeout: float | None) -> InputContainer:
    open_ = partial(open_media, url, timeout)
    if not url.lower().startswith("rtsp"):
        return open_()
    try:  # UDP loses packets, and a lost packet tears pictures
        return open_(options={"rtsp_flags": "prefer_tcp"})
    except av.error.HTTPBadRequestError:  # what a server that knows UDP alone may say, instead of 461
        return open_(options={"rtsp_transport": "udp"})


def _video_stream(container: InputContainer, label: str) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    # FFmpeg draws any .txt file as a film of its letters.
    if not streams or container.format.name == "tty":
        raise SourceError(f"{label}: not a video (no video stream in it)")
    stream = streams[0]
    if not stream.codec_context:
        raise SourceError(f"{label}: no decoder for its video stream")
    stream.thread_type = "AUTO"
    return stream


def has_time_stamps(container: InputContainer) -> bool:
    """Whether the data have time stamps; where not, FFmpeg makes them up from a rate it makes up as well."""
    return not container.format.flags & _NO_TIMESTAMPS


def frame_rate(declared: Fraction | None, stamps: Sequence[float]) -> float | None:
    """The frames a second of a video, by its header and by the time stamps of its first frames.

    A header that contradicts the time stamps is not believed: browsers write 1000 for what is about 30. Where
    most frames come at one interval, as those of a phone that slows down in the dark, that interval counts;
    else the mean.

    Args:
        declared: what the header says, None for nothing.
        stamps: seconds, in any order; of a clock too coarse for single frames, several may be the same.

    Returns:
        The rate, None where neither says one.
    """
    said = float(declared) if declared and 0 < declared <= _MOST_FPS else None
    steps = [later - earlier for earlier, later in pairwise(sorted(set(stamps))) if later > earlier]
    if len(steps) < 2:
        return said
    last = max(stamps)
    if len(steps) < _DISTINCT * (len(stamps) - 1):  # a clock too coarse for single frames
        seen = min(sum(stamp < last for stamp in stamps) / (last - min(stamps)), _MOST_FPS)
        return said if said is not None and abs(said - seen) <= _SAME_RATE * seen else seen
    usual = median(steps)
    near = [step for step in steps if abs(step - usual) <= usual * _SAME_RATE + 0.001]  # stamps in ms
    if len(near) < _REGULAR * len(steps):
        near = [step for step in steps if step <= _PAUSE * usual]
    seen = min(1 / fmean(near), _MOST_FPS)
    return said if said is not None and abs(said - seen) <= _SAME_RATE * seen else seen


def declared_length(container: InputContainer, stream: VideoStream) -> tuple[int | None, float | None]:
    """What a file says of its length: frames and seconds, None for what it does not say."""
    frames = stream.frames or None
    if container.format.name == "avi":
        # FFmpeg takes an AVI's duration from the size of the file, so a cut file would look whole.
        return frames, None
    seconds: float | None = None
    begin = float((stream.start_time or 0) * (stream.time_base or 0))
    if stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    elif match := re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", "")):  # Matroska
        hours, minutes, rest = match.groups()
        seconds = _since(begin, int(hours) * 3600 + int(minutes) * 60 + float(rest))
    elif container.duration is not None and len(container.streams) == 1:  # else the sound may be the longer
        seconds = container.duration / av.time_base
        seconds = _since(begin, seconds) if container.format.name in _TO_THE_END else seconds
    return frames, seconds


def _since(begin: float, end: float) -> float:
    """The length of what begins and ends at these times; some programs write the end for the length."""
    return end - begin if 0 < begin < end else end


def frame_places(container: InputContainer, stream: VideoStream) -> dict[int, int]:
    """The time stamp of each frame by its place in the file, where only the file's index knows it: AVI.

    FFmpeg counts an AVI's packets for their time, and behind damage the count is too low. Of other files the
    answer is empty: their packets carry stamps of their own.
    """
    if container.format.name != "avi":
        return {}
    return {entry.pos: entry.timestamp for entry in stream.index_entries}


def restamp(packet: Packet[Any], places: dict[int, int]) -> None:
    """Gives a packet the time stamp that `frame_places` has for it, if any."""
    stamp = places.get((packet.pos or 0) - _AVI_HEAD)
    if stamp is None or packet.dts is None or packet.dts == stamp:
        return
    if packet.pts is not None:
        packet.pts += stamp - packet.dts
    packet.dts = stamp


def has_more_fragments(container: InputContainer, path: str, end: int | None) -> bool:
    """Whether an MP4 of fragments, as browsers and cameras write it, has more of them behind what was read.

    FFmpeg takes a broken fragment for the end of the file, and says nothing.

    Args:
        container: at its end.
        path: of its file.
        end: where the last packet ends in it; None where that is not known.
    """
    if end is None or "mp4" not in container.format.name or any(s.frames for s in container.streams.video):
        return False
    try:
        with open(path, "rb") as file:
            file.seek(end)
            before = b""
            while block := file.read(1 << 20):
                if b"moof" in before + block:
                    return True
                before = block[-3:]
    except OSError:
        return False
    return False


def is_cut(path: Path) -> bool:
    """Whether a file, by the sizes of its outermost parts, should be longer than it is.

    Read are the boxes of MP4 and MOV, the chunks of AVI and PNG, the segment of Matroska and WebM, and the
    blocks of GIF; of other files nothing is known.

    Raises:
        OSError: it cannot be read.
    """
    end = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF":
            size = int.from_bytes(head[4:8], "little")
            return size != 0 and 8 + size > end + 1
        if head[:4] == b"\x1a\x45\xdf\xa3":
            return _segment_end(head, file.read(4096)) > end
        if head[:4] == b"\x89PNG":
            return _png_is_cut(file, end)
        if head[:4] == b"GIF8":
            return _gif_is_cut(file)
        place = 0
        while (place or head[4:8] in _FIRST_BOXES) and place + 8 <= end:
            size, head_size = int.from_bytes(head[:4], "big"), 8
            if size == 1:
                file.seek(place + 8)
                size, head_size = int.from_bytes(file.read(8), "big"), 16
            if size == 0:  # to the end of the file
                return False
            if size < head_size:
                return True
            place += size
            file.seek(place)
            head = file.read(8)
        return place > end


def _png_is_cut(file: BinaryIO, end: int) -> bool:
    place, kind = 8, b""
    while kind != b"IEND" and place < end:
        file.seek(place)
        head = file.read(8)
        place, kind = place + 12 + int.from_bytes(head[:4], "big"), head[4:]
    return kind != b"IEND" or place > end


def _gif_is_cut(file: BinaryIO) -> bool:
    def skip_colours(flags: bytes) -> None:
        if flags and flags[0] & 0x80:
            file.seek(3 * 2 ** (flags[0] % 8 + 1), os.SEEK_CUR)

    file.seek(10)
    skip_colours(file.read(3)[:1])
    while (kind := file.read(1)) in (b"!", b","):  # an extension, a picture
        if kind == b",":
            skip_colours(file.read(9)[8:])
        file.seek(1, os.SEEK_CUR)
        while size := int.from_bytes(file.read(1)):
            file.seek(size, os.SEEK_CUR)
    return not kind


def _segment_end(head: bytes, more: bytes) -> int:
    """Where the segment of a Matroska file ends; 0 where that is not said."""
    content = head + more
    length, size = _ebml_number(content, 4)
    place = 4 + length + size
    if content[place : place + 4] != b"\x18\x53\x80\x67":
        return 0
    length, size = _ebml_number(content, place + 4)
    return 0 if size == (1 << 7 * length) - 1 else place + 4 + length + size


def _ebml_number(content: bytes, place: int) -> tuple[int, int]:
    """The length in bytes and the value of a variable-length number."""
    first = content[place] if place < len(content) else 0
    length = 9 - first.bit_length()
    value = int.from_bytes(content[place : place + length], "big") & ((1 << 7 * length) - 1)
    return length, value


def reason(error: av.FFmpegError, timeout: float | None) -> str:
    """Why FFmpeg failed, for a person."""
    if isinstance(error, av.error.ExitError) and timeout is not None:
        return f"no data for {timeout:g} s"
    if isinstance(error, av.error.InvalidDataError) or (timeout is None and error.errno == errno.EINVAL):
        return "not a video, damaged, or cut off before its index was written"
    return error.strerror or str(error)
