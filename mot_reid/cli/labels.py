"""Short names for files and folders that are told apart in a table."""

from collections.abc import Iterable
from pathlib import Path

__all__ = ["file_stem", "short_names"]


def short_names(paths: Iterable[str | Path], parts: int = 1) -> list[str]:
    """The ends of paths: as few parts of each as tell it from the others.

    Args:
        paths: any; what occurs twice gets the same name twice.
        parts: the least number of parts.
    """
    whole = [Path(path).absolute().parts for path in paths]
    return [_short_name(own, {other for other in whole if other != own}, parts) for own in whole]


def _short_name(own: tuple[str, ...], others: set[tuple[str, ...]], parts: int) -> str:
    for count in range(parts, len(own)):
        if all(other[-count:] != own[-count:] for other in others):
            return "/".join(own[-count:])
    return str(Path(*own))


def file_stem(name: str) -> str:
    """The name that a user gave to files, checked before the work: it names no folder.

    Raises:
        ValueError: it does, or it is empty.
    """
    if not name or name != Path(name).name:
        raise ValueError(f"--name {name!r}: expected a file's name without folders")
    return name
