"""A checkpoint as ONNX, for ONNX Runtime and whatever else reads it, or a foreign one as ours."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path

import numpy as np
import torch

from mot_reid.appearance.backends import OnnxBackend, TorchBackend
from mot_reid.appearance.checkpoints import load_checkpoint, save_checkpoint
from mot_reid.appearance.layouts import Untold
from mot_reid.appearance.mgn import MGN
from mot_reid.appearance.network import EmbeddingNetwork
from mot_reid.appearance.osnet import OSNet
from mot_reid.appearance.wide import widened
from mot_reid.extras import require
from mot_reid.files import atomic
from mot_reid.resources import ONNX_ORIGIN

__all__ = ["export_onnx", "export_safetensors"]

_OPSET = 17
_LEAST_COSINE = 1 - 1e-4


def export_safetensors(checkpoint: Path, path: Path, untold: Untold | None = None) -> None:
    """Writes a foreign checkpoint as one of ours, which tells what the foreign file does not, in float16.

    Args:
        checkpoint: a file that `load_checkpoint` reads.
        path: the file to write; it appears only when it is whole.
        untold: what the checkpoint does not tell.

    Raises:
        FileNotFoundError: there is no such checkpoint.
        ValueError: the file cannot be read, or float16 cannot hold its weights.
        OSError: the file cannot be written.
    """
    network = load_checkpoint(checkpoint, untold=untold)
    assert isinstance(network.module, MGN | OSNet)
    with atomic(path) as part:
        save_checkpoint(
            part, network.module, input_size=network.input_size, mean=network.mean, std=network.std
        )


def export_onnx(checkpoint: Path, path: Path, untold: Untold | None = None) -> None:
    """Writes an embedding network as ONNX: ``(N, 3, h, w)`` float32 RGB in, ``(N, D)`` out, any N.

    Mean and deviation stand in the file's metadata, and so does the checkpoint's SHA-256 unless the export
    depends on ``untold``. The file appears only after ONNX Runtime has given the embeddings that torch gives,
    within 1e-4 in cosine.

    Args:
        checkpoint: a file that `load_checkpoint` reads.
        path: the file to write.
        untold: what the checkpoint does not tell.

    Raises:
        FileNotFoundError: there is no such checkpoint.
        ImportError: the package ``onnx`` is not installed.
        ValueError: the checkpoint cannot be read, or the export gives other embeddings.
        OSError: the file cannot be written.
    """
    onnx = require("onnx", "export")
    network = load_checkpoint(checkpoint, untold=untold)
    height, width = network.input_size
    with atomic(path) as part:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's advice to use another exporter
            torch.onnx.export(
                widened(network.module),
                (torch.zeros(2, 3, height, width),),
                str(part),
                dynamo=False,
                opset_version=_OPSET,
                input_names=["images"],
                output_names=["embeddings"],
                dynamic_axes={"images": {0: "n"}, "embeddings": {0: "n"}},
            )
        # Shapes tell ONNX Runtime which maps are alike, so that it can add one to another in a convolution.
        model = onnx.shape_inference.infer_shapes(onnx.load(str(part)), data_prop=True)
        properties = {"mean": json.dumps(network.mean), "std": json.dumps(network.std)}
        if not (untold and any(untold)):
            properties[ONNX_ORIGIN] = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
        onnx.helper.set_model_props(model, properties)
        onnx.save(model, str(part))
        _require_equal(network, part)


def _require_equal(network: EmbeddingNetwork, exported: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (5, *network.input_size, 3), dtype=np.uint8)
    theirs, ours = OnnxBackend(exported)(crops), TorchBackend(network, "cpu")(crops)
    lengths = np.linalg.norm(theirs, axis=1) * np.linalg.norm(ours, axis=1)
    least = float(((theirs * ours).sum(axis=1) / lengths).min())
    if not least >= _LEAST_COSINE:
        raise ValueError(f"the export gives other embeddings, cosine {least:.6f}")
