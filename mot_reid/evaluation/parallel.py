"""Work on many sequences side by side, in processes."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from mot_reid.concurrency import ENDINGS, available_cores

__all__ = ["map_tasks"]

Task = TypeVar("Task")
Result = TypeVar("Result")


def map_tasks(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    jobs: int = 0,
    on_done: Callable[[int], None] | None = None,
) -> list[Result]:
    """``[work(task) for task in tasks]``, several at a time; put the longest first.

    Args:
        work: a function of a module, or a `functools.partial` of one.
        tasks: what it is called with.
        jobs: most processes; 0 for one a core. One, or a single task, runs in this process.
        on_done: called with a task's number as soon as it is done.

    Raises:
        Exception: the first that a task raises; tasks that have not begun are dropped.
        RuntimeError: a process died, of too little memory, say.
    """
    jobs = min(jobs or available_cores(), len(tasks))
    if jobs <= 1:
        results = []
        for number, task in enumerate(tasks):
            results.append(work(task))
            if on_done is not None:
                on_done(number)
        return results
    # Forking saves the imports, but not once torch has started its threads.
    fork = sys.platform == "linux" and "torch" not in sys.modules
    context = multiprocessing.get_context("fork" if fork else "spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_leave_interruption_to_parent)
    try:
        futures: dict[Future[Result], int] = {pool.submit(work, task): i for i, task in enumerate(tasks)}
        for future in as_completed(futures):
            future.result()
            if on_done is not None:
                on_done(futures[future])
        return [future.result() for future in futures]
    except BrokenProcessPool:
        raise RuntimeError("a worker process died; with --jobs 1 less memory is needed") from None
    except KeyboardInterrupt:  # do not wait for tasks that nobody wants any more
        for process in pool._processes.values():  # `terminate_workers` from Python 3.14 on
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _leave_interruption_to_parent() -> None:
    for number in ENDINGS:
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)
