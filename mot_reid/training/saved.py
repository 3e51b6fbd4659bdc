"""What a training has written to go on from, read back."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

__all__ = ["read_state"]


def read_state(path: Path, entries: Collection[str], device: torch.device | str = "cpu") -> dict[str, Any]:
    """The state in a file of `torch.save`; nothing but tensors and plain values is unpickled.

    Args:
        path: the file.
        entries: that it has to have.
        device: where its tensors go.

    Raises:
        ValueError: it is damaged, or of something else; the message names it.
    """
    try:
        with path.open("rb") as file:
            state = torch.load(file, map_location=device, weights_only=True)
    except Exception as error:  # whatever a damaged zip or pickle raises
        reason = " ".join(str(error).split())[:100]
        raise ValueError(f"{path}: damaged, so that no training goes on from it ({reason})") from None
    if not isinstance(state, dict) or not set(entries) <= set(state):
        raise ValueError(f"{path}: not of such a training")
    return state
