"""Stages that work at the same time, each in a thread, on frames that come out in the order they went in.

A stage is an iterator over what the stage before gives; `Overlap.ahead` moves its work into a thread that
runs a bounded number of items ahead of whoever takes them. OpenCV, PyAV, ONNX Runtime and torch let other
threads run while they compute, so the stages share the cores.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

__all__ = ["ENDINGS", "Ahead", "Overlap", "available_cores", "batched", "batches", "side_by_side"]

ENDINGS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""The signals that end a run with whole files: Ctrl-C, ``kill``, and a terminal that is closed."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class _End:
    """Stands behind the last item: why there are no more."""

    failure: BaseException | None = None


class Ahead(Iterator[Item], Generic[Item]):
    """Iterates in a thread of its own, ahead of whoever takes the items.

    An error of ``items`` is raised where the item would have come, after all items before it.

    Args:
        items: what to iterate over; nobody else may.
        depth: most items made and not yet taken, the one in the making included.
        newest: drop the oldest item where another one comes and there is no room, instead of making the
            source of the items wait; one item may then be in the making beyond ``depth``.

    Attributes:
        dropped: how many items were dropped.

    Raises:
        ValueError: ``depth`` is below 1.
    """

    def __init__(self, items: Iterable[Item], depth: int = 1, *, newest: bool = False) -> None:
        if depth < 1:
            raise ValueError(f"depth: expected at least 1, got {depth}")
        self.dropped = 0
        self._items = iter(items)
        self._newest = newest
        # Queues written in C: a Ctrl-C between taking a lock and noting it cannot leave them locked.
        self._room: SimpleQueue[None] = SimpleQueue()
        self._ready: SimpleQueue[Item | _End] = SimpleQueue()
        for _ in range(depth):
            self._room.put(None)
        self._stopped = self._ended = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def __next__(self) -> Item:
        if self._ended:
            raise StopIteration
        item = self._ready.get()
        if not isinstance(item, _End):
            self._room.put(None)
            return item
        self._ended = True
        if item.failure is not None:
            raise item.failure
        raise StopIteration

    def waiting(self) -> int:
        """Gives how many items are made and not yet taken."""
        return self._ready.qsize()

    def stop(self) -> None:
        """Lets the thread end after the item in the making; whoever waits for one is told there is none."""
        self._stopped = True
        self._room.put(None)

    def join(self) -> None:
        """Waits for the thread, which ended by itself or was stopped."""
        self._thread.join()

    def _work(self) -> None:
        end = _End()
        try:
            if self._newest:
                self._give_newest()
            else:
                self._give_all()
        except BaseException as error:  # the taker's to handle, whatever it is
            end = _End(error)
        finally:
            self._ready.put(end)
            if hasattr(self._items, "close"):
                with suppress(Exception):  # the taker has gone
                    self._items.close()

    def _give_all(self) -> None:
        while True:
            self._room.get()  # before the item is made: so many are held at the most
            if self._stopped:
                return
            try:
                item = next(self._items)
            except StopIteration:
                return
            self._ready.put(item)
            del item  # or it would be held while the next one is waited for

    def _give_newest(self) -> None:
        for item in self._items:
            while not self._stopped:
                try:
                    self._room.get_nowait()
                    break
                except Empty:
                    with suppress(Empty):  # taken just now: then there is room again
                        self._ready.get_nowait()
                        self.dropped += 1
                        self._room.put(None)
            if self._stopped:
                return
            self._ready.put(item)
            del item


class Overlap:
    """Stages that run ahead of each other in threads, until the block ends; or none do.

    Args:
        depth: most items that wait between two stages, the one in the making included.
        threads: False does everything in the caller's thread, one item after the other.

    Example:
        >>> with Overlap(depth=2) as overlap:
        ...     squares = overlap.ahead(number**2 for number in range(4))
        ...     print(list(map(str, squares)))
        ['0', '1', '4', '9']
    """

    def __init__(self, depth: int = 2, threads: bool = True) -> None:
        self._depth = depth
        self._threads = threads
        self._stages: list[Ahead[Any]] = []

    def ahead(
        self, items: Iterable[Item], *, newest: bool = False, depth: int | None = None
    ) -> Iterator[Item]:
        """The items, made ahead in a thread of their own; see `Ahead`.

        Args:
            items: what to iterate over.
            newest: drop the oldest where there is no room.
            depth: most that wait; by default as many as everywhere, and one where old ones are dropped.
        """
        if not self._threads:
            return iter(items)
        stage = Ahead(items, depth or (1 if newest else self._depth), newest=newest)
        self._stages.append(stage)
        return stage

    @property
    def dropped(self) -> int:
        """How many items were dropped for newer ones."""
        return sum(stage.dropped for stage in self._stages)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stage in self._stages:
            stage.stop()
        interruption: KeyboardInterrupt | None = None
        for stage in self._stages:
            while True:
                try:
                    stage.join()
                    break
                except KeyboardInterrupt as again:  # a source must not be closed while a thread reads it
                    interruption = again
        if interruption is not None and error is None:
            raise interruption


def side_by_side(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """``map`` with several calls at a time; results and errors come in the items' order.

    At most ``workers + 1`` items are taken beyond those whose results were given: one waits, so that no
    worker has to.
    """
    if workers <= 1:
        yield from map(function, items)
        return
    pending: deque[Future[Result]] = deque()
    end: list[BaseException] = []
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in _failing_last(items, end):
                pending.append(pool.submit(function, item))
                del item
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
    for failure in end:
        raise failure


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of ``size``, the last one shorter; an error comes after the items before it."""
    end: list[BaseException] = []
    kept = _failing_last(items, end)
    while batch := list(islice(kept, size)):
        yield batch
    for failure in end:
        raise failure


def batched(
    function: Callable[[list[Item]], list[Result]], items: Iterable[Item], size: int
) -> Iterator[Result]:
    """``map`` with several items a call, as `batches` has them, and as many results.

    Where a call fails, the items of that batch are taken one by one: no result that can be had is lost, and
    a batch that was too much at once, for the memory say, may do.
    """
    for batch in batches(items, size):
        try:
            results = function(batch)
        except Exception:
            if len(batch) == 1:
                raise
        else:
            yield from results
            continue
        for item in batch:
            yield from function([item])


def _failing_last(items: Iterable[Item], end: list[BaseException]) -> Iterator[Item]:
    """The items up to an error, which goes to ``end``."""
    try:
        yield from items
    except GeneratorExit:
        raise
    except BaseException as error:
        end.append(error)


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
