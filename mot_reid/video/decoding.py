"""Picture files' bytes as pixels, whether all of them came, and how many pictures a file holds."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["decoded", "exif_turn", "holds_several", "jpeg_is_whole"]

# What its readers have to say comes on standard error, without the file's name; what matters is told here.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

_OF_SEVERAL = {".tif", ".tiff", ".gif", ".png", ".webp", ".avif"}
_END, _SCAN = 0xD9, 0xDA
_EXIF = re.compile(rb"(?:Exif\0\0|eXIf|EXIF....)(II\*\0|MM\0\*)", re.DOTALL)
_ORIENTATION = 0x112
_UPRIGHT = [(1, 0, 0, 1), (-1, 0, 0, 1), (-1, 0, 0, -1), (1, 0, 0, -1)]
_ASIDE = [(0, 1, 1, 0), (0, 1, -1, 0), (0, -1, -1, 0), (0, -1, 1, 0)]
_TURNS = dict(enumerate([*_UPRIGHT, *_ASIDE], start=1))
# In the coded data of a scan FF stands before 00, or a restart marker; anything else ends the scan.
_WITHIN = np.zeros(256, bool)
_WITHIN[[0x00, *range(0xD0, 0xD8)]] = True
# What may stand between two scans of a progressive JPEG, or behind the last one: tables, comments, and such.
_SEGMENTS = {0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)}


def decoded(data: bytes) -> NDArray[Any] | None:
    """A picture's pixels.

    Args:
        data: the file's bytes.

    Returns:
        ``(H, W, 3)`` BGR: uint8, or uint16 or float32 where it has more than 8 bits a channel; None where
        it is no picture, or not all of it is there.
    """
    if not data or (data.startswith(b"\xff\xd8") and not jpeg_is_whole(data)):
        return None
    image: NDArray[Any] | None = None
    for how in (cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH, cv2.IMREAD_UNCHANGED):
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), how)
        except cv2.error:  # such as one of more pixels than OpenCV allows
            continue
        if image is not None:
            break
    if image is None:
        return None
    if image.ndim == 2 or image.shape[2] == 1:
        image = np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    image = np.ascontiguousarray(image[..., :3])
    if image.dtype in (np.uint8, np.uint16):
        return image
    return np.nan_to_num(image.astype(np.float32))


def exif_turn(data: bytes) -> tuple[int, int, int, int] | None:
    """How a photograph is to be turned and mirrored, by the orientation in its EXIF; None if it has none.

    Args:
        data: the file's bytes, or its first ones: a JPEG, PNG or WebP.

    Returns:
        ``a b c d``: the point ``(x, y)`` goes to ``(a x + c y, b x + d y)``.
    """
    found = _EXIF.search(data)
    if found is None:
        return None
    exif, order = data[found.start(1) :], ">" if found[1][:1] == b"M" else "<"
    try:
        place = struct.unpack_from(order + "I", exif, 4)[0]
        for entry in range(struct.unpack_from(order + "H", exif, place)[0]):
            tag, _, _, value = struct.unpack_from(order + "HHIH", exif, place + 2 + 12 * entry)
            if tag == _ORIENTATION:
                return _TURNS.get(value)
    except struct.error:  # it is cut off
        return None
    return None


def holds_several(path: Path) -> bool:
    """Whether a picture file holds more than one: a TIFF of several pages, a GIF, PNG or WebP that moves."""
    if path.suffix.lower() not in _OF_SEVERAL:
        return False
    try:
        str(path).encode()
    except UnicodeEncodeError:  # a name in another encoding ends the process in OpenCV
        return False
    return cv2.imcount(str(path)) > 1


def jpeg_is_whole(data: bytes) -> bool:
    """Whether a JPEG goes on to its end, through segments and scans; a decoder fills with grey what is not.

    Bytes that were overwritten show as markers that cannot stand where they do.
    """
    content = np.frombuffer(data, np.uint8)
    place = 2
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            return False
        marker = data[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if marker == _END:
            return True
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if marker == _SCAN:
            marks = place + np.flatnonzero(content[place:-1] == 0xFF)
            following = content[marks + 1]
            ends = marks[~_WITHIN[following] & (following != 0xFF)]
            if not ends.size:
                return False
            place = int(ends[0])
            if data[place + 1] != _END and data[place + 1] not in _SEGMENTS:
                return False
    return place + 2 <= len(data) and data[place : place + 2] == b"\xff\xd9"
