"""What a gallery asks of the place where its records lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mot_reid.extras import require
from mot_reid.gallery.records import Tracklet
from mot_reid.typing import Embeddings, Floats, Floats32, Indices, Ints
from mot_reid.wording import counted

if TYPE_CHECKING:
    from mot_reid.gallery.filters import Filter

__all__ = [
    "FORMAT",
    "GalleryError",
    "GalleryInfo",
    "NoGalleryError",
    "RecordTable",
    "Store",
    "import_arrow",
    "require_rows",
]


FORMAT = 1
"""Of the stored files; a gallery of a later format is refused."""


class GalleryError(RuntimeError):
    """A gallery cannot be used as asked; the message is one line that names it and says why.

    It has a cause where what was asked could have been, and failed: on a full disk, say.
    """


class NoGalleryError(GalleryError):
    """There is no gallery in a place.

    Args:
        place: that can be read, but has none.
    """

    def __init__(self, place: str) -> None:
        super().__init__(f"{place}: no gallery there; `mot-reid track VIDEO --gallery` makes one")


@dataclass(frozen=True)
class GalleryInfo:
    """What all records of a gallery share.

    Attributes:
        embedder: name of what made the embeddings.
        fingerprint: of its weights: embeddings of two fingerprints are never compared.
        dimension: of its embeddings.
        format: of the stored files.
    """

    embedder: str
    fingerprint: str
    dimension: int
    format: int = FORMAT

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any, place: str) -> GalleryInfo:
        """Reads what `to_dict` gave.

        Raises:
            GalleryError: it is not that, or of a later format.
        """
        try:
            info = cls(**{item.name: values[item.name] for item in fields(cls)})
        except (KeyError, TypeError):
            raise GalleryError(f"{place}: not a gallery's description") from None
        numbers, texts = (info.dimension, info.format), (info.embedder, info.fingerprint)
        if not all(type(value) is int and value > 0 for value in numbers) or set(map(type, texts)) != {str}:
            raise GalleryError(f"{place}: not a gallery's description")
        if info.format > FORMAT:
            raise GalleryError(f"{place}: format {info.format}; this version reads up to {FORMAT}")
        return info


@dataclass(frozen=True, eq=False)
class RecordTable:
    """All records of a gallery but their vectors and pictures, column by column, oldest first.

    Attributes: each ``(N,)``, named as those of `mot_reid.gallery.records.Tracklet`; ``attributes`` is JSON.
    """

    record: NDArray[np.object_]
    camera: NDArray[np.object_]
    source: NDArray[np.object_]
    run: NDArray[np.object_]
    track_id: Ints
    part: Ints
    class_id: Ints
    class_name: NDArray[np.object_]
    first_frame: Ints
    last_frame: Ints
    start: Floats
    end: Floats
    epoch: Floats
    added: Floats
    boxes: Ints
    views: Ints
    quality: Floats
    confidence: Floats
    attributes: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.record)

    def __getitem__(self, rows: Any) -> RecordTable:
        """Some of the rows, by index array or mask."""
        return RecordTable(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})

    @classmethod
    def empty(cls) -> RecordTable:
        """No record at all."""
        return cls(**{item.name: np.zeros(0, _DTYPES.get(str(item.type), object)) for item in fields(cls)})

    @classmethod
    def concatenated(cls, tables: Sequence[RecordTable]) -> RecordTable:
        """Tables one after the other."""
        if not tables:
            return cls.empty()
        return cls(
            **{
                item.name: np.concatenate([getattr(table, item.name) for table in tables])
                for item in fields(cls)
            }
        )

    def labels(self) -> list[str]:
        """``camera:track`` or ``camera:track.part``, and ``@run`` where several runs have the track."""
        tracks, runs = list(zip(self.camera.tolist(), self.track_id.tolist(), strict=True)), self.run.tolist()
        several = Counter(track for track, _ in set(zip(tracks, runs, strict=True)))
        return [
            f"{track[0]}:{track[1]}"
            + (f".{part}" if part else "")
            + (f"@{run}" if several[track] > 1 else "")
            for track, part, run in zip(tracks, self.part.tolist(), runs, strict=True)
        ]


_DTYPES: dict[str, Any] = {"Ints": np.int64, "Floats": np.float64}


class Store(Protocol):
    """Keeps records; several processes may use one place at the same time.

    Attributes:
        place: where it lies, for messages.
        info: what all records share.
        damaged: what could not be read at the last look, a line each; it is left out.
    """

    place: str
    info: GalleryInfo
    damaged: list[str]

    def append(self, records: Sequence[Tracklet]) -> None:
        """Adds records, all or none; what was there before stays readable whatever happens.

        Raises:
            OSError: they cannot be written.
        """

    def table(self) -> RecordTable:
        """All records there are now; later calls of the other methods count its rows."""

    def means(self, rows: Indices | None = None) -> Embeddings:
        """Mean embeddings ``(R, D)`` of rows of the last `table`, by default of all."""

    def medoids(self, rows: Indices) -> tuple[Embeddings, Indices]:
        """Medoids ``(M, D)`` of rows of the last `table` and which of ``rows`` each belongs to ``(M,)``."""

    def nearest(
        self, queries: Embeddings, count: int, where: Filter | None = None
    ) -> tuple[Indices, Floats32]:
        """The rows whose means are most alike to each query.

        Args:
            queries: ``(Q, D)`` unit rows.
            count: how many for each at the most.
            where: which records may be found; None for all.

        Returns:
            Row numbers ``(Q, K)`` of the last `table`, the most alike first, and their cosines ``(Q, K)``.
        """

    def tracklets(self, rows: Indices, crops: bool = True) -> list[Tracklet]:
        """Whole records of rows of the last `table`, with their pictures if wanted.

        Raises:
            IndexError: there is no such row; likewise `means`, `medoids` and `paths`.
        """

    def paths(self, rows: Indices) -> list[Floats32]:
        """Only the `Tracklet.path` of rows of the last `table`, ``(P, 6)`` each."""

    def remove(self, records: Sequence[str]) -> int:
        """Removes records by name for good, also from older versions; says how many there were."""

    def read_document(self, name: str) -> str | None:
        """A text that is kept beside the records, or None."""

    def write_document(self, name: str, text: str) -> None:
        """Keeps a text beside the records, whole or not at all."""

    def changing(self) -> AbstractContextManager[Any]:
        """Holds the documents for who reads one and writes it anew, where the store can be held."""
        return nullcontext()

    def compact(self) -> None:
        """Puts many small pieces together, and makes the index if there are enough records."""


def import_arrow() -> Any:
    """The pyarrow package with Parquet; an ImportError says how to get it."""
    arrow = require("pyarrow", "a gallery")
    import_module("pyarrow.parquet")
    return arrow


def require_rows(rows: Indices, count: int, place: str) -> None:
    """Makes sure that a table of ``count`` records has all of ``rows``.

    Raises:
        IndexError: it has not; the message names the first that is missing.
    """
    missing = rows[(rows < 0) | (rows >= count)]
    if missing.size:
        raise IndexError(f"{place}: no row {missing[0]} in a table of {counted(count, 'record')}")
