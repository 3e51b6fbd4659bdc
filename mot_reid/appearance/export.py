"""A checkpoint of ours as ONNX, for ONNX Runtime and whatever else reads it."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from pathlib import Path

import numpy as np
import torch

from mot_reid.appearance.backends import OnnxBackend, TorchBackend
from mot_reid.appearance.checkpoints import load_checkpoint
from mot_reid.resources import ONNX_ORIGIN

__all__ = ["export_onnx"]

_OPSET = 17
_LEAST_COSINE = 1 - 1e-4


def export_onnx(checkpoint: Path, path: Path) -> None:
    """Writes an embedding network as ONNX: ``(N, 3, h, w)`` float32 RGB in, ``(N, D)`` out, any N.

    Mean, deviation and the checkpoint's SHA-256 stand in the file's metadata. The file appears only after
    ONNX Runtime has given the embeddings that torch gives, within 1e-4 in cosine.

    Args:
        checkpoint: a safetensors file of ours.
        path: the file to write.

    Raises:
        FileNotFoundError: there is no such checkpoint.
        ImportError: the package ``onnx`` is not installed.
        ValueError: the file is not a checkpoint of ours, or the export gives other embeddings.
        OSError: the file cannot be written.
    """
    try:
        import onnx
    except ImportError:
        raise ImportError("export needs the package onnx: pip install 'mot_reid[train]'") from None
    network = load_checkpoint(checkpoint)
    height, width = network.input_size
    partial = path.with_name(f"{path.stem}.partial.onnx")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's advice to use another exporter
            torch.onnx.export(
                network.module,
                (torch.zeros(2, 3, height, width),),
                str(partial),
                dynamo=False,
                opset_version=_OPSET,
                input_names=["images"],
                output_names=["embeddings"],
                dynamic_axes={"images": {0: "n"}, "embeddings": {0: "n"}},
            )
        model = onnx.load(str(partial))
        properties = {
            "mean": json.dumps(network.mean),
            "std": json.dumps(network.std),
            ONNX_ORIGIN: hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        }
        onnx.helper.set_model_props(model, properties)
        onnx.save(model, str(partial))
        _require_equal(checkpoint, partial, network.input_size)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _require_equal(checkpoint: Path, exported: Path, size: tuple[int, int]) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (5, *size, 3), dtype=np.uint8)
    theirs, ours = OnnxBackend(exported)(crops), TorchBackend(checkpoint, "cpu")(crops)
    lengths = np.linalg.norm(theirs, axis=1) * np.linalg.norm(ours, axis=1)
    least = float(((theirs * ours).sum(axis=1) / lengths).min())
    if not least >= _LEAST_COSINE:
        raise ValueError(f"{checkpoint}: the export gives other embeddings, cosine {least:.6f}")
