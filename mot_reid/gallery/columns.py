"""Records as columns of Arrow tables, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from mot_reid.gallery.records import PATH_COLUMNS, Crop, Tracklet
from mot_reid.gallery.store import RecordTable, import_arrow
from mot_reid.typing import Embeddings, Floats32, Indices

__all__ = [
    "COLUMNS",
    "arrow_types",
    "columns_of",
    "crop_columns",
    "crops_of",
    "path_of",
    "read_paths",
    "record_table",
    "whole_records",
]

COLUMNS = tuple(item.name for item in fields(RecordTable))
"""The columns that every record has, in order."""


def arrow_types() -> dict[str, Any]:
    """The Arrow type of each of `COLUMNS`, and of ``path`` and ``medoid_count``."""
    pa = import_arrow()
    whole = {"track_id", "part", "class_id", "first_frame", "last_frame", "boxes", "views"}
    real = {"start", "end", "epoch", "added", "quality", "confidence"}
    types = {
        name: pa.int64() if name in whole else pa.float64() if name in real else pa.string()
        for name in COLUMNS
    }
    return {**types, "path": pa.binary(), "medoid_count": pa.int32()}


def columns_of(records: Sequence[Tracklet]) -> dict[str, list[Any]]:
    """Values of the columns of `arrow_types`."""
    columns: dict[str, list[Any]] = {
        name: [getattr(record, name) for record in records] for name in COLUMNS if name != "attributes"
    }
    columns["attributes"] = [
        json.dumps({key: round(float(value), 4) for key, value in record.attributes.items()})
        for record in records
    ]
    columns["path"] = [np.ascontiguousarray(record.path, "<f4").tobytes() for record in records]
    columns["medoid_count"] = [len(record.medoids) for record in records]
    return columns


def crop_columns(records: Sequence[Tracklet]) -> dict[str, list[Any]]:
    """Values of the columns of pictures: a list for each record."""
    return {
        "jpeg": [[crop.jpeg for crop in record.crops] for record in records],
        "crop_frame": [[crop.frame for crop in record.crops] for record in records],
        "crop_time": [[crop.time for crop in record.crops] for record in records],
        "crop_quality": [[crop.quality for crop in record.crops] for record in records],
    }


def crops_of(columns: dict[str, list[Any]]) -> list[list[Crop]]:
    """Pictures of each record from the values of `crop_columns`."""
    names = ("jpeg", "crop_frame", "crop_time", "crop_quality")
    return [
        [Crop(*values) for values in zip(*entry, strict=True)]
        for entry in zip(*(columns[name] for name in names), strict=True)
    ]


def path_of(value: bytes) -> Floats32:
    """`Tracklet.path` from the column ``path``."""
    return np.frombuffer(value, "<f4").reshape(-1, len(PATH_COLUMNS))


def read_paths(file: Path, rows: Indices) -> list[Floats32]:
    """`Tracklet.path` of some rows of a Parquet file."""
    column = import_arrow().parquet.read_table(file, columns=["path"]).column("path")
    return [path_of(value) for value in column.take(rows).to_pylist()]


def record_table(table: Any) -> RecordTable:
    """A `RecordTable` from an Arrow table that has `COLUMNS`."""
    empty = RecordTable.empty()
    return RecordTable(
        **{
            name: table.column(name).to_numpy().astype(getattr(empty, name).dtype, copy=False)
            for name in COLUMNS
        }
    )


def whole_records(
    table: RecordTable,
    paths: Sequence[Floats32],
    means: Embeddings,
    medoids: Sequence[Embeddings],
    crops: Sequence[Sequence[Crop]],
) -> list[Tracklet]:
    """Records put together again; all arguments have a row for each."""
    records = []
    for row in range(len(table)):
        values = {name: getattr(table, name)[row] for name in COLUMNS}
        values = {
            key: value.item() if isinstance(value, np.generic) else value for key, value in values.items()
        }
        values["attributes"] = json.loads(values["attributes"])
        vectors = {"path": paths[row], "mean": means[row], "medoids": medoids[row]}
        records.append(Tracklet(**values, **vectors, crops=tuple(crops[row])))
    return records
