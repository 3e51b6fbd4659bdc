"""A gallery as a folder: numpy for vectors, Parquet for the rest, exact search.

::

    shop/gallery.json              the embedder, its fingerprint
    shop/parts/NAME/means.npy      (N, D) float32, one mean embedding a record
    shop/parts/NAME/medoids.npy    (M, D) float16, those of a record one after the other
    shop/parts/NAME/records.parquet, crops.parquet
    shop/identities.csv, corrections.jsonl ...  documents

A part is written beside its place and moved there as a whole, so that it is there or is not. Whoever appends
makes a new part with a name that nobody else has: two processes need no lock for it. What removes or joins
parts holds the folder's lock; whoever reads meanwhile looks again where a part has gone.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from mot_reid.gallery.columns import (
    columns_of,
    crop_columns,
    crops_of,
    path_of,
    read_paths,
    whole_records,
)
from mot_reid.gallery.filters import Filter
from mot_reid.gallery.folder_parts import (
    GONE,
    Part,
    best,
    drop,
    located,
    read_part,
    taken,
    write_part,
    write_whole,
)
from mot_reid.gallery.records import Tracklet
from mot_reid.gallery.store import (
    GalleryError,
    GalleryInfo,
    NoGalleryError,
    RecordTable,
    Store,
    import_arrow,
    require_rows,
)
from mot_reid.typing import Embeddings, Floats32, Indices

__all__ = ["FolderStore"]


_INFO = "gallery.json"
_FORGOTTEN = "forgotten.json"
_SMALL_PARTS = 32
"""So many parts of fewer than `_SMALL` records are joined into one."""
_SMALL = 4096
_BLOCK = 65_536  # records whose cosines are in memory at a time
_STALE = 3600.0  # seconds after which an unfinished part of somebody else is taken for a dead run's


class FolderStore(Store):
    """See the module.

    Args:
        folder: of the gallery.
        info: makes the gallery if there is none; None to open one that exists.

    Raises:
        GalleryError: there is no gallery, or it cannot be read.
        ImportError: pyarrow is not installed.
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: str | Path, info: GalleryInfo | None = None) -> None:
        import_arrow()
        self.folder = Path(folder)
        self.place = str(folder)
        self.damaged: list[str] = []
        self._parts: dict[str, Part] = {}
        self._order: list[tuple[Part, int]] = []
        self._first: Indices = np.zeros(1, np.intp)
        self._table = RecordTable.empty()
        path = self.folder / _INFO
        if not path.is_file():
            if info is None:
                raise NoGalleryError(str(folder))
            (self.folder / "parts").mkdir(parents=True, exist_ok=True)
            with self._lock():
                if not path.is_file():
                    write_whole(path, json.dumps(info.to_dict(), indent=2) + "\n")
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise GalleryError(f"{path}: cannot be read ({error})") from None
        self.info = GalleryInfo.from_dict(values, str(path))

    def append(self, records: Sequence[Tracklet]) -> None:
        """See `Store.append`."""
        if records:
            self._write_part(
                np.stack([record.mean for record in records]),
                np.concatenate([record.medoids for record in records]),
                columns_of(records),
                crop_columns(records),
            )
            if self._is_in_pieces():
                with suppress(GalleryError):  # another process is at it
                    FolderStore(self.folder).compact()  # rows of the last table stay what they are

    def _is_in_pieces(self) -> bool:
        """Whether there are many parts, of which enough are small to be joined: by their files' sizes."""
        parts = list((self.folder / "parts").glob("[!.]*"))
        if len(parts) < 4 * _SMALL_PARTS:
            return False
        small = 0
        for part in parts:
            with suppress(OSError):  # another process has just joined it
                small += (part / "means.npy").stat().st_size < 4 * self.info.dimension * _SMALL
        return small >= _SMALL_PARTS

    def table(self) -> RecordTable:
        """See `Store.table`."""
        forgotten, parts = self._forgotten(), self._read_parts()
        seen: set[str] = set()
        order: list[tuple[Part, int]] = []
        tables, first = [], [0]
        for whole in parts:
            names = whole.table.record.tolist()
            kept = [row for row, name in enumerate(names) if name not in seen and name not in forgotten]
            seen.update(names)
            part = replace(whole, kept=np.array(kept, np.intp))
            order.append((part, first[-1]))
            tables.append(part.table if len(kept) == len(names) else part.table[part.kept])
            first.append(first[-1] + len(kept))
        # All at once: another thread may be reading.
        table = RecordTable.concatenated(tables)
        self._order, self._first, self._table = order, np.array(first, np.intp), table
        return table

    def means(self, rows: Indices | None = None) -> Embeddings:
        """See `Store.means`."""
        if rows is None:
            if not self._order:
                self.table()
            blocks = [taken(part.means, part.kept) for part, _ in self._order]
            return np.concatenate(blocks) if blocks else np.zeros((0, self.info.dimension), np.float32)
        found = np.empty((len(rows), self.info.dimension), np.float32)
        for part, inside, where in self._located(rows):
            found[inside] = part.means[where]
        return found

    def medoids(self, rows: Indices) -> tuple[Embeddings, Indices]:
        """See `Store.medoids`."""
        blocks, owners = [], []
        for part, inside, where in self._located(rows):
            for owner, row in zip(inside.tolist(), where.tolist(), strict=True):
                block = part.medoids[part.bounds[row] : part.bounds[row + 1]]
                blocks.append(block)
                owners.append(np.full(len(block), owner))
        if not blocks:
            return np.zeros((0, self.info.dimension), np.float32), np.zeros(0, np.intp)
        return np.concatenate(blocks).astype(np.float32), np.concatenate(owners).astype(np.intp)

    def nearest(
        self, queries: Embeddings, count: int, where: Filter | None = None
    ) -> tuple[Indices, Floats32]:
        """See `Store.nearest`: exact, a block at a time."""
        allowed = None if where is None or where.is_empty else where.mask(self._table)
        rows: list[Indices] = []
        cosines: list[Floats32] = []
        for part, start in self._order:
            for first in range(0, len(part.kept), _BLOCK):
                own = np.arange(first, min(first + _BLOCK, len(part.kept)))
                if allowed is not None:
                    own = own[allowed[start + own]]
                if own.size:
                    found = queries @ taken(part.means, part.kept[own]).T
                    near = best(found, count)
                    rows.append((start + own)[near])
                    cosines.append(np.take_along_axis(found, near, axis=1))
        if not rows:
            return np.zeros((len(queries), 0), np.intp), np.zeros((len(queries), 0), np.float32)
        everything, likeness = np.concatenate(rows, axis=1), np.concatenate(cosines, axis=1)
        order = np.lexsort((everything, -likeness), axis=1)[:, :count]
        return np.take_along_axis(everything, order, axis=1), np.take_along_axis(likeness, order, axis=1)

    def tracklets(self, rows: Indices, crops: bool = True) -> list[Tracklet]:
        """See `Store.tracklets`."""
        pq = import_arrow().parquet
        found: list[Tracklet | None] = [None] * len(rows)
        for part, inside, where in self._located(rows):
            pictures: list[Any] = [()] * len(where)
            try:
                paths = read_paths(part.folder / "records.parquet", where)
                if crops:
                    pictures = crops_of(pq.read_table(part.folder / "crops.parquet").take(where).to_pydict())
            except FileNotFoundError:
                store, places = self._moved(part, where)
                there = np.flatnonzero(places >= 0)
                for place, record in zip(inside[there], store.tracklets(places[there], crops), strict=True):
                    found[place] = record
                continue
            looks = [
                part.medoids[part.bounds[row] : part.bounds[row + 1]].astype(np.float32)
                for row in where.tolist()
            ]
            whole = whole_records(part.table[where], paths, np.array(part.means[where]), looks, pictures)
            for place, record in zip(inside.tolist(), whole, strict=True):
                found[place] = record
        return [record for record in found if record is not None]

    def paths(self, rows: Indices) -> list[Floats32]:
        """See `Store.paths`."""
        found: dict[int, Floats32] = {}
        for part, inside, where in self._located(rows):
            try:
                paths = read_paths(part.folder / "records.parquet", where)
            except FileNotFoundError:
                store, places = self._moved(part, where)
                paths, there = [path_of(b"")] * len(where), np.flatnonzero(places >= 0)
                for place, path in zip(there.tolist(), store.paths(places[there]), strict=True):
                    paths[place] = path
            found |= zip(inside.tolist(), paths, strict=True)
        return [found[place] for place in range(len(rows))]

    def remove(self, records: Sequence[str]) -> int:
        """See `Store.remove`."""
        with self._lock():
            wanted = set(records)
            present = wanted & set(self.table().record.tolist())
            for part, _ in self._order:
                if wanted.issuperset(part.table.record[part.kept].tolist()):
                    drop(part.folder)  # which needs no room on a full disk, and makes some
            wanted &= {name for part in self._read_parts() for name in part.table.record.tolist()}
            if wanted:
                # From here on nobody sees them, whatever becomes of the rest.
                names = sorted(self._forgotten() | wanted)
                write_whole(self.folder / _FORGOTTEN, json.dumps(names))
            self._purge()
        return len(present)

    def compact(self) -> None:
        """See `Store.compact`."""
        with self._lock():
            self._purge()
            for folder in (self.folder / "parts").glob(".*"):
                with suppress(FileNotFoundError):  # another process has just finished it
                    if time.time() - folder.stat().st_mtime > _STALE:
                        shutil.rmtree(folder, ignore_errors=True)
            self.table()
            small = [part for part, _ in self._order if len(part.kept) < _SMALL]
            if len(small) >= _SMALL_PARTS:
                self._rewrite(small)

    def read_document(self, name: str) -> str | None:
        """See `Store.read_document`."""
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def write_document(self, name: str, text: str) -> None:
        """See `Store.write_document`."""
        write_whole(self.folder / name, text)

    def changing(self) -> AbstractContextManager[Any]:
        """See `Store.changing`."""
        return self._lock()

    def _lock(self) -> Any:
        lock = FileLock(self.folder / ".lock", timeout=60)
        try:
            return lock.acquire()
        except Timeout as error:
            raise GalleryError(f"{self.place}: another process has held the gallery for a minute") from error

    def _forgotten(self) -> set[str]:
        text = self.read_document(_FORGOTTEN)
        try:
            return set(map(str, json.loads(text))) if text else set()
        except (ValueError, TypeError):
            raise GalleryError(f"{self.place}/{_FORGOTTEN}: expected a list of records' names") from None

    def _purge(self) -> None:
        """Finishes what `remove` began: rewrites the parts that hold what is forgotten."""
        for gone in (self.folder / "parts").glob(f"{GONE}*"):
            shutil.rmtree(gone)
        forgotten = self._forgotten()
        if not forgotten:
            return
        self.table()
        for part, _ in list(self._order):
            if not forgotten.isdisjoint(part.table.record.tolist()):
                self._rewrite([part])
        (self.folder / _FORGOTTEN).unlink(missing_ok=True)

    def _rewrite(self, parts: list[Part]) -> None:
        """Writes what is left of some parts as one, then removes them."""
        pa = import_arrow()
        kept = [part for part in parts if len(part.kept)]
        if kept:
            rows = [pa.parquet.read_table(part.folder / "records.parquet").take(part.kept) for part in kept]
            crops = [pa.parquet.read_table(part.folder / "crops.parquet").take(part.kept) for part in kept]
            medoids = [
                part.medoids[part.bounds[row] : part.bounds[row + 1]]
                for part in kept
                for row in part.kept.tolist()
            ]
            self._write_part(
                np.concatenate([taken(part.means, part.kept) for part in kept]),
                np.concatenate(medoids),
                pa.concat_tables(rows),
                pa.concat_tables(crops),
                first=parts[0].folder.name,
            )
        for part in parts:
            drop(part.folder)

    def _write_part(
        self, means: Embeddings, medoids: NDArray[Any], records: Any, crops: Any, first: str | None = None
    ) -> None:
        try:
            write_part(self.folder / "parts", means, medoids, records, crops, first)
        except OSError as error:
            told = error.strerror or str(error)
            raise OSError(
                error.errno or 0, f"cannot be written ({told}); it is as it was", self.place
            ) from None

    def _read_parts(self) -> list[Part]:
        """All parts, in order; listed anew where one goes meanwhile, for its records lie in another then."""
        while True:
            damaged: list[str] = []
            found: dict[str, Part] = {}
            gone = False
            for folder in sorted((self.folder / "parts").glob("[!.]*")):
                part = self._parts.get(folder.name) or self._read_part(folder, damaged)
                gone = gone or (part is None and not os.path.lexists(folder))
                if part is not None:
                    found[folder.name] = part
            if not gone:
                self._parts, self.damaged = found, damaged
                return list(found.values())

    def _moved(self, part: Part, rows: Indices) -> tuple[FolderStore, Indices]:
        """Where some records of a part lie now that it was joined with others; -1 for those that are gone."""
        store = FolderStore(self.folder)
        row_of = {name: row for row, name in enumerate(store.table().record.tolist())}
        return store, np.array([row_of.get(name, -1) for name in part.table.record[rows].tolist()], np.intp)

    def _read_part(self, folder: Path, damaged: list[str]) -> Part | None:
        """A part, or None where it has just gone, or is damaged: then a line about it joins those given."""
        try:
            return read_part(folder, self.info.dimension)
        except Exception as error:
            if folder.is_dir():
                text = " ".join(str(error).split())
                damaged.append(f"{folder}: damaged, its records are left out ({text})")
            return None

    def _located(self, rows: Indices) -> list[tuple[Part, Indices, Indices]]:
        if not self._order:
            self.table()
        require_rows(rows, int(self._first[-1]), self.place)
        return located(self._order, self._first, rows)
