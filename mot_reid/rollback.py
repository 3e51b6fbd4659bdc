"""A step that fails leaves no trace: objects are put back to where they were."""

from types import TracebackType
from typing import Any, Protocol

__all__ = ["KeepsAttributes", "Restorable", "unchanged_on_failure"]


class Restorable(Protocol):
    """Something whose state can be kept and put back."""

    def saved(self) -> Any:
        """Gives what `restore` needs; it stays true whatever happens to the object afterwards."""
        ...

    def restore(self, saved: Any) -> None:
        """Puts the object back to where it was when `saved` gave this."""
        ...


class KeepsAttributes:
    """A `Restorable` whose state is its attributes, which are replaced and never written into.

    Example:
        >>> class Counter(KeepsAttributes):
        ...     count = 0
        >>> counter = Counter()
        >>> before = counter.saved()
        >>> counter.count = 3
        >>> counter.restore(before)
        >>> counter.count
        0
    """

    def saved(self) -> dict[str, Any]:
        """Gives a shallow copy of the attributes."""
        return vars(self).copy()

    def restore(self, saved: dict[str, Any]) -> None:
        """Puts the attributes back; those that are new since then go."""
        vars(self).clear()
        vars(self).update(saved)


class unchanged_on_failure:
    """A ``with`` block after whose failure the objects are as they were before it.

    The error goes on to the caller.

    Args:
        parts: the objects; None stands for nothing to keep.

    Example:
        >>> class Counter(KeepsAttributes):
        ...     count = 0
        >>> counter = Counter()
        >>> try:
        ...     with unchanged_on_failure(counter):
        ...         counter.count += 1
        ...         raise RuntimeError("out of memory")
        ... except RuntimeError as error:
        ...     print(error, counter.count)
        out of memory 0
    """

    def __init__(self, *parts: Restorable | None) -> None:
        self._parts = parts

    def __enter__(self) -> None:
        self._saved = [(part, part.saved()) for part in self._parts if part is not None]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            for part, saved in self._saved:
                part.restore(saved)
