"""Our checkpoints: a safetensors file whose metadata say how to build the network and how to feed it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mot_reid.appearance.mgn import MGN, check_height

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_KEY = "mot_reid"  # the one entry of the file's metadata that is ours: a JSON object
_FORMAT = 1


@dataclass(frozen=True)
class EmbeddingNetwork:
    """A network that is ready to embed, and what it expects.

    Attributes:
        module: in evaluation mode; maps (N, 3, h, w) float32 to (N, dim), not normalised.
        input_size: (h, w) in pixels.
        mean: RGB mean to subtract from images scaled to 0..1.
        std: RGB deviation to divide by afterwards.
        dim: length of the embedding.
    """

    module: nn.Module
    input_size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    dim: int


def save_checkpoint(
    path: Path | str,
    model: MGN,
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
        "architecture": {"name": "mgn", **model.architecture()},
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
    if broken := _not_finite(tensors):
        raise ValueError(f"cannot save {path}: values that are not finite in {_some(broken)}")
    Path(path).write_bytes(save(tensors, metadata={_KEY: json.dumps(metadata)}))


def load_checkpoint(path: Path | str, device: torch.device | str = "cpu") -> EmbeddingNetwork:
    """Read a checkpoint of ours.

    Args:
        path: a file that `save_checkpoint` wrote.
        device: where the network shall live.

    Returns:
        The network in evaluation mode, in float32, with what it expects as input.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not a checkpoint of ours, is damaged, or its tensors do not fit.
    """
    metadata, tensors = _read(Path(path))
    try:
        architecture = dict(metadata["architecture"])
        if metadata["format"] != _FORMAT or architecture.pop("name") != "mgn":
            raise ValueError(f"format {metadata['format']}, architecture {metadata['architecture']}")
        with torch.device("meta"):  # shapes only: nothing to initialise, nothing to allocate
            model = MGN(**architecture)
        height, width = (int(size) for size in metadata["input_size"])
        check_height(height)
        mean, std = _rgb(metadata["mean"]), _rgb(metadata["std"])
        if width < 1 or min(std) <= 0:
            raise ValueError(f"input width {width}, std {std}")
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path}: the checkpoint's metadata cannot be used: {error}") from error
    _check_fit(path, model.state_dict(), tensors)
    model.load_state_dict(tensors, assign=True)
    return EmbeddingNetwork(model.to(device).eval(), (height, width), mean, std, model.dim)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The metadata and the tensors (floating ones as float32) of a file."""
    if not path.exists():
        raise FileNotFoundError(f"no such checkpoint: {path}")
    if not path.is_file():
        raise ValueError(f"{path}: not a file")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: not a readable safetensors file: {error}") from error
    try:
        metadata = json.loads(header[_KEY])
    except (KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: a safetensors file, but without mot_reid's metadata") from error
    if not isinstance(metadata, dict):
        raise ValueError(f"{path}: mot_reid's metadata are not a JSON object")
    # Copies: what safetensors gives is mapped onto the file and would change with it under a running tracker.
    return metadata, {
        name: t.to(torch.float32, copy=True) if t.is_floating_point() else t.clone()
        for name, t in tensors.items()
    }


def _check_fit(path: Path | str, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    faults = {
        "missing": [name for name in expected if name not in found],
        "unexpected": [name for name in found if name not in expected],
        "misshaped": [
            f"{name} {tuple(found[name].shape)} for {tuple(expected[name].shape)}"
            for name in expected
            if name in found and found[name].shape != expected[name].shape
        ],
        "not finite": _not_finite(found),
    }
    if any(faults.values()):
        text = "; ".join(f"{kind}: {_some(names)}" for kind, names in faults.items() if names)
        raise ValueError(f"{path}: the tensors do not fit the architecture: {text}")


def _some(names: Sequence[str], count: int = 3) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def _not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    return [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]


def _stored(tensor: Tensor, half: bool) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.half() if half and tensor.is_floating_point() and tensor.ndim > 1 else tensor


def _rgb(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
