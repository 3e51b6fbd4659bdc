"""Arrays kept on disk under a key, and computed again where a file is stale or damaged."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mot_reid.files import atomic, clear_abandoned

__all__ = ["ArrayCache", "Arrays"]

Arrays = dict[str, NDArray[Any]]

_FORMAT = 1
_HEAD = "key.json"

_log = logging.getLogger(__name__)


class ArrayCache:
    """Named arrays, kept in a folder by key.

    A file is an npz archive (numpy loads it) with the whole key inside. It counts only if its key is equal,
    nothing is missing, and every member passes its CRC-32; a file that does not is named in a warning
    (logged by ``mot_reid.evaluation.cache``) and replaced. Files appear whole or not at all, so runs that
    are killed and runs side by side do no harm. Nothing is pickled. A folder that cannot be written is
    warned of once, and everything is computed each time.

    Args:
        folder: made when the first arrays are stored.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._usable = True

    def path(self, name: str, key: Mapping[str, Any]) -> Path:
        """The file for a key: its name, made safe, and a hash of the key."""
        readable = re.sub(r"[^\w.-]+", "-", name)[:80]
        return self.folder / f"{readable}-{hashlib.sha256(_as_json(key).encode()).hexdigest()[:24]}.npz"

    def load(self, name: str, key: Mapping[str, Any]) -> Arrays | None:
        """The arrays under a key; None, after a warning if need be, where there are none to be trusted."""
        path = self.path(name, key)
        try:
            return _read(path, _as_json(key))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Exception as error:  # whatever zipfile, json and numpy raise on damaged data
            reason = " ".join(str(error).split()) or type(error).__name__
            _log.warning("%s: not used and computed again: %s", path, reason[:200])
            return None

    def store(self, name: str, key: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keeps arrays under a key, in place of what was there; warns where that cannot be done.

        Raises:
            TypeError: JSON cannot hold the key.
            ValueError: an array holds Python objects, or the key a number that is not finite.
        """
        path, text = self.path(name, key), _as_json(key)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            clear_abandoned(self.folder)
            with atomic(path) as part:
                _write(part, text, arrays)
        except OSError as error:
            if self._usable:
                reason = error.strerror or str(error)
                _log.warning("cache folder %s: cannot be written (%s); going on without", self.folder, reason)
            self._usable = False


def _as_json(key: Mapping[str, Any]) -> str:
    return json.dumps(dict(key), sort_keys=True, allow_nan=False)


def _write(path: Path, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    head = {"format": _FORMAT, "key": json.loads(key), "arrays": sorted(arrays)}
    with zipfile.ZipFile(path, "x", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr(_HEAD, json.dumps(head, sort_keys=True))
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


def _read(path: Path, key: str) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        head = json.loads(archive.read(_HEAD))  # read to its end, a member is checked against its CRC
        if head["format"] != _FORMAT:
            raise ValueError(f"its format is {head['format']}, expected {_FORMAT}")
        if json.dumps(head["key"], sort_keys=True) != key:
            raise ValueError("it was computed under another key")
        members = {name: io.BytesIO(archive.read(f"{name}.npy")) for name in head["arrays"]}
    return {name: np.lib.format.read_array(member, allow_pickle=False) for name, member in members.items()}
