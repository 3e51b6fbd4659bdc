"""What the places where people stand say of who is who, by the records of a store."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from mot_reid.gallery.constraints import TravelTimes
from mot_reid.gallery.evidence import Evidence
from mot_reid.gallery.moments import STEP, Moments, moments_of
from mot_reid.gallery.presence import origins, paths_of
from mot_reid.gallery.shared_view import SharedView, gained, learned_views, view_evidence
from mot_reid.gallery.store import GalleryError, RecordTable, Store
from mot_reid.typing import Floats, Indices

__all__ = [
    "VIEWS",
    "Floor",
    "Views",
    "common_clock",
    "place_evidence",
    "read_views",
    "views_of",
    "views_text",
    "with_views",
]

VIEWS = "views.json"


@dataclass(frozen=True, eq=False)
class Floor:
    """A floor that two cameras see.

    Attributes:
        view: how the pictures map to each other.
        sources: runs and sources of the first camera and of the second with which that agrees: a camera may
            have been turned, or put elsewhere, between two of them.
    """

    view: SharedView
    sources: frozenset[tuple[str, str]]


Views = Mapping[tuple[str, str], Floor]
"""Floors by the names of the two cameras, which are in order."""

_UNRELATED = 1e6  # seconds between clocks that nothing relates, so that no moment of two is the same
_LATER_THAN_ANY = 4e9  # seconds since 1970


def common_clock(table: RecordTable, known: TravelTimes) -> tuple[Floats, NDArray[np.object_]]:
    """Clocks that may be one.

    Of sources whose clock nobody knows the first run of each camera is taken to have started together, so are
    the second runs, and so on. Whether that is so shows: of cameras whose clocks differ nothing is learnt.

    Returns:
        Seconds ``(N,)`` at each source's start; no two moments of unrelated clocks are the same. And names
        ``(N,)`` of what is learnt together: the camera, and which run if it is not the first without a clock.
    """
    base, names = known.start_of(table.epoch), table.camera.astype(object)
    unknown = np.flatnonzero(np.isnan(base))
    runs: dict[str, dict[tuple[str, str], int]] = {}
    for row in unknown[np.argsort(table.added[unknown], kind="stable")].tolist():
        of_camera = runs.setdefault(table.camera[row], {})
        turn = of_camera.setdefault((table.run[row], table.source[row]), len(of_camera))
        base[row] = _LATER_THAN_ANY + _UNRELATED * turn
        if turn:
            names[row] = f"{table.camera[row]}, run {turn + 1}"
    return base, names


def _moments(store: Store, rows: Indices, base: Floats, places: Indices | None) -> Moments:
    """Where some rows of a table stood; the others have no moment."""
    here, paths = paths_of(store, rows, places)
    whole = [np.zeros((0, 6), np.float32)] * len(base)
    for row, path in zip(here.tolist(), paths, strict=True):
        whole[row] = path
    return moments_of(whole, base)


def with_views(
    store: Store,
    table: RecordTable,
    evidence: Evidence,
    barred: Indices,
    known: TravelTimes,
    places: Indices | None = None,
) -> tuple[Evidence, Views]:
    """The evidence of looks and of where people stand (`mot_reid.gallery.shared_view.learned_views`).

    Args:
        store: has the records' paths.
        table: records.
        evidence: of their looks.
        barred: ``(P, 2)`` pairs that are two people.
        known: what is known of clocks.
        places: ``(N,)`` the row of the store's last table for each record, -1 for none; by default the same.

    Returns:
        The evidence, and what was learnt of each two cameras.
    """
    base, names = common_clock(table, known)
    begin, end = base + table.start, base + table.end
    first, second = evidence.rows, evidence.columns
    asked = (table.camera[first] != table.camera[second]) & (begin[first] <= end[second] + known.tolerance)
    asked &= begin[second] <= end[first] + known.tolerance
    asked &= ~np.isin(first * len(table) + second, barred[:, 0] * len(table) + barred[:, 1])
    if not asked.any():
        return evidence, {}
    first, second = first[asked], second[asked]
    moments = _moments(store, np.union1d(first, second), base, places)
    values = evidence.values.copy()
    odds = values[asked] + logit(evidence.prior)
    found, views = learned_views(names, moments, first, second, expit(odds), known.tolerance)
    turned = names[first] > names[second]
    one, other = np.where(turned, second, first), np.where(turned, first, second)
    sources, code = np.unique(origins(table).astype(str), return_inverse=True)
    _, places_of, group = np.unique(
        code[one] * len(sources) + code[other], return_index=True, return_inverse=True
    )
    # Where a camera was turned meanwhile, places make what is seen less likely than looks alone do.
    fits = np.bincount(group, gained(odds, found)) >= 0
    found[~fits[group]] = 0
    values[asked] += found
    agree: dict[tuple[str, str], set[tuple[str, str]]] = {key: set() for key in views}
    for place in places_of[fits].tolist():
        key = names[one[place]], names[other[place]]
        if key in agree:
            agree[key].add((str(sources[code[one[place]]]), str(sources[code[other[place]]])))
    floors = {key: Floor(view, frozenset(agree[key])) for key, view in views.items()}
    return replace(evidence, values=values), floors


def place_evidence(
    store: Store, table: RecordTable, track: Sequence[int], others: Indices, views: Views
) -> Floats:
    """How much likelier one person than two makes where others stand, beside a track that is asked for.

    Args:
        store: has the records' paths.
        table: its last `Store.table`.
        track: its rows.
        others: ``(R,)`` rows that may show its person.
        views: of two cameras each.

    Returns:
        ``(R,)`` logarithms, 0 where nothing is known.
    """
    found = np.zeros(len(others))
    if not views or not len(track):
        return found
    base, names = common_clock(table, TravelTimes())
    begin, end, origin = base + table.start, base + table.end, origins(table)
    asked = []
    for (one, other), floor in views.items():
        for row in track:
            forward = names[row] == one
            if not forward and names[row] != other:
                continue
            near = names[others] == (other if forward else one)
            slack, own = abs(floor.view.late) * STEP, origin[row]
            near &= (begin[others] <= end[row] + slack) & (begin[row] <= end[others] + slack)
            agree = {pair[1] if forward else pair[0] for pair in floor.sources if own in pair}
            near &= np.isin(origin[others], list(agree))
            if near.any():
                asked.append((floor.view, row, forward, np.flatnonzero(near)))
    if not asked:
        return found
    rows = [others[near] for _, _, _, near in asked]
    moments = _moments(store, np.unique(np.concatenate([*rows, track])), base, None)
    for view, row, forward, near in asked:
        mine = np.full(len(near), row)
        values = view_evidence(view, moments, *((mine, others[near]) if forward else (others[near], mine)))
        found[near] = np.where(np.abs(values) > np.abs(found[near]), values, found[near])
    return found


def views_of(views: Views, known: Collection[str]) -> Views:
    """What is said of these runs and sources alone, by the names of `mot_reid.gallery.presence.origins`."""
    left = {}
    for pair, floor in views.items():
        sources = frozenset(two for two in floor.sources if two[0] in known and two[1] in known)
        if sources:
            left[pair] = floor if sources == floor.sources else replace(floor, sources=sources)
    return left


def views_text(views: Views) -> str:
    """For `VIEWS`."""
    entries = [
        {
            "cameras": pair,
            **asdict(floor.view),
            "homography": floor.view.homography.tolist(),
            "sources": sorted(floor.sources),
        }
        for pair, floor in views.items()
    ]
    return json.dumps(entries, indent=2) + "\n"


def read_views(text: str | None, place: str) -> Views:
    """What `views_text` gave; nothing where there is no text.

    Raises:
        GalleryError: it is broken; the message names ``place``.
    """
    found = {}
    try:
        for entry in json.loads(text or "[]"):
            first, second = map(str, entry["cameras"])
            homography = np.array(entry["homography"], np.float64)
            if homography.shape != (3, 3) or not np.isfinite(homography).all():
                raise ValueError("homography")
            one, two = ((float(values[0]), float(values[1])) for values in (entry["same"], entry["others"]))
            numbers = float(entry["floor"]), float(entry["links"]), int(entry["late"])
            sources = frozenset((str(own), str(others)) for own, others in entry["sources"])
            found[(first, second)] = Floor(SharedView(homography, one, two, *numbers), sources)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise GalleryError(f"{place}/{VIEWS}: broken ({error})") from None
    return found
