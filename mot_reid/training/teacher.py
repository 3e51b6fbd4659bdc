"""What a larger embedder, given as an ONNX file, says about the training crops: targets for distillation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mot_reid.appearance.checkpoints import IMAGENET_MEAN, IMAGENET_STD
from mot_reid.training.reid_data import normalise, read_market1501


def teacher_embeddings(path: Path | str, data: Path | str) -> NDArray[np.float32]:
    """Embed a folder of crops by a teacher.

    Args:
        path: an ONNX file with one input (1 or any, 3, H, W), RGB with ImageNet's mean and deviation, and one
            output, the embedding.
        data: the folder of crops (see `read_market1501`).

    Returns:
        (N, D) L2-normalised, in the order of the crops' names.

    Raises:
        FileNotFoundError: if a path is missing.
        ValueError: if onnxruntime cannot read the file, or it takes no pictures.
    """
    import onnxruntime

    if not Path(path).is_file():
        raise FileNotFoundError(f"no such teacher: {path}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no other base
        raise ValueError(f"{path}: onnxruntime cannot read it: {str(error)[:200]}") from error
    source = session.get_inputs()[0]
    if len(source.shape) != 4 or not all(isinstance(size, int) for size in source.shape[1:]):
        raise ValueError(f"{path}: expected an input (N, 3, H, W) of fixed size; got {source.shape}")
    images = read_market1501(data, tuple(source.shape[2:])).images
    rows: list[NDArray[np.float32]] = []
    for image in images:  # one by one: exports often fix the batch
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        values = normalise(pixels, IMAGENET_MEAN, IMAGENET_STD).contiguous().numpy()
        rows.append(session.run(None, {source.name: values})[0].reshape(-1))
    embeddings = np.stack(rows)
    return np.asarray(embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True), np.float32)
