"""The beginning of a video that need not be decoded to number what comes behind it."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

import av

from mot_reid.video.container import frame_places, open_container, restamp
from mot_reid.video.frames import SourceError
from mot_reid.video.numbering import FrameNumbers, Unread, piece_of

__all__ = ["WORTH", "Skipped", "skippable"]

WORTH = 250
"""Frames before the first one wanted from which on looking through the packets pays."""
_HOLE = 1.5  # intervals between two frames from which on one may be missing
_REORDERED = 64  # packets by which a frame may be shown later than it is decoded: codecs allow 16


@dataclass(frozen=True)
class Skipped:
    """The beginning of a video.

    Attributes:
        packets: how many packets of its pictures it has.
        stamps: when its frames are shown, seconds on the source's clock, ascending.
        end: when the first frame behind it is shown.
    """

    packets: int = 0
    stamps: tuple[float, ...] = ()
    end: float = float("-inf")


def skippable(url: str, label: str, start: int, fps: float) -> Skipped:
    """Looks for a key frame to begin at, the last but one before a frame; decodes nothing.

    Frames are counted by their packets, only where that gives the numbers that decoding gives: each
    packet has a time stamp of its own, none is marked as damaged or not to be shown, no bytes lie between
    them, no frame may be missing by the rate, and behind a key frame nothing is shown before what was decoded
    before it.

    Args:
        url: what FFmpeg opens.
        label: what error messages call it.
        start: the number of a frame, from 1.
        fps: frames a second.

    Returns:
        What can be left out; nothing where that is not certain.
    """
    stamps: list[float] = []
    keys: list[tuple[int, float]] = []
    numbers, latest = FrameNumbers(fps), float("-inf")
    try:
        container, stream = open_container(url, label, None)
        with container:
            places, unread = frame_places(container, stream), Unread(container.format.name, url)
            for packet in container.demux():
                if packet.stream_index == stream.index:
                    restamp(packet, places)
                between = unread.before(packet)
                if packet.stream_index != stream.index or not packet.size:
                    continue
                piece = piece_of(packet, between, unread.is_broken)
                numbers.demuxed(piece)
                if piece.stamp is None or packet.is_discard or numbers.damaged:
                    return Skipped()
                if packet.is_keyframe:
                    if piece.stamp <= latest:
                        return Skipped()
                    keys.append((len(stamps), piece.stamp))
                stamps.append(piece.stamp)
                latest = max(latest, piece.stamp)
                if len(stamps) >= start + _REORDERED:
                    break
    except (av.FFmpegError, SourceError):
        return Skipped()
    shown = sorted(stamps)
    if len(shown) < start or len(set(shown)) < len(shown) or not keys or keys[0][0] != 0:
        return Skipped()
    before = [key for key in keys if key[1] <= shown[start - 1]]
    if len(before) < 2:
        return Skipped()
    # Behind `start` frames lack whose packets come later than those that were read.
    if max((later - earlier for earlier, later in pairwise(shown[:start])), default=0.0) > _HOLE / fps:
        return Skipped()
    packets, end = before[-2]
    return Skipped(packets, tuple(shown[: bisect_left(shown, end)]), end)
