"""What larger embedders, given as files, say about the training crops: targets for distillation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mot_reid.appearance.checkpoints import IMAGENET_MEAN, IMAGENET_STD
from mot_reid.training.reid_data import normalise


class Teacher(NamedTuple):
    """An embedder to learn from.

    Attributes:
        size: (h, w) of its input.
        embed: (3, h, w) uint8 RGB to an embedding of any shape.
    """

    size: tuple[int, int]
    embed: Callable[[NDArray[np.uint8]], NDArray[np.float32]]

    def embed_all(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, D) L2-normalised embeddings of crops (N, h, w, 3), one by one: exports often fix the batch."""
        rows = np.stack([self.embed(image.transpose(2, 0, 1)).reshape(-1) for image in images])
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def open_teacher(path: Path | str) -> Teacher:
    """Open an embedder.

    Args:
        path: an ONNX file that takes RGB with ImageNet's mean and deviation, or an OpenVINO IR (`.xml`, its
            `.bin` beside it) that takes BGR in 0..255, as Open Model Zoo's do. One input (1 or any, 3, H, W)
            of fixed size, one output.

    Raises:
        FileNotFoundError: if the file is missing.
        ImportError: if its runtime is not installed.
        ValueError: if the runtime cannot read the file, or it takes no pictures.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such teacher: {path}")
    return _open_openvino(path) if path.suffix == ".xml" else _open_onnx(path)


def _open_onnx(path: Path) -> Teacher:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no other base
        raise ValueError(f"{path}: onnxruntime cannot read it: {str(error)[:200]}") from error
    source = session.get_inputs()[0]

    def embed(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = torch.from_numpy(image)[None].float() / 255
        values = normalise(pixels, IMAGENET_MEAN, IMAGENET_STD).contiguous().numpy()
        return np.asarray(session.run(None, {source.name: values})[0], np.float32)

    return Teacher(_picture_size(path, source.shape), embed)


def _open_openvino(path: Path) -> Teacher:
    try:
        import openvino
    except ImportError as error:
        raise ImportError(f"{path} needs openvino: pip install openvino") from error
    core = openvino.Core()
    try:
        model = core.read_model(path)
    except RuntimeError as error:
        raise ValueError(f"{path}: openvino cannot read it: {str(error)[:200]}") from error
    shape = [None if side.is_dynamic else side.get_length() for side in model.input(0).partial_shape]
    compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": torch.get_num_threads()})

    def embed(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(compiled(image[None, ::-1].astype(np.float32))[0], np.float32)

    return Teacher(_picture_size(path, shape), embed)


def _picture_size(path: Path, shape: Sequence[object]) -> tuple[int, int]:
    if len(shape) == 4 and shape[1] == 3:
        height, width = shape[2:]
        if isinstance(height, int) and isinstance(width, int):
            return height, width
    raise ValueError(f"{path}: expected an input (N, 3, H, W) of fixed size; got {list(shape)}")


def teacher_embeddings(
    paths: Sequence[Path | str], read: Callable[[tuple[int, int]], NDArray[np.uint8]]
) -> NDArray[np.float32]:
    """Embed crops by teachers.

    Args:
        paths: the teachers (see `open_teacher`).
        read: gives the crops, (N, h, w, 3) uint8 RGB, in a size (h, w).

    Returns:
        (N, D) L2-normalised: the teachers' own normalised embeddings beside each other, so that the cosine is
        the mean of theirs.

    Raises:
        FileNotFoundError: if a path is missing.
        ValueError: if there is no teacher, or one cannot be used.
    """
    if not paths:
        raise ValueError("no teacher given")
    teachers = [open_teacher(path) for path in paths]
    columns = [teacher.embed_all(read(teacher.size)) for teacher in teachers]
    return np.asarray(np.concatenate(columns, axis=1) / np.sqrt(len(columns)), np.float32)
