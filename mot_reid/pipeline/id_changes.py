"""What later frames say of the ids that earlier ones had, as a file beside the tracks."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from mot_reid.association.reentry import IdChange
from mot_reid.video.files import AppendOnlyFile, remove_file

__all__ = ["ID_CHANGES_FILE", "IdChangesFile"]

ID_CHANGES_FILE = "id_changes.jsonl"

# Frames back whose numbers are remembered: an hour; nothing comes to be known later than that.
_MOST_FRAMES = 100_000


class IdChangesFile:
    """JSON lines, one for each change; there is no file before the first one.

    A line has the frame in which it became known (``told``), the id that rows have (``before``), the one that
    they belong to (``now``), the first frame of them (``frame``) with its time in seconds, and ``undone``:
    true where somebody was taken for who had left and is not, false where somebody was known again.

    Args:
        folder: of the run; what an earlier run left there goes.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / ID_CHANGES_FILE
        remove_file(self.path)
        self._file: AppendOnlyFile | None = None
        self._numbers: deque[int] = deque(maxlen=_MOST_FRAMES)
        self._frames = 0

    def put(self, number: int, changes: Sequence[IdChange]) -> bool:
        """Writes what became known in a frame; every frame of the run comes here.

        Args:
            number: the source's, of the frame.
            changes: `Tracker.id_changes` after it.

        Returns:
            Whether the file was begun with it.
        """
        self._numbers.append(number)
        self._frames += 1
        if not changes:
            return False
        begun = self._file is None
        if self._file is None:
            self._file = AppendOnlyFile(self.path)
        oldest = self._frames - len(self._numbers) + 1
        lines = [
            {
                "told": number,
                "before": change.before,
                "now": change.now,
                "frame": self._numbers[max(change.frame - oldest, 0)],
                "time": round(change.time, 3),
                "undone": change.undone,
            }
            for change in changes
        ]
        self._file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
        return begun

    def close(self) -> None:
        """Ends the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
