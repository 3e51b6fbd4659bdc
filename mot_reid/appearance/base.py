"""What an embedder is."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeGuard

import numpy as np

from mot_reid.typing import Boxes, Embeddings, Image

__all__ = ["Embedder", "EmbedderLike", "as_embedder"]


class Embedder(Protocol):
    """Turns the people in a frame into appearance embeddings.

    An embedder of your own needs `embed` (`EmbedderLike`). What it can do besides is stated by the other
    members, which have the defaults below where a class leaves them out (`as_embedder`); a subclass of this
    one inherits them. `mot_reid.testing.check_embedder` says what is wrong with one. Galleries tell embedders
    apart by an attribute ``fingerprint`` (text) where there is one, or else by name: another training,
    another one.

    Attributes:
        name: for reports; empty for the class's.
        frames_at_once: how many frames it takes best in one call of `embed_batch`.
        calls_at_once: how many threads best call it at the same time; 1 where two never may.
    """

    name: str = ""
    frames_at_once: int = 1
    calls_at_once: int = 1

    def embed(self, frame: Image, xyxy: Boxes) -> Embeddings:
        """Embeds all boxes of a frame at once.

        Args:
            frame: ``(H, W, 3)`` uint8 BGR.
            xyxy: boxes ``(N, 4)`` float32 in pixels, N > 0.

        Returns:
            ``(N, D)`` float32, L2-normalised.
        """
        ...

    def embed_batch(self, frames: Sequence[Image], xyxy: Sequence[Boxes]) -> list[Embeddings]:
        """Embeds the boxes of several frames at once; one frame after the other where a class has no better.

        Args:
            frames: ``(H, W, 3)`` uint8 BGR each, all of one size.
            xyxy: boxes ``(N, 4)`` float32 of each frame in pixels; N may be 0.

        Returns:
            ``(N, D)`` float32 of each frame, L2-normalised; ``(0, 0)`` where a frame has no box.
        """
        pairs = zip(frames, xyxy, strict=True)
        return [self.embed(*pair) if len(pair[1]) else np.zeros((0, 0), np.float32) for pair in pairs]


class EmbedderLike(Protocol):
    """What is taken for an embedder: the one member of `Embedder` that one of your own needs."""

    def embed(self, frame: Image, xyxy: Boxes) -> Embeddings:
        """See `Embedder.embed`."""
        ...


class _Adapted(Embedder):
    """An embedder that leaves some members out, with their defaults."""

    def __init__(self, embedder: Any) -> None:
        self._embedder = embedder
        for member in ("name", "frames_at_once", "calls_at_once"):
            setattr(self, member, getattr(embedder, member, getattr(Embedder, member)))
        self.name = self.name or type(embedder).__name__
        for member in ("fingerprint", "path"):  # by which galleries tell embedders apart
            if hasattr(embedder, member):
                setattr(self, member, getattr(embedder, member))

    def embed(self, frame: Image, xyxy: Boxes) -> Embeddings:
        """See `Embedder.embed`."""
        rows: Embeddings = self._embedder.embed(frame, xyxy)
        return rows

    def embed_batch(self, frames: Sequence[Image], xyxy: Sequence[Boxes]) -> list[Embeddings]:
        """See `Embedder.embed_batch`."""
        if hasattr(self._embedder, "embed_batch"):
            return list(self._embedder.embed_batch(frames, xyxy))
        return super().embed_batch(frames, xyxy)


def _is_complete(embedder: object) -> TypeGuard[Embedder]:
    members = ("embed", "embed_batch", "name", "frames_at_once", "calls_at_once")
    return all(hasattr(embedder, member) for member in members) and bool(getattr(embedder, "name", ""))


def as_embedder(embedder: object) -> Embedder:
    """An embedder with all members of `Embedder`: itself where it has them, or else in a thin wrapper.

    Raises:
        TypeError: it has no ``embed``, or a number of its is none above 0.
    """
    if not hasattr(embedder, "embed"):
        text = "" if hasattr(embedder, "parameters") else repr(embedder)  # networks print hundreds of lines
        shown = text if text and len(text) <= 100 else f"an object of type {type(embedder).__name__}"
        raise TypeError(f"embedder: expected weights or an object with embed, got {shown}")
    if not callable(embedder.embed) or isinstance(embedder, type):
        raise TypeError(f"embedder: expected an object with a method embed, got {embedder!r:.100}")
    whole = embedder if _is_complete(embedder) else _Adapted(embedder)
    for member in ("frames_at_once", "calls_at_once"):
        value = getattr(whole, member)
        if not isinstance(value, int) or value < 1:
            raise TypeError(f"embedder.{member}: expected a whole number from 1, got {value!r}")
    return whole
