"""What runs an embedding network: torch for checkpoints, ONNX Runtime for exports."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mot_reid.appearance.network import EmbeddingNetwork

__all__ = [
    "CHECKPOINTS",
    "ONNX_ORIGIN",
    "RUNTIMES",
    "Backend",
    "OnnxBackend",
    "Runtime",
    "TorchBackend",
    "load_backend",
]

Runtime = Literal["auto", "torch", "onnxruntime"]
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)

CHECKPOINTS = (".safetensors", ".pth", ".pt", ".tar")
"""How the names of checkpoints end."""

ONNX_ORIGIN = "checkpoint_sha256"
"""The entry of an export's metadata that names the checkpoint's content."""

# Mean and deviation of ImageNet's pictures, RGB in 0..1, which exports of ReID networks expect by custom.
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class Backend(Protocol):
    """Runs a network on a batch of crops.

    Attributes:
        name: what runs it and where, for reports.
        input_size: height and width of the crops, pixels.
    """

    name: str
    input_size: tuple[int, int]

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings ``(N, D)``, not normalised, of crops ``(N, height, width, 3)`` uint8 BGR."""
        ...


def load_backend(path: Path, device: str, runtime: Runtime = "auto") -> Backend:
    """The backend for a file.

    Args:
        path: a checkpoint, ours or of a project in `mot_reid.appearance.layouts`, or an ``.onnx`` export.
        device: such as ``cpu`` or ``cuda:0``.
        runtime: ``torch`` or ``onnxruntime``; ``auto`` takes ONNX Runtime, which is much the faster on a
            CPU, for exports, and on a CPU also for a checkpoint with its export beside it.

    Raises:
        ValueError: the file is not what its name says, its tensors do not fit the network, or the runtime
            cannot run it.
    """
    if path.suffix not in (".onnx", *CHECKPOINTS):
        raise ValueError(
            f"{path}: not an embedder; expected a checkpoint ({', '.join(CHECKPOINTS)}) or an .onnx export"
        )
    if path.suffix == ".onnx":
        if runtime == "torch":
            raise ValueError(f"{path}: torch cannot run an ONNX export; use embedder.runtime auto")
        return OnnxBackend(path)
    export = None if runtime == "torch" else _export_of(path)
    if runtime == "onnxruntime" and export is None:
        raise ValueError(
            f"{path}: no export of exactly this checkpoint at {path.with_suffix('.onnx')}; "
            f"`mot-reid export {path}` makes it"
        )
    if export is not None and (device == "cpu" or runtime == "onnxruntime"):
        return OnnxBackend(export)
    return TorchBackend(path, device)


def _export_of(checkpoint: Path) -> Path | None:
    """The export beside a checkpoint, if it was made from exactly these weights."""
    path = checkpoint.with_suffix(".onnx")
    if not (path.is_file() and checkpoint.is_file()):
        return None
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest().encode()
    return path if digest in path.read_bytes() else None  # a metadata string, stored as it is


class TorchBackend:
    """Runs a checkpoint, or a network read from one, in torch; half precision on CUDA."""

    def __init__(self, source: "Path | EmbeddingNetwork", device: str) -> None:
        import torch

        from mot_reid.appearance.checkpoints import load_checkpoint

        network = load_checkpoint(source, device) if isinstance(source, Path) else source
        self.name = f"torch {device}"
        self.input_size = network.input_size
        self._device = torch.device(device)
        self._dtype = torch.float16 if self._device.type == "cuda" else torch.float32
        self._module = network.module.to(self._device, self._dtype).to(memory_format=torch.channels_last)
        self._mean = torch.tensor(network.mean, device=device)[:, None, None] * 255
        self._std = torch.tensor(network.std, device=device)[:, None, None] * 255

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Backend`. The crops travel as uint8; all arithmetic is done on the device, batch-wise."""
        import torch

        with torch.inference_mode():
            batch = torch.from_numpy(crops).to(self._device)
            images = batch.permute(0, 3, 1, 2).flip(1).float()  # BGR to RGB
            images = images.sub_(self._mean).div_(self._std).to(self._dtype)
            embeddings = self._module(images.contiguous(memory_format=torch.channels_last))
            return np.asarray(embeddings.float().cpu().numpy(), np.float32)


class OnnxBackend:
    """Runs an export in ONNX Runtime on the CPU.

    The network takes ``(N, 3, height, width)`` float32 RGB with ImageNet's mean and deviation, unless the
    file's metadata name other ones as JSON lists ``mean`` and ``std``.
    """

    name = "onnxruntime cpu"

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only; they come as exceptions
        try:
            self._session: Any = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions have no common base that it exports
            raise ValueError(f"{path}: ONNX Runtime cannot load it: {' '.join(str(error).split())}") from None
        entry = self._session.get_inputs()[0]
        shape = entry.shape
        if len(shape) != 4 or shape[1] != 3 or not all(isinstance(side, int) for side in shape[2:]):
            raise ValueError(f"{path}: expected an input (N, 3, height, width) of fixed size, got {shape}")
        self._input = entry.name
        self.input_size = (shape[2], shape[3])
        metadata = self._session.get_modelmeta().custom_metadata_map
        try:
            mean = json.loads(metadata["mean"]) if "mean" in metadata else _IMAGENET_MEAN
            std = json.loads(metadata["std"]) if "std" in metadata else _IMAGENET_STD
            self._mean = np.array(mean, np.float32).reshape(3, 1, 1) * 255
            self._std = np.array(std, np.float32).reshape(3, 1, 1) * 255
            trial = self(np.zeros((2, *self.input_size, 3), np.uint8))
        except Exception as error:  # bad metadata, or whatever the session raises
            raise ValueError(
                f"{path}: cannot embed two crops: {' '.join(str(error).split())[:200]}"
            ) from None
        if trial.ndim != 2 or len(trial) != 2:
            raise ValueError(f"{path}: expected an output (N, D), got {trial.shape} for two crops")

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Backend`."""
        images = crops[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
        images -= self._mean
        images /= self._std
        return np.asarray(self._session.run(None, {self._input: images})[0], np.float32)
