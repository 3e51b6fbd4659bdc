"""From a frame and boxes to appearance embeddings."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mot_reid.appearance.backends import CHECKPOINTS, RUNTIMES, load_backend
from mot_reid.appearance.crops import crop_batch
from mot_reid.config import EmbedderConfig
from mot_reid.resources import find_weights

__all__ = ["Embedder", "NetworkEmbedder"]


class Embedder(Protocol):
    """Turns the people in a frame into appearance embeddings. Bring your own by having this method."""

    def embed(self, frame: NDArray[np.uint8], xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeds all boxes of a frame at once.

        Args:
            frame: ``(H, W, 3)`` uint8 BGR.
            xyxy: boxes ``(N, 4)`` float32 in pixels, N > 0.

        Returns:
            ``(N, D)`` float32, L2-normalised.
        """
        ...


class NetworkEmbedder:
    """Embeds crops with a checkpoint, ours or of a known project, or an ONNX export; one batch a frame.

    Args:
        config: which weights, and how many crops at the most in one forward pass.
        device: such as ``cpu`` or ``cuda:0``.

    Raises:
        FileNotFoundError: there are no such weights.
        ValueError: the file does not fit the network, or the runtime cannot run it.
    """

    def __init__(self, config: EmbedderConfig | None = None, device: str = "cpu") -> None:
        self.config = config or EmbedderConfig()
        self.path: Path = find_weights(self.config.weights, (*CHECKPOINTS, ".onnx"))
        runtime = next((known for known in RUNTIMES if known == self.config.runtime), None)
        if runtime is None:
            raise ValueError(
                f"embedder.runtime {self.config.runtime!r} is not known; known: {', '.join(RUNTIMES)}"
            )
        self._backend = load_backend(self.path, device, runtime)
        self.name = f"{self.path.name} ({self._backend.name})"

    def embed(self, frame: NDArray[np.uint8], xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Embedder.embed`. More boxes than ``batch_size`` go through in several passes."""
        crops = crop_batch(frame, xyxy, self._backend.input_size)
        step = self.config.batch_size
        parts = [self._backend(crops[start : start + step]) for start in range(0, len(crops), step)]
        embeddings = np.concatenate(parts)
        return embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
