"""Ids that turned out to be others once rows had been reported: hindsight gives these the right ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mot_reid.association.reentry import IdChange
from mot_reid.offline.rows import TrackRows

__all__ = ["with_id_changes"]


def with_id_changes(
    rows: TrackRows, told: Mapping[int, Sequence[IdChange]], first_frame: int = 1
) -> TrackRows:
    """Gives rows the ids that the tracker came to, each change in its turn.

    Args:
        rows: as they were reported, predicted ones left out.
        told: by the number of the frame in which they became known, in order, what `Tracker.id_changes` said.
        first_frame: the number of the tracker's first frame, from which the changes count.

    Returns:
        The same rows under their ids of the end.
    """
    ids = rows.ids.copy()
    for frame, changes in told.items():
        for change in changes:
            first = change.frame - 1 + first_frame
            ids[(ids == change.before) & (rows.frames >= first) & (rows.frames < frame)] = change.now
    return replace(rows, ids=ids)
