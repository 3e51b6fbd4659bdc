"""What other embedders say about crops: targets for distillation, computed once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mot_reid.appearance.checkpoints import IMAGENET_MEAN, IMAGENET_STD
from mot_reid.training.reid.datasets import read_pictures

__all__ = ["Teacher", "cached_embeddings", "open_teacher", "teacher_embeddings"]

_BLOCK = 1024  # pictures in memory at a time


class Teacher(NamedTuple):
    """A network that embeds crops.

    Attributes:
        run: maps one crop, (1, 3, h, w) float32 RGB, to its embedding.
        size: (h, w) of its input.
        mean: (3, 1, 1) to subtract from RGB pixels in 0..255.
        std: (3, 1, 1) to divide them by afterwards.
    """

    run: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    size: tuple[int, int]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]

    def embed(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(D,), L2-normalised, of one crop (h, w, 3) uint8 RGB."""
        values = (image.transpose(2, 0, 1).astype(np.float32) - self.mean) / self.std
        embedding = self.run(np.ascontiguousarray(values[None])).reshape(-1)
        return np.asarray(embedding / np.linalg.norm(embedding), np.float32)


def teacher_embeddings(
    path: Path | str, crops: Sequence[Path], on_embed: Callable[[int], None] | None = None
) -> NDArray[np.float32]:
    """Embed crops by a teacher, one by one: exports often fix the batch.

    Args:
        path: of the teacher (see `open_teacher`).
        crops: the pictures.
        on_embed: called with how many are done, now and then.

    Returns:
        (N, D) L2-normalised.
    """
    teacher = open_teacher(path)
    rows: list[NDArray[np.float32]] = []
    for start in range(0, len(crops), _BLOCK):
        for image in read_pictures(crops[start : start + _BLOCK], teacher.size):
            rows.append(teacher.embed(image))
            if on_embed is not None and (len(rows) % 64 == 0 or len(rows) == len(crops)):
                on_embed(len(rows))
    return np.stack(rows)


def cached_embeddings(
    folder: Path,
    path: Path | str,
    crops: Sequence[Path],
    on_embed: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """`teacher_embeddings`, kept in a folder under the teacher's content and the crops' names and sizes."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"no such teacher: {path}")
    digest = hashlib.sha256(Path(path).read_bytes())
    for crop in crops:
        digest.update(f"{crop.name} {crop.stat().st_size}\n".encode())
    kept = folder / f"teacher_{digest.hexdigest()[:16]}.npy"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part.npy")
        np.save(part, teacher_embeddings(path, crops, on_embed))
        os.replace(part, kept)
    return np.asarray(np.load(kept), np.float32)


def open_teacher(path: Path | str) -> Teacher:
    """Open a teacher.

    Args:
        path: `.onnx`, with one input (1 or any, 3, h, w), RGB with ImageNet's mean and deviation; or `.xml`,
            OpenVINO's (its weights in a `.bin` beside it), which takes BGR from 0 to 255 as Open Model Zoo's.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: it is an `.xml` and openvino is not installed.
        ValueError: the file cannot be read, or takes no pictures.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such teacher: {path}")
    if path.suffix == ".xml":
        return _open_openvino(path)
    if path.suffix != ".onnx":
        raise ValueError(f"{path}: not a teacher; expected an .onnx or an OpenVINO .xml file")
    return _open_onnx(path)


def _open_onnx(path: Path) -> Teacher:
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no other base
        raise ValueError(f"{path}: onnxruntime cannot read it: {str(error)[:200]}") from error
    source = session.get_inputs()[0]
    size = _picture_size(path, list(source.shape))

    def run(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(session.run(None, {source.name: values})[0], np.float32)

    mean, std = (
        np.array(values, np.float32).reshape(3, 1, 1) * 255 for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return Teacher(run, size, mean, std)


def _open_openvino(path: Path) -> Teacher:
    try:
        import openvino
    except ImportError:
        raise ImportError(f"{path}: an OpenVINO teacher needs the package: pip install openvino") from None
    try:
        model = openvino.Core().compile_model(str(path), "CPU")
        shape = [size.get_length() if size.is_static else None for size in model.input(0).get_partial_shape()]
    except RuntimeError as error:
        raise ValueError(f"{path}: OpenVINO cannot read it: {str(error)[:200]}") from error
    request: Any = model.create_infer_request()

    def run(values: NDArray[np.float32]) -> NDArray[np.float32]:
        result = request.infer({0: np.ascontiguousarray(values[:, ::-1])})  # RGB to BGR
        return np.array(result[model.output(0)], np.float32)

    zero, one = np.zeros((3, 1, 1), np.float32), np.ones((3, 1, 1), np.float32)
    return Teacher(run, _picture_size(path, shape), zero, one)


def _picture_size(path: Path, shape: Sequence[Any]) -> tuple[int, int]:
    if len(shape) != 4 or not all(isinstance(size, int) for size in shape[1:]):
        raise ValueError(f"{path}: expected an input (N, 3, h, w) of fixed size; got {list(shape)}")
    return int(shape[2]), int(shape[3])
