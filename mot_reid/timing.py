"""Time spent in each stage."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Stopwatch"]


class Stopwatch:
    """Adds up the seconds of named stages; a stage inside another counts for itself only.

    Stages may run in several threads at a time: each thread's seconds count, so that together they can be
    more than have passed.

    Attributes:
        seconds: the total of each stage so far.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._adding = threading.Lock()
        self._of_thread = threading.local()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Times a ``with`` block as part of ``stage``."""
        inner = self._inner()
        inner.append(0.0)
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            own = elapsed - inner.pop()
            inner[-1] += elapsed
            with self._adding:
                self.seconds[stage] += own

    def __getstate__(self) -> dict[str, float]:
        """The seconds; what is being timed at the moment stays behind."""
        return dict(self.seconds)

    def __setstate__(self, seconds: dict[str, float]) -> None:
        self.__init__()  # type: ignore[misc]
        self.seconds.update(seconds)

    def _inner(self) -> list[float]:
        """For each stage open in this thread, the seconds of the stages inside it."""
        if not hasattr(self._of_thread, "inner"):
            self._of_thread.inner = [0.0]
        inner: list[float] = self._of_thread.inner
        return inner
