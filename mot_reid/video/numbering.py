"""The numbers of a video's frames, true behind what is damaged."""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mot_reid.video.continuity import MIXED, is_broken

if TYPE_CHECKING:
    from av.packet import Packet

__all__ = ["FrameNumbers", "Piece", "Unread", "piece_of"]

_OFF_GRID = 0.25  # of a frame interval
_REGULAR = 0.9  # share of the frames that come one interval after the one before, where the rate is one
_NEW_COUNT = 10.0  # seconds; a time stamp so far back begins a new count
_REORDERED = 16  # frames by which one can come out of order in damage: what H.264 and HEVC allow
_WITHOUT_CLEAN = 300  # frames behind a hole that are left out before those that need others are taken as well
_REMEMBERED = 1024  # packets whose frames have not come
_HOLE = 0.25  # of the bytes that the missing frames would have: with fewer unread, they never were there
_HEADERS = 2000  # bytes between two packets that a container may need for itself
_FULLEST = 50.0  # times smaller than usual that frames in a hole can be


@dataclass(frozen=True)
class Piece:
    """A packet of a video, as far as numbering needs it.

    Attributes:
        stamp: when its frame is shown, seconds; None where that is not known.
        decoded: when it is decoded, seconds, ascending; None where that is not known.
        size: its bytes.
        unread: bytes between what was read before it and itself.
        torn: whether the container marks it as damaged.
        is_broken: looks whether the file is broken between the packet before it and itself; None where that
            cannot be seen.
    """

    stamp: float | None
    decoded: float | None
    size: int
    unread: int = 0
    torn: bool = False
    is_broken: Callable[[], bool] | None = None


def piece_of(packet: Packet[Any], unread: int, is_broken: Callable[[], bool] | None = None) -> Piece:
    """What numbering needs of a packet.

    Args:
        packet: FFmpeg's.
        unread: bytes before it that belong to no packet.
        is_broken: as a `Piece` has it.
    """
    base = packet.time_base
    shown, decoded = (
        None if stamp is None or base is None else float(stamp * base) for stamp in (packet.pts, packet.dts)
    )
    return Piece(shown, decoded, packet.size, unread, packet.is_corrupt, is_broken)


class Unread:
    """Follows packets through a file, and tells how many bytes between them belong to none.

    Args:
        container: FFmpeg's name of the format. In MPEG's streams and in ASF packets lie in pieces among those
            of others, and what is between them says nothing: there the file itself can be looked at.
        path: of the file.

    Attributes:
        is_broken: looks whether the file is broken between the last packet and the one before it in its
            stream; None where that cannot be seen.
    """

    def __init__(self, container: str, path: str = "") -> None:
        self._container, self._path, self._mixed = container, path, container in MIXED
        self.is_broken: Callable[[], bool] | None = None
        self._begins: dict[int, int] = {}
        self._ends: dict[int, int] = {}  # of each stream: sound may lie behind pictures that come after it

    @property
    def end(self) -> int | None:
        """Where what was read ends, bytes from the file's beginning; None where that is not known."""
        return max(self._ends.values(), default=None)

    def before(self, packet: Packet[Any]) -> int:
        """The bytes between what was read before a packet in the file and itself; 0 where it is not known."""
        self.is_broken = None
        if packet.pos is None or packet.pos < 0:
            return 0
        if self._mixed:
            begin = self._begins.get(packet.stream_index, packet.pos)
            self.is_broken = partial(is_broken, self._container, self._path, begin, packet.pos)
            self._begins[packet.stream_index] = packet.pos
        begins = [end for end in self._ends.values() if end <= packet.pos]
        self._ends[packet.stream_index] = packet.pos + packet.size
        return packet.pos - max(begins) if begins and not self._mixed else 0


