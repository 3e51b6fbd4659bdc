"""Identities of all that a gallery remembers, kept beside its records."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mot_reid.files import spreadsheet_row
from mot_reid.gallery.by_hand import ByHand
from mot_reid.gallery.calibration import Calibration
from mot_reid.gallery.constraints import TravelTimes, too_fast
from mot_reid.gallery.evidence import pair_evidence, with_cameras, with_travel
from mot_reid.gallery.ground import too_far
from mot_reid.gallery.identities import Linked, identify
from mot_reid.gallery.presence import paths_of, seen_at_once
from mot_reid.gallery.settings import IdentifySettings
from mot_reid.gallery.standing import Views, with_views
from mot_reid.gallery.store import GalleryError, RecordTable, Store
from mot_reid.typing import Embeddings, Floats, Indices, Ints, Mask

__all__ = ["Identities", "glimpses", "identify_records", "read_identities"]


_COLUMNS = ("identity", "camera", "id", "part", "from", "to", "probability", "source", "record", "sure")
_CLEAR_VIEW = 0.5  # seconds, times the quality of the views


@dataclass(frozen=True, eq=False)
class Identities:
    """Who is who in a gallery.

    Attributes:
        table: its records.
        numbers: ``(N,)`` int64, identity of each record, from 1.
        probability: ``(N,)`` that a record belongs to the others of its identity; 1 for one that is alone.
        sure: ``(N,)`` whether its identity is somebody for sure: it has several records, or one in which
            somebody was in clear view for half a second in all, or of which somebody said who it is. A short
            glimpse can be a box where nobody is.
        names: that people gave, by identity.
        views: what was learnt of each two cameras that see one floor.
    """

    table: RecordTable
    numbers: Ints
    probability: Floats
    sure: Mask
    names: Mapping[int, str] = field(default_factory=dict)
    views: Views = field(default_factory=dict)

    def __len__(self) -> int:
        """How many identities are somebody for sure."""
        return len(np.unique(self.numbers[self.sure]))

    @property
    def unsure(self) -> int:
        """How many identities are not."""
        return len(np.unique(self.numbers[~self.sure]))

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return zip(self.table.record.tolist(), self.numbers.tolist(), strict=True)

    def route(self, number: int) -> Indices:
        """Rows of one identity's records in order of time; of sources without a clock one after the other."""
        rows = np.flatnonzero(self.numbers == number)
        table = self.table[rows]
        base = np.where(np.isfinite(table.epoch), table.epoch, 0.0)
        return rows[np.lexsort((table.start, base + table.start))]

    def to_csv(self) -> str:
        """One line a record, those of an identity together, in order of time."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_COLUMNS)
        table = self.table
        for number in np.unique(self.numbers).tolist():
            for row in self.route(number).tolist():
                cells = (
                    number,
                    table.camera[row],
                    table.track_id[row],
                    table.part[row],
                    f"{table.start[row]:.3f}",
                    f"{table.end[row]:.3f}",
                    f"{self.probability[row]:.4f}",
                    table.source[row],
                    table.record[row],
                    "yes" if self.sure[row] else "no",
                )
                writer.writerow(spreadsheet_row(cells))
        return text.getvalue()


def read_identities(text: str | None, place: str) -> dict[str, int]:
    """Identity by record's name, from what `Identities.to_csv` gave; empty where there is none.

    Raises:
        GalleryError: it is something else; the message names ``place``.
    """
    if not text:
        return {}
    try:
        return {line["record"]: int(line["identity"]) for line in csv.DictReader(io.StringIO(text))}
    except (KeyError, TypeError, ValueError):
        raise GalleryError(f"{place}: expected columns identity and record, with commas between") from None


def identify_records(
    store: Store,
    table: RecordTable,
    calibration: Calibration,
    corrections: dict[tuple[str, str], str],
    before: dict[str, int],
    times: TravelTimes | None = None,
    settings: IdentifySettings | None = None,
    said: ByHand | None = None,
) -> Identities:
    """Joins the records of a store to identities, by `mot_reid.gallery.identities.identify`.

    Args:
        store: their embeddings.
        table: its `Store.table`.
        calibration: of the embedder.
        corrections: ``"one"`` or ``"two"`` by two records' names.
        before: numbers of identities that records had: an identity keeps the number that most of its boxes
            had.
        times: what is known of the ways between cameras.
        settings: the defaults where None.
        said: the records with what was corrected on the tracks; its table is identified then.
    """
    chosen, known = settings or IdentifySettings(), times or TravelTimes()
    table = table if said is None else said.table
    barred, joined = _constraints(store, table, corrections, known, None if said is None else said.places)
    if said is not None:
        barred = np.unique(np.concatenate([barred, said.barred]), axis=0)
        joined = np.concatenate([joined, said.joined])
    labels, probability = np.zeros(len(table), np.intp), np.ones(len(table))
    views: Views = {}
    for rows in _groups(table, known):
        if said is not None:
            embeddings = said.embeddings[rows]
        else:
            embeddings = store.means() if len(rows) == len(table) else store.means(rows)
        parts = table[rows], embeddings, _within(barred, rows, len(table)), _within(joined, rows, len(table))
        places = rows if said is None else said.places[rows]
        linked, learnt = _linked(store, places, *parts, calibration, known, chosen)
        views = {**views, **learnt}
        labels[rows], probability[rows] = labels.max(initial=0) + 1 + linked.labels, linked.probability
    for first, second in joined.tolist():  # what somebody says of two groups holds, too
        labels[labels == labels[second]] = labels[first]
    numbers = _numbered(np.unique(labels, return_inverse=True)[1], table, before)
    names = {} if said is None else _names(numbers, said.names)
    spoken_of = np.isin(table.record.astype(str), [name for pair in corrections for name in pair])
    sure = _sure(table, numbers) | spoken_of | np.isin(numbers, list(names))
    if said is not None:
        sure[np.concatenate([said.joined.ravel(), said.barred.ravel()])] = True
    return Identities(table, numbers, probability, sure, names, views)


def _groups(table: RecordTable, known: TravelTimes) -> list[Indices]:
    """The rows of each group of cameras; all of them where nothing is said of groups."""
    if not known.groups or not len(table):
        return [np.arange(len(table))] if len(table) else []
    names = np.array([known.groups.get(camera, "") for camera in table.camera.tolist()], object)
    return [np.flatnonzero(names == name) for name in sorted(set(names.tolist()))]


def _within(pairs: Indices, rows: Indices, count: int) -> Indices:
    """Those pairs ``(P, 2)`` of ``count`` rows that are both among ``rows``, as places in it."""
    place = np.full(count, -1, np.intp)
    place[rows] = np.arange(len(rows))
    found = place[pairs]
    return found[(found >= 0).all(axis=1)]


def _linked(
    store: Store,
    places: Indices,
    table: RecordTable,
    embeddings: Embeddings,
    barred: Indices,
    joined: Indices,
    calibration: Calibration,
    known: TravelTimes,
    chosen: IdentifySettings,
) -> tuple[Linked, Views]:
    """Links the records of one group; also what was learnt of where its cameras look."""
    evidence = pair_evidence(embeddings, table.camera, barred, calibration, chosen)
    evidence = with_cameras(evidence, table.camera, barred)
    if chosen.travel:
        base = known.start_of(table.epoch)
        begin, end = base + table.start, base + table.end
        evidence = with_travel(evidence, table.camera, begin, end, barred)
    views: Views = {}
    if chosen.views:
        evidence, views = with_views(store, table, evidence, barred, known, places)
    weights = np.sqrt(table.boxes.astype(np.float64))
    told = glimpses(table), _tracks(table)
    return identify(evidence, len(table), barred, joined, chosen, weights, *told), views


def _tracks(table: RecordTable) -> Indices:
    """The number of the track that each record is a part of ``(N,)``."""
    names = zip(table.run.tolist(), table.track_id.tolist(), strict=True)
    numbers: dict[tuple[str, int], int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.intp)


def _names(numbers: Ints, names: NDArray[np.object_]) -> dict[int, str]:
    called = names != ""
    return dict(zip(numbers[called].tolist(), names[called].tolist(), strict=True))


def _sure(table: RecordTable, numbers: Ints) -> Mask:
    """Whether identities have several records, or one with enough time in clear view; see `Identities`."""
    _, inverse, count = np.unique(numbers, return_inverse=True, return_counts=True)
    return np.asarray((count[inverse] > 1) | ~glimpses(table))


def glimpses(table: RecordTable) -> Mask:
    """Which records ``(N,)`` show somebody for less than half a second in clear view: time times quality."""
    frames = np.maximum(table.last_frame - table.first_frame, 1)
    seen = (table.boxes - 1) * (table.end - table.start) / frames * table.quality
    return np.asarray(seen < _CLEAR_VIEW)


def _constraints(
    store: Store,
    table: RecordTable,
    corrections: dict[tuple[str, str], str],
    times: TravelTimes,
    places: Indices | None,
) -> tuple[Indices, Indices]:
    """Pairs that are two people, and pairs that somebody said are one."""
    row_of = {name: row for row, name in enumerate(table.record.tolist())}
    said: dict[str, list[tuple[int, int]]] = {"one": [], "two": []}
    for (first, second), kind in corrections.items():
        if first in row_of and second in row_of:
            pair = sorted((row_of[first], row_of[second]))
            said[kind].append((pair[0], pair[1]))
    found = [seen_at_once(store, table, places=places)]
    found.append(too_fast(table.camera, table.start, table.end, table.epoch, times))
    if times.homographies:
        found.append(_too_far(store, table, times, places))
    found.append(np.array(said["two"], np.intp).reshape(-1, 2))
    barred = np.unique(np.concatenate(found), axis=0)
    return barred, np.array(said["one"], np.intp).reshape(-1, 2)


def _too_far(store: Store, table: RecordTable, times: TravelTimes, places: Indices | None) -> Indices:
    """Pairs that stand too far apart, by the paths that the store has."""
    here, paths = paths_of(store, np.arange(len(table)), places)
    base = times.start_of(table.epoch)[here]
    return here[too_far(table.camera[here], paths, base, times.homographies, times.apart, times.tolerance)]


def _numbered(labels: Indices, table: RecordTable, before: dict[str, int]) -> Ints:
    """Numbers from 1; old ones are given once each, to the identity with most of their boxes."""
    known = [before.get(name, before.get(name.partition("#")[0], 0)) for name in table.record.tolist()]
    old = np.array(known, np.int64)
    votes: dict[tuple[int, int], int] = {}
    for label, number, boxes in zip(labels.tolist(), old.tolist(), table.boxes.tolist(), strict=True):
        if number:
            votes[(label, number)] = votes.get((label, number), 0) + boxes
    given: dict[int, int] = {}
    taken: set[int] = set()
    for (label, number), _ in sorted(votes.items(), key=lambda item: -item[1]):
        if label not in given and number not in taken:
            given[label] = number
            taken.add(number)
    free = max([0, *before.values()]) + 1
    for label in range(int(labels.max(initial=-1)) + 1):
        if label not in given:
            given[label], free = free, free + 1
    return np.array([given[label] for label in labels.tolist()], np.int64)
