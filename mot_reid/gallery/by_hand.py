"""What people corrected on the tracks of a gallery's sources, for `Gallery.identify` to obey.

Records stay as they were made. The table that is identified has the corrected ids in their place: a record
whose track was split, or took part in a swap, is as many rows as there are people in it; one that was deleted
is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from mot_reid.gallery.queries import crop_embedder
from mot_reid.gallery.store import RecordTable, Store
from mot_reid.typing import Embeddings, Image, Indices

if TYPE_CHECKING:
    from mot_reid.appearance.base import Embedder

__all__ = ["ByHand", "Part", "SourceCorrections", "by_hand"]


@dataclass(frozen=True)
class Part:
    """A stretch of one track that belongs to one corrected track.

    Attributes:
        id: of the corrected track.
        first: frame.
        last: frame.
        boxes: how many of the track's boxes lie in it.
    """

    id: int
    first: int
    last: int
    boxes: int


class SourceCorrections(Protocol):
    """The corrections of one source's tracks."""

    @property
    def names(self) -> Mapping[int, str]:
        """Names of corrected tracks."""
        ...

    def parts(self, track: int, first: int, last: int) -> Sequence[Part]:
        """What became of a track's boxes from one frame to another, in the order of frames."""
        ...


@dataclass(frozen=True, eq=False)
class ByHand:
    """A gallery's records with the corrections of their sources.

    Attributes:
        table: rows to identify; ``track_id`` are the corrected ids. Records that are more than one row have
            names of their own, ``RECORD#ID``.
        parent: ``(N,)`` the row of each in the gallery's table.
        places: ``(N,)`` the same, -1 where it is only a part of that record.
        embeddings: ``(N, D)`` float32 unit rows.
        joined: ``(J, 2)`` rows that are one person.
        barred: ``(B, 2)`` rows that are two people.
        names: ``(N,)`` what each was called, or ``""``.
        left_out: parts of records without a picture of their own, which have no row.
    """

    table: RecordTable
    parent: Indices
    places: Indices
    embeddings: Embeddings
    joined: Indices
    barred: Indices
    names: NDArray[np.object_]
    left_out: int = 0


def by_hand(
    store: Store,
    corrected: Mapping[str, SourceCorrections],
    embedder: Callable[[], Embedder],
    table: RecordTable | None = None,
) -> ByHand:
    """Puts the corrections of sources over a gallery's records.

    Args:
        store: of the gallery.
        corrected: corrections by the runs whose tracks they correct, or by cameras: then of all their runs.
        embedder: gives the gallery's, loaded if need be: the embedding of a record is that of all its parts.
        table: the store's, if it was just read.
    """
    table = store.table() if table is None else table
    rows: list[tuple[int, Part | None, bool]] = []  # parent, part, whether it is the whole record
    for row in range(len(table)):
        source = _corrections(table, row, corrected)
        if source is None:
            rows.append((row, None, True))
            continue
        first, last = int(table.first_frame[row]), int(table.last_frame[row])
        parts = source.parts(int(table.track_id[row]), first, last)
        rows += [(row, part, len(parts) == 1) for part in parts]
    means = store.means()
    kept: list[tuple[int, Part | None, bool]] = []
    vectors: list[Embeddings] = []
    for row, part, whole in rows:
        if whole or part is None:
            kept.append((row, part, whole))
            vectors.append(means[row])
            continue
        crops = [
            crop
            for crop in store.tracklets(np.array([row], np.intp), True)[0].crops
            if part.first <= crop.frame <= part.last
        ]
        if crops:
            mean = crop_embedder(embedder())([_decoded(crop.jpeg) for crop in crops]).mean(axis=0)
            kept.append((row, part, whole))
            vectors.append(mean / max(float(np.linalg.norm(mean)), 1e-12))
    parent = np.array([row for row, _, _ in kept], np.intp)
    found = _table(table, kept, parent)
    names = np.array([_name(found, place, corrected) for place in range(len(found))], object)
    joined, barred = _pairs(found, parent, table, names, corrected)
    embeddings = np.array(vectors, np.float32).reshape(len(kept), means.shape[1])
    places = np.where(np.array([whole for _, _, whole in kept], bool), parent, -1)
    return ByHand(found, parent, places, embeddings, joined, barred, names, len(rows) - len(kept))


def _corrections(
    table: RecordTable, row: int, corrected: Mapping[str, SourceCorrections]
) -> SourceCorrections | None:
    """Those of one record's tracks; ids count anew in each run of a camera."""
    return corrected.get(str(table.run[row]), corrected.get(str(table.camera[row])))


def _decoded(jpeg: bytes) -> Image:
    import cv2

    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def _table(table: RecordTable, kept: Sequence[tuple[int, Part | None, bool]], parent: Indices) -> RecordTable:
    found = table[parent]
    names, ids = found.record.copy(), found.track_id.copy()
    first, last, boxes = found.first_frame.copy(), found.last_frame.copy(), found.boxes.copy()
    start, end = found.start.copy(), found.end.copy()
    for place, (_, part, whole) in enumerate(kept):
        if part is None:
            continue
        ids[place] = part.id
        if whole:
            continue
        names[place] = f"{names[place]}#{part.id}@{part.first}"
        frames = max(int(last[place] - first[place]), 1)
        share = (np.array([part.first, part.last]) - first[place]) / frames
        begin, length = start[place], end[place] - start[place]
        start[place], end[place] = begin + share * length
        first[place], last[place] = part.first, part.last
        boxes[place] = min(part.boxes, boxes[place])
    return replace(
        found,
        record=names,
        track_id=ids,
        first_frame=first,
        last_frame=last,
        start=start,
        end=end,
        boxes=np.maximum(boxes, 1),
    )


def _name(table: RecordTable, row: int, corrected: Mapping[str, SourceCorrections]) -> str:
    source = _corrections(table, row, corrected)
    return "" if source is None else source.names.get(int(table.track_id[row]), "")


def _pairs(
    found: RecordTable,
    parent: Indices,
    table: RecordTable,
    names: NDArray[np.object_],
    corrected: Mapping[str, SourceCorrections],
) -> tuple[Indices, Indices]:
    """Rows that people said are one person, and rows that they said are two."""
    joined: list[tuple[int, int]] = []
    barred: list[tuple[int, int]] = []
    mine = np.flatnonzero([_corrections(found, row, corrected) is not None for row in range(len(found))])
    was = table.track_id[parent]
    for row in mine.tolist():
        others = mine[mine > row]
        others = others[(found.run[others] == found.run[row]) & (found.camera[others] == found.camera[row])]
        same_now = found.track_id[others] == found.track_id[row]
        same_then = was[others] == was[row]
        joined += [(row, other) for other in others[same_now & ~same_then].tolist()]
        joined += [(row, other) for other in others[same_now & (parent[others] == parent[row])].tolist()]
        barred += [(row, other) for other in others[same_then & ~same_now].tolist()]
    called: dict[str, list[int]] = {}
    for row in np.flatnonzero(names != "").tolist():
        called.setdefault(str(names[row]), []).append(row)
    groups = list(called.values())
    for place, rows in enumerate(groups):
        joined += [(rows[0], other) for other in rows[1:]]
        barred += [(row, other) for group in groups[place + 1 :] for row in rows for other in group]
    return np.array(joined, np.intp).reshape(-1, 2), np.array(barred, np.intp).reshape(-1, 2)
