"""The stages of a run, one by one."""

from collections.abc import Iterator

import numpy as np

from mot_reid import Detections, Tracker, load_config
from mot_reid.association.reentry import IdChange
from mot_reid.pipeline.steps import Step, _lagged
from mot_reid.video.frames import Frame


def test_what_is_told_while_no_frame_is_complete_comes_with_the_next_one() -> None:
    """Behind a pause of a second the frames before it are out, and those since come later."""
    tracker = Tracker("none", "none", "none", config=load_config(None, ["output.lag=0.3"]))
    change = IdChange(before=5, now=2, frame=3, time=0.3, undone=False)

    def steps() -> Iterator[Step]:
        for number, seconds in enumerate((0.1, 0.2, 0.3, 0.4, 1.5, 1.6, 1.7, 1.8, 1.9), start=1):
            tracker.time = seconds
            told = [change] if number == 6 else []
            yield Step(Frame(number, np.zeros((4, 4, 3), np.uint8)), Detections.empty(), id_changes=told)

    given = [(step.frame.number, step.id_changes) for step in _lagged(steps(), tracker)]
    assert [number for number, _ in given] == list(range(1, 10))
    assert [entry for entry in given if entry[1]] == [(5, [change])]
