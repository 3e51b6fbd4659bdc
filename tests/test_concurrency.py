"""Stages in threads: the order, errors, bounds and ends of what comes out."""

import threading
import time
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mot_reid.concurrency import Ahead, Overlap, batched, batches, side_by_side


def failing_after(n: int) -> Iterator[int]:
    yield from range(n)
    raise OSError(f"no item {n}")


@given(
    pauses=st.lists(st.integers(0, 2), max_size=20),
    depth=st.integers(1, 4),
    workers=st.integers(1, 4),
    size=st.integers(1, 5),
    threads=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_all_items_in_order(pauses: list[int], depth: int, workers: int, size: int, threads: bool) -> None:
    def slowly(item: tuple[int, int]) -> int:
        time.sleep(item[1] / 2000)
        return item[0]

    with Overlap(depth, threads=threads) as overlap:
        items = overlap.ahead(enumerate(pauses))
        items = overlap.ahead(side_by_side(slowly, items, workers))
        items = overlap.ahead(item for batch in batches(items, size) for item in batch)
        assert list(items) == list(range(len(pauses)))
    assert overlap.dropped == 0


@pytest.mark.parametrize("threads", [True, False])
@pytest.mark.parametrize("through", ["ahead", "side by side", "batches"])
def test_an_error_comes_after_the_items_before_it(through: str, threads: bool) -> None:
    taken: list[int] = []
    with Overlap(2, threads=threads) as overlap:
        items: Iterator[int] = overlap.ahead(failing_after(7))
        if through == "side by side":
            items = side_by_side(abs, items, 3)
        elif through == "batches":
            items = (item for batch in batches(items, 5) for item in batch)
        with pytest.raises(OSError, match="no item 7"):
            taken.extend(overlap.ahead(items))
    assert taken == list(range(7))


def test_an_error_of_a_call_side_by_side_comes_in_its_place() -> None:
    taken: list[float] = []
    with pytest.raises(ZeroDivisionError):
        taken.extend(side_by_side(lambda number: 1 / (4 - number), range(9), 3))
    assert taken == [1 / 4, 1 / 3, 1 / 2, 1]


def test_an_error_in_a_batch_costs_no_result_before_it() -> None:
    calls: list[list[int]] = []

    def halves(batch: list[int]) -> list[float]:
        calls.append(batch)
        return [1 / (6 - number) for number in batch]

    taken: list[float] = []
    with pytest.raises(ZeroDivisionError):
        taken.extend(batched(halves, range(20), 4))
    assert taken == [1 / 6, 1 / 5, 1 / 4, 1 / 3, 1 / 2, 1]
    assert calls == [[0, 1, 2, 3], [4, 5, 6, 7], [4], [5], [6]]


def test_what_is_too_much_at_once_is_done_one_by_one() -> None:
    def hungry(batch: list[int]) -> list[int]:
        if len(batch) > 1 and 5 in batch:
            raise MemoryError
        return batch

    assert list(batched(hungry, range(10), 4)) == list(range(10))
    with pytest.raises(OSError, match="no item 6"):
        list(batched(hungry, failing_after(6), 4))


def test_no_more_than_so_many_items_are_held() -> None:
    made = most = taken = 0

    def making() -> Iterator[int]:
        nonlocal made, most
        for number in range(40):
            made += 1
            most = max(most, made - taken)
            yield number

    with Overlap(3) as overlap:
        for _ in overlap.ahead(making()):
            time.sleep(0.002)
            taken += 1
    assert made == taken == 40
    assert most <= 4  # three, and the one that was taken and is not counted yet


def test_side_by_side_takes_no_more_than_it_needs() -> None:
    most = given_out = 0

    def making() -> Iterator[int]:
        nonlocal most
        for number in range(20):
            most = max(most, number + 1 - given_out)
            yield number

    for _ in side_by_side(abs, making(), 3):
        given_out += 1
    assert most == 4


def test_calls_run_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=20)  # nobody gets through alone
    assert list(side_by_side(lambda number: (meeting.wait(), number)[1], range(6), 3)) == list(range(6))


def test_the_newest_item_is_taken_and_the_others_are_counted() -> None:
    released = threading.Semaphore(0)

    def camera() -> Iterator[int]:
        for number in range(100):
            if number % 10 == 0:
                released.acquire()
            yield number

    with Overlap(5) as overlap:
        items = overlap.ahead(camera(), newest=True)
        taken = []
        for _ in range(10):
            released.release()
            time.sleep(0.03)
            taken.append(next(items))
        assert next(items, None) is None
    assert taken == sorted(set(taken))
    assert len(taken) + overlap.dropped == 100
    assert taken[-1] == 99
    assert overlap.dropped >= 80


def test_leaving_ends_every_thread_wherever_it_is() -> None:
    before = set(threading.enumerate())
    closed = []

    def endless() -> Iterator[int]:
        try:
            yield from count()
        finally:
            closed.append(True)

    with Overlap(2) as overlap:
        items = overlap.ahead(side_by_side(abs, overlap.ahead(map(abs, overlap.ahead(endless()))), 2))
        assert [next(items) for _ in range(5)] == list(range(5))
    assert set(threading.enumerate()) <= before
    assert closed == [True]


def test_another_ctrl_c_does_not_leave_threads_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the stages read is closed afterwards, and must not be while they read it."""
    calls = []
    join = Ahead.join

    def interrupted(stage: Ahead[int]) -> None:
        calls.append(stage)
        if len(calls) == 2:
            raise KeyboardInterrupt
        join(stage)

    monkeypatch.setattr(Ahead, "join", interrupted)
    overlap = Overlap()
    first = overlap.ahead(iter(range(9)))
    second = overlap.ahead(first)
    assert next(second) == 0
    with pytest.raises(KeyboardInterrupt):
        overlap.__exit__(None, None, None)
    assert calls == [first, second, second]
    calls.clear()
    overlap.__exit__(ValueError, ValueError("this one goes on"), None)
    assert calls == [first, second, second]


def test_who_waits_is_told_of_the_end() -> None:
    gate = threading.Event()
    source = Ahead(number for number in range(3) if gate.wait())
    after = Ahead(map(abs, source))
    source.stop()
    gate.set()
    source.join()
    assert len(list(after)) <= 1
    after.join()


def test_after_the_end_there_is_nothing() -> None:
    ahead = Ahead(failing_after(0))
    with pytest.raises(OSError, match="no item 0"):
        next(ahead)
    assert list(ahead) == []
    ahead.join()


def test_a_depth_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="depth: expected at least 1, got 0"):
        Ahead([], 0)