class FrameNumbers:
    """Counts decoded frames, and behind damage goes by time stamps, or by packets, instead.

    A video that is whole is counted frame by frame, whatever its time stamps: a recorder that drops frames,
    or a rate that varies, leaves no hole. Damage shows as errors of the decoder, packets marked as torn, and
    bytes between packets that belong to none where time is missing as well. From there to the next frame that
    needs no other one, a frame's number comes from its time stamp if the rate is one, and else from the
    packets and errors since the last one.

    Args:
        fps: frames a second.
        most: frames that the file can have, where that is known.

    Attributes:
        lost: frames that are missing up to here.
    """

    def __init__(self, fps: float, most: int | None = None) -> None:
        self.lost = 0
        self._interval, self._most = 1 / fps, most
        self._number = 0
        self._last: float | None = None
        self._waiting: list[float] = []  # stamps of packets whose frames have not come, ascending
        self._errors = self._passed = self._left_out = 0  # since the last frame
        self._damage = False
        # Frames come out of the decoder late: what was known when their packets came, of those before damage.
        self._before: dict[float | None, tuple[bool, float]] = {}
        self._steps: deque[bool] = deque(maxlen=200)  # of clean frames: whether they were on the grid
        self._decoded: float | None = None  # when the last packet is decoded
        self._shown: float | None = None  # the latest that a packet so far is shown
        self._ahead: deque[float] = deque(maxlen=2 * _REORDERED)
        self._sizes, self._packets, self._hole = 0, 0, 0.0

    def demuxed(self, piece: Piece) -> None:
        """Takes note of a packet before it is decoded."""
        # Stamps of decoding may be made up from those before, stamps of showing are out of order.
        missing = self._missing(piece)
        self._decoded = piece.decoded if piece.decoded is not None else self._decoded
        mean = self._sizes / max(self._packets, 1)
        hole = piece.unread if missing > 0.5 and piece.unread > max(_HOLE * mean * missing, _HEADERS) else 0.0
        if missing > 0.5 and piece.is_broken is not None and piece.is_broken():
            hole = math.inf  # what is cut out has no size
        if hole or piece.torn:
            for stamp in self._waiting:
                self._before.setdefault(stamp, (self._damage, self._hole))
            self._hole += hole
            self._damage = True
        self._sizes += piece.size
        self._packets += 1
        if piece.stamp is not None:
            insort(self._waiting, piece.stamp)
            del self._waiting[:-_REMEMBERED]

    def _missing(self, piece: Piece) -> float:
        """How many frames are missing before a packet, by the stamps."""
        missing = 0.0
        if piece.decoded is not None and self._decoded is not None:
            missing = (piece.decoded - self._decoded) / self._interval - 1
        self._shown = _later(piece.stamp, self._shown)
        if self._shown is not None:  # frames that are shown, less packets: more than lately is missing
            ahead = self._shown / self._interval - self._packets
            missing = max(missing, ahead - max(self._ahead, default=ahead))
            self._ahead.append(ahead)
        return missing

    @property
    def damaged(self) -> bool:
        """Whether what came last is damaged, up to the next frame that needs no other one."""
        return self._damage

    def skip(self, frames: int) -> None:
        """Goes on behind so many frames, whose packets were told and are not decoded."""
        self._number = frames
        self._waiting.clear()

    def failed(self) -> None:
        """Takes note of a packet or picture that cannot be decoded."""
        self._errors += 1
        self._damage = True

    def next(self, stamp: float | None, clean: bool) -> int | None:
        """The number of the next frame; None for one that is to be left out.

        Behind a hole those frames are left out that are made from frames in the hole, and those that come out
        of order.

        Args:
            stamp: when it is shown, seconds; None where that is not known.
            clean: whether it was decoded without any other frame.
        """
        if stamp is not None:
            passed = bisect_right(self._waiting, stamp + self._interval / 100)
            del self._waiting[:passed]
            self._passed += passed
        early = stamp in self._before
        damage, hole = self._before.get(stamp, (self._damage, self._hole))
        if damage and self._is_left_out(stamp, clean, hole):
            self._errors += 1
            self._left_out += 1
            return None
        step = self._step(stamp, hole) if self._damage else 1
        if not self._damage and stamp is not None and self._last is not None:
            self._steps.append(abs(stamp - self._last - self._interval) < _OFF_GRID * self._interval)
        if (clean or self._left_out >= _WITHOUT_CLEAN) and not early:
            self._damage, self._hole = False, 0.0
            self._before.clear()
        self._number += step
        self.lost += step - 1
        self._errors = self._passed = self._left_out = 0
        if stamp is not None:
            self._last = stamp
        return self._number

    def _is_left_out(self, stamp: float | None, clean: bool, hole: float) -> bool:
        if hole and not clean and self._left_out < _WITHOUT_CLEAN:
            return True
        if stamp is None or self._last is None:
            return False
        return 0 <= self._last - stamp <= min(_REORDERED * self._interval, _NEW_COUNT)

    def end(self) -> None:
        """Takes note that no frame comes any more: what failed since the last one is lost."""
        self.lost += self._errors
        self._errors = 0

    @property
    def _is_regular(self) -> bool:
        return len(self._steps) >= 3 and sum(self._steps) >= _REGULAR * len(self._steps)

    def _step(self, stamp: float | None, hole: float) -> int:
        """How many numbers a frame behind damage lies behind the last good one."""
        counted = max(self._passed, 1)
        if stamp is None or self._last is None:
            return self._within(1 + self._errors)
        by_time = round((stamp - self._last) / self._interval)
        if by_time < 1:  # the clock began again
            return self._within(counted)
        if self._is_regular:
            return self._within(by_time, counted)
        if hole:  # a varying rate: what is missing is known about as well as the mean rate is
            return self._within(max(by_time, counted), counted)
        return self._within(counted)

    def _within(self, step: int, least: int = 1) -> int:
        """``step``, unless a damaged time stamp makes it absurd."""
        mean = self._sizes / max(self._packets, 1)
        if self._most is not None and self._number + step > self._most:
            step = min(step, max(least, 1))
        if self._hole and mean and step > least + _FULLEST * self._hole / mean:
            step = least
        return max(step, 1)


def _later(now: float | None, last: float | None) -> float | None:
    """The later of two stamps; the one so far before the other that a new count begins with it."""
    if now is None or last is None:
        return last if now is None else now
    return max(now, last) if last - now < _NEW_COUNT else now
