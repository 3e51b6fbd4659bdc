"""Opening a source of frames: video file, folder of pictures, MOTChallenge sequence, webcam or stream."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from mot_reid.video.clock import LiveClock
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

DEFAULT_RECONNECT = 10  # attempts in a row
STREAM_SCHEMES = ("http", "https", "rtmp", "rtmps", "rtsp", "rtsps", "udp")
_PAGES = ("youtube.com", "m.youtube.com", "youtu.be", "vimeo.com", "twitch.tv")
"""Where addresses are pages, which those who come from other trackers give as sources."""
_RAW = (".yuv", ".i420", ".yv12", ".nv12", ".nv21", ".cif", ".qcif", ".rgb", ".bgr", ".gray", ".raw")
_LISTS = (".txt", ".csv", ".json", ".jsonl", ".list", ".streams")
"""How the names of files end that somebody may take for a source because they list some."""
STREAM_TIMEOUT = 10.0  # seconds without data after which a stream counts as dead


def open_source(
    source: str | Path,
    start: int = 1,
    stop: int | None = None,
    stride: int = 1,
    *,
    fps: float | None = None,
    stretch: bool = False,
    reconnect: int = DEFAULT_RECONNECT,
) -> Source:
    """Opens a source of frames.

    Args:
        source: a video file, a folder of pictures or with one video, a MOTChallenge sequence folder (with
            ``seqinfo.ini``), a webcam's number such as ``"0"``, or a URL (rtsp, http, https, udp, rtmp).
        start: first frame wanted, from 1.
        stop: last frame wanted, included; None for all there are.
        stride: take each ``stride``-th frame; the frames keep the numbers they have in the source.

        fps: frames a second: of a folder of pictures, which does not say, or where the header and the time
            stamps of a video are wrong. None for what the source says.

        stretch: let pictures of 16 bits that use a part of their range use all of it.

        reconnect: how often in a row a webcam or stream that breaks off is opened again, waiting 0.5, 1, 2
            and so on up to 30 seconds; 0 for never. Numbers and times of its frames go on.

    Returns:
        The open source: iterate over it for its frames, and close it (it is a context manager).

    Raises:
        SourceError: the source does not exist, cannot be opened, or holds no frame that can be read.
        ValueError: ``start``, ``stop`` or ``stride`` is below 1, ``stop`` before ``start``, or ``fps`` is not
            positive, or given for a webcam or a stream.
        TypeError: ``start``, ``stop`` or ``stride`` is not an integer, or ``fps`` no number.
    """
    selection = Selection(start, stop, stride)
    check_fps(fps, live=is_live(source))
    fps = None if fps is None else float(fps)  # a fraction has no place in JSON
    if is_live(source):
        source = str(source)
        if "://" not in source:
            return _open_webcam(int(source), selection, reconnect)
        return _open_stream(source, selection, reconnect)
    if not str(source):
        raise SourceError("source: expected a file, folder, webcam number or URL, got an empty string")
    opened, path = _open_path(Path(source), selection, fps, stretch)
    opened.info = replace(opened.info, location=str(path.absolute()))
    return opened


def check_fps(fps: float | None, live: bool = False) -> None:
    """Checks a frame rate that a user gives.

    Raises:
        TypeError: it is no number.
        ValueError: it is not positive, or given for a live source.
    """
    if fps is None:
        return
    if not isinstance(fps, int | float | Fraction) or isinstance(fps, bool):
        raise TypeError(f"fps: expected a number of frames a second, got {fps!r}")
    if not 0 < fps < math.inf:
        raise ValueError(f"fps: expected a positive number of frames a second, got {fps}")
    if live:
        raise ValueError(
            "fps: has no effect on a webcam or stream, whose frames have the time at which they come"
        )


def source_name(source: str | Path) -> str:
    """The short name that a source has when it is opened, safe as a folder's name."""
    if is_live(source):
        return safe_name(_address(str(source))) if "://" in str(source) else f"webcam{source}"
    path = Path(source).resolve()
    return safe_name(path.stem if path.is_file() else path.name)


def is_live(source: str | Path) -> bool:
    """Whether a source, by its name, may never end: a webcam or a stream.

    A number is a webcam's unless a file or folder of that name is there (KITTI calls its folders 0000).
    """
    if not isinstance(source, str):
        return False
    if source.isascii() and source.isdigit():
        return not Path(source).exists()
    return "://" in source


