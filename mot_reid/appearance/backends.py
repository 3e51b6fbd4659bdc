"""What runs an embedding network: torch for checkpoints, ONNX Runtime or OpenVINO for exports."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mot_reid.appearance.crops import IMAGENET_MEAN, IMAGENET_STD, normalised
from mot_reid.devices import exclusive
from mot_reid.extras import installed
from mot_reid.resources import weights_kind
from mot_reid.runtimes import Runtime, onnx_file
from mot_reid.sessions import name_of, open_session
from mot_reid.typing import Crops, Embeddings

if TYPE_CHECKING:
    from mot_reid.appearance.network import EmbeddingNetwork

__all__ = [
    "CHECKPOINTS",
    "Backend",
    "OnnxBackend",
    "TorchBackend",
    "load_backend",
    "normalisation",
]

CHECKPOINTS = (".safetensors", ".pth", ".pt", ".tar")
"""How the names of checkpoints end."""


class Backend(Protocol):
    """Runs a network on a batch of crops.

    Attributes:
        name: what runs it and where, for reports.
        input_size: height and width of the crops, pixels.
    """

    name: str
    input_size: tuple[int, int]

    def __call__(self, crops: Crops) -> Embeddings:
        """Embeddings ``(N, D)``, not normalised, of crops ``(N, height, width, 3)`` uint8 BGR."""
        ...


def load_backend(path: Path, device: str, runtime: Runtime = "auto", threads: int = 0) -> Backend:
    """The backend for a file.

    Args:
        path: a checkpoint, ours or of a project in `mot_reid.appearance.layouts`, or an ``.onnx`` export.
        device: such as ``cpu`` or ``cuda:0``.
        runtime: ``torch``, ``onnxruntime`` or ``openvino``; ``auto`` takes ONNX Runtime, which is much the
            faster on a CPU, for exports, and on a CPU also for a checkpoint with its export beside it.
        threads: of one pass on a CPU, of an export; 0 for one each core.

    Raises:
        ValueError: the file is not what its name says, its tensors do not fit the network, or the runtime
            cannot run it.
    """
    if weights_kind(path) == "other":
        raise ValueError(
            f"{path}: not an embedder; expected a checkpoint ({', '.join(CHECKPOINTS)}) or an .onnx export"
        )
    onnx = onnx_file(path, device, runtime, "embedder.runtime")
    if onnx is not None:
        return OnnxBackend(onnx, device, threads, runtime == "openvino")
    if not installed("torch"):
        raise ImportError(
            f"{path}: no export of it for ONNX Runtime, and torch is not installed: pip install "
            "'mot_reid[torch]', or put beside it what `mot-reid export` makes where torch is",
            name="torch",
        )
    return TorchBackend(path, device)


class TorchBackend:
    """Runs a checkpoint, or a network read from one, in torch on crops; half precision on CUDA.

    On an accelerator `mot_reid.appearance.accelerator` does it with less traffic.
    """

    def __init__(self, source: "Path | EmbeddingNetwork", device: str) -> None:
        import torch

        from mot_reid.appearance.checkpoints import load_checkpoint

        network = load_checkpoint(source, device) if isinstance(source, Path) else source
        self.name = f"torch {device}"
        self.input_size = network.input_size
        self._device, self._turn = torch.device(device), exclusive(device)
        self._dtype = torch.float16 if self._device.type == "cuda" else torch.float32
        self._module = network.module.to(self._device, self._dtype).to(memory_format=torch.channels_last)
        self._mean = torch.tensor(network.mean, device=device)[:, None, None] * 255
        self._std = torch.tensor(network.std, device=device)[:, None, None] * 255

    def __call__(self, crops: Crops) -> Embeddings:
        """See `Backend`. The crops travel as uint8; all arithmetic is done on the device, batch-wise."""
        import torch

        with torch.inference_mode(), self._turn:
            batch = torch.from_numpy(crops).to(self._device)
            images = batch.permute(0, 3, 1, 2).flip(1).float()  # BGR to RGB
            images = images.sub_(self._mean).div_(self._std).to(self._dtype)
            embeddings = self._module(images.contiguous(memory_format=torch.channels_last))
            return np.asarray(embeddings.float().cpu().numpy(), np.float32)


class OnnxBackend:
    """Runs an export in ONNX Runtime, on the CPU, or on CUDA where the ONNX Runtime installed can do that.

    The network takes ``(N, 3, height, width)`` float32 RGB with ImageNet's mean and deviation, unless the
    file's metadata name other ones as JSON lists ``mean`` and ``std``. Where N is fixed
    to 1, crops go through one after the other.

    Args:
        path: the export.
        device: such as ``cpu`` or ``cuda:0``.
        threads: of one pass on the CPU; 0 for one each core.
        openvino: whether OpenVINO computes, on the CPU.
    """

    def __init__(self, path: Path, device: str = "cpu", threads: int = 0, openvino: bool = False) -> None:
        self._session = open_session(path, device, threads, openvino)
        self.name = name_of(self._session, device)
        entry = self._session.get_inputs()[0]
        shape = entry.shape
        if len(shape) != 4 or shape[1] != 3 or not all(isinstance(side, int) for side in shape[2:]):
            raise ValueError(
                f"{path}: not an embedder; expected an input (N, 3, height, width) of fixed size, got {shape}"
            )
        self._input = entry.name
        self._one_by_one = shape[0] == 1
        self.input_size = (shape[2], shape[3])
        try:
            self._mean, self._std = normalisation(self._session)
            trial = self(np.zeros((2, *self.input_size, 3), np.uint8))
        except Exception as error:  # bad metadata, or whatever the session raises
            raise ValueError(
                f"{path}: cannot embed two crops: {' '.join(str(error).split())[:200]}"
            ) from None
        if trial.ndim != 2 or len(trial) != 2:
            raise ValueError(f"{path}: expected an output (N, D), got {trial.shape} for two crops")

    def __call__(self, crops: Crops) -> Embeddings:
        """See `Backend`."""
        images = normalised(crops, self._mean, self._std)
        parts = np.split(images, len(images)) if self._one_by_one else [images]
        return np.concatenate(
            [self._session.run(None, {self._input: part})[0] for part in parts], dtype=np.float32
        )


def normalisation(session: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation ``(3,)`` each, RGB in 0..1, that an export expects: its metadata's, or ImageNet's.

    Raises:
        ValueError: the metadata hold something else.
    """
    metadata = session.get_modelmeta().custom_metadata_map
    return _channels(metadata.get("mean"), IMAGENET_MEAN), _channels(metadata.get("std"), IMAGENET_STD)


def _channels(metadata: str | None, default: tuple[float, ...]) -> tuple[float, ...]:
    """Three numbers that an export's metadata hold as a JSON list."""
    values = default if metadata is None else tuple(float(value) for value in json.loads(metadata))
    if len(values) != 3 or not np.isfinite(values).all():
        raise ValueError(f"mean and std: expected three numbers each, got {metadata}")
    return values
