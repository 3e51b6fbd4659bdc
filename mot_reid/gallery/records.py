"""What is remembered of one track: the tracklet record."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mot_reid.typing import Embeddings, Floats32

__all__ = ["PATH_COLUMNS", "UNIT_TOLERANCE", "Crop", "Tracklet", "new_record_id", "parse_track"]

PATH_COLUMNS = ("frame", "time", "x1", "y1", "x2", "y2")
"""Columns of `Tracklet.path`."""

UNIT_TOLERANCE = 1e-2
"""How far from 1 the length of a mean may lie; a part of a gallery with another one counts as damaged."""


def new_record_id() -> str:
    """A name for a record that no other one has."""
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Crop:
    """One picture of a tracklet.

    Attributes:
        jpeg: the encoded picture.
        frame: its frame number in the source, from 1.
        time: seconds from the source's start.
        quality: in (0, 1], see `mot_reid.gallery.pooling.view_quality`.
    """

    jpeg: bytes
    frame: int
    time: float
    quality: float


@dataclass(frozen=True, eq=False)
class Tracklet:
    """One track's memory, or that of a part of it in which one person is seen.

    Attributes:
        record: a name that no other record has.
        camera: the camera's name; records of one camera share its light and background.
        source: the file, folder or address that was tracked, without passwords.
        run: the name of the run that made it: in one run a track id is one track.
        track_id: in that run.
        part: counts the parts of a track from 0.
        class_id: class number of the detector.
        class_name: its name, or ``""``.
        first_frame: number of the first frame in which it was seen, from 1.
        last_frame: of the last one.
        start: seconds from the source's start to the first frame.
        end: to the last frame.
        epoch: seconds since 1970 (UTC) at the source's start; NaN where nobody knows.
        added: seconds since 1970 at which the record was made.
        path: ``(P, 6)`` float32, thinned out: `PATH_COLUMNS`; boxes in pixels.
        boxes: in how many frames it was seen.
        views: how many embeddings went in.
        quality: mean of their `view_quality`.
        confidence: least ``id_confidence`` of its boxes.
        mean: ``(D,)`` float32, the quality-weighted mean embedding at length 1.
        medoids: ``(K, D)`` float32 unit rows, 1 <= K, embeddings that differ; heaviest first.
        attributes: probability by name, such as ``{"backpack": 0.9}``; empty where the embedder gives none.
        crops: best pictures, spread over time.
    """

    camera: str
    source: str
    run: str
    track_id: int
    first_frame: int
    last_frame: int
    start: float
    end: float
    mean: Embeddings
    medoids: Embeddings
    path: Floats32
    record: str = field(default_factory=new_record_id)
    part: int = 0
    class_id: int = 0
    class_name: str = ""
    epoch: float = float("nan")
    added: float = field(default_factory=time.time)
    boxes: int = 1
    views: int = 1
    quality: float = 1.0
    confidence: float = 1.0
    attributes: Mapping[str, float] = field(default_factory=dict)
    crops: Sequence[Crop] = ()

    def __post_init__(self) -> None:
        for name in ("mean", "medoids"):
            values = getattr(self, name)
            if not np.isfinite(values).all():
                raise ValueError(f"{name}: expected finite values in record {self.label}")
        if self.mean.ndim != 1 or self.medoids.ndim != 2 or self.medoids.shape[1] != len(self.mean):
            raise ValueError(
                f"mean and medoids: expected (D,) and (K, D), got {self.mean.shape}, {self.medoids.shape}"
            )
        length = float(np.linalg.norm(self.mean))
        if abs(length - 1) > UNIT_TOLERANCE:
            raise ValueError(f"mean: expected length 1 in record {self.label}, got {length:.4g}")
        if not len(self.medoids):
            raise ValueError(f"medoids: expected at least one in record {self.label}")
        if self.path.ndim != 2 or self.path.shape[1] != len(PATH_COLUMNS):
            raise ValueError(f"path: expected shape (P, {len(PATH_COLUMNS)}), got {self.path.shape}")
        if not self.start <= self.end:
            raise ValueError(f"end: expected at least start = {self.start}, got {self.end}")

    @property
    def label(self) -> str:
        """``camera:track`` as a person says it; ``camera:track.part`` for later parts."""
        return f"{self.camera}:{self.track_id}" + (f".{self.part}" if self.part else "")


def parse_track(text: str) -> tuple[str, int, int | None, str]:
    """Camera, track id, part (or None for all) and run (or ``""``) of ``camera:track.part@run``.

    Part and run may be left out; of a run's name its beginning is enough.

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(r"(.+):(\d+)(?:\.(\d+))?(?:@([^:@]+))?", text)
    if found is None:
        raise ValueError(f"track {text!r}: expected CAMERA:ID, such as cam1:17, or CAMERA:ID@RUN")
    part = found.group(3)
    return found.group(1), int(found.group(2)), None if part is None else int(part), found.group(4) or ""
