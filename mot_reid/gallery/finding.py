"""A search in a gallery, from embeddings to hits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from mot_reid.gallery.calibration import Calibration
from mot_reid.gallery.filters import Filter, require_findable
from mot_reid.gallery.normalisation import CameraStatistics, camera_statistics, normalised
from mot_reid.gallery.presence import seen_at_once
from mot_reid.gallery.search import SearchSettings, hit_evidence, likeness, same_person, strangers_scales
from mot_reid.gallery.standing import VIEWS, place_evidence, read_views
from mot_reid.gallery.store import GalleryError, RecordTable, Store
from mot_reid.resources import shipped
from mot_reid.typing import Embeddings, Floats, Indices

__all__ = [
    "CALIBRATION",
    "Hit",
    "Hits",
    "calibration_of",
    "described",
    "find_calibration",
    "find_person",
    "named_means",
    "sampled_statistics",
]

CALIBRATION = "calibration.json"
_SAMPLE = 20_000
"""Records of which the cameras' statistics are taken at the most."""


@dataclass(frozen=True)
class Hit:
    """A tracklet that was found.

    Attributes:
        record: its name in the gallery.
        camera: its camera.
        source: the file or address.
        track_id: its id there.
        part: of that track.
        start: seconds from the source's start.
        end: likewise.
        epoch: seconds since 1970 at the source's start, or NaN.
        first_frame: number of its first frame.
        last_frame: of the last one.
        probability: that it shows the person of the query.
        similarity: normalised cosine, in [-1, 1]; NaN where a description was asked for.
        identity: number of its identity, or None where nobody knows.
        row: in `Gallery.table` as it was.
    """

    record: str
    camera: str
    source: str
    track_id: int
    part: int
    start: float
    end: float
    epoch: float
    first_frame: int
    last_frame: int
    probability: float
    similarity: float
    identity: int | None
    row: int

    @property
    def label(self) -> str:
        """``camera:track``, or ``camera:track.part``."""
        return f"{self.camera}:{self.track_id}" + (f".{self.part}" if self.part else "")

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        values = asdict(self) | {"track": self.label}
        for name in ("epoch", "similarity"):
            values[name] = None if np.isnan(values[name]) else values[name]
        del values["row"]
        return values


class Hits(list[Hit]):
    """Hits, the best first.

    Attributes:
        absent: probability that the person is not in the gallery, or not where was searched.
        searched: how many records could be found.
    """

    def __init__(self, hits: Iterable[Hit] = (), absent: float = 1.0, searched: int = 0) -> None:
        super().__init__(hits)
        self.absent, self.searched = absent, searched

    def by_identity(self) -> list[list[Hit]]:
        """The hits in groups of one identity each, the group with the best hit first.

        A hit whose identity nobody knows is a group of its own.
        """
        groups: dict[int | str, list[Hit]] = {}
        for hit in self:
            groups.setdefault(hit.record if hit.identity is None else hit.identity, []).append(hit)
        return list(groups.values())


def sampled_statistics(store: Store, table: RecordTable) -> CameraStatistics:
    """The means and deviations of the cameras, of at most 20,000 records spread over the gallery."""
    rows = np.unique(np.linspace(0, len(table) - 1, min(len(table), _SAMPLE)).astype(np.intp))
    return camera_statistics(store.means(rows), table.camera[rows])


