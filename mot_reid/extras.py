"""What is installed only by an extra, and the one line that says which."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["EXTRAS", "installed", "missing_extra", "require"]

EXTRAS: dict[str, str] = {
    "torch": "torch",
    "torchvision": "torch",
    "ultralytics": "ultralytics",
    "motmetrics": "eval",
    "trackeval": "eval",
    "onnx": "train",
    "tensorboard": "train",
    "numba": "speed",
    "lancedb": "gallery",
    "pyarrow": "parquet",
    "openvino": "openvino",
    "paho": "mqtt",
    "ray": "cluster",
    "fsspec": "cluster",
    "s3fs": "cluster",
    "starlette": "app",
    "uvicorn": "app",
}
"""The extra that brings each package which a plain installation lacks."""


def installed(package: str) -> bool:
    """Whether a package is there, without importing it."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def require(package: str, what: str) -> Any:
    """Imports a package that a plain installation lacks.

    Args:
        package: one of `EXTRAS`.
        what: what needs it, such as ``"person.pt"`` or ``"device cuda"``.

    Returns:
        The package.

    Raises:
        ImportError: it is not installed; the message names the extra.
    """
    try:
        return import_module(package)
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] not in EXTRAS:
            raise  # it is there, and something else is wrong
        raise ImportError(f"{what} needs {_advice(package)}", name=package) from None


def missing_extra(error: BaseException) -> str | None:
    """What to tell of an error because a package is missing that an extra brings; None of any other."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    package = error.name.partition(".")[0]
    return f"this needs {_advice(package)}" if package in EXTRAS else None


def _advice(package: str) -> str:
    return f"the package {package}: pip install 'mot_reid[{EXTRAS[package]}]'"
