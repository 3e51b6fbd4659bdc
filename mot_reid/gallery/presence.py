"""Who is in sight beside whom: two people, whatever they look like; by the records of a store."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mot_reid.gallery.constraints import absences, overlapping, seen_together
from mot_reid.gallery.store import RecordTable, Store
from mot_reid.typing import Floats32, Indices

__all__ = ["not_to_find", "origins", "paths_of", "seen_at_once"]


def seen_at_once(
    store: Store, table: RecordTable, among: Indices | None = None, places: Indices | None = None
) -> Indices:
    """Pairs of rows ``(P, 2)``, the smaller first, that one camera sees at once.

    In one run times are of one clock; two runs of a camera are compared where the clock of day is known. Time
    in which one of the two was lost, before it was found again, does not count.

    Args:
        store: what was seen when.
        table: its records, or what became of them by hand.
        among: ``(R,)`` rows of the table that are compared, ascending; all by default.
        places: ``(N,)`` the row of the store's last table for each, -1 for none; by default the same.
    """
    rows = np.arange(len(table)) if among is None else among
    own = table if among is None else table[among]
    clocks = [(np.arange(len(own)), origins(own), np.zeros(len(own)))]
    with_clock = np.flatnonzero(np.isfinite(own.epoch))
    if with_clock.size:
        clocks.append((with_clock, own.camera, own.epoch))
    beside = [
        some[overlapping(names[some], base[some] + own.start[some], base[some] + own.end[some])]
        for some, names, base in clocks
    ]
    missing = own.last_frame - own.first_frame + 1 > own.boxes
    asked = np.unique(np.concatenate(beside))
    here, paths = paths_of(store, asked[missing[asked]], rows if places is None else places[rows])
    gone = {
        row: absences(path[:, 1].astype(np.float64)) for row, path in zip(here.tolist(), paths, strict=True)
    }
    found = []
    for pairs, (_, _, base) in zip(beside, clocks, strict=True):
        away = {row: times + base[row] for row, times in gone.items() if len(times)}
        found.append(pairs[seen_together(pairs, base + own.start, base + own.end, away)])
    return rows[np.unique(np.concatenate(found), axis=0)]


def origins(table: RecordTable) -> NDArray[np.object_]:
    """The run and the source ``(N,)`` of each record, as one name."""
    return np.array([f"{run} {source}" for run, source in zip(table.run, table.source, strict=True)], object)


def paths_of(store: Store, rows: Indices, places: Indices | None = None) -> tuple[Indices, list[Floats32]]:
    """Those of some rows of which the store has a path, and their paths.

    Args:
        store: see `seen_at_once`.
        rows: of a table.
        places: see `seen_at_once`.
    """
    kept = rows if places is None else rows[places[rows] >= 0]
    if not kept.size:
        return kept, []
    return kept, store.paths(kept if places is None else places[kept])


def not_to_find(store: Store, table: RecordTable, rows: Indices) -> list[str]:
    """Names of records that cannot be hits for those in ``rows``: they, and who is seen beside them.

    Args:
        store: see `seen_at_once`.
        table: its last `Store.table`.
        rows: of one track.
    """
    near = np.zeros(len(table), bool)
    near[rows] = True
    begin, end = table.epoch + table.start, table.epoch + table.end  # NaN is beside nothing
    for row in rows.tolist():
        same = (table.run == table.run[row]) & (table.source == table.source[row])
        near |= same & (table.start < table.end[row]) & (table.end > table.start[row])
        same = table.camera == table.camera[row]
        near |= same & (begin < end[row]) & (end > begin[row])
    pairs = seen_at_once(store, table, np.flatnonzero(near))
    beside = pairs[np.isin(pairs, rows).any(axis=1)]
    return list(table.record[np.union1d(rows, beside)].tolist())
