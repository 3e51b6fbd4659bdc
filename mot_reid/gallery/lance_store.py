"""A gallery in LanceDB: for galleries that grow, lie in object storage or have several writers.

Table ``records`` has a row for each: the columns of the folder store, the mean embedding as ``vector``,
medoids and pictures. Table ``documents`` holds texts. LanceDB commits each change as a version, so that a
kill leaves the version before; two processes that append take turns by themselves.
"""

from __future__ import annotations

import json
import re
import secrets
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from mot_reid.extras import require
from mot_reid.gallery.columns import (
    COLUMNS,
    arrow_types,
    columns_of,
    crop_columns,
    crops_of,
    path_of,
    record_table,
    whole_records,
)
from mot_reid.gallery.filters import Filter
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
from mot_reid.typing import Embeddings, Floats32, Indices, Ints

__all__ = ["INDEX_FROM", "LanceStore"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

INDEX_FROM = 200_000
"""Records from which on `LanceStore.compact` makes an IVF-PQ index; below, a search looks at all of them.

Half of the index's lists hold 97 % of the ten nearest among 100,000 records, a quarter 89 %, an eighth 81 %.
"""
_LEAST_PROBES = 40  # lists of the index that are looked at; of more than twice as many, half of all
_REFINE = 5
_CHUNK = 500  # names in one SQL condition


def _plainly(
    method: Callable[Concatenate[LanceStore, _P], _R],
) -> Callable[Concatenate[LanceStore, _P], _R]:
    """A method whose LanceDB errors are a `GalleryError` of one line."""

    @wraps(method)
    def told(store: LanceStore, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return method(store, *args, **kwargs)
        except GalleryError:
            raise
        except (RuntimeError, KeyError) as error:  # a row is missing, or its file
            text = _short(error)
            if isinstance(error, KeyError) or "Not found" in text:
                text = "another process has just changed it, or it is gone; ask again"
            raise GalleryError(f"{store.place}: {text}") from error

    return told


class LanceStore(Store):
    """See the module.

    Args:
        place: a folder or an address that LanceDB knows.
        info: makes the gallery if there is none; None to open one that exists.

    Raises:
        GalleryError: there is no gallery, or it cannot be read.
        ImportError: lancedb is not installed.
    """

    def __init__(self, place: str, info: GalleryInfo | None = None) -> None:
        lancedb = require("lancedb", f"{place}: a gallery in LanceDB")
        self._arrow = import_arrow()
        self.place = place
        self.damaged: list[str] = []
        try:
            self._base = lancedb.connect(place)
            self._documents, self._records = self._open(info)
        except GalleryError:
            raise
        except Exception as error:
            raise GalleryError(f"{place}: cannot be opened ({_short(error)})") from None
        text = self.read_document("gallery.json")
        if text is None:
            raise GalleryError(f"{place}: not a gallery (no description in it)")
        self.info = GalleryInfo.from_dict(json.loads(text), place)
        self._table = RecordTable.empty()
        self._row_of: dict[str, int] = {}
        self._twice = 0  # rows of records that are there already
        self._places: Ints = np.zeros(0, np.int64)

    def _open(self, info: GalleryInfo | None) -> tuple[Any, Any]:
        pa = self._arrow
        names = set(self._base.list_tables().tables)
        if "documents" not in names or "records" not in names:
            if info is None:
                raise NoGalleryError(self.place)
            types = {
                **arrow_types(),
                "place": pa.int64(),
                "copy": pa.int64(),
                "vector": pa.list_(pa.float32(), info.dimension),
                "looks": pa.binary(),
                "jpeg": pa.list_(pa.binary()),
                "crop_frame": pa.list_(pa.int64()),
                "crop_time": pa.list_(pa.float64()),
                "crop_quality": pa.list_(pa.float64()),
            }
            schema = pa.schema(list(types.items()))
            texts = pa.schema([("name", pa.string()), ("text", pa.string())])
            description = [{"name": "gallery.json", "text": json.dumps(info.to_dict())}]
            # The table is there with its description or not at all: another process may be looking.
            self._base.create_table("documents", description, schema=texts, exist_ok=True)
            self._base.create_table("records", schema=schema, exist_ok=True)
        return self._base.open_table("documents"), self._base.open_table("records")

    def append(self, records: Sequence[Tracklet]) -> None:
        """See `Store.append`."""
        if not records:
            return
        columns = columns_of(records) | crop_columns(records)
        first = time.time_ns()
        columns["place"] = [first + row for row in range(len(records))]
        columns["copy"] = _copies(len(records)).tolist()
        columns["vector"] = [record.mean.astype(np.float32) for record in records]
        columns["looks"] = [record.medoids.astype("<f2").tobytes() for record in records]
        schema = self._records.schema
        data = self._arrow.table(
            {field.name: self._arrow.array(columns[field.name], field.type) for field in schema},
            schema=schema,
        )
        try:
            self._records.add(data)
        except Exception as error:
            raise OSError(f"{self.place}: cannot be written ({_short(error)}); it is as it was") from None

    @_plainly
    def table(self) -> RecordTable:
        """See `Store.table`."""
        self._records.checkout_latest()
        wanted = [*COLUMNS, "place"]
        found = self._everything(wanted)
        found = found.take(np.argsort(found.column("place").to_numpy(), kind="stable"))
        names = found.column("record").to_pylist()
        row_of: dict[str, int] = {}
        kept: list[int] = []
        for row, name in enumerate(names):
            if name not in row_of:  # there twice while somebody removes, or where a kill came into that
                row_of[name] = len(kept)
                kept.append(row)
        self._row_of, self._twice = row_of, len(names) - len(kept)
        found = found.take(kept) if len(kept) < len(names) else found
        self._places = found.column("place").to_numpy()
        self._table = record_table(found)
        return self._table

    @_plainly
    def means(self, rows: Indices | None = None) -> Embeddings:
        """See `Store.means`."""
        if rows is not None and len(rows):
            return np.stack([*self._values(rows, ["vector"])["vector"]]).astype(np.float32)
        if rows is not None:
            return np.zeros((0, self.info.dimension), np.float32)
        if not len(self._table):
            self.table()
        if not len(self._table):
            return np.zeros((0, self.info.dimension), np.float32)
        found = self._everything(["place", "vector"])
        places = found.column("place").to_numpy()
        order = np.argsort(places, kind="stable")
        order = order[np.isin(places[order], self._places)]
        order = order[np.unique(places[order], return_index=True)[1]]
        flat = found.column("vector").combine_chunks().flatten().to_numpy()
        return np.asarray(flat, np.float32).reshape(-1, self.info.dimension)[order]

    @_plainly
    def medoids(self, rows: Indices) -> tuple[Embeddings, Indices]:
        """See `Store.medoids`."""
        if not len(rows):
            return np.zeros((0, self.info.dimension), np.float32), np.zeros(0, np.intp)
        blocks = [self._looks(value) for value in self._values(rows, ["looks"])["looks"]]
        owners = np.repeat(np.arange(len(rows)), [len(block) for block in blocks])
        return np.concatenate(blocks), owners

    @_plainly
    def nearest(
        self, queries: Embeddings, count: int, where: Filter | None = None
    ) -> tuple[Indices, Floats32]:
        """See `Store.nearest`: exact without an index, nearly so with one."""
        rows, cosines = [], []
        indexed = bool(self._records.list_indices())
        for query in queries:
            search = self._records.search(query, vector_column_name="vector").distance_type("cosine")
            if where is not None and where.sql():
                search = search.where(where.sql(), prefilter=True)
            if indexed:
                search = search.nprobes(max(_LEAST_PROBES, self._lists() // 2)).refine_factor(_REFINE)
            found = search.select(["record", "_distance"]).limit(count + self._twice).to_arrow()
            names = found.column("record").to_pylist()
            once = np.sort(np.unique(names, return_index=True)[1])[:count]
            rows.append(np.array([self._row_of.get(names[place], -1) for place in once.tolist()], np.intp))
            cosines.append(1 - found.column("_distance").to_numpy()[once].astype(np.float32))
        width = min((len(row) for row in rows), default=0)
        everything = np.array([row[:width] for row in rows], np.intp).reshape(len(queries), width)
        likeness = np.array([row[:width] for row in cosines], np.float32).reshape(len(queries), width)
        order = np.lexsort((everything, -likeness), axis=1)
        return np.take_along_axis(everything, order, axis=1), np.take_along_axis(likeness, order, axis=1)

    @_plainly
    def tracklets(self, rows: Indices, crops: bool = True) -> list[Tracklet]:
        """See `Store.tracklets`."""
        if not len(rows):
            return []
        pictures = ["jpeg", "crop_frame", "crop_time", "crop_quality"]
        values = self._values(rows, ["path", "vector", "looks", *(pictures if crops else [])])
        return whole_records(
            self._table[rows],
            [path_of(value) for value in values["path"]],
            np.stack([np.asarray(value, np.float32) for value in values["vector"]]),
            [self._looks(value) for value in values["looks"]],
            crops_of(values) if crops else [()] * len(rows),
        )

    @_plainly
    def paths(self, rows: Indices) -> list[Floats32]:
        """See `Store.paths`."""
        return [path_of(value) for value in self._values(rows, ["path"])["path"]]

    @_plainly
    def remove(self, records: Sequence[str]) -> int:
        """See `Store.remove`.

        LanceDB marks deleted rows and keeps them in their file, so the rows that share a file with them are
        written anew first; then the whole file goes, and with the older versions what it held. A process that
        reads an older version just then fails; it finds the newest one when it is asked again.
        """
        self.table()
        gone = [name for name in dict.fromkeys(records) if name in self._row_of]
        if gone:
            found = self._everything(["record", "copy"], row_ids=True)
            files = found.column("_rowid").to_numpy() >> 32
            names = found.column("record").to_numpy()
            hit = np.isin(files, files[np.isin(names.astype(str), gone)])
            copies = found.column("copy").to_numpy()[hit]
            stays = copies[~np.isin(names[hit].astype(str), gone)]
            for first in range(0, len(stays), _CHUNK):
                again = self._rows(stays[first : first + _CHUNK])
                at = again.schema.get_field_index("copy")
                self._records.add(again.set_column(at, "copy", self._arrow.array(_copies(len(again)))))
            for first in range(0, len(copies), _CHUNK):
                self._records.delete(f"copy IN ({', '.join(map(str, copies[first : first + _CHUNK]))})")
        self._drop_older_versions(unfinished=True)
        self.table()
        return len(gone)

    def _drop_older_versions(self, *, unfinished: bool = False) -> None:
        """Removes what only older versions hold; also what somebody has not finished writing, if wanted."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that readers of older versions fail is the aim
            for table in (self._records, self._documents):
                table.optimize(cleanup_older_than=timedelta(0), delete_unverified=unfinished)

    @_plainly
    def read_document(self, name: str) -> str | None:
        """See `Store.read_document`."""
        self._documents.checkout_latest()
        found = self._documents.search().where(f"name = '{name}'").limit(1).to_list()
        return found[0]["text"] if found else None

    @_plainly
    def write_document(self, name: str, text: str) -> None:
        """See `Store.write_document`."""
        change = self._documents.merge_insert("name").when_matched_update_all().when_not_matched_insert_all()
        change.execute([{"name": name, "text": text}])

    @_plainly
    def compact(self) -> None:
        """See `Store.compact`: an IVF-PQ index from `INDEX_FROM` records on; finishes what `remove` began."""
        self._drop_older_versions()
        if self._records.count_rows() >= INDEX_FROM and not self._records.list_indices():
            self.make_index()

    def make_index(self) -> None:
        """Makes the IVF-PQ index over the mean embeddings."""
        from lancedb.index import IvfPq

        partitions = self._lists()
        self._records.create_index(
            "vector",
            config=IvfPq(
                distance_type="cosine",
                num_partitions=partitions,
                num_sub_vectors=max(1, self.info.dimension // 8),
            ),
        )

    def _lists(self) -> int:
        """How many lists an index has that is made now; one that was made before has some fewer."""
        return max(1, int(np.sqrt(self._records.count_rows())))

    def _everything(self, columns: list[str], row_ids: bool = False) -> Any:
        search = self._records.search().select(columns)
        if row_ids:
            search = search.with_row_id(True)
        return search.limit(max(1, self._records.count_rows())).to_arrow()

    def _rows(self, copies: Ints) -> Any:
        condition = f"copy IN ({', '.join(map(str, copies.tolist()))})"
        found = self._records.search().where(condition).limit(len(copies)).to_arrow()
        return found.select(self._records.schema.names)

    def _values(self, rows: Indices, columns: list[str]) -> dict[str, list[Any]]:
        """Values of columns for rows of the last `table`, in their order."""
        if not len(self._table):
            self.table()
        require_rows(rows, len(self._places), self.place)
        values: dict[str, list[Any]] = {name: [None] * len(rows) for name in columns}
        for first in range(0, len(rows), _CHUNK):
            own = rows[first : first + _CHUNK]
            places = self._places[own]
            condition = f"place IN ({', '.join(map(str, places.tolist()))})"
            search = self._records.search().where(condition).select(["place", *columns])
            found = search.limit(len(own) + self._twice).to_arrow()
            at = {place: row for row, place in enumerate(found.column("place").to_pylist())}
            lists = {name: found.column(name).to_pylist() for name in columns}
            for offset, place in enumerate(places.tolist()):
                for name in columns:
                    values[name][first + offset] = lists[name][at[place]]
        return values

    def _looks(self, value: bytes) -> Embeddings:
        return np.frombuffer(value, "<f2").reshape(-1, self.info.dimension).astype(np.float32)


def _short(error: Exception) -> str:
    """What LanceDB says, without the places in its own source."""
    text = " ".join(str(error).split())
    return re.sub(r"^lance error: (LanceError\(\w+\): )?|,? \S+\.rs:\d+(:\d+)?", "", text)[:200]


def _copies(count: int) -> Ints:
    """Numbers that no other row has: they tell a row that was written anew from the one before."""
    return np.array([secrets.randbits(62) for _ in range(count)], np.int64)
