"""RTMDet in torch, for accelerators: frames of one shape in one batch, in half precision on CUDA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mot_reid.detection.decoding import Rows, suppress
from mot_reid.detection.letterbox import Letterbox
from mot_reid.detection.onnx_rtmdet import MEAN, STRIDES, rows_of
from mot_reid.detection.rtmdet import STD
from mot_reid.detection.rtmdet_weights import load_rtmdet
from mot_reid.devices import exclusive
from mot_reid.typing import Image

__all__ = ["TorchRtmDet"]


class TorchRtmDet:
    """Runs a checkpoint of ours.

    Args:
        path: a ``.safetensors`` file.
        device: such as ``cpu`` or ``cuda:0``.

    Attributes:
        name: what runs it and where, for reports.
        class_names: the name of each class number.

    Raises:
        ValueError: it is no detector of ours.
    """

    calls_at_once = 1

    def __init__(self, path: Path, device: str) -> None:
        self.name = f"torch {device}"
        self.class_names: Mapping[int, str] = {0: "person"}
        self._device, self._turn = torch.device(device), exclusive(device)
        self._type = torch.float16 if self._device.type == "cuda" else torch.float32
        self._network = load_rtmdet(path).to(self._device, self._type)
        self._deviation = torch.tensor(STD, device=self._device, dtype=self._type).view(1, 3, 1, 1)

    def __call__(self, frames: Sequence[Image], size: int, keep: Any) -> list[Rows]:
        """See `mot_reid.detection.onnx_yolo.OnnxYolo.__call__`."""
        return [
            rows
            for (height, width), alike in groupby(frames, lambda frame: frame.shape[:2])
            for rows in self._detect(
                list(alike), Letterbox.fit((height, width), (size, size), STRIDES[-1]), keep
            )
        ]

    def _detect(self, frames: Sequence[Image], fitted: Letterbox, keep: Any) -> list[Rows]:
        blob = np.concatenate([fitted.centred_blob(frame, MEAN) for frame in frames])
        with self._turn, torch.inference_mode():
            pixels = torch.from_numpy(blob).to(self._device, self._type) / self._deviation
            maps = self._network(pixels)
            said = torch.cat((maps.distances, maps.logits), 1).float().cpu().numpy()
        found = []
        for output in said:
            rows = suppress(rows_of(output, fitted.size, keep.score, keep.classes), keep.iou, keep.most)
            rows[:, :4] = fitted.boxes(rows[:, :4])
            found.append(rows)
        return found
