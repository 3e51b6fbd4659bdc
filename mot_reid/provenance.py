"""What a figure was made with: command, versions, commit, machine."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from contextlib import suppress
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mot_reid import __version__
from mot_reid.concurrency import available_cores

__all__ = ["command_line", "provenance", "versions"]

_PACKAGES = (
    "av",
    "motmetrics",
    "numpy",
    "onnxruntime",
    "opencv-python",
    "openvino",
    "scipy",
    "torch",
    "torchvision",
    "trackeval",
    "ultralytics",
)


def versions() -> dict[str, str]:
    """Versions of this package, of Python, and of the packages that results depend on."""
    packages = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):  # opencv-python-headless, say, stands in for opencv-python
            packages[name] = version(name)
    return {"mot_reid": __version__, "python": platform.python_version(), **packages}


def command_line() -> str:
    """The command that is running, as it was typed; ``python -m mot_reid`` counts as ``mot-reid``."""
    program = Path(sys.argv[0]).name
    return shlex.join(["mot-reid" if program == "__main__.py" else program, *sys.argv[1:]])


def provenance() -> dict[str, Any]:
    """Command, date, commit, versions and machine, as JSON can hold them."""
    return {
        "command": command_line(),
        "date": date.today().isoformat(),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
    }


def commit() -> str | None:
    """The commit of the checkout that this package runs from, marked if files differ from it."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    try:
        head, changes = (
            subprocess.run(
                ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10
            ).stdout.strip()
            for arguments in (["rev-parse", "HEAD"], ["status", "--porcelain", "--", "mot_reid", "weights"])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head[:12]} with changes" if changes else head[:12]


def machine() -> dict[str, Any]:
    """Processor, cores that may be used, memory and accelerator; never the machine's name."""
    return {
        "processor": _processor(),
        "cores": available_cores(),
        "memory_gib": _memory(),
        "accelerator": _accelerator(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


def _memory() -> float | None:
    with suppress(OSError, ValueError, AttributeError):
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    return None


def _accelerator() -> str | None:
    torch = sys.modules.get("torch")  # who did not load it has not used one
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return None
