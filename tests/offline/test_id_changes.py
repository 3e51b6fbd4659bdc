"""Rows get the ids that the tracker came to in the end."""

import numpy as np

from mot_reid.association.reentry import IdChange
from mot_reid.offline.id_changes import with_id_changes
from mot_reid.offline.rows import TrackRows


def rows_of(ids: list[int], first: int = 1) -> TrackRows:
    """One row in each frame."""
    count = len(ids)
    return TrackRows(
        frames=np.arange(first, first + count),
        ids=np.array(ids),
        xyxy=np.tile(np.array([0, 0, 40, 100], np.float32), (count, 1)),
        scores=np.ones(count, np.float32),
        classes=np.zeros(count, np.int64),
        detection_index=np.zeros(count, np.int64),
        interpolated=np.zeros(count, bool),
    )


def in_time(rows: TrackRows) -> list[int]:
    """The ids from frame to frame."""
    ids: list[int] = rows.ids[np.argsort(rows.frames)].tolist()
    return ids


def test_who_is_known_again_has_his_id_from_his_first_row_on() -> None:
    known = IdChange(before=5, now=2, frame=3, time=0.1, undone=False)
    found = with_id_changes(rows_of([2, 2, 5, 5, 2, 2]), {5: [known]})
    assert in_time(found) == [2] * 6


def test_a_return_undone_leaves_what_was_before_it() -> None:
    undone = IdChange(before=1, now=6, frame=4, time=0.1, undone=True)
    again = IdChange(before=6, now=3, frame=4, time=0.1, undone=False)
    rows = rows_of([1, 1, 1, 1, 1, 3, 1])  # and somebody who gets the id 1 back later
    assert in_time(with_id_changes(rows, {6: [undone, again]})) == [1, 1, 1, 3, 3, 3, 1]


def test_frames_count_from_the_trackers_first() -> None:
    known = IdChange(before=5, now=2, frame=3, time=0.1, undone=False)
    found = with_id_changes(rows_of([5, 5, 5, 5, 2], first=301), {305: [known]}, first_frame=301)
    assert in_time(found) == [5, 5, 2, 2, 2]
