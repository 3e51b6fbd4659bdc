"""How loops are compiled, and the types of what they take and give."""

import logging
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from numba import njit, types

__all__ = [
    "B1",
    "BOXES",
    "CLASSES",
    "F4",
    "F8",
    "FLOATS",
    "FOUND",
    "I1",
    "I8",
    "MASKS",
    "PICTURED",
    "ROWS",
    "SINGLES",
    "VECTORS",
    "WEIGHTS",
    "compiled",
    "import_in_turn",
    "taken",
]

_log = logging.getLogger("mot_reid.kernels")
_told = False
_PATIENCE = 120  # seconds for one file of another process


def taken(dtype: Any, dimensions: int, layout: Any = "A", aligned: bool = True) -> Any:
    """An argument that is read only: the user's own array may be one that cannot be written."""
    return types.Array(dtype, dimensions, layout, readonly=True, aligned=aligned)


F8, F4, I8, I1, B1 = types.float64, types.float32, types.int64, types.int8, types.boolean
BOXES, ROWS, CLASSES = taken(F8, 2), taken(types.intp, 1), taken(I8, 1, aligned=False)
FLOATS, SINGLES, VECTORS = taken(F8, 1), taken(F4, 1), taken(F4, 2, "C")
MASKS, PICTURED = taken(B1, 1), taken(F4, 2, aligned=False)
FOUND, WEIGHTS = types.Array(types.intp, 1, "C"), types.Array(F4, 1, "C")


def compiled(*signature: Any, fast: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compiles for one signature, the result's type first; no signature: for whoever calls it from a loop.

    Args:
        signature: numba's types.
        fast: sums may be taken in any order.
    """
    options: dict[str, Any] = {"error_model": "numpy"}
    if fast:
        options["fastmath"] = {"reassoc", "nsz", "contract"}
    if not signature:
        return njit(inline="never", **options)
    result, *arguments = signature

    def compile_it(function: Callable[..., Any]) -> Any:
        try:
            made = njit(result(*arguments), cache=True, **options)(function)
        except Exception:  # nowhere to keep it, or what was kept there is damaged
            made = njit(result(*arguments), **options)(function)
        _tell(made)
        return made

    return compile_it


def import_in_turn(modules: Iterable[str], folder: Path | None = None) -> None:
    """Imports modules of kernels; of processes that start at once, each compiles what no other one does yet.

    Args:
        modules: their full names.
        folder: where their locks are; None: where numba keeps what it has compiled.
    """
    left = list(modules)
    try:
        kept_in = folder or njit(cache=True)(taken).stats.cache_path
        while left and kept_in:
            free = [name for name in left if _imported(name, Path(kept_in), 0)]
            if not free and not _imported(left[0], Path(kept_in), _PATIENCE):
                return
            left = [name for name in left if name not in (free or left[:1])]
    except (OSError, RuntimeError, NotImplementedError):
        return  # there is no such folder, or it takes no locks: each compiles all


def _imported(name: str, folder: Path, patience: float) -> bool:
    """Imports a module unless another process is at it for longer than ``patience``, in seconds."""
    try:
        with FileLock(folder / f"{name}.lock", timeout=patience):
            import_module(name)
    except Timeout:
        return False
    return True


def _tell(made: Any) -> None:
    """Logs one line when the first kernel was not found in the cache: the others will take their time."""
    global _told
    if not (_told or made.stats.cache_hits):
        _told = True
        _log.info("numba compiles the arithmetic for this machine: about 12 seconds, once")
