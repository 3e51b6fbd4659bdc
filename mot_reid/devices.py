"""Where networks run."""

import ctypes
import re
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from mot_reid.extras import installed, require

__all__ = ["exclusive", "resolve_device"]

_MPS = threading.RLock()
_LONGEST = 200  # letters of torch's reason

# What the driver of an accelerator that torch can use on Linux shows there: NVIDIA's, its guest in Windows'
# WSL and in NVIDIA's own boards, AMD's.
_DEVICE_FILES = ("nvidia*", "dxg", "nvmap", "nvhost*", "nvgpu*", "kfd")


def resolve_device(device: str) -> str:
    """The torch device that ``device`` means; ``auto`` is the best there is.

    Raises:
        ValueError: this machine has no such device.
    """
    if re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device) is None:
        here = f"; here it is cuda:{device}" if device.isdecimal() else ""
        raise ValueError(f"device {device!r} is not known; known: auto, cpu, mps, cuda, cuda:1{here}")
    if device == "cpu" or (device == "auto" and not _accelerator_possible()):
        return "cpu"
    if device == "auto" and not installed("torch"):
        return "cpu"  # ONNX Runtime's builds for accelerators are not what a plain installation brings
    torch = require("torch", f"device {device}")
    if device == "auto":
        if torch.cuda.is_available():
            return "cuda:0"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0][:_LONGEST]  # torch lists its sixty backends
        raise ValueError(f"device {device!r} cannot be used here: {reason}") from None
    return device


def exclusive(device: str) -> AbstractContextManager[object]:
    """What to enter while computing on a device: on Apple's, one thread of a process has to wait for another.

    Metal does not survive two threads that run torch at once (https://github.com/pytorch/pytorch/issues/197805).
    """
    return _MPS if device.startswith("mps") else nullcontext()


def _accelerator_possible() -> bool:
    """Whether torch is worth asking; False only where it is sure to find none.

    To import it takes more processor time than all else that a start on a CPU needs. CUDA needs the driver's
    library; its files may be hidden from a container that has the devices, and the other way round.
    """
    if sys.platform != "linux":
        return True
    if any(next(Path("/dev").glob(pattern), None) for pattern in _DEVICE_FILES):
        return True
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True
