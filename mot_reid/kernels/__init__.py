"""The arithmetic of a frame: loops that numba compiles where it is installed, else the same in NumPy.

``plain`` says what a kernel does; ``loops`` says the same in loops, and is used where numba can be imported.
Nothing is imported before a kernel is called for the first time. With ``MOT_REID_NUMBA=0`` in the environment
numba is left alone.
"""

import os
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mot_reid.kernels.plain import (
        along_usual,
        assign_pairs,
        at_edge,
        blend,
        carry,
        centres,
        corners,
        covered_in_front,
        extend,
        fused_costs,
        leads,
        mutual_best,
        pair_distances,
        possible,
        predict,
        retire,
        similar_pairs,
        smoothed,
        update,
        warp,
        within_reach,
    )

__all__ = [
    "along_usual",
    "assign_pairs",
    "at_edge",
    "blend",
    "carry",
    "centres",
    "corners",
    "covered_in_front",
    "extend",
    "fused_costs",
    "leads",
    "mutual_best",
    "pair_distances",
    "possible",
    "predict",
    "retire",
    "similar_pairs",
    "smoothed",
    "update",
    "warp",
    "within_reach",
]


def compiled() -> bool:
    """Whether numba compiles the kernels."""
    return _chosen().__name__.endswith("loops")


def _chosen() -> Any:
    if os.environ.get("MOT_REID_NUMBA", "1") != "0":
        try:
            from mot_reid.kernels import loops

            return loops
        except ImportError:  # an optional extra, or too old for this NumPy
            pass
        except Exception as error:  # of a broken installation: its libraries, its compiler
            reason = " ".join(str(error).split())[:200]
            warnings.warn(
                f"numba cannot be used, NumPy does its work: {reason}", RuntimeWarning, stacklevel=2
            )
    from mot_reid.kernels import plain

    return plain


def __getattr__(name: str) -> Any:
    """Called for the first kernel that is asked for, not before; then all of them are here."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    chosen = _chosen()
    globals().update({kernel: getattr(chosen, kernel) for kernel in __all__})
    return globals()[name]
