"""From a frame and boxes to appearance embeddings."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mot_reid.appearance.backends import CHECKPOINTS, Backend, load_backend
from mot_reid.appearance.base import Embedder
from mot_reid.appearance.crops import crop_batch
from mot_reid.concurrency import available_cores
from mot_reid.config import EmbedderConfig
from mot_reid.resources import EMBEDDERS, find_weights, weights_kind
from mot_reid.runtimes import Runtime, checked_runtime
from mot_reid.typing import Boxes, Embeddings, Image

__all__ = ["Embedder", "NetworkEmbedder"]

_FRAMES_AT_ONCE = 8  # on an accelerator


class NetworkEmbedder(Embedder):
    """Embeds crops with a checkpoint, ours or of a known project, or an ONNX export; one batch a frame.

    On a CPU people are cut out and resized by OpenCV. On an accelerator a checkpoint runs in torch,
    and the frames are uploaded as they are: everything happens there.

    Args:
        config: which weights, and how many crops at the most in one forward pass.
        device: such as ``cpu`` or ``cuda:0``.
        threads: of one pass on a CPU; 0 for one each core.

    Attributes:
        name: the weights, what runs them, and where.
        accelerated: whether it runs on an accelerator.
        frames_at_once: how many frames `embed_batch` takes best.
        calls_at_once: how many threads may call it at the same time.

    Raises:
        FileNotFoundError: there are no such weights.
        ValueError: the file does not fit the network, or the runtime cannot run it.
    """

    def __init__(self, config: EmbedderConfig | None = None, device: str = "cpu", threads: int = 0) -> None:
        self.config = config or EmbedderConfig()
        self.path: Path = find_weights(self.config.weights, (*CHECKPOINTS, ".onnx"), EMBEDDERS)
        runtime = checked_runtime(self.config.runtime, "embedder.runtime")
        self.accelerated = _runs_accelerated(self.path, device, runtime)
        if self.accelerated:
            from mot_reid.appearance.accelerator import AcceleratedNetwork

            self._network = AcceleratedNetwork(self.path, device, self.config.batch_size)
            name = self._network.name
        else:
            self._backend: Backend = load_backend(self.path, device, runtime, threads)
            name = self._backend.name
        self.name = f"{self.path.name} ({name})"
        self.frames_at_once = _FRAMES_AT_ONCE if self.accelerated else 1
        self.calls_at_once = 1 if self.accelerated else available_cores()

    def embed(self, frame: Image, xyxy: Boxes) -> Embeddings:
        """See `Embedder.embed`. More boxes than ``batch_size`` go through in several passes."""
        return self._embed([frame], [xyxy])

    def embed_batch(self, frames: Sequence[Image], xyxy: Sequence[Boxes]) -> list[Embeddings]:
        """See `Embedder.embed_batch`. One batch on the device, whatever frame the boxes are of."""
        counts = [len(boxes) for boxes in xyxy]
        if not sum(counts):
            return [np.zeros((0, 0), np.float32)] * len(counts)
        return np.split(self._embed(frames, xyxy), np.cumsum(counts)[:-1])

    def _embed(self, frames: Sequence[Image], xyxy: Sequence[Boxes]) -> Embeddings:
        if self.accelerated:
            return self._network(frames, xyxy)
        pairs = zip(frames, xyxy, strict=True)
        crops = [crop_batch(frame, boxes, self._backend.input_size) for frame, boxes in pairs]
        batch = crops[0] if len(crops) == 1 else np.concatenate(crops)
        step = self.config.batch_size
        parts = [self._backend(batch[start : start + step]) for start in range(0, len(batch), step)]
        embeddings = np.concatenate(parts)
        return embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)


def _runs_accelerated(path: Path, device: str, runtime: Runtime) -> bool:
    """Whether a checkpoint of ours runs in torch on an accelerator."""
    return (
        device != "cpu" and weights_kind(path) in ("pytorch", "safetensors") and runtime in ("auto", "torch")
    )
