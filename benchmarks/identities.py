"""Who is who across cameras: each part of the method switched off in turn; wrong links asked for and made.

    python benchmarks/identities.py market1501/bounding_box_train [--gallery DIR --gt TRUTH] ... [-o FOLDER]

Crops named as Market-1501's become tracklets of the 100 people whom trainings hold out (same person, camera
and sequence, gaps up to 250 frames). The people are halved at random, several times (for the rates more
often); each half is joined with probabilities that were fitted on the other one. ``--gallery`` and ``--gt``
add galleries that `mot-reid track --gallery` wrote, beside their ground truth, with the shipped
probabilities; parts of a track that was cut are put together again for "no splitting". Nothing is chosen on
what is shown. Where cameras are not normalised, or by their means alone, the spread of strangers is not
measured either.

A link: an identity of n tracklets is held together by n - 1; wrong are as many as it has people too many.
``--cache`` keeps the crops' embeddings, ``--save`` writes the tracklets for ``benchmarks/gallery_scale.py``.
"""

import argparse
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, logit

from mot_reid.appearance.embedder import NetworkEmbedder
from mot_reid.config import EmbedderConfig
from mot_reid.evaluation.across import grouping
from mot_reid.evaluation.gallery_truth import (
    crop_tracklets,
    fit_calibration,
    gallery_people,
    listed_crops,
)
from mot_reid.evaluation.tables import Column, Table
from mot_reid.gallery.calibration import Calibration
from mot_reid.gallery.constraints import absences, overlapping, seen_together
from mot_reid.gallery.evidence import pair_evidence, with_cameras, with_travel
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.identifying import glimpses
from mot_reid.gallery.identities import identify
from mot_reid.gallery.moments import moments_of
from mot_reid.gallery.normalisation import camera_statistics, normalised
from mot_reid.gallery.presence import origins
from mot_reid.gallery.settings import IdentifySettings
from mot_reid.gallery.shared_view import learned_views
from mot_reid.provenance import provenance
from mot_reid.training.reid.crops import hold_out
from mot_reid.video.pictures import read_picture

DRAWS, RATE_DRAWS, SEQUENCE = 2, 8, 1e6
RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
DEFAULT = IdentifySettings()
NO_PAIRS = np.zeros((0, 2), np.intp)


@dataclass(frozen=True, eq=False)
class Records:
    """Tracklets whose people are known; -1 is nobody."""

    means: NDArray[np.float32]
    cameras: NDArray[np.object_]
    tracks: NDArray[np.object_]
    sources: NDArray[np.object_]
    begin: NDArray[np.float64]
    end: NDArray[np.float64]
    clock: bool
    boxes: NDArray[np.int64]
    views: NDArray[np.float64]
    people: NDArray[np.int64]
    gone: NDArray[np.object_]
    paths: NDArray[np.object_]
    glimpse: NDArray[np.bool_]

    def __getitem__(self, rows: Any) -> "Records":
        columns = {name: value[rows] for name, value in vars(self).items() if name != "clock"}
        return Records(clock=self.clock, **columns)

    def unsplit(self) -> "Records":
        """The parts of each track together as one."""
        _, first, group = np.unique(self.tracks.astype(str), return_index=True, return_inverse=True)
        order = np.argsort(first)  # records keep their order
        first, group = first[order], np.argsort(order)[group]
        sums = np.zeros((len(first), self.means.shape[1]))
        np.add.at(sums, group, self.means * self.views[:, None])
        begin, end = np.full(len(first), np.inf), np.full(len(first), -np.inf)
        np.minimum.at(begin, group, self.begin)
        np.maximum.at(end, group, self.end)
        whole = self[first]
        means = (sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32)
        boxes = np.bincount(group, self.boxes).astype(np.int64)
        parts = [group == number for number in range(len(first))]
        gone = filled([np.concatenate(self.gone[part].tolist()) for part in parts])
        whole_paths = [np.concatenate(self.paths[part].tolist()) for part in parts]
        paths = filled([path[np.argsort(path[:, 1])] for path in whole_paths])
        return replace(whole, means=means, begin=begin, end=end, boxes=boxes, gone=gone, paths=paths)


@dataclass(frozen=True)
class Trial:
    """One way to join."""

    name: str
    settings: IdentifySettings = DEFAULT
    split: bool = True
    deviations: bool = True
    spread: bool = True
    cameras: bool = True
    constrained: bool = True
    gaps: bool = True
    glimpses: bool = True
    single: bool = False
    fixed: bool = False


