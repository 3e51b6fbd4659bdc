"""Which pieces idle workers detect in: simulated with the driver's own choices."""

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.cluster.lookahead import Lookahead
from mot_reid.cluster.pieces import Progress, cut

PIECES = tuple(cut(3300, 10, 10))


def simulate(helpers: int, detect: float, rest: float, pieces: int = 33) -> tuple[float, int]:
    """Seconds until a video is tracked, and how many pieces were detected in vain.

    Args:
        helpers: workers beside the tracker.
        detect: seconds of a piece's detection.
        rest: seconds of all else, which the tracker alone does.
        pieces: how many.
    """
    ahead = Lookahead(PIECES[:pieces], range(pieces))
    found: dict[int, float] = {}
    now, position, vain, spent = 0.0, 0, 0, dict[bool, list[float]]()
    events: list[tuple[float, int]] = []  # when a helper is free again, and the piece that it has done
    idle = helpers
    begun, taken = 0.0, False
    ahead.see(None, now)
    ends = detect + rest
    while True:
        while idle and (piece := ahead.choose(now)) is not None:
            idle -= 1
            heapq.heappush(events, (now + detect, piece.number))
        if events and events[0][0] <= ends:
            now, number = heapq.heappop(events)
            found[number] = now
            ahead.came(detect)
            idle += 1
            vain += number <= position
            continue
        now = ends
        spent.setdefault(taken, []).append(now - begun)
        position += 1
        if position == pieces:
            return now, vain
        begun, taken = now, position in found
        ends = now + rest + (0 if taken else detect)
        means = {key: sum(values) / len(values) for key, values in spent.items()}
        ahead.see(Progress(position, means.get(False), means.get(True)), now)


@pytest.mark.parametrize(("helpers", "faster"), [(1, 1.9), (2, 2.6), (3, 3.5), (7, 4.3)])
def test_idle_workers_make_it_faster(helpers: int, faster: float) -> None:
    seconds, vain = simulate(helpers, 0.8, 0.2)
    assert 33 / seconds >= faster
    assert vain == 0


@given(st.integers(1, 12), st.floats(0.05, 0.98), st.integers(1, 33))
def test_whatever_a_detector_costs_nothing_is_worse_than_alone(
    helpers: int, detect: float, pieces: int
) -> None:
    seconds, vain = simulate(helpers, detect, 1 - detect, pieces)
    assert seconds <= pieces + 1e-9
    assert vain <= 2 * helpers


def test_what_fails_is_left_to_the_tracker_and_what_is_there_is_not_done_again() -> None:
    ahead = Lookahead(PIECES[:5], [0, 1, 3, 4])
    first = ahead.choose(1.0)
    assert first is not None
    ahead.failed(first)
    chosen = [piece.number for _ in range(9) if (piece := ahead.choose(1.0)) is not None]
    assert [first.number, *chosen] == [1, 3, 4]


def test_nothing_is_begun_that_the_tracker_reaches_before() -> None:
    for count, elapsed, number in ((3, 0.5, 1), (3, 1.5, 2), (2, 1.5, None)):
        ahead = Lookahead(PIECES[:count], range(count))
        ahead.came(10.0)
        ahead.see(Progress(0, 12.0, 2.0), 100.0)
        ahead.see(Progress(0, 12.0, 2.0), 100.0 + elapsed)
        chosen = ahead.choose(100.0 + elapsed)
        assert (None if chosen is None else chosen.number) == number
