"""Words of messages."""

from __future__ import annotations

__all__ = ["counted"]

_IRREGULAR = {"person": "people"}


def counted(count: int, noun: str) -> str:
    """Says how many there are of something, as messages do: ``1 frame``, ``2 frames``, ``0 people``.

    Args:
        count: how many there are.
        noun: what they are, in the singular; of several words the last is the one that changes.

    Returns:
        The number and the noun, in the plural unless the number is 1.

    Example:
        >>> counted(1, "identity"), counted(3, "identity"), counted(2, "unlabelled crop")
        ('1 identity', '3 identities', '2 unlabelled crops')
    """
    return f"{count} {noun if count == 1 else _plural(noun)}"


def _plural(noun: str) -> str:
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"