TRIALS = (
    Trial("all parts"),
    Trial("1: tracks not split", split=False),
    Trial("2: cameras not normalised", replace(DEFAULT, normalise=False)),
    Trial("2: the cameras' means alone", replace(DEFAULT, normalise=False), deviations=False),
    Trial("2: strangers spread as those fitted on", spread=False),
    Trial("3: no k-reciprocal neighbours", replace(DEFAULT, rerank=False)),
    Trial("4: nobody is barred", constrained=False),
    Trial("4: who was lost meanwhile is barred, too", gaps=False),
    Trial("4: travel times not learnt", replace(DEFAULT, travel=False)),
    Trial("4: where cameras see one floor not learnt", replace(DEFAULT, views=False)),
    Trial("5: glimpses joined with the others", glimpses=False),
    Trial("5: chains of pairs, no average", single=True),
    Trial("6: who is left is left", replace(DEFAULT, reassign=False)),
    Trial("7: one camera's pairs as likely as two cameras'", cameras=False),
    Trial("7: even odds, whatever the gallery", fixed=True),
)


def joined(records: Records, calibration: Any, trial: Trial) -> tuple[Records, NDArray[np.intp]]:
    """The records as they were joined, and the identity of each."""
    kept = records if trial.split else records.unsplit()
    count, settings = len(kept.means), trial.settings
    means = kept.means
    if not trial.deviations:
        means = normalised(
            means, kept.cameras, camera_statistics(means, kept.cameras, shrink_deviation=np.inf)
        )
    barred = overlapping(kept.sources, kept.begin, kept.end) if trial.constrained else NO_PAIRS
    if trial.gaps:
        barred = barred[seen_together(barred, kept.begin, kept.end, dict(enumerate(kept.gone)))]
    fitted = calibration if trial.spread else unmeasured(calibration)
    evidence = pair_evidence(means, kept.cameras, barred, fitted, settings)
    if trial.cameras:
        evidence = with_cameras(evidence, kept.cameras, barred)
    if settings.travel and kept.clock:
        evidence = with_travel(evidence, kept.cameras, kept.begin, kept.end, barred)
    if settings.views:
        moments = moments_of(kept.paths.tolist(), np.zeros(count))
        likely = expit(evidence.values + logit(evidence.prior))
        places, _ = learned_views(kept.cameras, moments, evidence.rows, evidence.columns, likely)
        evidence = replace(evidence, values=evidence.values + places)
    if trial.fixed:
        evidence = replace(evidence, prior=0.5)
    if trial.single:
        least = evidence.least(1 - settings.false_links)
        keys = evidence.rows * count + evidence.columns
        near = (evidence.values >= least) & ~np.isin(keys, barred[:, 0] * count + barred[:, 1])
        pairs = evidence.rows[near], evidence.columns[near]
        graph = sparse.coo_array((np.ones(near.sum()), pairs), (count, count))
        return kept, connected_components(graph, directed=False)[1].astype(np.intp)
    weights = np.sqrt(kept.boxes.astype(np.float64))
    late = kept.glimpse if trial.glimpses else None
    tracks = np.unique(kept.tracks.astype(str), return_inverse=True)[1]
    return kept, identify(evidence, count, barred, NO_PAIRS, settings, weights, late, tracks).labels


def scored(records: Records, labels: NDArray[np.intp]) -> dict[str, float]:
    """B-cubed by boxes, links, and how many identities there are."""
    known = records.people >= 0
    _, label = np.unique(labels[known], return_inverse=True)
    _, person = np.unique(records.people[known], return_inverse=True)
    table = np.zeros((person.max() + 1, label.max() + 1), np.int64)
    np.add.at(table, (person, label), records.boxes[known])
    links = len(label) - table.shape[1]
    wrong = int((table > 0).sum() - table.shape[1])
    found = grouping(table)
    pairs = label[:, None] == label
    other = pairs & (person[:, None] != person)
    return {
        "F": found["B3 F"],
        "P": found["B3 precision"],
        "R": found["B3 recall"],
        "wrong links": 100 * wrong / max(links, 1),
        "wrong pairs": 100 * float(other.sum()) / max(1, int(pairs.sum()) - len(label)),
        "identities": len(np.unique(labels)),
        "people": table.shape[0],
    }


def market(crops: Path, cache: Path | None, embedder: str) -> tuple[list[Any], NDArray[np.int64], Records]:
    """Tracklets of the held-out people; each sequence has a clock of its own."""
    files, names = listed_crops(crops)
    kept = hold_out(names[:, 0], 100, 0)
    files, names = [file for file, keep in zip(files, kept, strict=True) if keep], names[kept]
    if cache is not None and cache.is_file():
        embeddings = np.load(cache)
    else:
        network = NetworkEmbedder(EmbedderConfig(weights=embedder) if embedder else None)
        boxes = (
            (picture, [[0, 0, picture.shape[1], picture.shape[0]]]) for picture in map(read_picture, files)
        )
        embeddings = np.stack([network.embed(one, np.array(box, np.float32))[0] for one, box in boxes])
        if cache is not None:
            np.save(cache, embeddings)
    tracklets, people = crop_tracklets(embeddings, names)
    offset = np.array([SEQUENCE * int(one.source[-1]) for one in tracklets])
    return (
        tracklets,
        people,
        Records(
            np.stack([one.mean for one in tracklets]),
            np.array([one.camera for one in tracklets], object),
            np.array([one.record for one in tracklets], object),
            np.array([one.source for one in tracklets], object),
            offset + [one.start for one in tracklets],
            offset + [one.end for one in tracklets],
            True,
            np.array([one.boxes for one in tracklets]),
            np.array([float(one.views) for one in tracklets]),
            people,
            filled([np.zeros((0, 2))] * len(tracklets)),
            filled([np.zeros((0, 6), np.float32)] * len(tracklets)),
            np.zeros(len(tracklets), bool),
        ),
    )


def halves(
    tracklets: list[Any], people: NDArray[np.int64], records: Records
) -> Iterator[tuple[Records, Calibration]]:
    """Each half of the people with probabilities of the other, draw by draw."""
    known = np.unique(people)
    for draw in range(RATE_DRAWS):
        half = np.isin(people, np.random.default_rng(draw).permutation(known)[: len(known) // 2])
        for own in (half, ~half):
            fitted_on = [one for one, keep in zip(tracklets, ~own, strict=True) if keep]
            yield records[own], fit_calibration(fitted_on, people[~own], "", "", "")


class CrossFitted:
    """Probabilities of pairs, each fitted on people of neither: by quarters of the people."""

    tracklets = 0  # as many as in the gallery that is joined

    def __init__(self, tracklets: list[Any], people: NDArray[np.int64]) -> None:
        known = np.random.default_rng(0).permutation(np.unique(people))
        fold = np.zeros(int(people.max()) + 1, np.int64)
        fold[known] = np.arange(len(known)) % 4
        self.fold = fold[people]
        self.fitted = {}
        for first in range(4):
            for second in range(first, 4):
                kept = ~np.isin(self.fold, [first, second])
                own = [one for one, keep in zip(tracklets, kept, strict=True) if keep]
                self.fitted[first, second] = fit_calibration(own, people[kept], "", "", "")
        links = np.mean([found.links for found in self.fitted.values()], axis=0)
        self.links = tuple(links.tolist())

    def evidence(self, cosine: NDArray[np.float64], jaccard: Any = None) -> NDArray[np.float64]:
        """As `Calibration.evidence`, of all pairs in the order of ``numpy.triu_indices``."""
        rows, columns = np.triu_indices(len(self.fold), 1)
        values = np.zeros(len(rows))
        pairs = np.sort(np.column_stack([self.fold[rows], self.fold[columns]]), axis=1)
        for folds, calibration in self.fitted.items():
            own = (pairs == folds).all(axis=1)
            near = None if jaccard is None else jaccard[own]
            values[own] = calibration.evidence(cosine[own], near)
        return values

    def strangers_scale(self, cosines: Any, known: Any, records: int) -> float:
        """The mean of all `Calibration.strangers_scale`."""
        return float(np.mean([one.strangers_scale(cosines, known, records) for one in self.fitted.values()]))


def unmeasured(calibration: Any) -> Any:
    """The same, without what tells how strangers spread."""
    if isinstance(calibration, CrossFitted):
        found = copy(calibration)
        found.fitted = {folds: unmeasured(one) for folds, one in calibration.fitted.items()}
        return found
    return replace(calibration, strangers=None)


def one_camera_strangers(records: Records) -> Records:
    """A third of the people are left in the camera that sees them most, in nobody else's."""
    keep = np.ones(len(records.people), bool)
    for person in np.unique(records.people)[::3].tolist():
        own = np.flatnonzero(records.people == person)
        names, counts = np.unique(records.cameras[own].astype(str), return_counts=True)
        keep[own[records.cameras[own] != names[counts.argmax()]]] = False
    return records[keep]


def of_gallery(place: Path, truth: Path) -> tuple[Records, Calibration]:
    """A gallery's records and their people."""
    gallery = Gallery(place)
    table, people = gallery_people(gallery, truth)
    clock = bool(np.isfinite(table.epoch).all())
    base = table.epoch if clock else np.zeros(len(table))
    sources = origins(table)
    tracks = [f"{source} {track}" for source, track in zip(sources, table.track_id, strict=True)]
    records = gallery.tracklets(np.arange(len(table)), crops=False)
    paths = [(row, record.path) for row, record in enumerate(records)]
    return Records(
        gallery.store.means(),
        table.camera,
        np.array(tracks, object),
        sources,
        table.start + base,
        table.end + base,
        clock,
        table.boxes,
        table.views * table.quality,
        people,
        filled([absences(path[:, 1].astype(np.float64)) + base[row] for row, path in paths]),
        filled([path for _, path in paths]),
        glimpses(table),
    ), gallery.calibration


def filled(parts: list[Any]) -> NDArray[np.object_]:
    """Arrays as an array of objects."""
    found = np.empty(len(parts), object)
    for row, part in enumerate(parts):
        found[row] = part
    return found


def mean_of(runs: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each value."""
    return {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("crops", type=Path, help="folder of crops named as Market-1501's")
    parser.add_argument("--gallery", type=Path, action="append", default=[], help="a gallery beside --gt")
    parser.add_argument("--gt", type=Path, action="append", default=[], help="its ground truth")
    parser.add_argument(
        "--embedder", default="", help="of the crops: strong, say; by default the shipped one"
    )
    parser.add_argument("--cache", type=Path, help="file that keeps the crops' embeddings")
    parser.add_argument("--save", type=Path, help="write the tracklets' embeddings there")
    parser.add_argument("-o", "--output", type=Path, help="save the tables there")
    given = parser.parse_args()
    tracklets, people, records = market(given.crops, given.cache, given.embedder)
    if given.save is not None:
        np.savez(given.save, means=records.means, people=people)
    parts = list(halves(tracklets, people, records))
    sets: list[tuple[str, list[tuple[Records, Any]]]] = [
        ("halves", parts[: 2 * DRAWS]),
        ("all", [(records, CrossFitted(tracklets, people))]),
    ]
    for place, truth in zip(given.gallery, given.gt, strict=True):
        sets.append((truth.name, [of_gallery(place, truth)]))
    tables = [
        ablation(sets),
        rates(parts, "everybody", lambda same: same),
        rates(parts, "a third of the people in one camera only", one_camera_strangers),
    ]
    for number, table in enumerate(tables):
        table.show(Console(width=400))
        if given.output is not None:
            table.save(given.output, ("identities-ablation", "false-links", "false-links-strangers")[number])


def ablation(sets: list[tuple[str, list[tuple[Records, Any]]]]) -> Table:
    """Each part off in turn."""
    rows = []
    for trial in TRIALS:
        row: dict[str, Any] = {"joined": trial.name}
        for name, parts in sets:
            found = mean_of([scored(*joined(part, calibration, trial)) for part, calibration in parts])
            row |= {f"{name} {key}": value for key, value in found.items()}
        rows.append(row)
    columns = [Column("joined")]
    for name, _ in sets:
        columns += [
            Column(f"{name} {key}", 1) for key in ("F", "P", "R", "wrong links", "identities", "people")
        ]
    return Table("Identities, each part off", columns, rows, provenance=provenance())


def rates(parts: list[tuple[Records, Any]], who: str, chosen: Callable[[Records], Records]) -> Table:
    """Wrong links asked for, and made."""
    rows = []
    for rate in RATES:
        trial = Trial("", replace(DEFAULT, false_links=rate))
        found = mean_of([scored(*joined(chosen(part), calibration, trial)) for part, calibration in parts])
        rows.append({"asked": 100 * rate, **found})
    names = ("wrong links", "wrong pairs", "F", "P", "R", "identities", "people")
    columns = [Column("asked", 1), *(Column(name, 1) for name in names)]
    return Table(f"Wrong links asked for and made, {who}", columns, rows, provenance=provenance())


if __name__ == "__main__":
    main()
