"""What became of each track of a run by its corrections; a gallery has records of tracks as found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mot_reid.app.runs import Run
from mot_reid.gallery.by_hand import Part
from mot_reid.gallery.sources import source_label
from mot_reid.gallery.store import RecordTable
from mot_reid.offline.corrections import CORRECTIONS, active, read_log
from mot_reid.pipeline.finished_tracks import track_file_of

__all__ = ["RunCorrections", "rows_of", "run_corrections"]


class RunCorrections:
    """The corrections of one run, for `mot_reid.gallery.by_hand.by_hand`.

    Args:
        run: whose tracks were corrected.

    Attributes:
        names: of corrected tracks.
    """

    def __init__(self, run: Run) -> None:
        self.names: Mapping[int, str] = run.names
        found, rows = run.found, run.state.rows
        owner = np.zeros(len(found), np.int64)  # 0: deleted
        kept = rows.detection_index >= 0
        owner[rows.detection_index[kept]] = rows.ids[kept]
        order = np.flatnonzero(~found.predicted)
        order = order[np.argsort(found.ids[order], kind="stable")]
        self._ids, self._frames, self._owners = found.ids[order], found.frames[order], owner[order]

    def parts(self, track: int, first: int, last: int) -> Sequence[Part]:
        """What became of a track's boxes from one frame to another, in the order of frames."""
        low, high = np.searchsorted(self._ids, [track, track + 1])
        frames, owners = self._frames[low:high], self._owners[low:high]
        kept = (frames >= first) & (frames <= last) & (owners > 0)
        frames, owners = frames[kept], owners[kept]
        if not len(frames):
            return []
        starts = np.flatnonzero(np.concatenate([[True], np.diff(owners) != 0]))
        ends = np.append(starts[1:], len(frames)) - 1
        return [
            Part(int(owners[a]), int(frames[a]), int(frames[b]), b - a + 1)
            for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
        ]


def run_corrections(folders: Mapping[str, Path]) -> dict[str, tuple[Run, RunCorrections]]:
    """The runs among these folders, by camera, in which something was corrected, and what.

    Raises:
        ValueError: tracks or corrections cannot be read; the file is named.
    """
    found = {}
    for place, (camera, folder) in enumerate(folders.items()):
        if track_file_of(folder) is not None and active(read_log(folder / CORRECTIONS))[0]:
            run = Run(f"r{place}", folder)
            found[camera] = run, RunCorrections(run)
    return found


def rows_of(table: RecordTable, run: Run) -> NDArray[np.intp]:
    """Rows of the records that a run left in a gallery.

    Where its summary does not say which, those of its source; where that has moved since, those of the camera
    of the run's name.
    """
    if name := run.about.summary.get("gallery_run"):
        mine = table.run == name
        if mine.any():
            return np.flatnonzero(mine)
    place = run.pictures.source()
    if place is None:
        return np.zeros(0, np.intp)
    mine = table.source == source_label(str(place))
    if not mine.any():
        alike = {source for source in set(table.source.tolist()) if Path(source).name == place.name}
        mine = np.isin(table.source.astype(str), sorted(alike)) & (table.camera == run.folder.name)
    return np.flatnonzero(mine)
