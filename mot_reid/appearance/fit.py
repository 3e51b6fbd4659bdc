"""Whether the tensors of a file fit a network, and how to say why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

__all__ = ["abridged", "not_finite", "require_fit"]


def require_fit(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Refuse tensors that a network does not have, and networks whose tensors are not all there.

    Args:
        expected: the network's tensors by the names that the file should use; only their shapes count.
        found: the file's.

    Raises:
        ValueError: naming what is missing, unexpected, of another shape or type, or not finite.
    """
    faults = {
        "missing": [name for name in expected if name not in found],
        "unexpected": [name for name in found if name not in expected],
        "misshaped": [
            f"{name} {tuple(found[name].shape)} for {tuple(expected[name].shape)}"
            for name in expected
            if name in found and found[name].shape != expected[name].shape
        ],
        "of another type": [
            f"{name} {str(found[name].dtype).removeprefix('torch.')}"
            for name in expected
            if name in found and expected[name].is_floating_point() > found[name].is_floating_point()
        ],
        "not finite": not_finite(found),
    }
    if any(faults.values()):
        text = "; ".join(f"{kind}: {abridged(names)}" for kind, names in faults.items() if names)
        raise ValueError(f"the tensors do not fit the architecture: {text}")


def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """Names of the tensors that hold an infinity or a NaN."""
    return [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]


def abridged(names: Sequence[str], count: int = 3) -> str:
    """The first few names and how many more there are."""
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more
