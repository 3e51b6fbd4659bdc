"""How large a picture is, by what its file begins with: to decode one may take gigabytes."""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["picture_size"]

_WIDTH, _HEIGHT = 256, 257  # tags of TIFF


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height that a picture's file declares, pixels.

    Args:
        data: the file's bytes.

    Returns:
        Those of PNG, JPEG, GIF, BMP, WebP, TIFF, JPEG 2000, AVIF and PNM; None of other kinds, or where there
        is no such declaration.
    """
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _numbers(data, 16, 4, "big")
    if data[:2] == b"\xff\xd8":
        return _of_jpeg(data)
    if data[:4] == b"GIF8":
        return _numbers(data, 6, 2, "little")
    if data[:2] == b"BM":
        size = _numbers(data, 18, 4, "little", signed=True)
        return None if size is None else (abs(size[0]), abs(size[1]))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _of_webp(data)
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _of_tiff(data)
    if (at := data[:4096].find(b"\xff\x4f\xff\x51")) >= 0:  # a codestream of JPEG 2000
        return _numbers(data, at + 8, 4, "big")
    if data[4:8] == b"ftyp":  # AVIF may have several pictures: the largest counts
        ends = [found.end() for found in re.finditer(b"ispe", data[: 1 << 16])]
        sizes = [size for end in ends if (size := _numbers(data, end + 4, 4, "big"))]
        return max(sizes, key=lambda size: size[0] * size[1], default=None)
    found = re.match(rb"P[1-6](?:\s+|#[^\n]*\n)+(\d{1,9})(?:\s+|#[^\n]*\n)+(\d{1,9})", data)
    return None if found is None else (int(found[1]), int(found[2]))


def _numbers(
    data: bytes, at: int, size: int, order: Literal["big", "little"], signed: bool = False
) -> tuple[int, int] | None:
    """Two whole numbers of some bytes each; None behind the end."""
    if at + 2 * size > len(data):
        return None
    ends = at + size, at + 2 * size
    first, second = (int.from_bytes(data[end - size : end], order, signed=signed) for end in ends)
    return first, second


def _of_jpeg(data: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            size = _numbers(data, place + 5, 2, "big")
            return None if size is None else size[::-1]
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None


def _of_webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    size = _numbers(data, 26, 2, "little") if kind == b"VP8 " else None
    return None if size is None else (size[0] & 0x3FFF, size[1] & 0x3FFF)


def _of_tiff(data: bytes) -> tuple[int, int] | None:
    def whole(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "big" if data[:2] == b"MM" else "little")

    start = whole(4, 4)
    found = {}
    for entry in range(min(whole(start, 2), 1000)):
        at = start + 2 + 12 * entry
        found[whole(at, 2)] = whole(at + 8, 2 if whole(at + 2, 2) == 3 else 4)
    return (found[_WIDTH], found[_HEIGHT]) if {_WIDTH, _HEIGHT} <= found.keys() else None
