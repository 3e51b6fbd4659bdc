"""The arithmetic of a frame: loops that numba compiles where it is installed, else the same in NumPy.

``numpy`` says what a kernel does; its twin in ``numba``, a file of the same name, says the same in loops, and
is used where numba can be imported. The ``__all__`` of a file names its kernels. Nothing is imported before a
kernel is called for the first time. With ``MOT_REID_NUMBA=0`` in the environment numba is left alone.
"""

import os
import warnings
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mot_reid.kernels.numpy import *


def compiled() -> bool:
    """Whether numba compiles the kernels; does so, where it does."""
    return _chosen().__name__.endswith("numba")


def _chosen() -> ModuleType:
    if os.environ.get("MOT_REID_NUMBA", "1") != "0":
        try:
            from mot_reid.kernels import numba

            return numba
        except ImportError:  # an optional extra, or too old for this NumPy
            pass
        except Exception as error:  # of a broken installation: its libraries, its compiler
            reason = " ".join(str(error).split())[:200]
            warnings.warn(
                f"numba cannot be used, NumPy does its work: {reason}", RuntimeWarning, stacklevel=2
            )
    from mot_reid.kernels import numpy

    return numpy


if not TYPE_CHECKING:  # or else every name would pass for a kernel

    def __getattr__(name: str) -> Any:
        """Called for a kernel that is asked for for the first time; from then on it is here."""
        private = name.startswith("_") or find_spec(f"{__name__}.{name}") is not None
        kernel = None if private else getattr(_chosen(), name, None)
        if kernel is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = kernel
        return kernel
