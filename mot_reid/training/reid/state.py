"""The settings and the data that a training's state was written with, and what differs from them."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mot_reid.training.reid.data import TrainingData
from mot_reid.training.reid.settings import TrainingSettings

__all__ = ["data_key", "differences", "portable"]


def portable(settings: TrainingSettings) -> dict[str, Any]:
    """The settings that decide the result, as JSON can hold them; of files their names only."""
    plain = dataclasses.asdict(settings)
    plain.pop("device")
    for part, name in (("network", "initial"), ("data", "attributes")):
        plain[part][name] = Path(plain[part][name]).name
    for name in ("teachers", "unlabelled"):
        plain["distillation"][name] = [Path(entry).name for entry in plain["distillation"][name]]
    plain["schedule"]["milestones"] = list(plain["schedule"]["milestones"])
    return plain


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What two nested mappings do not share, as `NAME OLD, now NEW` each."""
    found: list[str] = []
    for name in {**old, **new}:
        before, after = old.get(name, math.nan), new.get(name, math.nan)
        if isinstance(before, dict) and isinstance(after, dict):
            found += differences(before, after, f"{prefix}{name}.")
        elif before != after:
            found.append(f"{prefix}{name} {before}, now {after}")
    return found


def data_key(data: TrainingData) -> str:
    """Tells data of other crops or labels apart; of pictures, which decoders read differently, the number."""
    key = hashlib.sha256(repr((data.images.shape, data.attribute_classes)).encode())
    held_out = data.validation
    parts = (data.classes, data.attributes, held_out and held_out.identities, held_out and held_out.cameras)
    for part in parts:
        key.update(b"none" if part is None else np.ascontiguousarray(part).tobytes())
    return key.hexdigest()
