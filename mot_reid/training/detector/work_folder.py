"""The folder where a detector's training keeps pictures and weights: whose it is, and its settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from mot_reid.files import atomic
from mot_reid.training.detector.settings import DetectorTraining, FineTuning

__all__ = ["keep_settings", "kept_settings", "require_own"]

SettingsType = TypeVar("SettingsType", DetectorTraining, FineTuning)

_SETTINGS, _START = "settings.json", "start.sha256"
_REPLACED = ("pictures", "sequences", "mot")  # folders, removed with all that is in them
_WRITTEN = ("last.pt", "log.csv", "cutouts*.npz", "data.yaml", "run-*")


def require_own(work: Path, kind: type[Any], read: Iterable[Path]) -> None:
    """Makes sure that a training that begins anew takes nothing away but what one of its kind has left.

    Args:
        work: the training's folder; it need not be there.
        kind: of its settings.
        read: files and folders that it learns from.

    Raises:
        ValueError: it would read what it removes, or the folder holds files of somebody else.
    """
    for path in read:
        for part in _REPLACED:
            if path.resolve().is_relative_to((work / part).resolve()):
                raise ValueError(f"{path}: lies in {work / part}, which a training replaces")
    if (work / _SETTINGS).is_file():
        _read(work, kind)
        return
    for name in (*_REPLACED, *_WRITTEN):
        for found in sorted(work.glob(name)):
            raise ValueError(f"{found}: not of a training (no {_SETTINGS} beside it); choose another --work")


def keep_settings(work: Path, settings: DetectorTraining | FineTuning, start: Path) -> None:
    """Writes down what a training is made with, and what its start holds; the folder is made if need be."""
    work.mkdir(parents=True, exist_ok=True)
    for name, text in ((_SETTINGS, json.dumps(asdict(settings))), (_START, _digest(start))):
        with atomic(work / name) as part:
            part.write_text(text)


def kept_settings(work: Path, kind: type[SettingsType], start: Path) -> SettingsType:
    """The settings of the training that is in a folder, to go on with.

    Args:
        work: the training's folder.
        kind: of its settings.
        start: what it started from: its answers count on, and its weights go into the result.

    Raises:
        FileNotFoundError: there are none.
        ValueError: they are of another kind of detector, or damaged; or the start is another one.
    """
    kept = kind(**_read(work, kind))
    digest = work / _START  # which older folders lack
    if digest.is_file() and digest.read_text() != _digest(start):
        raise ValueError(f"{start}: not what the training in {work} started from")
    return kept


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(work: Path, kind: type[Any]) -> dict[str, Any]:
    path = work / _SETTINGS
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not the settings of a training: {error}") from None
    names = {item.name for item in fields(kind)}
    if not isinstance(kept, dict) or not {"epochs", "learning_rate"} <= set(kept) <= names:
        raise ValueError(f"{path}: not the settings of such a training; choose another --work")
    return kept
