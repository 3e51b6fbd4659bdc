"""What lies beside a gallery's records: identities, and what people said about them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from mot_reid.gallery.store import GalleryError, RecordTable, Store

__all__ = [
    "CORRECTIONS",
    "IDENTITIES",
    "forget_records",
    "keep_correction",
    "older_records",
    "read_corrections",
]

IDENTITIES = "identities.csv"
CORRECTIONS = "corrections.jsonl"


def keep_correction(store: Store, kind: str, first: str, second: str) -> None:
    """Keeps that two records are ``"one"`` person or ``"two"``; what is said later counts."""
    line = json.dumps({"say": kind, "records": sorted((first, second))})
    have = store.read_document(CORRECTIONS) or ""
    store.write_document(CORRECTIONS, have + line + "\n")


def read_corrections(store: Store) -> dict[tuple[str, str], str]:
    """``"one"`` or ``"two"`` by the two records' names, which are in order.

    Raises:
        GalleryError: a line is broken.
    """
    said: dict[tuple[str, str], str] = {}
    text = store.read_document(CORRECTIONS) or ""
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            entry = json.loads(line)
            first, second = entry["records"]
            if entry["say"] not in ("one", "two"):
                raise ValueError(entry["say"])
            said[(first, second)] = entry["say"]
        except (ValueError, KeyError, TypeError):
            raise GalleryError(
                f"{store.place}/{CORRECTIONS}:{number}: expected one/two and records"
            ) from None
    return said


def forget_records(store: Store, records: Sequence[str]) -> int:
    """Removes records and all that is said of them for good; says how many there were."""
    gone = set(records)
    for name in (IDENTITIES, CORRECTIONS):
        text = store.read_document(name)
        if text and any(record in text for record in gone):
            lines = [line for line in text.splitlines() if not any(record in line for record in gone)]
            store.write_document(name, "".join(line + "\n" for line in lines))
    return store.remove(list(records))


def older_records(table: RecordTable, days: float, now: float) -> list[str]:
    """Names of the records that ended more than some days before ``now``, seconds since 1970.

    Where a source's clock is not known, the time counts at which the record was made.
    """
    ended = np.where(np.isfinite(table.epoch), table.epoch + table.end, table.added)
    return list(table.record[ended < now - 86_400 * days].tolist())
