"""What results depend on besides settings: weights, boxes, code and packages, as hashes and versions."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from mot_reid.structures import Detections

__all__ = [
    "IMAGE_PACKAGES",
    "NETWORK_PACKAGES",
    "boxes_digest",
    "code_digest",
    "package_versions",
    "weights_digest",
]

_PACKAGE = Path(__file__).parents[1]
_NAME = __name__.partition(".")[0]
_SETTINGS = {f"{_NAME}.config", f"{_NAME}.settings"}  # their values stand in a key by themselves
_OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
IMAGE_PACKAGES = ("av", "numpy", *_OPENCV)
NETWORK_PACKAGES = ("torch", "torchvision", "onnxruntime", "onnxruntime-gpu", "openvino", *IMAGE_PACKAGES)


def weights_digest(path: Path) -> str:
    """SHA-256 of a weights file, with ONNX's external data and with an export that may run in its place.

    Of an export that is a folder, all files count.
    """
    if path.is_dir():
        files = sorted(entry for entry in path.rglob("*") if entry.is_file())
    else:
        files = [path, *sorted(path.parent.glob(f"{path.name}[._]data"))]
        if path.suffix != ".onnx" and path.with_suffix(".onnx").is_file():
            files.append(path.with_suffix(".onnx"))
    digests = [_file_digest(file, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


@lru_cache(maxsize=64)
def _file_digest(path: Path, size: int, mtime_ns: int) -> str:
    """SHA-256 of a file's content; read once for all sequences, again if it has changed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def boxes_digest(detections: Iterable[Detections]) -> str:
    """SHA-256 of the boxes of all frames."""
    digest = hashlib.sha256()
    for frame in detections:
        digest.update(len(frame).to_bytes(8, "little"))
        digest.update(np.ascontiguousarray(frame.xyxy).tobytes())
    return digest.hexdigest()


@lru_cache
def package_versions(*packages: str) -> dict[str, str]:
    """Versions of those of the packages that are installed, without importing them."""
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


@lru_cache
def code_digest(*modules: str, alone: tuple[str, ...] = ()) -> str:
    """SHA-256 of our own code that computes a stage: to change it makes old results stale.

    Args:
        modules: what computes it, such as ``mot_reid.detection.loading``; all of ours that these import count
            too, at once or when called, one from the other.
        alone: modules that count without what they import.
    """
    digest = hashlib.sha256()
    for module in sorted({*_imported(modules), *alone}):
        digest.update(module.encode())
        digest.update(_file_of(module).read_bytes())
    return digest.hexdigest()


def _imported(modules: Iterable[str]) -> set[str]:
    """These modules and all of ours that they import, directly or not."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in found or module in _SETTINGS:
            continue
        found.add(module)
        for node in ast.walk(ast.parse(_file_of(module).read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            waiting += [name for name in names if name.startswith(f"{_NAME}.") and _file_of(name).is_file()]
    return found


def _file_of(module: str) -> Path:
    place = _PACKAGE.joinpath(*module.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
