"""What other embedders say about crops: targets for distillation, computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mot_reid.appearance.backends import normalisation
from mot_reid.extras import require
from mot_reid.files import atomic
from mot_reid.sessions import open_session
from mot_reid.training.reid.unlabelled import CropSource
from mot_reid.typing import Crops, Embeddings, Floats32

__all__ = ["Teacher", "cached_embeddings", "open_teacher", "teacher_embeddings"]


class Teacher(NamedTuple):
    """A network that embeds crops.

    Attributes:
        run: maps one crop, (1, 3, h, w) float32 RGB, to its embedding.
        size: (h, w) of its input.
        mean: (3, 1, 1) to subtract from RGB pixels in 0..255.
        std: (3, 1, 1) to divide them by afterwards.
    """

    run: Callable[[Floats32], Floats32]
    size: tuple[int, int]
    mean: Floats32
    std: Floats32

    def embed(self, images: Crops) -> Embeddings:
        """(N, D), not normalised, of crops (N, h, w, 3) uint8 RGB.

        One by one: exports often fix the batch.
        """
        values = ((image.transpose(2, 0, 1).astype(np.float32) - self.mean) / self.std for image in images)
        return np.stack([self.run(np.ascontiguousarray(crop[None])).reshape(-1) for crop in values])


def teacher_embeddings(
    path: Path | str, crops: CropSource, on_embed: Callable[[int], None] = lambda _: None
) -> Floats32:
    """Embed crops by a teacher.

    Args:
        path: of the teacher (see `open_teacher`).
        crops: what to embed.
        on_embed: called with how many are done, now and then.

    Returns:
        (N, D) L2-normalised.
    """
    teacher = open_teacher(path)
    parts: list[Floats32] = []
    done = 0
    for block in crops.blocks(teacher.size):
        for start in range(0, len(block), 64):
            parts.append(teacher.embed(block[start : start + 64]))
            done += len(parts[-1])
            on_embed(done)
    embeddings = np.concatenate(parts)
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.asarray(embeddings / np.maximum(norms, 1e-12), np.float32)  # nothing stays nothing


def cached_embeddings(
    folder: Path,
    teachers: Sequence[Path | str],
    crops: CropSource,
    on_embed: Callable[[str, int], None] = lambda *_: None,
) -> Floats32:
    """Embed crops by several teachers, or read what they said before.

    Args:
        folder: keeps each teacher's embeddings under its content and the crops'.
        teachers: at least one.
        crops: what to embed.
        on_embed: called with a teacher's name and how many are done, now and then.

    Returns:
        (N, D) L2-normalised: the teachers' own normalised embeddings beside each other, so that the cosine is
        the mean of theirs.
    """
    columns = []
    for path in map(Path, teachers):
        kept = folder / f"teacher_{_key(path, crops)}.npy"
        if not kept.exists():
            folder.mkdir(parents=True, exist_ok=True)
            name = path.name
            rows = teacher_embeddings(path, crops, lambda done, name=name: on_embed(name, done))  # type: ignore[misc]
            with atomic(kept) as part:
                np.save(part, rows)
        columns.append(np.load(kept))
    return np.asarray(np.concatenate(columns, axis=1) / np.sqrt(len(columns)), np.float32)


def _key(path: Path, crops: CropSource) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"no such teacher: {path}")
    digest = hashlib.sha256(path.read_bytes())
    if (weights := path.with_suffix(".bin")).is_file():
        digest.update(weights.read_bytes())
    digest.update(crops.key.encode())
    return digest.hexdigest()[:16]


def open_teacher(path: Path | str) -> Teacher:
    """Open a teacher.

    Args:
        path: `.onnx`, with one input (1 or any, 3, h, w), RGB with the mean and deviation in its metadata or
            else ImageNet's; or `.xml`, OpenVINO's (its weights in a `.bin` beside it), which takes BGR from 0
            to 255 as Open Model Zoo's.

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
    import torch

    session = open_session(path, threads=torch.get_num_threads())
    source = session.get_inputs()[0]
    size = _picture_size(path, list(source.shape))

    def run(values: Floats32) -> Floats32:
        return np.asarray(session.run(None, {source.name: values})[0], np.float32)

    try:
        mean, std = (np.array(values, np.float32).reshape(3, 1, 1) * 255 for values in normalisation(session))
    except ValueError as error:
        raise ValueError(f"{path}: its metadata: {error}") from None
    return Teacher(run, size, mean, std)


def _open_openvino(path: Path) -> Teacher:
    import torch

    openvino = require("openvino", f"{path}: an OpenVINO teacher")
    try:
        threads = {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
        model: Any = openvino.Core().compile_model(str(path), "CPU", threads)
        shape = [None if side.is_dynamic else side.get_length() for side in model.input(0).partial_shape]
    except RuntimeError as error:
        raise ValueError(f"{path}: OpenVINO cannot read it: {str(error)[:200]}") from error

    def run(values: Floats32) -> Floats32:
        return np.array(model(np.ascontiguousarray(values[:, ::-1]))[0], np.float32)  # RGB to BGR

    zero, one = np.zeros((3, 1, 1), np.float32), np.ones((3, 1, 1), np.float32)
    return Teacher(run, _picture_size(path, shape), zero, one)


def _picture_size(path: Path, shape: Sequence[Any]) -> tuple[int, int]:
    if len(shape) != 4 or shape[1] != 3 or not all(isinstance(size, int) for size in shape[1:]):
        raise ValueError(f"{path}: expected an input (N, 3, h, w) of fixed size; got {list(shape)}")
    return int(shape[2]), int(shape[3])
