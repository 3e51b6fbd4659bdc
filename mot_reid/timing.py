"""Time spent in each stage."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Stopwatch"]


class Stopwatch:
    """Adds up the seconds of named stages; a stage inside another counts for itself only.

    Attributes:
        seconds: the total of each stage so far.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner = [0.0]  # for each open stage, the seconds of the stages inside it

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Times a ``with`` block as part of ``stage``."""
        self._inner.append(0.0)
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[stage] += elapsed - self._inner.pop()
            self._inner[-1] += elapsed
