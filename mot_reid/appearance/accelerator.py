"""Embedding on an accelerator: frames go up once as they are, and embeddings come down once.

Cutting out, resizing, normalising, the network and the norm are one computation on the device, in half
precision on CUDA. Batches are filled up to a few sizes; on CUDA the computation for each is recorded once as
a graph and then replayed, which spares launching its hundreds of kernels one by one.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mot_reid.appearance.checkpoints import load_checkpoint
from mot_reid.appearance.crops import pixel_bounds
from mot_reid.appearance.sampling import sample_crops
from mot_reid.devices import exclusive
from mot_reid.typing import Boxes, Embeddings, Image

__all__ = ["AcceleratedNetwork"]

_SMALLEST_BATCH = 8
_FRAME_SIZES = 4  # for which room and graphs are kept: sources of other sizes take turns

_log = logging.getLogger(__name__)


class AcceleratedNetwork:
    """A checkpoint that embeds boxes of frames, on any torch device but made for accelerators.

    Args:
        path: the checkpoint.
        device: such as ``cuda:0``.
        batch_size: most boxes in one pass.

    Attributes:
        name: what runs it and where, for reports.

    Raises:
        ValueError: the checkpoint does not fit.
    """

    def __init__(self, path: Path, device: str, batch_size: int = 64) -> None:
        network = load_checkpoint(path, device)
        self.name = f"torch {device}"
        self._size = network.input_size
        self._device = torch.device(device)
        self._dtype = torch.float16 if self._device.type == "cuda" else torch.float32
        self._module = network.module.to(self._dtype).to(memory_format=torch.channels_last)
        self._mean = torch.tensor(network.mean, device=device) * 255
        self._std = torch.tensor(network.std, device=device) * 255
        self._batch_size = batch_size
        self._workspaces: dict[tuple[int, ...], _Workspace] = {}
        self._turn = exclusive(device)
        self._graphs_work = self._device.type == "cuda"

    def __call__(self, frames: Sequence[Image], xyxy: Sequence[Boxes]) -> Embeddings:
        """Embeds all boxes of all frames.

        Args:
            frames: ``(H, W, 3)`` uint8 BGR each, all of one size.
            xyxy: boxes ``(N, 4)`` of each frame, pixels; at least one altogether.

        Returns:
            ``(sum of N, D)`` float32, L2-normalised, frame after frame.
        """
        height, width = frames[0].shape[:2]
        bounds = np.concatenate([pixel_bounds(boxes, width, height) for boxes in xyxy])
        frame_of = np.repeat(np.arange(len(frames)), [len(boxes) for boxes in xyxy])
        places = torch.from_numpy(np.column_stack([bounds, frame_of]))
        with torch.inference_mode(), self._turn:
            workspace = self._workspace(len(frames), frames[0].shape)
            for place, frame in zip(workspace.frames, frames, strict=False):
                usable = np.require(frame, requirements=["C", "W"])  # torch takes no flipped view
                place.copy_(torch.from_numpy(usable))
            parts = [self._embed(workspace, part) for part in torch.split(places, self._batch_size)]
            return np.asarray(torch.cat(parts).cpu().numpy(), np.float32)

    def _workspace(self, count: int, shape: tuple[int, ...]) -> "_Workspace":
        """Where the frames go; graphs expect them there, so it stays as long as they fit."""
        workspace = self._workspaces.get(shape)
        if workspace is None or len(workspace.frames) < count:
            self._workspaces.pop(shape, None)
            while len(self._workspaces) >= _FRAME_SIZES:
                del self._workspaces[next(iter(self._workspaces))]
            frames = torch.zeros((count, *shape), dtype=torch.uint8, device=self._device)
            workspace = self._workspaces[shape] = _Workspace(frames)
        return workspace

    def _embed(self, workspace: "_Workspace", places: Tensor) -> Tensor:
        """Embeds ``(N, 5)`` places: bounds, and which frame they are in."""
        count = len(places)
        padded = _padded(places, min(_batch_of(count), self._batch_size)).to(self._device)
        if self._graphs_work:
            try:
                if len(padded) not in workspace.graphs:
                    workspace.graphs[len(padded)] = _Graph(self.compute, workspace.frames, padded)
                return workspace.graphs[len(padded)](padded)[:count].clone()
            except RuntimeError as error:  # the results are the same without
                _log.warning("CUDA graphs cannot be used: %s", str(error).splitlines()[0])
                self._graphs_work = False
        return self.compute(workspace.frames, padded)[:count]

    def compute(self, frames: Tensor, places: Tensor) -> Tensor:
        """From frames ``(F, H, W, 3)`` and places ``(N, 5)`` on the device to embeddings ``(N, D)``."""
        crops = sample_crops(frames, places[:, :4], places[:, 4], self._size)
        images = ((crops.flip(3) - self._mean) / self._std).permute(0, 3, 1, 2)  # BGR to RGB, planes first
        images = images.to(self._dtype).contiguous(memory_format=torch.channels_last)
        return torch.nn.functional.normalize(self._module(images).float(), dim=1)


@dataclass
class _Workspace:
    """Room for frames of one size on the device, and what is recorded for them by size of batch."""

    frames: Tensor
    graphs: "dict[int, _Graph]" = field(default_factory=dict)


class _Graph:
    """The computation for one size of batch, recorded; PyTorch's own recipe for whole-network capture."""

    def __init__(self, compute: Callable[[Tensor, Tensor], Tensor], frames: Tensor, places: Tensor) -> None:
        self._places = places.clone()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(places.device):
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(3):  # kernels are chosen and memory is taken in the first runs
                    compute(frames, self._places)
            torch.cuda.current_stream().wait_stream(stream)
            # Another thread may be at work on the device, detecting.
            # By default all graphs of a process are recorded on the device of the first.
            with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
                self._embeddings = compute(frames, self._places)

    def __call__(self, places: Tensor) -> Tensor:
        self._places.copy_(places)
        self._graph.replay()
        return self._embeddings


def _batch_of(count: int) -> int:
    """The size that a batch is filled up to: the next power of two, 8 at the least."""
    return max(_SMALLEST_BATCH, 1 << (count - 1).bit_length())


def _padded(places: Tensor, count: int) -> Tensor:
    """``(count, 5)`` places, the last one repeated."""
    return torch.cat([places, places[-1:].expand(count - len(places), -1)])
