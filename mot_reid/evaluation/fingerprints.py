"""What results depend on besides settings: weights, boxes, code and packages, as hashes and versions."""

from __future__ import annotations

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
_OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
IMAGE_PACKAGES = ("av", "numpy", *_OPENCV)
NETWORK_PACKAGES = ("torch", "torchvision", "onnxruntime", "onnxruntime-gpu", *IMAGE_PACKAGES)


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
def code_digest(*parts: str) -> str:
    """SHA-256 of our own files or folders that compute a stage: to change them makes old results stale."""
    digest = hashlib.sha256()
    for part in parts:
        place = _PACKAGE / part
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(path.read_bytes())
    return digest.hexdigest()