def find_person(
    store: Store,
    queries: Embeddings,
    calibration: Calibration,
    *,
    camera: str | None = None,
    top: int = 10,
    where: Filter | None = None,
    identities: dict[str, int] | None = None,
    settings: SearchSettings | None = None,
    table: RecordTable | None = None,
    statistics: CameraStatistics | None = None,
    track: Indices | None = None,
) -> Hits:
    """The tracklets that show the person of one or several pictures.

    Args:
        store: to search in.
        queries: ``(Q, D)`` unit rows, all of one person.
        calibration: of the embedder.
        camera: where the pictures come from, if known.
        top: how many hits.
        where: which records may be found.
        identities: of records by name.
        settings: the defaults where None.
        table: the store's, if it was just read.
        statistics: of the cameras likewise.
        track: rows of the table that are asked for, if it is a track of the gallery: who stands elsewhere at
            the same time, in a camera that sees the same floor, is somebody else.

    Raises:
        ValueError: ``top`` is below 1.
        GalleryError: there is no such camera.
    """
    chosen = settings or SearchSettings()
    table = store.table() if table is None else table
    require_findable(table, where, top, str(store.place))
    total = len(table) if where is None else int(where.mask(table).sum())
    if not total:
        return Hits(searched=total)
    statistics = sampled_statistics(store, table) if statistics is None else statistics
    rows = _looked_at(store, table, queries, top, where, chosen)
    own = normalised(store.means(rows), table.camera[rows], statistics)
    looks, owners = store.medoids(rows)
    looks = normalised(looks, table.camera[rows][owners], statistics)
    asked = normalised(queries, np.full(len(queries), camera, object), statistics)
    middle = asked.mean(axis=0)
    middle /= max(float(np.linalg.norm(middle)), 1e-12)
    cosines = (own @ middle).astype(np.float64)
    alike = likeness(asked, own, looks, owners, chosen.mean_share)
    if total < chosen.rerank_from:
        calibration = calibration.for_gallery(beside(store, table, statistics, chosen.whole))
    views = {} if track is None else read_views(store.read_document(VIEWS), str(store.place))
    stand = place_evidence(store, table, [] if track is None else track.tolist(), rows, views)
    scales = np.ones(len(rows))
    if chosen.rerank_from <= total <= chosen.whole:
        scales = strangers_scales(cosines, table.camera[rows] == camera, calibration)
    evidence, score = (calibration.evidence(scales * values) + stand for values in (cosines, alike))
    if chosen.rerank and len(rows) >= chosen.rerank_from:
        expected = float(same_person(evidence, total, chosen)[0].sum())
        score = hit_evidence(middle, own, scales * alike, expected, calibration) + stand
        evidence = score if total <= chosen.whole else evidence
    probability, absent = same_person(evidence, total, chosen)
    known = identities or {}
    hits = [
        _hit(table, int(rows[place]), float(probability[place]), float(cosines[place]), known)
        for place in np.lexsort((-alike, -score))[:top].tolist()
    ]
    return Hits(hits, absent, total)


def _looked_at(
    store: Store,
    table: RecordTable,
    queries: Embeddings,
    top: int,
    where: Filter | None,
    settings: SearchSettings,
) -> Indices:
    """The rows that are looked at closely: all that may be found, or the most alike ones by their means."""
    allowed = np.arange(len(table)) if where is None else np.flatnonzero(where.mask(table))
    if len(allowed) <= settings.whole:
        return allowed
    centre = queries.mean(axis=0)
    centre /= max(float(np.linalg.norm(centre)), 1e-12)
    count = min(max(settings.shortlist, settings.per_hit * top), len(allowed))
    rows = store.nearest(centre[None], count, where)[0][0]
    return rows[rows >= 0]


def beside(store: Store, table: RecordTable, statistics: CameraStatistics, most: int) -> Floats:
    """Normalised cosines of pairs that one camera sees at the same time: two people, whoever they are.

    Of the last ``most`` records, so that a large gallery of which a search wants little is not read whole.
    """
    rows = np.arange(max(len(table) - most, 0), len(table))
    pairs = seen_at_once(store, table, rows) - rows[0]
    points = normalised(store.means(rows), table.camera[rows], statistics)
    return np.einsum("nd,nd->n", points[pairs[:, 0]], points[pairs[:, 1]]).astype(np.float64)


def _hit(table: RecordTable, row: int, probability: float, cosine: float, known: dict[str, int]) -> Hit:
    names = ("record", "camera", "source", "track_id", "part", "start", "end", "epoch")
    values = {name: getattr(table, name)[row] for name in (*names, "first_frame", "last_frame")}
    values = {key: value.item() if isinstance(value, np.generic) else value for key, value in values.items()}
    return Hit(
        **values,
        probability=probability,
        similarity=cosine,
        identity=known.get(values["record"]),
        row=row,
    )


def named_means(store: Store, table: RecordTable, *names: Sequence[str]) -> tuple[Embeddings, Embeddings]:
    """Mean embeddings ``(C, D)`` and ``(F, D)`` of two lists of records by name.

    Raises:
        GalleryError: one of them is not there.
    """
    found = []
    for records in names:
        rows = np.flatnonzero(np.isin(table.record.astype(str), list(records)))
        if len(rows) != len(set(records)):
            raise GalleryError(f"{store.place}: no such record among {', '.join(records)}")
        found.append(store.means(rows) if len(rows) else np.zeros((0, store.info.dimension), np.float32))
    return found[0], found[1]


def record_attributes(store: Store, table: RecordTable, rows: Indices) -> list[dict[str, float]]:
    """The attributes of records; where they have none, what a shipped head reads in their embeddings."""
    found: list[dict[str, float]] = [json.loads(table.attributes[row]) for row in rows.tolist()]
    bare = np.flatnonzero([not entry for entry in found])
    if not bare.size:
        return found
    from mot_reid.appearance.attributes import load_attributes

    for path in sorted(shipped("weights").glob("*attributes*.safetensors")):
        head = load_attributes(path)
        if head.origin == store.info.fingerprint:
            read = head.describe(store.means(rows[bare]))
            for place, entry in zip(bare.tolist(), read, strict=True):
                found[place] = entry
            break
    return found


def described(store: Store, table: RecordTable, text: str, top: int, where: Filter | None) -> Hits:
    """The tracklets whose attributes fit a description best.

    Args:
        store: to search in.
        table: its `Store.table`.
        text: attributes with commas between them, such as ``"red top, backpack"``; ``no`` or ``without``
            before one asks for its absence.
        top: how many hits.
        where: which records may be found.

    Raises:
        ValueError: ``top`` is below 1.
        GalleryError: there is no such camera, the records have no attributes, or none of them is meant by
            the text or a part of it.
    """
    require_findable(table, where, top, str(store.place))
    rows = np.arange(len(table)) if where is None else np.flatnonzero(where.mask(table))
    values = record_attributes(store, table, rows)
    names = sorted({name for entry in values for name in entry})
    if not names:
        raise GalleryError(f"{store.place}: its records have no attributes: their embedder gives none")
    parts = [piece.strip() for piece in text.split(",") if piece.strip()]
    if not parts:
        raise GalleryError(f"description {text!r}: describes nobody; there are: {_listed(names)}")
    score = np.ones(len(rows))
    for part in parts:
        absent = bool(re.match(r"(no|without)\s", part))
        wanted = _words(re.sub(r"^(no|without)\s+", "", part))
        meant = [name for name in names if wanted <= _words(name) and "no" not in _words(name) - wanted]
        if not meant or wanted <= {"no", "without"}:
            raise GalleryError(f"description: no attribute is called {part!r}; there are: {_listed(names)}")
        found = np.array([max(entry.get(name, 0.0) for name in meant) for entry in values])
        score *= 1 - found if absent else found
    order = np.argsort(-score, kind="stable")[:top]
    hits = [
        replace(_hit(table, int(rows[place]), float(score[place]), 0.0, {}), similarity=float("nan"))
        for place in order.tolist()
    ]
    return Hits(hits, float(np.prod(1 - np.minimum(score, 1 - 1e-12))), len(rows))


def _listed(labels: Sequence[str]) -> str:
    """Attributes as one types them, such as ``hat, blue/red top`` for ``hat=yes, upper_colour=blue ...``."""
    values: dict[str, list[str]] = {}
    for label in labels:
        name, _, value = label.partition("=")
        values.setdefault(name, []).extend([value] if value not in ("", "no", "yes") else [])
    return ", ".join(" ".join(filter(None, ("/".join(own), _noun(name)))) for name, own in values.items())


def _noun(name: str) -> str:
    """What stands behind the value of an attribute in a description; nothing where the value says it all."""
    first, _, kind = name.rpartition("_")
    if name in ("age", "gender") or kind == "type":
        return ""
    part = first if kind in ("colour", "color", "length") else name
    return {"upper": "top", "lower": "trousers"}.get(part, part.replace("_", " "))


def _words(text: str) -> set[str]:
    """The words of an attribute, such as ``upper_colour=red``, or of what somebody calls it, ``red top``."""
    words = re.split(r"[\s_\-:=]+", text.lower().strip())
    if words in (["trousers"], ["slacks"]):
        return {"pants"}  # by themselves they are no place for a colour
    return {_CALLED.get(word, word) for word in words}


_CALLED = {
    **dict.fromkeys(("top", "shirt", "jacket", "coat", "sweater"), "upper"),
    **dict.fromkeys(("bottom", "trousers", "legs"), "lower"),
    **dict.fromkeys(("man", "men"), "male"),
    **dict.fromkeys(("woman", "women"), "female"),
    "color": "colour",
    "grey": "gray",
    "rucksack": "backpack",
    "sleeves": "sleeve",
}


def calibration_of(store: Store) -> Calibration:
    """The calibration that lies in a gallery, or else the one of its embedder (`find_calibration`)."""
    own = store.read_document(CALIBRATION)
    if own:
        return Calibration.from_json(own, f"{store.place}/{CALIBRATION}")
    return find_calibration(store.info.fingerprint, store.info.embedder)


def find_calibration(fingerprint: str, name: str) -> Calibration:
    """The calibration of an embedder among those that ship; if there is none, that of another one stands in.

    Raises:
        ValueError: a file is broken.
        FileNotFoundError: there is none at all.
    """
    files = sorted(shipped("weights").glob("*.calibration.json"))
    found = [Calibration.from_json(path.read_text(encoding="utf-8"), str(path)) for path in files]
    for entry in found:
        if entry.fingerprint == fingerprint:
            return entry
    if not found:
        raise FileNotFoundError(
            f"no calibration for {name}; `mot-reid evaluate-search --calibrate` makes one"
        )
    return found[0]
