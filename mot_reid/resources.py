"""Where the files lie that ship with the package, and where it may keep files of its own."""

import hashlib
import os
from pathlib import Path

__all__ = ["ONNX_ORIGIN", "cache_folder", "export_of", "find_weights", "shipped"]

ONNX_ORIGIN = "checkpoint_sha256"
"""The entry of an export's metadata that names the checkpoint's content."""

_PACKAGE = Path(__file__).parent


def shipped(folder: str) -> Path:
    """The folder ``configs`` or ``weights``: inside an installed package, beside it in a checkout."""
    inside = _PACKAGE / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder


def find_weights(name: str | Path, suffixes: tuple[str, ...]) -> Path:
    """The file that ``name`` means: a path as it is, or else the name of weights that ship with us.

    Args:
        name: a path or a shipped file's name.
        suffixes: what the error lists as shipped, such as ``(".pt",)``.

    Raises:
        FileNotFoundError: it is neither.
    """
    path = Path(name).expanduser()
    if str(name) and path.exists():
        return path
    if path == Path(path.name) and (shipped("weights") / path).is_file():
        return shipped("weights") / path
    known = sorted(entry.name for entry in shipped("weights").glob("*") if entry.suffix in suffixes)
    raise FileNotFoundError(
        f"weights not found: {name} (nothing is downloaded; shipped: {', '.join(known) or 'none'})"
    )


def export_of(checkpoint: Path) -> Path | None:
    """The ``.onnx`` export beside a checkpoint, if it was made from exactly these weights (`ONNX_ORIGIN`)."""
    path = checkpoint.with_suffix(".onnx")
    if not (path.is_file() and checkpoint.is_file()):
        return None
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest().encode()
    return path if digest in path.read_bytes() else None  # a metadata string, stored as it is


def cache_folder() -> Path:
    """Our own cache folder, ``$XDG_CACHE_HOME/mot_reid`` or ``~/.cache/mot_reid``; made if need be."""
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "mot_reid"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
