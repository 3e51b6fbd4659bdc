"""RTMDet as ONNX for a CPU, checked against torch."""

from __future__ import annotations

import hashlib
import warnings
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mot_reid.detection.onnx_rtmdet import ARCHITECTURE
from mot_reid.detection.rtmdet import STD, RtmDet
from mot_reid.detection.rtmdet_weights import load_rtmdet
from mot_reid.extras import require
from mot_reid.files import atomic
from mot_reid.resources import ONNX_ORIGIN
from mot_reid.sessions import open_session

__all__ = ["export_rtmdet"]

_OPSET = 17
_MOST_APART = 1e-4
_CHECKED = ((64, 96), (320, 416))  # height and width of the pictures it is checked on
LICENCE = "Apache-2.0"


class _Lean(nn.Module):
    """The network as a CPU runs it: the deviation of the pixels is folded in, all is said in one array."""

    def __init__(self, network: RtmDet) -> None:
        super().__init__()
        self.network = deepcopy(network).float().cpu().eval()
        first = next(module for module in self.network.modules() if isinstance(module, nn.Conv2d))
        first.weight.data /= torch.tensor(STD).view(1, 3, 1, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Map BGR pixels less the mean (N, 3, H, W) to distances and logits (N, 4 + classes, A)."""
        maps = self.network(pictures)
        return torch.cat((maps.distances, maps.logits), 1)


def export_rtmdet(weights: Path, path: Path) -> None:
    """Writes a detector of ours as ONNX: ``(N, 3, H, W)`` float32 BGR less the mean, H and W mod 32 = 0.

    What comes out and how it is read says `mot_reid.detection.onnx_rtmdet.rows_of`; suppression is outside.
    The metadata name the architecture, the licence and the checkpoint's SHA-256. The file appears only when
    ONNX Runtime gives what torch gives, within 1e-4 in scores and in boxes, these as shares of the input's
    longer side.

    Args:
        weights: a ``.safetensors`` file by `mot_reid.detection.rtmdet_weights.save_rtmdet`.
        path: the file to write.

    Raises:
        ImportError: the package ``onnx`` is not installed.
        ValueError: the file is no detector of ours, or the export gives something else.
        OSError: the file cannot be written.
    """
    onnx = require("onnx", "export")
    network = load_rtmdet(weights)
    properties = {
        "architecture": ARCHITECTURE,
        "names": str({0: "person"}),
        "task": "detect",
        "stride": "32",
        "license": LICENCE,
        ONNX_ORIGIN: hashlib.sha256(weights.read_bytes()).hexdigest(),
    }
    lean = _Lean(network)
    with atomic(path) as part:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # the exporter's advice to use another exporter
            torch.onnx.export(
                lean,
                (torch.zeros(2, 3, 64, 96),),
                str(part),
                dynamo=False,
                opset_version=_OPSET,
                input_names=["images"],
                output_names=["output0"],
                dynamic_axes={
                    "images": {0: "batch", 2: "height", 3: "width"},
                    "output0": {0: "batch", 2: "places"},
                },
            )
        graph = onnx.load(str(part))
        onnx.helper.set_model_props(graph, properties)
        onnx.save(graph, str(part))
        _check(network, part, weights)


def _check(network: RtmDet, exported: Path, weights: Path) -> None:
    session = open_session(exported, threads=1)
    rng = np.random.default_rng(0)
    deviation = torch.tensor(STD).view(1, 3, 1, 1)
    for height, width in _CHECKED:
        pixels = rng.uniform(-120, 140, (1, 3, height, width)).astype(np.float32)
        found = torch.from_numpy(session.run(None, {"images": pixels})[0])
        with torch.inference_mode():
            maps = network(torch.from_numpy(pixels) / deviation)
        boxes = float((found[:, :4] - maps.distances).abs().max()) / max(height, width)
        scores = float((found[:, 4:].sigmoid() - maps.logits.sigmoid()).abs().max())
        if not (boxes <= _MOST_APART and scores <= _MOST_APART):  # nor where they are no numbers
            raise ValueError(
                f"{weights}: the export's scores are {scores:.2g} off, its boxes {boxes:.2g} of the picture"
            )
