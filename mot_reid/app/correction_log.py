"""A run's log of corrections, to which several servers may add."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mot_reid.app.kept_files import append_line
from mot_reid.offline.corrections import Corrected, active, apply, read_log, replay
from mot_reid.offline.rows import TrackRows

__all__ = ["CorrectionLog", "OutdatedError"]

_MOST = 100_000


class OutdatedError(ValueError):
    """Somebody else has corrected since the log was seen."""


class CorrectionLog:
    """The corrections of a run, as they are in their file.

    Args:
        path: of the file, which need not be there.

    Attributes:
        entries: the corrections, with what was undone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries: list[dict[str, Any]] = []
        self._known: tuple[int, int] | None = None

    def is_stale(self) -> bool:
        """Whether the file is another than the one that was read: somebody else has added to it."""
        return self._stamp() != self._known

    def read(self) -> list[dict[str, Any]]:
        """Reads the file again.

        Raises:
            ValueError: a line is no correction; it is named.
        """
        stamp = self._stamp()
        self.entries, self._known = read_log(self._path), stamp
        return self.entries

    def applied(
        self, clean: dict[str, Any], state: Corrected, found: Callable[[], TrackRows], new: int
    ) -> tuple[dict[str, Any], Corrected]:
        """What one more correction makes of the tracks.

        Args:
            clean: the correction, checked.
            state: the tracks with those of the log.
            found: gives them as they were found.
            new: an id that no track ever had.

        Returns:
            The correction as it goes into the log, and the tracks.

        Raises:
            ValueError: it does not fit them.
        """
        if len(self.entries) >= _MOST:
            raise ValueError(f"there are {_MOST} corrections already")
        held, undone = active(self.entries)
        if clean["kind"] == "undo" and not held:
            raise ValueError("there is nothing to undo")
        if clean["kind"] == "redo" and not undone:
            raise ValueError("there is nothing to redo")
        if clean["kind"] == "split":
            clean = {"new": new} | clean
        if clean["kind"] in ("undo", "redo"):
            return clean, replay(found(), [*self.entries, clean])
        return clean, apply(state, clean)

    def check_seen(self, length: int) -> None:
        """Checks that the log is still as somebody saw it.

        Args:
            length: its number of entries then.

        Raises:
            OutdatedError: it is another one by now.
        """
        if len(self.entries) != length:
            raise OutdatedError("the tracks were corrected elsewhere meanwhile")

    def largest_id(self) -> int:
        """The largest id in any correction, also of those that were undone; 0 without one."""
        return max((entry.get(name, 0) for entry in self.entries for name in ("id", "new")), default=0)

    def add(self, entry: dict[str, Any]) -> None:
        """Adds a correction, here and to the file.

        Raises:
            OSError: it cannot be written; all is as before.
        """
        size = append_line(self._path, entry | {"at": round(time.time(), 3)})
        self.entries.append(entry)
        stamp = self._stamp()
        self._known = stamp if stamp is not None and stamp[0] == size else (-1, -1)  # somebody else's, too

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns
