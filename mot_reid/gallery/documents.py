"""What lies beside a gallery's records: identities, and what people said about them."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
from collections.abc import Mapping, Sequence

import numpy as np

from mot_reid.gallery.presence import origins
from mot_reid.gallery.standing import VIEWS, Views, read_views, views_of, views_text
from mot_reid.gallery.store import GalleryError, RecordTable, Store
from mot_reid.wording import counted

__all__ = [
    "CORRECTIONS",
    "IDENTITIES",
    "copy_documents",
    "forget_records",
    "keep_correction",
    "keep_identities",
    "older_records",
    "read_corrections",
    "records_of",
]

IDENTITIES = "identities.csv"
CORRECTIONS = "corrections.jsonl"


def keep_correction(store: Store, kind: str, first: str, second: str) -> None:
    """Keeps that two records are ``"one"`` person or ``"two"``; what is said later counts."""
    line = json.dumps({"say": kind, "records": sorted((first, second))})
    with store.changing():
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
    """Removes records and all that is said of them for good; says how many there were.

    Raises:
        GalleryError: that cannot be done, on a full disk, say; the message says what is left of them.
    """
    gone = set(records)
    there = gone & set(store.table().record.tolist())
    try:
        return _forget(store, gone)
    except (OSError, GalleryError) as error:
        left = there & set(store.table().record.tolist())
        raise GalleryError(_unforgotten(str(store.place), len(left), len(there), error)) from error


def _forget(store: Store, gone: set[str]) -> int:
    try:
        _say_nothing_of(store, gone)
    except OSError as error:
        if error.errno != errno.ENOSPC:  # of a full disk: the records themselves may make room
            raise
    number = store.remove(list(gone))
    _say_nothing_of(store, gone)  # somebody may have read them just before
    _forget_views(store)
    return number


def _unforgotten(place: str, left: int, there: int, error: OSError | GalleryError) -> str:
    """What is said where of so many records so many can still be seen."""
    full = os.strerror(errno.ENOSPC)
    why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    why, room = (full, "free some space, then ") if full in why else (why.removeprefix(f"{place}: "), "")
    if left or not there:
        told = "nothing" if left == there else f"{there - left} of {counted(there, 'tracklet')}"
        return f"{place}: {told} was forgotten ({why}); {room}forget again"
    return (
        f"{place}: nobody finds them any more, but not all that is about them is off the disk ({why}); "
        f"{room}`mot-reid gallery {place} compact` brings it to its end"
    )


def copy_documents(mine: Store, theirs: Store, gone: set[str]) -> None:
    """Copies what is said of records to another store that has them, under the same names.

    Args:
        mine: what is copied.
        theirs: where it goes; what is there already stays.
        gone: names of records that the other store has not.
    """
    for name in (IDENTITIES, CORRECTIONS, VIEWS):
        text = mine.read_document(name)
        if text and not theirs.read_document(name):
            theirs.write_document(name, text)
    _say_nothing_of(theirs, gone)
    _forget_views(theirs)


def _forget_views(store: Store) -> None:
    """Takes the sources that no record is of any more out of what was learnt of cameras' floors."""
    with store.changing():
        text = store.read_document(VIEWS)
        if not text:
            return
        try:
            left = views_of(read_views(text, str(store.place)), set(origins(store.table()).tolist()))
        except GalleryError:  # broken, and may name who is to be forgotten
            left = {}
        if views_text(left) != text:
            store.write_document(VIEWS, views_text(left))


def keep_identities(store: Store, text: str, views: Views, records: Sequence[str]) -> None:
    """Keeps what `mot_reid.gallery.identifying.Identities.to_csv` gave, but of who was forgotten meanwhile.

    Args:
        store: of the gallery.
        text: the identities.
        views: what was learnt of cameras' floors.
        records: names of those that were identified.
    """
    with store.changing():
        table = store.table()
        if gone := set(records) - set(table.record.tolist()):
            text, views = _identities_without(text, gone), views_of(views, set(origins(table).tolist()))
        store.write_document(IDENTITIES, text)
        store.write_document(VIEWS, views_text(views))


def _say_nothing_of(store: Store, gone: set[str]) -> None:
    with store.changing():
        for name, without in ((IDENTITIES, _identities_without), (CORRECTIONS, _corrections_without)):
            text = store.read_document(name)
            left = without(text, gone) if text else text
            if left is not None and left != text:
                store.write_document(name, left)


def _identities_without(text: str, gone: set[str]) -> str:
    """The lines of `mot_reid.gallery.identifying.Identities.to_csv` about others, and parts of others."""
    rows = list(csv.reader(io.StringIO(text)))
    place = rows[0].index("record") if rows and "record" in rows[0] else None
    left = io.StringIO()
    writer = csv.writer(left, lineterminator="\n")
    for row in rows:
        cells = row if place is None else row[place : place + 1]
        if not any(cell in gone or cell.partition("#")[0] in gone for cell in cells):
            writer.writerow(row)
    return left.getvalue()


def _corrections_without(text: str, gone: set[str]) -> str:
    """The lines of `keep_correction` about other records; a line that is broken goes if it names one."""

    def stays(line: str) -> bool:
        try:
            return gone.isdisjoint(json.loads(line)["records"])
        except (ValueError, KeyError, TypeError):
            return not any(record in line for record in gone)

    return "".join(line + "\n" for line in text.splitlines() if stays(line))


def records_of(numbers: Mapping[str, int], identity: int) -> list[str]:
    """Names of the records of an identity, also of those that are its only in part.

    Args:
        numbers: `mot_reid.gallery.gallery.Gallery.identities`; a part has its record's name before a ``#``.
        identity: its number.
    """
    return sorted({name.partition("#")[0] for name, number in numbers.items() if number == identity})


def older_records(table: RecordTable, days: float, now: float) -> list[str]:
    """Names of the records that ended more than some days before ``now``, seconds since 1970.

    Where a source's clock is not known, the time counts at which the record was made.
    """
    ended = np.where(np.isfinite(table.epoch), table.epoch + table.end, table.added)
    return list(table.record[ended < now - 86_400 * days].tolist())
