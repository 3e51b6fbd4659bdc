"""Reading ``summary.json`` again, which a person or another program may have changed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["BEGUN", "read_summary"]

BEGUN = "begun.json"
"""What stands in for ``summary.json`` beside it while a run goes on, or after it was killed."""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


_Check = tuple[Callable[[Any], bool], str]
_TEXT: _Check = (lambda value: isinstance(value, str), "a text")
_SIDE: _Check = (lambda value: _is_whole(value) and 0 <= value < 1 << 31, "a number of pixels")
_PARTS: _Check = (lambda value: isinstance(value, dict), "names and values")
_RUN: Mapping[str, _Check] = {
    "source": _PARTS,
    "last_frame": (lambda value: _is_whole(value) and 0 <= value < 1 << 31, "a frame's number"),
    "last_time": (_is_number, "seconds"),
    "stride": (lambda value: _is_whole(value) and 1 <= value < 1 << 31, "a whole number from 1"),
    "models": _PARTS,
    "configuration": _PARTS,
    "milliseconds_per_frame": _PARTS,
}
_SOURCE: Mapping[str, _Check] = {
    "name": _TEXT,
    "location": _TEXT,
    "fps": (lambda value: _is_number(value) and value > 0, "frames a second, above 0"),
    "width": _SIDE,
    "height": _SIDE,
}


def read_summary(path: Path) -> dict[str, Any]:
    """Reads a run's summary, as `mot_reid.pipeline.summary.write_summary` wrote it.

    Args:
        path: of ``summary.json``.

    Returns:
        What it says; where there is none yet what `BEGUN` says instead, empty without that. Entries may be
        missing or null, and of those that are read by name here the others are what they should be.

    Raises:
        ValueError: it cannot be read or is no such file; the message names it and the entry.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {} if path.name == BEGUN else read_summary(path.with_name(BEGUN))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a run's summary: {error}; without it the tracks can be read") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected names and values, got {type(content).__name__}")
    _check(path, "", content, _RUN)
    _check(path, "source.", content.get("source") or {}, _SOURCE)
    return content


def _check(path: Path, part: str, content: Mapping[str, Any], checks: Mapping[str, _Check]) -> None:
    for name, (is_right, expected) in checks.items():
        value = content.get(name)
        if value is not None and not is_right(value):
            raise ValueError(f"{path}: {part}{name}: expected {expected}, got {str(value)[:60]!r}")
