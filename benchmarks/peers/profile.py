"""Where a frame's time goes in our associator, found by looking at it, so that its stages may change."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import mot_reid.association.associator as module
from mot_reid.association.associator import Associator

__all__ = ["StageClock"]


class StageClock:
    """Times what `Associator.step` calls: its methods and this package's functions that its module names.

    What those call in turn counts as theirs. Reading the clock costs each stage about a microsecond.

    Attributes:
        frames: for each frame, seconds by stage.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.frames: list[dict[str, float]] = []
        self._clock = clock
        self._busy = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Inside, associators are timed, those that exist already too."""
        replaced: list[tuple[Any, str, Any]] = []
        try:
            for owner, name, value in [*_stages(), *_helpers()]:
                replaced.append((owner, name, value))
                function = value.__func__ if isinstance(value, staticmethod) else value
                timed = self._timed(name.strip("_"), function)
                setattr(owner, name, staticmethod(timed) if isinstance(value, staticmethod) else timed)
            yield
        finally:
            for owner, name, value in replaced:
                setattr(owner, name, value)

    def start_frame(self) -> None:
        """Times go to a new frame from here on."""
        self.frames.append({})

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        clock = self._clock

        @wraps(function)
        def timed(*arguments: Any, **options: Any) -> Any:
            if self._busy or not self.frames:
                return function(*arguments, **options)
            self._busy = True
            start = clock()
            try:
                return function(*arguments, **options)
            finally:
                times = self.frames[-1]
                times[name] = times.get(name, 0.0) + clock() - start
                self._busy = False

        return timed


def _stages() -> list[tuple[Any, str, Any]]:
    """The private methods of the associator."""
    return [
        (Associator, name, value)
        for name, value in vars(Associator).items()
        if name.startswith("_")
        and not name.startswith("__")
        and (inspect.isfunction(value) or isinstance(value, staticmethod))
    ]


def _helpers() -> list[tuple[Any, str, Any]]:
    """Functions of ours that the associator's module calls by name, compiled ones too."""
    return [
        (module, name, value)
        for name, value in vars(module).items()
        if callable(value)
        and not inspect.isclass(value)
        and str(getattr(value, "__module__", "")).startswith("mot_reid.")
    ]
