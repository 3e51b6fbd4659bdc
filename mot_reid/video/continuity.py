"""Whether a stretch of a file in which streams are mixed is there as it was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["MIXED", "is_broken"]

MIXED = ("mpegts", "mpeg", "asf")
"""FFmpeg's names of the formats whose packets lie in pieces among those of others."""
_MOST = 1 << 24  # bytes that are looked at: a hole begins where frames begin to lack
_TS_SIZES = ((188, 0), (192, 4), (204, 0))  # of a transport stream's packets, and where their sync bytes are
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # of ASF
_ASF_HEAD = 1 << 16  # bytes in which these are


def is_broken(container: str, path: str, begin: int, end: int) -> bool:
    """Whether bytes are overwritten or missing between two packets, by what the format puts around its data.

    In a transport stream each packet begins with a sync byte and counts those of its stream; a program
    stream's packets say how long they are; those of ASF are of one length and begin alike.

    Args:
        container: FFmpeg's name of the format.
        path: of the file.
        begin: where the earlier packet begins, bytes.
        end: where the later one begins.

    Returns:
        Whether something is missing for certain; False for other formats, and what cannot be read.
    """
    length = end - begin
    if length <= 0:
        return False
    try:
        with Path(path).open("rb") as file:
            head = file.read(_ASF_HEAD) if container == "asf" else b""
            file.seek(begin)
            data = file.read(min(length, _MOST) + max(size for size, _ in _TS_SIZES))
    except (OSError, ValueError):  # no file, or no place in one
        return False
    if container == "mpegts":
        return _is_broken_transport(data, length)
    if container == "mpeg":
        return _is_broken_program(data, length)
    return container == "asf" and _is_broken_asf(head, data, length)


def _is_broken_transport(data: bytes, length: int) -> bool:
    content = np.frombuffer(data, np.uint8)
    for size, sync in _TS_SIZES:
        packets = content[: len(content) // size * size].reshape(-1, size)[: length // size + 1, sync:]
        if len(packets) > 1 and not length % size and (packets[:, 0] == 0x47).all():
            return _miscounts(packets)
    return True


def _miscounts(packets: NDArray[np.uint8]) -> bool:
    """Whether the continuity counter of a stream jumps; ``(N, bytes)``, each from its sync byte on."""
    streams = (packets[:, 1].astype(int) & 0x1F) << 8 | packets[:, 2]
    has_data, counts = packets[:, 3] >> 4 & 1, packets[:, 3] & 15
    adapted = (packets[:, 3] & 0x20 > 0) & (packets[:, 4] > 0)
    begins = adapted & (packets[:, 5] & 0x80 > 0)  # the writer says that the count begins anew
    for stream in np.unique(streams[streams != 0x1FFF]):
        mine = streams == stream
        steps = (counts[mine][1:] - counts[mine][:-1]) & 15
        if ((steps != 0) & (steps != has_data[mine][1:]) & ~begins[mine][1:]).any():
            return True
    return False


def _is_broken_program(data: bytes, length: int) -> bool:
    place = 0
    while place < min(length, _MOST):
        if data[place : place + 3] != b"\0\0\1" or place + 14 > len(data):
            return True
        kind = data[place + 3]
        if kind == 0xB9:  # an end, behind which another program may begin
            place += 4
        elif kind == 0xBA:
            place += 14 + (data[place + 13] & 7) if data[place + 4] >> 6 == 1 else 12
        else:
            place += 6 + int.from_bytes(data[place + 4 : place + 6], "big")
    return place != length and length <= _MOST


def _is_broken_asf(head: bytes, data: bytes, length: int) -> bool:
    place = head.find(_FILE_PROPERTIES) + 92
    size = int.from_bytes(head[place : place + 4], "little")
    if place < 92 or not size:
        return False
    begins = range(0, min(length, _MOST) + 1, size)
    return length % size != 0 or any(data[begin : begin + 3] != b"\x82\0\0" for begin in begins)
