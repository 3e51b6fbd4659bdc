"""A YOLO checkpoint as ONNX, checked against torch."""

from __future__ import annotations

import hashlib
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

from mot_reid.detection.decoding import Rows
from mot_reid.detection.onnx_yolo import OnnxYolo, Suppression
from mot_reid.detection.yolo import import_ultralytics, load_ultralytics
from mot_reid.extras import require
from mot_reid.files import atomic
from mot_reid.resources import ONNX_ORIGIN
from mot_reid.wording import counted

__all__ = ["export_detector"]

_OPSET = 17
_HALVED_FROM = 256
"""Arrays of at least so many numbers are stored in half precision."""
_LEAST_SCORE, _MOST_SCORE_APART = 0.05, 0.01
_MOST_PIXELS_APART = 0.5


def export_detector(weights: Path, path: Path) -> None:
    """Writes an Ultralytics detector as ONNX: ``(N, 3, H, W)`` float32 RGB in 0..1, H and W mod 32 = 0.

    Weights are stored in half precision, if the boxes are the same then, and computed with in single
    precision: ONNX Runtime converts them once, when it loads the file. The metadata are what Ultralytics
    writes, so it can run the file too, and the checkpoint's SHA-256. The file appears only after both have
    found the same boxes in a photograph, within 0.5 pixels and 0.01 in score.

    Args:
        weights: a ``.pt`` checkpoint.
        path: the file to write.

    Raises:
        ImportError: the package ``onnx`` is not installed.
        ValueError: Ultralytics cannot load the checkpoint, it is no plain detector, or the export finds other
            boxes.
        OSError: the file cannot be written.
    """
    onnx = require("onnx", "export")
    model = load_ultralytics(weights)
    if model.task != "detect":
        raise ValueError(f"{weights}: not a plain detector (task {model.task})")
    properties = {
        "names": str(dict(model.names)),
        "stride": str(int(model.model.stride.max())),
        "task": "detect",
        "batch": "1",
        "imgsz": "[640, 640]",
        "channels": "3",
        "end2end": str(bool(getattr(model.model.model[-1], "end2end", False))),
        "license": "AGPL-3.0 (https://ultralytics.com/license)",
        ONNX_ORIGIN: hashlib.sha256(weights.read_bytes()).hexdigest(),
    }
    with atomic(path) as part:
        _trace(model.model, part)
        graph = onnx.load(str(part))
        onnx.helper.set_model_props(graph, properties)
        halved = _halved(graph)
        onnx.save(halved, str(part))
        if _different_boxes(model, part):
            onnx.save(graph, str(part))
            different = _different_boxes(model, part)
            if different:
                raise ValueError(
                    f"{weights}: {counted(different, 'box')} of the export differ from the checkpoint's"
                )


def _trace(network: Any, path: Path) -> None:
    """Exports a ``DetectionModel``, normalisation folded into its convolutions."""
    import torch

    from mot_reid.detection.streamlined import streamline

    network = deepcopy(network).float().eval().fuse(verbose=False)
    streamline(network)
    head = network.model[-1]
    head.export, head.dynamic, head.format = True, True, "onnx"
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the exporter's advice to use another exporter
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, 64, 96),),
            str(path),
            dynamo=False,
            opset_version=_OPSET,
            input_names=["images"],
            output_names=["output0"],
            dynamic_axes={
                "images": {0: "batch", 2: "height", 3: "width"},
                "output0": {0: "batch", 2: "anchors"},
            },
        )


def _halved(graph: Any) -> Any:
    """A copy of an ONNX model with its large float32 constants in half precision, cast back where used."""
    from onnx import TensorProto, helper, numpy_helper

    halved = deepcopy(graph)
    casts = []
    for constant in halved.graph.initializer:
        if constant.data_type == TensorProto.FLOAT and np.prod(constant.dims) >= _HALVED_FROM:
            name, values = constant.name, numpy_helper.to_array(constant)
            constant.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [constant.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *halved.graph.node]
    del halved.graph.node[:]
    halved.graph.node.extend(nodes)
    return halved


def _different_boxes(model: Any, exported: Path) -> int:
    """How many boxes only torch or only ONNX Runtime finds in Ultralytics' photograph, before suppression."""
    import cv2

    photograph = Path(import_ultralytics().__path__[0]) / "assets" / "bus.jpg"
    frame = np.asarray(cv2.imdecode(np.fromfile(photograph, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    onnx = OnnxYolo(exported)
    everything = Suppression(score=_LEAST_SCORE, iou=1.0, classes=None, most=30_000)
    different = 0
    for size in (320, 640):
        result = model.predict(
            frame, imgsz=size, conf=_LEAST_SCORE, iou=1.0, max_det=30_000, device="cpu", verbose=False
        )
        theirs = np.asarray(result[0].boxes.data.cpu().numpy(), np.float32)
        (ours,) = onnx([frame], size, everything)
        different += max(_unmatched(theirs, ours), _unmatched(ours, theirs))
    return different


def _unmatched(a: Rows, b: Rows) -> int:
    """How many rows of ``a``, but for the weakest, have no like in ``b``."""
    sure = a[a[:, 4] > _LEAST_SCORE + _MOST_SCORE_APART]
    if not (len(sure) and len(b)):
        return len(sure)
    apart = np.abs(sure[:, None] - b[None])
    like = (apart[..., :4].max(axis=2) <= _MOST_PIXELS_APART) & (apart[..., 4] <= _MOST_SCORE_APART)
    return int((~(like & (apart[..., 5] == 0)).any(axis=1)).sum())
