"""Weights of RTMDet-nano: read from OpenMMLab's export, saved and loaded as safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from mot_reid.detection.rtmdet import RtmDet
from mot_reid.extras import require
from mot_reid.files import atomic

__all__ = ["from_openmmlab", "load_rtmdet", "read_notes", "save_rtmdet"]

_KEY = "mot_reid"  # the one entry of the file's metadata that is ours: a JSON object
_FORMAT = 1
_NAME = "rtmdet_nano"


def from_openmmlab(path: Path) -> RtmDet:
    """The network with the weights of an OpenMMLab export, ``rtmdet_nano_person.onnx``.

    The convolutions of both are in the order in which they are computed; that is how they are matched.

    Args:
        path: the ``.onnx`` file.

    Raises:
        ImportError: the package ``onnx`` is not installed.
        ValueError: it is no RTMDet-nano of one class.
    """
    onnx = require("onnx", f"{path}: to read it")
    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:  # of protobuf, onnx or the disk
        raise ValueError(f"{path}: not an ONNX file: {' '.join(str(error).split())[:200]}") from None
    constants: dict[str, Any] = {constant.name: constant for constant in graph.initializer}
    given = [
        [constants[name] for name in node.input[1:] if name in constants]
        for node in graph.node
        if node.op_type == "Conv"
    ]
    network = RtmDet()
    wanted = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    if len(given) != len(wanted) or any(len(pair) != 2 for pair in given):
        raise ValueError(f"{path}: expected {len(wanted)} convolutions with bias, as RTMDet-nano has")
    with torch.no_grad():
        for module, pair in zip(wanted, given, strict=True):
            weight, bias = (np.array(onnx.numpy_helper.to_array(constant)) for constant in pair)
            if weight.shape != tuple(module.weight.shape) or module.bias is None:
                raise ValueError(
                    f"{path}: expected RTMDet-nano's weights {tuple(module.weight.shape)}, got {weight.shape}"
                )
            module.weight.copy_(torch.from_numpy(weight))
            module.bias.copy_(torch.from_numpy(bias))
    return network.eval()


def save_rtmdet(network: RtmDet, path: Path, notes: Mapping[str, Any] | None = None) -> None:
    """Writes a network of one class, person, as safetensors in single precision.

    Args:
        network: its weights may lie on any device.
        path: the ``.safetensors`` file; it appears only when it is whole.
        notes: kept beside the weights, as JSON can hold it.

    Raises:
        ValueError: a weight is not finite.
    """
    tensors = {
        name: tensor.detach().float().cpu().contiguous() for name, tensor in network.state_dict().items()
    }
    broken = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise ValueError(f"cannot save {path}: values that are not finite in {', '.join(broken[:3])}")
    metadata = {"format": _FORMAT, "architecture": _NAME, "names": ["person"], "notes": dict(notes or {})}
    with atomic(path) as part:
        part.write_bytes(save(tensors, metadata={_KEY: json.dumps(metadata)}))


def load_rtmdet(path: Path) -> RtmDet:
    """A network of one class, person, that `save_rtmdet` wrote, in evaluation mode.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is something else, or damaged.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no detector weights at {path}")
    _, tensors = _read(path)
    if broken := [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]:
        raise ValueError(f"{path}: values that are not finite in {', '.join(broken[:3])}")
    network = RtmDet()
    try:
        network.load_state_dict(tensors)  # copies: what safetensors gives is mapped onto the file
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: its tensors are not those of {_NAME}: {reason[:200]}") from None
    return network.eval()


def read_notes(path: Path) -> dict[str, Any]:
    """What `save_rtmdet` kept beside the weights; it raises what `load_rtmdet` does."""
    notes = _read(path)[0].get("notes")
    return notes if isinstance(notes, dict) else {}


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get(_KEY, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(f"{path}: not a readable safetensors file: {error}") from None
    if not isinstance(metadata, dict) or (metadata.get("format"), metadata.get("architecture")) != (
        _FORMAT,
        _NAME,
    ):
        raise ValueError(f"{path}: its metadata name no detector of ours ({_NAME}, format {_FORMAT})")
    return metadata, tensors
