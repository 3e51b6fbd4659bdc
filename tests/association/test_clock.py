"""Seconds and usual frames, by hand."""

import numpy as np
import pytest

from mot_reid import Detections
from mot_reid.association.associator import Associator
from mot_reid.association.clock import Clock


def test_without_times_every_frame_is_one_interval() -> None:
    clock = Clock(fps=25)
    for number in range(1, 50):
        clock.advance()
        assert clock.time == pytest.approx(number / 25)
        assert (clock.elapsed, clock.frames) == (pytest.approx(0.04), 1)


def test_a_gap_is_so_many_usual_frames() -> None:
    clock = Clock(fps=10)
    clock.advance(5.0)
    assert clock.frames == 1  # nothing came before
    clock.advance(5.3)
    assert clock.frames == 3
    clock.advance(5.45)
    assert clock.frames == pytest.approx(1.5)


def test_time_stamps_in_milliseconds_are_no_jitter() -> None:
    clock = Clock(fps=30)
    for milliseconds in (0, 33, 67, 100, 133, 167):
        clock.advance(milliseconds / 1000)
        assert clock.frames == 1


def test_the_rate_is_learnt_where_nobody_knows_it() -> None:
    clock = Clock()
    assert clock.interval == pytest.approx(1 / 30)
    for time in (0.0, 0.2, 0.4, 1.4, 1.6, 1.8):
        clock.advance(time)
    assert clock.interval == pytest.approx(0.2)
    clock.advance(2.4)
    assert clock.frames == 3


def test_a_rate_once_learnt_stays() -> None:
    clock = Clock()
    for number in range(40):
        clock.advance(0.1 * number)
    for number in range(100):
        clock.advance(10.0 + number)
    assert clock.interval == pytest.approx(0.1)


def test_times_may_be_numbers_of_numpy() -> None:
    tracker, boxes = Associator(), Detections([[100 * n, 50, 100 * n + 40, 150] for n in range(6)])
    ids = [tracker.step(boxes, time=time).ids.tolist() for time in np.arange(3) / 25]
    assert ids == [[1, 2, 3, 4, 5, 6]] * 3
