"""Where the files lie that ship with the package, and where it may keep files of its own."""

import atexit
import hashlib
import logging
import os
import shutil
import tempfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Literal

__all__ = [
    "DETECTORS",
    "EMBEDDERS",
    "ONNX_ORIGIN",
    "WeightsKind",
    "cache_folder",
    "export_of",
    "find_weights",
    "shipped",
    "weights_kind",
]

WeightsKind = Literal["onnx", "pytorch", "safetensors", "other"]

ONNX_ORIGIN = "checkpoint_sha256"
"""The entry of an export's metadata that names the checkpoint's content."""

DETECTORS, EMBEDDERS = "person_", "mgn_"
"""How the names of shipped weights of each kind begin."""

_PACKAGE = Path(__file__).parent
_WEIGHTS = (".onnx", ".pt", ".safetensors")
_SHORT = {  # embedders: the one of `mot_reid.config`, and the one for galleries
    "default": "mgn_osnet_lct_x0_5.safetensors",
    "strong": "mgn_osnet_lct_x1_0.safetensors",
}
_log = logging.getLogger(__name__)


def shipped(folder: str) -> Path:
    """The folder ``configs`` or ``weights``: inside an installed package, beside it in a checkout."""
    inside = _PACKAGE / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder


def find_weights(name: str | Path, suffixes: tuple[str, ...], family: str = "") -> Path:
    """The file that ``name`` means: the name of weights that ship with us, or else a path.

    A file of the current folder that is named like shipped weights is not taken for them, or whoever runs a
    command in somebody's folder would run with that person's weights: ``./NAME`` means it.

    Args:
        name: a path, a shipped file's name, ``default`` for the default embedder, or ``strong`` for the
            shipped one for galleries.
        suffixes: what the error lists as shipped, such as ``(".pt",)``.
        family: how the names begin that it lists: `DETECTORS`, `EMBEDDERS`, or empty for all.

    Raises:
        FileNotFoundError: it is neither.
    """
    name = name if family == DETECTORS else _SHORT.get(str(name), name)
    path = Path(name)
    with suppress(RuntimeError):  # ~somebody whom this machine does not know
        path = path.expanduser()
    ours = shipped("weights") / path.name
    if str(name) == path.name and ours.suffix in _WEIGHTS and ours.is_file():
        if path.exists() and not path.samefile(ours):
            _log.warning("%s: the shipped weights; ./%s means the file in this folder", name, name)
        return ours
    if str(name) and path.exists():
        return path
    known = sorted(
        entry.name
        for entry in shipped("weights").glob("*")
        if entry.suffix in suffixes
        and entry.name.startswith(family)
        and not entry.stem.endswith("_attributes")  # which are read by their embedder
    )
    raise FileNotFoundError(
        f"weights not found: {name} (nothing is downloaded; shipped: {', '.join(known) or 'none'})"
    )


def weights_kind(path: Path) -> WeightsKind:
    """What a file of weights is, by its first bytes, and by its name only where they say nothing.

    Trainers save ``model.pth.tar-60``, and downloads lose their suffixes.
    """
    start, size = b"", 0
    if path.is_file():
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(9)
    if start.startswith(b"PK\x03\x04") or (start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05"):
        return "pytorch"
    if start[8:] == b"{" and int.from_bytes(start[:8], "little") <= size - 8:
        return "safetensors"  # the length of its header, a JSON object, comes first
    if start[:1] == b"\x08" and start[2:3] in (b"\x12", b"\x1a", b"\x3a", b"\x42", b"\x2a"):
        return (
            "onnx"  # a protocol buffer: the version, then its producer, the graph, or the operators' version
        )
    return _KINDS.get(path.suffix.lower(), "other")


_KINDS: dict[str, WeightsKind] = {
    ".onnx": "onnx",
    ".safetensors": "safetensors",
    **dict.fromkeys((".pt", ".pth", ".tar"), "pytorch"),
}


def export_of(checkpoint: Path) -> Path | None:
    """The ``.onnx`` export beside a checkpoint, if it was made from exactly these weights (`ONNX_ORIGIN`)."""
    path = checkpoint.with_suffix(".onnx")
    if not (path.is_file() and checkpoint.is_file()):
        return None
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest().encode()
    return path if digest in path.read_bytes() else None  # a metadata string, stored as it is


def cache_folder() -> Path:
    """Our own cache folder, ``$XDG_CACHE_HOME/mot_reid`` or ``~/.cache/mot_reid``; made if need be.

    Where it cannot be written, as in containers without a home, it is a temporary folder of this process.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = (Path(base) if base else Path.home() / ".cache") / "mot_reid"
    except RuntimeError:  # a user without a home
        return _temporary_cache("there is no home folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # permissions say nothing of read-only disks, or to root
            pass
    except OSError as error:
        return _temporary_cache(f"{folder}: {error.strerror}")
    return folder


@lru_cache(maxsize=1)
def _temporary_cache(reason: str) -> Path:
    """A cache folder for this process alone, with one warning."""
    folder = Path(tempfile.mkdtemp(prefix="mot_reid-cache-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _log.warning(
        "nowhere to keep a cache (%s): what is kept goes with this run; "
        "set XDG_CACHE_HOME to a folder that can be written",
        reason,
    )
    return folder
