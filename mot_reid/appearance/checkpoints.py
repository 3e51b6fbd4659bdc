"""Checkpoints: foreign ones, and ours, safetensors whose metadata say how to build and feed the network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mot_reid.appearance.crops import IMAGENET_MEAN, IMAGENET_STD
from mot_reid.appearance.fit import abridged, not_finite, require_fit
from mot_reid.appearance.layouts import Untold, load_foreign
from mot_reid.appearance.mgn import MGN
from mot_reid.appearance.network import EmbeddingNetwork
from mot_reid.appearance.osnet import OSNet
from mot_reid.resources import weights_kind

__all__ = [
    "EmbeddingNetwork",
    "load_checkpoint",
    "read_tensors",
    "save_checkpoint",
]

_KEY = "mot_reid"  # the one entry of the file's metadata that is ours: a JSON object
_FORMAT = 1
_ARCHITECTURES: dict[str, type[MGN | OSNet]] = {"mgn": MGN, "osnet": OSNet}


def save_checkpoint(
    path: Path | str,
    model: MGN | OSNet,
    *,
    input_size: tuple[int, int],
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
    half: bool = True,
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Write a network's embedding part, without its classifiers.

    Args:
        path: the safetensors file to write.
        model: the network.
        input_size: (h, w) in pixels that it was trained for.
        mean: RGB mean of images in 0..1.
        std: RGB deviation of images in 0..1.
        half: store weight matrices in float16; vectors (batch normalisation) always stay in float32, where
            small variances would suffer.
        notes: anything else worth keeping with the weights, as JSON can hold it.

    Raises:
        ValueError: if a tensor is not finite (in float16, if `half`).
    """
    metadata = {
        "format": _FORMAT,
        "architecture": {"name": type(model).__name__.lower(), **model.architecture()},
        "input_size": list(input_size),
        "mean": list(mean),
        "std": list(std),
        "notes": dict(notes or {}),
    }
    tensors = {
        name: _stored(tensor, half)
        for name, tensor in model.state_dict().items()
        if not name.startswith("classifiers.")
    }
    if broken := not_finite(tensors):
        raise ValueError(f"cannot save {path}: values that are not finite in {abridged(broken)}")
    Path(path).write_bytes(save(tensors, metadata={_KEY: json.dumps(metadata)}))


def load_checkpoint(
    path: Path | str, device: torch.device | str = "cpu", untold: Untold | None = None
) -> EmbeddingNetwork:
    """Read a checkpoint, ours or a foreign one.

    Args:
        path: a safetensors file that `save_checkpoint` wrote, or the PyTorch or safetensors file of a project
            in `mot_reid.appearance.layouts.LAYOUTS`. Nothing but tensors and plain values is unpickled.
        device: where the network shall live.
        untold: what a foreign file does not tell; files of ours tell all.

    Returns:
        The network in evaluation mode, in float32, with what it expects as input.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged, of no known layout, or its tensors do not fit.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no such checkpoint: {path}")
    if not path.is_file():
        raise ValueError(f"{path}: not a file")
    metadata, tensors = (
        _read_safetensors(path) if weights_kind(path) == "safetensors" else (None, read_tensors(path))
    )
    # Copies: what safetensors gives is mapped onto the file and would change with it under a running tracker.
    tensors = {
        name: t.to(torch.float32, copy=True) if t.is_floating_point() else t.clone()
        for name, t in tensors.items()
    }
    try:
        if metadata is None:
            # DataParallel puts its own name before all others.
            network = load_foreign({n.removeprefix("module."): t for n, t in tensors.items()}, untold)
        elif untold and any(untold):
            raise ValueError("a checkpoint of ours, which tells its pooling and its input size")
        else:
            network = _load_own(metadata, tensors)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    network.module.to(device)
    return network


def _load_own(metadata: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> EmbeddingNetwork:
    try:
        architecture = dict(metadata["architecture"])
        kind = architecture.pop("name")
        if metadata["format"] != _FORMAT or kind not in _ARCHITECTURES:
            raise ValueError(f"format {metadata['format']}, architecture {metadata['architecture']}")
        with torch.device("meta"):  # shapes only: nothing to initialise, nothing to allocate
            model = _ARCHITECTURES[kind](**architecture)
        height, width = (int(size) for size in metadata["input_size"])
        mean, std = _rgb(metadata["mean"]), _rgb(metadata["std"])
        network = EmbeddingNetwork(model.eval(), (height, width), mean, std, model.dim)
    except (KeyError, OverflowError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).splitlines()[:1])  # torch goes on with where in its code it was
        raise ValueError(f"the checkpoint's metadata cannot be used: {reason[:300]}") from error
    require_fit(model.state_dict(), tensors)
    model.load_state_dict(tensors, assign=True)
    return network


def _read_safetensors(path: Path) -> tuple[dict[str, Any] | None, dict[str, Tensor]]:
    """Our metadata, None without any, and the tensors of a file."""
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: not a readable safetensors file: {error}") from error
    if _KEY not in header:
        return None, tensors
    try:
        metadata = json.loads(header[_KEY])
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: mot_reid's metadata are not JSON: {error}") from error
    if not isinstance(metadata, dict):
        raise ValueError(f"{path}: mot_reid's metadata are not a JSON object")
    return metadata, tensors


# Trainers store their scores beside the tensors as numpy's scalars: numbers, as harmless as Python's.
_SCALARS: list[Any] = [
    np.dtype,
    type(np.dtype(np.float32)),
    type(np.dtype(np.float64)),
    (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    (np.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar"),
]


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The state dict in a file of `torch.save`: the whole, or its entry "model" or "state_dict".

    Nothing but tensors and plain values is unpickled.

    Raises:
        ValueError: there is none in it; the message names the file.
    """
    try:
        # An open file, as torch goes by the name where it gets one.
        with torch.serialization.safe_globals(_SCALARS), path.open("rb") as file:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged zip or pickle raises
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if reason.startswith("Weights only load failed"):  # torch goes on with how to run the code in it
            reason = "it holds more than tensors and plain values, and could run code when it is loaded"
        raise ValueError(f"{path}: not a readable PyTorch file of tensors: {reason}") from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{path}: holds a {type(content).__name__}, not a state dict")
    entries = (content.get(name) for name in ("model", "state_dict"))
    state = next((entry for entry in entries if isinstance(entry, Mapping)), content)
    tensors = {str(name): tensor for name, tensor in state.items() if isinstance(tensor, Tensor)}
    if not tensors:
        raise ValueError(f"{path}: no tensors, neither at the top nor under model or state_dict")
    return tensors


def _stored(tensor: Tensor, half: bool) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.half() if half and tensor.is_floating_point() and tensor.ndim > 1 else tensor


def _rgb(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
