"""What a run says that it did."""

import numpy as np

from mot_reid import Tracks
from mot_reid.pipeline.summary import Summary
from mot_reid.video.frames import SourceInfo


def test_tracks_are_those_that_were_written() -> None:
    """Number 3 was somebody who had been here before, and is written under his first id alone."""
    summary = Summary(SourceInfo("yard", "video", 64, 48, 25.0, None))
    for number, ids in enumerate(([1, 2], [2], [], [4, 2], [5, 1]), start=1):
        columns = np.zeros((len(ids), 4), np.float32), np.ones(len(ids), np.float32)
        summary.count(number, Tracks(np.array(ids, np.int64), *columns, *np.zeros((2, len(ids)), np.int64)))
    assert (summary.tracks, summary.rows, summary.people_in_view) == (4, 7, 2)
