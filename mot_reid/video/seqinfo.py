"""What a MOTChallenge sequence says of itself: its ``seqinfo.ini``."""

from __future__ import annotations

from configparser import ConfigParser, SectionProxy
from configparser import Error as ConfigParserError
from pathlib import Path

from mot_reid.video.frames import DEFAULT_FPS

__all__ = ["frame_rate", "is_plain_name", "picture_folder", "picture_suffix", "read_seqinfo", "sequence_name"]

_LONGEST_NAME = 200  # bytes; a suffix comes behind it
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))}
_MOST = 1e6  # frames a second; settings in seconds become numbers of frames


def read_seqinfo(folder: Path) -> SectionProxy:
    """The section ``[Sequence]`` of a sequence's ``seqinfo.ini``; an empty one where there is no such file.

    Raises:
        ValueError: it cannot be read, or has no such section; the message names it.
    """
    path = folder / "seqinfo.ini"
    parser = ConfigParser(interpolation=None)
    if not path.is_file():
        parser["Sequence"] = {}
        return parser["Sequence"]
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"), source=str(path))
        return parser["Sequence"]
    except KeyError:
        raise ValueError(f"{path}: has no [Sequence] section") from None
    except ConfigParserError as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file") from None


def frame_rate(folder: Path, info: SectionProxy) -> float:
    """The frames a second of a sequence by its ``info``; 30 where it does not say.

    Raises:
        ValueError: it says something else; the message names the file.
    """
    text = info.get("frameRate", str(DEFAULT_FPS))
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < _MOST:
        raise ValueError(f"{folder / 'seqinfo.ini'}: frameRate: expected a positive number, got {text!r}")
    return rate


def sequence_name(folder: Path, info: SectionProxy) -> str:
    """The name of a sequence by its ``info``; its folder's where it does not say.

    Files are written and looked for by it, so it has to be a plain name.

    Raises:
        ValueError: it is a path, or no file could have it; the message names the file.
    """
    name = info.get("name", "").strip()
    if not name:
        return folder.resolve().name
    if not is_plain_name(name):
        raise ValueError(f"{folder / 'seqinfo.ini'}: name: expected a plain name, got {name[:80]!r}")
    return name


def is_plain_name(name: str) -> bool:
    """Whether a name out of a file can be that of a file, of no folder, on every system."""
    return (
        0 < len(name.encode()) <= _LONGEST_NAME
        and name.strip() == name
        and not name.endswith(".")
        and not any(letter in '/\\:*?"<>|' or ord(letter) < 32 or ord(letter) == 127 for letter in name)
        and name.partition(".")[0].upper() not in _DEVICES
    )


def picture_folder(folder: Path, info: SectionProxy) -> Path:
    """Where the pictures of a sequence lie by its ``info``: in its folder.

    Raises:
        ValueError: they lie elsewhere; the message names the file.
    """
    name = info.get("imDir", "img1").strip().rstrip("/")
    if not all(is_plain_name(part) for part in name.split("/")):
        raise ValueError(
            f"{folder / 'seqinfo.ini'}: imDir: expected a folder in the sequence's own, got {name[:80]!r}"
        )
    return folder / name


def picture_suffix(info: SectionProxy) -> str:
    """What names of pictures end in, such as ``.jpg``, by a sequence's ``info``; empty if it does not say."""
    name = info.get("imExt", "").strip().lower()
    return f".{name.lstrip('.')}" if name else ""
