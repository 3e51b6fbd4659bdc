"""YOLO exports in ONNX Runtime or OpenVINO on the CPU; neither torch nor Ultralytics is imported."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mot_reid.concurrency import available_cores
from mot_reid.detection.decoding import Rows, candidates, suppress
from mot_reid.detection.letterbox import Letterbox
from mot_reid.sessions import name_of, open_session
from mot_reid.typing import Image

__all__ = ["OnnxYolo", "Suppression"]

_STRIDE = 32  # of every YOLO network with the usual three heads, where its export names none


@dataclass(frozen=True)
class Suppression:
    """Which of a network's boxes are kept.

    Attributes:
        score: only boxes of a higher score.
        iou: boxes that overlap a better one of their class by more go.
        classes: class numbers, or None for all.
        most: of a frame, best first.
    """

    score: float
    iou: float
    classes: Sequence[int] | None
    most: int


class OnnxYolo:
    """Runs an export by `mot-reid export` or by Ultralytics.

    Args:
        path: an ``.onnx`` file with the metadata that Ultralytics writes.
        threads: of one pass; 0 for one each core.
        session: of this file, where it is open already.

    Attributes:
        name: what runs it and where, for reports.
        class_names: the name of each class number.
        calls_at_once: how many threads best call it at the same time: together they use all cores.
        fixed_size: height and width of the input where the export fixes both, pixels, or None.

    Raises:
        ValueError: ONNX Runtime cannot load it, or it is no detector.
    """

    def __init__(self, path: Path, threads: int = 0, session: Any = None) -> None:
        self._session = session or open_session(path, threads=threads)
        self.name = name_of(self._session)
        self.calls_at_once = max(1, available_cores() // threads) if threads else 1
        metadata = self._session.get_modelmeta().custom_metadata_map
        task = metadata.get("task", "detect")
        if task != "detect":
            raise ValueError(f"{path}: not a detector (task {task})")
        self.class_names: Mapping[int, str] = _class_names(metadata, path)
        self._stride = _stride(metadata, path)
        entry = self._session.get_inputs()[0]
        if len(entry.shape) != 4 or entry.shape[1] != 3:
            raise ValueError(f"{path}: expected an input (N, 3, height, width), got {entry.shape}")
        self._input = entry.name
        self._dtype = np.float16 if entry.type == "tensor(float16)" else np.float32
        height, width = (side if isinstance(side, int) else None for side in entry.shape[2:])
        self._fixed = None if height is None and width is None else (height, width)
        self.fixed_size = None if height is None or width is None else (height, width)

    def __call__(self, frames: Sequence[Image], size: int, keep: Suppression) -> list[Rows]:
        """The boxes of each frame, best first, cut at the frame's borders.

        One frame after another: on a CPU a batch is no faster, and its maps leave the cache.

        Args:
            frames: ``(H, W, 3)`` uint8 BGR.
            size: longer side of the input, pixels; a side that the export fixes has its own.
            keep: which boxes to keep.
        """
        return [self._detect(frame, size, keep) for frame in frames]

    def _detect(self, frame: Image, size: int, keep: Suppression) -> Rows:
        shape = frame.shape[0], frame.shape[1]
        if self._fixed is None:
            side = -(-size // self._stride) * self._stride  # as Ultralytics rounds it, of strides of 64
            fitted = Letterbox.fit(shape, (side, side), self._stride)
        else:
            height, width = self._fixed
            fitted = Letterbox.fit(shape, (height or size, width or size))
        blob = fitted.blob(frame).astype(self._dtype, copy=False)
        output = np.asarray(self._session.run(None, {self._input: blob})[0], np.float32)
        suppresses_itself = output.shape[2] == 6
        if not suppresses_itself and output.shape[1] != 4 + len(self.class_names):
            raise ValueError(
                f"expected an output (1, {4 + len(self.class_names)}, anchors) or (1, N, 6), "
                f"got {output.shape}"
            )
        rows = candidates(output[0], keep.score, keep.classes)
        rows = rows[: keep.most] if suppresses_itself else suppress(rows, keep.iou, keep.most)
        rows[:, :4] = fitted.boxes(rows[:, :4])
        return rows


def _stride(metadata: Mapping[str, str], path: Path) -> int:
    """The entry ``stride``, of which the sides of an input are multiples."""
    text = metadata.get("stride", str(_STRIDE))
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError(f"{path}: its metadata's stride: expected a whole number from 1, got {text[:100]!r}")
    return int(text)


def _class_names(metadata: Mapping[str, str], path: Path) -> dict[int, str]:
    """The entry ``names``, a dictionary in Python's notation."""
    try:
        names = {int(number): str(name) for number, name in ast.literal_eval(metadata["names"]).items()}
    except (KeyError, SyntaxError, ValueError, TypeError, AttributeError):
        raise ValueError(
            f"{path}: its metadata name no classes; expected a YOLO export by Ultralytics or mot-reid"
        ) from None
    return names