def _open_path(path: Path, selection: Selection, fps: float | None, stretch: bool) -> tuple[Source, Path]:
    """Opens a file or folder; returns with it what it is read from, the video in a folder that holds one."""
    name = source_name(path)
    try:
        if path.is_dir():
            from mot_reid.video.pictures import only_video, open_folder, open_sequence

            video = only_video(path)
            if video is None:
                opener = open_sequence if (path / "seqinfo.ini").is_file() else open_folder
                return opener(path, name, selection, fps, stretch), path
            path = video
        if path.is_char_device() and (hint := _hint(str(path))):
            raise SourceError(f"{path}: not a file{hint}")
        if path.stat().st_size == 0 and path.is_file():
            raise SourceError(f"{path}: the file is empty (0 bytes)")
        if _is_moving_webp(path):
            raise SourceError(f"{path}: a moving WebP, which is not read; convert it to GIF or MP4")
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file or folder{_hint(str(path))}") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    from mot_reid.video.decoding import holds_several
    from mot_reid.video.video_file import VideoSource

    # Absolute, because FFmpeg takes what stands before a colon in a relative name for a protocol.
    try:
        source = VideoSource(str(path.absolute()), str(path), name, "video", selection, fps=fps)
    except SourceError as error:
        raise SourceError(f"{error}{_instead(path)}") from None
    if path.suffix.lower() in (".tif", ".tiff") and holds_several(path):
        source.tell(
            "of the pictures that it holds only the first is taken; a folder of pictures is read whole"
        )
    return source, path


def _hint(name: str) -> str:
    """What somebody may have meant by the name of a file that is not there."""
    if re.search(r"[*?[]|%0?\d*d", name):
        return "; patterns are not read: give the folder; of videos mot-reid batch reads them"
    if name == "-":
        return "; standard input is /dev/stdin"
    return f"; a webcam is given by its number: {name[10:]}" if re.fullmatch(r"/dev/video\d+", name) else ""


def _instead(path: Path) -> str:
    """What to do with a file that is no video, by the end of its name."""
    if path.suffix.lower() in _LISTS:
        return "; mot-reid batch takes lists of videos, as a CSV with a column source"
    if path.suffix.lower() in _RAW:
        return (
            "; pixels alone do not tell their size: ffmpeg -f rawvideo -pix_fmt yuv420p -s 640x480 -r 25 -i"
            f" {path.name} {path.stem}.mp4 makes a video of them, with your size"
        )
    return ""


def _is_moving_webp(path: Path) -> bool:
    """Whether it is a WebP with frames, which FFmpeg takes for a damaged picture."""
    if path.suffix.lower() != ".webp" or not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(64)
    return start[:4] == b"RIFF" and b"WEBPVP8X" in start and b"ANIM" in start


def _open_webcam(index: int, selection: Selection, reconnect: int) -> Source:
    from mot_reid.video.live import LiveSource
    from mot_reid.video.webcam import WebcamSource

    clock = LiveClock()

    def connect() -> Source:
        return WebcamSource(index, Selection(), clock)

    return LiveSource(connect(), clock, connect, selection, reconnect)


def _open_stream(url: str, selection: Selection, reconnect: int) -> Source:
    parts = urlsplit(url)
    if parts.scheme not in STREAM_SCHEMES:
        known = ", ".join(STREAM_SCHEMES)
        told = "a file is given by its path alone" if parts.scheme == "file" else f"known: {known}"
        raise SourceError(f"{parts.scheme}://: not a kind of stream that can be opened; {told}")
    from mot_reid.video.live import LiveSource
    from mot_reid.video.video_file import VideoSource

    url = parts.scheme + url[len(parts.scheme) :]  # in small letters: FFmpeg knows no RTSP://
    label = f"{parts.scheme}://{_address(url)}"
    if (parts.hostname or "").removeprefix("www.") in _PAGES:
        raise SourceError(
            f"{label}: a page with a player, not a video; yt-dlp -g tells the video's own address"
        )
    if _is_torn(parts):
        raise SourceError(
            f"{label}: its password holds #, ? or /, which end it; write %23 for #, %3F for ? and %2F for /"
        )
    name = source_name(url)

    clock = LiveClock()

    def connect() -> VideoSource:
        return VideoSource(url, label, name, "stream", Selection(), timeout=STREAM_TIMEOUT, clock=clock)

    source = connect()
    if source.info.live:
        return LiveSource(source, clock, connect, selection, reconnect)
    source.select(selection)  # it has an end, as a file on a server has
    return source


def _address(url: str) -> str:
    """Host and path. Passwords stand before the host, tokens in the query: neither belongs in a message."""
    parts = urlsplit(url)
    if _is_torn(parts):
        parts = urlsplit(f"{parts.scheme}://{url.rpartition('@')[2]}")
    return parts.netloc.rpartition("@")[2] + parts.path


def _is_torn(parts: SplitResult) -> bool:
    """Whether a password holds what ends a host: what stands in the host's place is the user, then."""
    if "@" in parts.netloc or ":" not in parts.netloc or parts.netloc.endswith("]"):
        return False
    if parts.netloc.rpartition(":")[2].isdecimal():  # a port, behind which @ may stand
        return not parts.path and not parts.query and "@" in parts.fragment
    return "@" in f"{parts.path}{parts.query}{parts.fragment}"


def safe_name(text: str) -> str:
    """Turns ``text`` into one that is safe as a folder's name on every system."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-. ") or "source"
