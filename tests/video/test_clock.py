import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.video.clock import LiveClock, StampClock


def times(stamps: list[float | None], fps: float = 10, **how: bool) -> list[float]:
    clock = StampClock(fps, **how)
    return [clock.at(number, stamp) for number, stamp in enumerate(stamps, start=1)]


def test_times_are_the_stamps_since_the_first() -> None:
    assert times([5.0, 5.1, 5.5, 9.0]) == pytest.approx([0, 0.1, 0.5, 4.0])


def test_without_stamps_the_rate_counts() -> None:
    assert times([None, None, None]) == pytest.approx([0, 0.1, 0.2])
    assert times([0.0, 7.0, 9.0], by_rate=True) == pytest.approx([0, 0.1, 0.2])


def test_a_first_frame_that_is_lost_keeps_its_time() -> None:
    clock = StampClock(10)
    assert clock.at(3, 70.2) == pytest.approx(0.2)
    assert clock.at(4, 70.3) == pytest.approx(0.3)


def test_a_count_that_begins_again_goes_on() -> None:
    assert times([100.0, 100.1, 0.0, 0.1, 0.3]) == pytest.approx([0, 0.1, 0.2, 0.3, 0.5])


def test_stamps_out_of_order_push_nobody_behind_them() -> None:
    assert times([0.0, 0.2, 0.1, 0.3]) == pytest.approx([0, 0.2, 0.2001, 0.3])


@given(st.lists(st.none() | st.floats(-1e6, 1e6)))
def test_times_ascend_whatever_the_stamps(stamps: list[float | None]) -> None:
    found = times(stamps)
    assert all(later > earlier for earlier, later in pairwise(found))


def live(monkeypatch: pytest.MonkeyPatch, came: list[float], stamps: list[float | None]) -> list[float]:
    moments = iter(came)
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    clock = LiveClock()
    return [clock.now(stamp)[0] for stamp in stamps]


def test_stamps_of_a_live_source_are_more_even_than_its_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    assert live(monkeypatch, [50, 50.3, 50.31], [7, 7.1, 7.2]) == pytest.approx([0, 0.1, 0.2])


def test_a_live_source_without_stamps_or_with_wrong_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    assert live(monkeypatch, [50, 51, 54], [None, None, None]) == pytest.approx([0, 1, 4])
    # A camera that says a fifth of the time that passes; and one whose count begins again.
    assert live(monkeypatch, [0, 5, 10, 15], [0, 1, 2, 3]) == pytest.approx([0, 1, 10, 15])
    assert live(monkeypatch, [0, 5, 6], [95, 100, 0]) == pytest.approx([0, 5, 6])
    # The count begins again behind frames that came at once: time does not stand still.
    assert live(monkeypatch, [0, 0.1, 0.2, 1.2, 2.2], [0, 2.5, 5, 0, 1]) == pytest.approx(
        [0, 2.5, 5, 5.0001, 6]
    )
    # The first one has none.
    assert live(monkeypatch, [0, 0.2, 0.21], [None, 7.1, 7.2]) == pytest.approx([0, 0.2, 0.3])


def test_frames_that_come_at_once_after_five_seconds_keep_their_stamps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stamps = [step / 10 for step in range(60)]
    assert live(monkeypatch, [70 + stamp / 50 for stamp in stamps], [*stamps]) == pytest.approx(stamps)


def test_frames_of_one_stamp_are_one_interval_apart() -> None:
    clock = StampClock(25)
    stamps = [0.0] * 25 + [1.0] * 25 + [2.0]
    times = [clock.at(number, stamp) for number, stamp in enumerate(stamps, start=1)]
    assert times == pytest.approx([place / 25 for place in range(51)])
    wrong = StampClock(0.1)  # a rate that is wrong does not carry the time away
    times = [wrong.at(number, stamp) for number, stamp in enumerate(stamps, start=1)]
    assert times[-1] == pytest.approx(2.0, abs=0.01)
    assert (np.diff(times) > 0).all()
