"""Opening a source of frames: video file, folder of pictures, MOTChallenge sequence, webcam or stream."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from mot_reid.video.frames import Frame, Selection, Source, SourceError, SourceInfo

__all__ = [
    "STREAM_TIMEOUT",
    "Frame",
    "Source",
    "SourceError",
    "SourceInfo",
    "is_live",
    "open_source",
    "source_name",
]

STREAM_SCHEMES = ("http", "https", "rtmp", "rtmps", "rtsp", "rtsps", "udp")
STREAM_TIMEOUT = 10.0  # seconds without data after which a stream counts as dead


def open_source(source: str | Path, start: int = 1, stop: int | None = None, stride: int = 1) -> Source:
    """Opens a source of frames.

    Args:
        source: a video file, a folder of pictures, a MOTChallenge sequence folder (with ``seqinfo.ini``), a
            webcam's number such as ``"0"``, or a URL (rtsp, http, https, udp, rtmp).
        start: first frame wanted, from 1.
        stop: last frame wanted, included; None for all there are.
        stride: take each ``stride``-th frame; the frames keep the numbers they have in the source.

    Returns:
        The open source: iterate over it for its frames, and close it (it is a context manager).

    Raises:
        SourceError: the source does not exist, cannot be opened, or holds no frame that can be read.
        ValueError: ``start``, ``stop`` or ``stride`` is below 1, or ``stop`` before ``start``.
        TypeError: ``start``, ``stop`` or ``stride`` is not an integer.
    """
    selection = Selection(start, stop, stride)
    if isinstance(source, str):
        if source.isascii() and source.isdigit():
            from mot_reid.video.webcam import WebcamSource

            return WebcamSource(int(source), selection)
        if "://" in source:
            return _open_stream(source, selection)
        if not source:
            raise SourceError("source: expected a file, folder, webcam number or URL, got an empty string")
    return _open_path(Path(source), selection)


def source_name(source: str | Path) -> str:
    """The short name that a source has when it is opened, safe as a folder's name."""
    if isinstance(source, str) and source.isascii() and source.isdigit():
        return f"webcam{source}"
    if isinstance(source, str) and "://" in source:
        return safe_name(_address(source))
    path = Path(source).resolve()
    return safe_name(path.stem if path.is_file() else path.name)


def is_live(source: str) -> bool:
    """Whether a source, by its name, may never end: a webcam or a stream."""
    return (source.isascii() and source.isdigit()) or "://" in source


def _open_path(path: Path, selection: Selection) -> Source:
    name = source_name(path)
    try:
        if path.is_dir():
            from mot_reid.video.pictures import open_folder, open_sequence

            opener = open_sequence if (path / "seqinfo.ini").is_file() else open_folder
            return opener(path, name, selection)
        if path.stat().st_size == 0 and path.is_file():
            raise SourceError(f"{path}: the file is empty (0 bytes)")
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file or folder") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    from mot_reid.video.video_file import VideoSource

    # Absolute, because FFmpeg takes what stands before a colon in a relative name for a protocol.
    return VideoSource(str(path.absolute()), str(path), name, "video", selection)


def _open_stream(url: str, selection: Selection) -> Source:
    parts = urlsplit(url)
    if parts.scheme.lower() not in STREAM_SCHEMES:
        known = ", ".join(STREAM_SCHEMES)
        raise SourceError(f"{parts.scheme}://: not a kind of stream that can be opened; known: {known}")
    from mot_reid.video.video_file import VideoSource

    label = f"{parts.scheme}://{_address(url)}"
    return VideoSource(url, label, source_name(url), "stream", selection, timeout=STREAM_TIMEOUT)


def _address(url: str) -> str:
    """Host and path. Passwords stand before the host, tokens in the query: neither belongs in a message."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] + parts.path


def safe_name(text: str) -> str:
    """Turns ``text`` into one that is safe as a folder's name on every system."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-. ") or "source"
