"""What runs a network's weights: ONNX Runtime, OpenVINO or torch. One policy, for detectors and embedders."""

from pathlib import Path
from typing import Literal, get_args

from mot_reid.resources import export_of, weights_kind

__all__ = ["RUNTIMES", "Runtime", "checked_runtime", "onnx_file"]

Runtime = Literal["auto", "torch", "onnxruntime", "openvino"]
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)


def checked_runtime(runtime: str, setting: str) -> Runtime:
    """A setting's value as one of `RUNTIMES`.

    Raises:
        ValueError: it is none; the message names the setting.
    """
    for known in RUNTIMES:
        if runtime == known:
            return known
    raise ValueError(f"{setting} {runtime!r} is not known; known: {', '.join(RUNTIMES)}")


def onnx_file(path: Path, device: str, runtime: Runtime, setting: str) -> Path | None:
    """The file that ONNX Runtime or OpenVINO runs for some weights; None where torch runs them themselves.

    An export runs in ONNX Runtime, which is much the faster on a CPU, and so does a checkpoint there with its
    export beside it (`mot_reid.resources.export_of`). On an accelerator torch runs a checkpoint.

    Args:
        path: the weights.
        device: such as ``cpu`` or ``cuda:0``.
        runtime: what was asked for.
        setting: which setting asks, for messages.

    Raises:
        ValueError: the runtime asked for cannot run the weights.
    """
    if runtime == "openvino" and device != "cpu":
        raise ValueError(f"{setting}: openvino runs on the CPU; use device cpu, or {setting} auto")
    kind, exports = weights_kind(path), ("onnxruntime", "openvino")
    if kind == "onnx":
        if runtime == "torch":
            raise ValueError(f"{path}: torch cannot run an ONNX export; use {setting} auto")
        return path
    exportable = kind in ("pytorch", "safetensors")
    export = export_of(path) if exportable and runtime != "torch" else None
    if runtime in exports and export is None:
        raise ValueError(
            f"{path}: no export of exactly these weights at {path.with_suffix('.onnx')}; "
            f"`mot-reid export {path}` makes it"
        )
    return export if device == "cpu" or runtime in exports else None
