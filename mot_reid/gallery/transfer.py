"""Records from one gallery to another, and out of it as plain files."""

from __future__ import annotations

import csv
import io
from dataclasses import fields
from pathlib import Path

import numpy as np

from mot_reid.files import atomic, spreadsheet_row
from mot_reid.gallery.documents import CORRECTIONS
from mot_reid.gallery.store import GalleryError, RecordTable, Store
from mot_reid.video.sources import safe_name

__all__ = ["export_store", "merge_store"]


def merge_store(mine: Store, theirs: Store) -> int:
    """Takes in all records of another store, and what was said about them; says how many.

    Raises:
        GalleryError: its embeddings are another embedder's.
    """
    if mine.info.fingerprint != theirs.info.fingerprint:
        raise GalleryError(
            f"{theirs.place}: made with the embedder {theirs.info.embedder} ({theirs.info.fingerprint[:12]}),"
            f" {mine.place} with {mine.info.embedder} ({mine.info.fingerprint[:12]}); they cannot be compared"
        )
    known = set(mine.table().record.tolist())
    table = theirs.table()
    new = np.flatnonzero([name not in known for name in table.record.tolist()])
    for first in range(0, len(new), 1024):
        mine.append(theirs.tracklets(new[first : first + 1024]))
    said = theirs.read_document(CORRECTIONS)
    if said:
        with mine.changing():
            have = mine.read_document(CORRECTIONS) or ""
            there = set(have.splitlines())
            lines = [line for line in said.splitlines() if line not in there]
            mine.write_document(CORRECTIONS, have + "".join(line + "\n" for line in lines))
    return len(new)


def export_store(store: Store, folder: Path) -> list[Path]:
    """Writes pictures in ``crops/``, ``embeddings.npy`` and, last, ``tracklets.csv``; see `Gallery.export`.

    Raises:
        GalleryError: something is in the folder already: it would be written over, and pictures of people
            who were forgotten since would stay.
        OSError: it cannot be written.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise GalleryError(f"{folder}: is not empty; an export needs a new folder, or an empty one")
    (folder / "crops").mkdir(parents=True, exist_ok=True)
    table, means = store.table(), store.means()
    for first in range(0, len(table), 256):
        for record in store.tracklets(np.arange(first, min(first + 256, len(table)))):
            for number, crop in enumerate(record.crops):
                path = folder / "crops" / f"{safe_name(record.record)}-{number}.jpg"
                try:
                    path.write_bytes(crop.jpeg)
                except OSError as error:  # that of a full disk names no file
                    raise type(error)(error.errno, error.strerror, str(path)) from None
    names = [item.name for item in fields(RecordTable)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    rows = zip(*(getattr(table, name).tolist() for name in names), strict=True)
    writer.writerows(map(spreadsheet_row, rows))
    with atomic(folder / "embeddings.npy") as part:
        np.save(part, means, allow_pickle=False)
    with atomic(folder / "tracklets.csv") as part:  # the last: where it is, the export is whole
        part.write_text(text.getvalue(), encoding="utf-8")
    return [folder / "tracklets.csv", folder / "embeddings.npy"]
