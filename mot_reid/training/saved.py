"""What a training writes to go on from, and reads back."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from mot_reid.files import atomic

__all__ = ["read_state", "require_whole", "write_state"]


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Writes a state as `torch.save` does, whole or not at all.

    Raises:
        OSError: it cannot be written; the message names it. Torch itself says nothing of a full disk.
    """
    written = io.BytesIO()
    torch.save(dict(state), written)
    with atomic(path) as part:
        part.write_bytes(written.getbuffer())


def read_state(path: Path, entries: Collection[str], device: torch.device | str = "cpu") -> dict[str, Any]:
    """The state in a file of `torch.save`; nothing but tensors and plain values is unpickled.

    Args:
        path: the file.
        entries: that it has to have.
        device: where its tensors go.

    Raises:
        ValueError: it is damaged, or of something else; the message names it.
    """
    require_whole(path)
    try:
        with path.open("rb") as file:
            state = torch.load(file, map_location=device, weights_only=True)
    except Exception as error:  # whatever a damaged zip or pickle raises
        raise _damaged(path, error) from None
    if not isinstance(state, dict) or not set(entries) <= set(state):
        raise ValueError(f"{path}: not of such a training")
    return state


def require_whole(path: Path) -> None:
    """Makes sure that a file of `torch.save` holds what was written: torch itself looks at no checksum.

    Raises:
        ValueError: it does not; the message names it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                raise zipfile.BadZipFile("a checksum does not fit")
    except Exception as error:  # whatever damaged tables of contents raise
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> ValueError:
    reason = " ".join(str(error).split())[:100]
    return ValueError(f"{path}: damaged, so that no training goes on from it ({reason})")
