"""Checks for detectors and embedders of your own: what is wrong with one, in one line.

Run them in a test, or by hand, before a tracker meets the model::

    from mot_reid.testing import check_detector

    check_detector(MyDetector())
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from mot_reid.appearance.base import as_embedder
from mot_reid.association.assignment import assign
from mot_reid.detection.base import as_detector
from mot_reid.structures import Detections
from mot_reid.typing import Boxes, Image

__all__ = ["check_detector", "check_embedder"]

_SAME = 2.0  # pixels that a box may move, and 100ths of a score, where frames come in another batch
_UNIT = 1e-2  # by which an embedding's length may differ from 1
_ALIKE = 0.99  # least cosine of an embedding with the same one out of another batch
_OUTSIDE = 0.5  # share of a frame's size by which boxes may reach over it


def check_detector(detector: object, frames: Sequence[Image] | None = None) -> None:
    """Checks that an object is a detector as `Tracker` needs it.

    It must have ``detect`` and ``class_names``, give one `Detections` for each frame, whatever the frames'
    number and size, know the classes it gives, leave the frames as they are, and give the same again, for a
    frame alone as in a batch.

    Args:
        detector: what to check.
        frames: pictures ``(H, W, 3)`` uint8 BGR in which it finds something; by default noise of two sizes,
            in which it may find nothing.

    Raises:
        AssertionError: it is not; the message says in one line what is wrong.
    """
    try:
        whole = as_detector(detector)
        names = dict(whole.class_names)
    except (TypeError, ValueError, AttributeError) as error:
        raise AssertionError(" ".join(str(error).split())) from error
    wrong = [number for number in names if not isinstance(number, int | np.integer)]
    _require(not wrong, f"class_names: expected whole numbers as keys, got {wrong[:1]}")
    frames = _frames() if frames is None else list(frames)
    found = [_detected(whole.detect, [frame], names)[0] for frame in frames]
    for detections, frame in zip(found, frames, strict=True):
        _require_near(detections.xyxy, frame)
    _require(_detected(whole.detect, [], names) == [], "detect([]): expected [], as there is no frame")
    for detections, again in zip(found, _detected(whole.detect, frames, names), strict=True):
        _require_same(detections, again, "in a batch of frames it gives other detections than for one alone")
    if whole.calls_at_once > 1:
        with ThreadPoolExecutor(whole.calls_at_once) as pool:
            many = pool.map(lambda frame: _detected(whole.detect, [frame], names)[0], frames * 4)
            for detections, again in zip(found * 4, many, strict=True):
                _require_same(detections, again, "called from several threads it gives other detections")


def check_embedder(embedder: object, frame: Image | None = None, xyxy: Boxes | None = None) -> None:
    """Checks that an object is an embedder as `Tracker` needs it.

    It must have ``embed``, give one row for each box, all of one length and normalised, whatever the boxes'
    number and wherever they lie, leave frame and boxes as they are, and give the same again, for a box alone
    as beside others. Where it has `embed_batch`, that must give what `embed` gives.

    Args:
        embedder: what to check.
        frame: a picture ``(H, W, 3)`` uint8 BGR; by default noise.
        xyxy: boxes ``(N, 4)`` in it, N > 1; by default some, two of them partly outside.

    Raises:
        AssertionError: it is not; the message says in one line what is wrong.
    """
    try:
        whole = as_embedder(embedder)
    except TypeError as error:
        raise AssertionError(" ".join(str(error).split())) from error
    frame = _frames()[0] if frame is None else frame
    height, width = frame.shape[:2]
    some = [[0, 0, 0.5, 1], [0.25, 0.1, 0.4, 0.5], [0.8, 0.2, 1.1, 0.9], [-0.1, -0.1, 0.2, 0.6]]
    shares = np.multiply(some, [width, height] * 2).astype(np.float32)
    boxes = shares if xyxy is None else xyxy
    _require(len(boxes) > 1, "xyxy: give two boxes or more")
    rows = _embedded(whole.embed, frame, boxes)
    for number in range(len(boxes)):
        alone = _embedded(whole.embed, frame, boxes[number : number + 1])
        _require_alike(rows[number : number + 1], alone, "a box alone gets another one than beside others")
    batch = whole.embed_batch([frame, frame, frame], [boxes, boxes[:0], boxes[:1]])
    shapes = [len(part) for part in batch]
    _require(shapes == [len(boxes), 0, 1], f"embed_batch: expected {[len(boxes), 0, 1]} rows, got {shapes}")
    _require_alike(
        np.concatenate([rows, rows[:1]]),
        np.concatenate([batch[0], batch[2]]),
        "embed_batch gives other embeddings than embed",
    )
    if whole.calls_at_once > 1:
        with ThreadPoolExecutor(whole.calls_at_once) as pool:
            for again in pool.map(lambda _: _embedded(whole.embed, frame, boxes), range(8)):
                _require_alike(rows, again, "called from several threads it gives other embeddings")


def _require(right: bool, message: str) -> None:
    if not right:
        raise AssertionError(message)


def _frames() -> list[Image]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((240, 320), (240, 320), (130, 90))]


def _detected(
    detect: Callable[[Sequence[Image]], list[Detections]], frames: list[Image], names: dict[int, str]
) -> list[Detections]:
    """Calls it, and checks all that can be said of one call."""
    before = [frame.copy() for frame in frames]
    try:
        found: Any = detect(frames)
    except Exception as error:
        sizes = ", ".join("x".join(map(str, frame.shape)) for frame in frames) or "no frames"
        raise AssertionError(f"detect fails on {sizes}: {type(error).__name__}: {error}") from error
    _require(
        isinstance(found, list | tuple),
        f"detect: expected a list, one Detections for each frame, got {type(found).__name__}",
    )
    _require(len(found) == len(frames), f"detect: expected {len(frames)} Detections, got {len(found)}")
    for entry in found:
        _require(isinstance(entry, Detections), f"detect: expected Detections, got {type(entry).__name__}")
        unknown = sorted(set(entry.classes.tolist()) - names.keys())
        _require(not unknown, f"detect: gives class {unknown[:1]}, which class_names does not know")
    same = all(np.array_equal(*pair) for pair in zip(before, frames, strict=True))
    _require(same, "detect: it changes the frames that it is given")
    return list(found)


def _require_near(xyxy: Boxes, frame: Image) -> None:
    """Boxes in pixels of the frame; relative ones, or those of a resized frame, lie elsewhere."""
    if not len(xyxy):
        return
    size = np.array([frame.shape[1], frame.shape[0]] * 2)
    outside = (xyxy < -_OUTSIDE * size).any() or (xyxy > (1 + _OUTSIDE) * size).any()
    _require(not outside, f"detect: boxes lie far outside the frame of {size[0]}x{size[1]} pixels")
    _require(
        bool((xyxy > 1.5).any()), "detect: all boxes lie within one pixel; expected pixels, not shares of 1"
    )


def _require_same(a: Detections, b: Detections, message: str) -> None:
    _require(len(a) == len(b), f"detect: {message} ({len(b)} instead of {len(a)})")
    apart = np.abs(a.xyxy[:, None] - b.xyxy).max(axis=2)
    same = (apart <= _SAME) & (np.abs(a.scores[:, None] - b.scores) <= _SAME / 100)
    same &= a.classes[:, None] == b.classes
    found, _ = assign(apart, same, limit=_SAME + 1)  # of equal ones the order may be another
    _require(len(found) == len(a), f"detect: {message}")


def _embedded(embed: Callable[[Image, Boxes], Any], frame: Image, xyxy: Boxes) -> Any:
    before, given = frame.copy(), xyxy.copy()
    try:
        rows = embed(frame, given)
    except Exception as error:
        raise AssertionError(f"embed fails on {len(xyxy)} boxes: {type(error).__name__}: {error}") from error
    _require(isinstance(rows, np.ndarray), f"embed: expected a numpy array, got {type(rows).__name__}")
    _require(
        rows.ndim == 2 and len(rows) == len(xyxy),
        f"embed: expected shape ({len(xyxy)}, D), one row for each box, got {rows.shape}",
    )
    _require(rows.dtype.kind == "f", f"embed: expected float32, got {rows.dtype}")
    lengths = np.linalg.norm(rows, axis=1)
    _require(
        bool(np.all(np.abs(lengths - 1) < _UNIT)),
        f"embed: expected rows of length 1 (L2-normalised), got {lengths.min():.3g} to {lengths.max():.3g}",
    )
    _require(np.array_equal(before, frame), "embed: it changes the frame that it is given")
    _require(np.array_equal(given, xyxy), "embed: it changes the boxes that it is given; copy them first")
    return rows


def _require_alike(a: Any, b: Any, message: str) -> None:
    _require(a.shape == b.shape, f"embed: {message}: {b.shape} instead of {a.shape}")
    cosine = float((a * b).sum(axis=1).min())
    _require(cosine >= _ALIKE, f"embed: {message} (cosine {cosine:.3f})")
