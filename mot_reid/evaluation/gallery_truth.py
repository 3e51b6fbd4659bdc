"""Records with known people: crops of a re-identification set, or a gallery beside ground truth."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mot_reid.boxes import iou
from mot_reid.evaluation.link_truth import KnownPairs, fit_links
from mot_reid.evaluation.motchallenge import BoxRows, read_ground_truth
from mot_reid.evaluation.sequences import list_sequences
from mot_reid.gallery.calibration import Calibration, fit_logistic, hit_features
from mot_reid.gallery.constraints import overlapping
from mot_reid.gallery.evidence import neighbours, pair_evidence, with_cameras
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.normalisation import camera_statistics, normalised
from mot_reid.gallery.pooling import medoids, weighted_mean
from mot_reid.gallery.records import Tracklet
from mot_reid.gallery.reranking import jaccard_of_pairs, nearest_points
from mot_reid.gallery.search import SearchSettings, likeness, same_person, strangers_scales
from mot_reid.gallery.settings import IdentifySettings
from mot_reid.gallery.store import RecordTable
from mot_reid.typing import Embeddings, Floats, Floats32, Indices, Ints, Mask

__all__ = ["crop_tracklets", "fit_calibration", "gallery_people", "listed_crops", "people_of_records"]


_NAME = re.compile(r"(-?\d+)_c(\d+)s(\d+)_(\d+)_(\d+)")
_FPS = 25.0
_PARTS = 3
_OF_A_HUNDRED = 0.01  # share of records that are the person's, about, where a search decides


def listed_crops(folder: Path) -> tuple[list[Path], Ints]:
    """Crops named as Market-1501's, ``PPPP_cCsS_FFFFFF_BB.jpg``.

    Returns:
        The files, and person, camera, sequence and frame of each ``(N, 4)``, in that order.

    Raises:
        FileNotFoundError: there is none.
    """
    found: list[tuple[list[int], Path]] = []
    for path in sorted(folder.rglob("*.jpg")):
        match = _NAME.match(path.stem)
        if match is not None and int(match.group(1)) > 0:
            found.append(([int(part) for part in match.groups()[:4]], path))
    if not found:
        raise FileNotFoundError(f"{folder}: no crops named PPPP_cCsS_FFFFFF_BB.jpg")
    found.sort(key=lambda entry: entry[0])
    return [path for _, path in found], np.array([names for names, _ in found], np.int64)


def crop_tracklets(embeddings: Embeddings, names: Ints, gap: int = 250) -> tuple[list[Tracklet], Ints]:
    """Tracklets of crops: one person's in one camera and sequence, with gaps up to some frames.

    Args:
        embeddings: ``(N, D)`` unit rows.
        names: ``(N, 4)`` person, camera, sequence, frame, sorted.
        gap: most frames between two crops of a tracklet.

    Returns:
        The tracklets, and the person of each.
    """
    steps = np.diff(names, axis=0)
    new = (steps[:, :3] != 0).any(axis=1) | (steps[:, 3] > gap)
    groups = np.split(np.arange(len(names)), np.flatnonzero(new) + 1)
    records = []
    for number, rows in enumerate(groups):
        _, camera, sequence, _ = names[rows[0]].tolist()
        frames = names[rows, 3]
        ones = np.ones(len(rows))
        source = f"c{camera}s{sequence}"
        records.append(
            Tracklet(
                camera=f"c{camera}",
                source=source,
                run=source,
                track_id=number + 1,
                first_frame=int(frames[0]),
                last_frame=int(frames[-1]),
                start=float(frames[0] / _FPS),
                end=float(frames[-1] / _FPS),
                mean=weighted_mean(embeddings[rows], ones),
                medoids=embeddings[rows][medoids(embeddings[rows], ones)],
                path=np.zeros((1, 6), np.float32),
                boxes=len(rows),
                views=len(rows),
            )
        )
    return records, names[[rows[0] for rows in groups], 0]


def people_of_records(
    table: RecordTable, paths: Sequence[Floats32], truth: Callable[[str], BoxRows | None]
) -> Ints:
    """The person whom each record's boxes cover most (IoU at least 0.5), ``(N,)``; -1 where nobody is.

    Args:
        table: of the records.
        paths: ``(P, 6)`` of each, see `mot_reid.gallery.records.Tracklet.path`.
        truth: ground truth of a camera by name, or None.
    """
    people = np.full(len(table), -1, np.int64)
    known: dict[str, BoxRows | None] = {}
    for row, path in enumerate(paths):
        camera = str(table.camera[row])
        if camera not in known:
            known[camera] = truth(camera)
        rows = known[camera]
        if rows is None:
            continue
        votes: dict[int, int] = {}
        for frame, _, *box in path.tolist():
            there = slice(*np.searchsorted(rows.frames, [int(frame), int(frame) + 1]))
            if there.stop > there.start:
                overlap = iou(np.array([box]), rows.xyxy[there])[0]
                if overlap.max() >= 0.5:
                    person = int(rows.ids[there][overlap.argmax()])
                    votes[person] = votes.get(person, 0) + 1
        if votes and sum(votes.values()) >= 0.25 * len(path):
            people[row] = max(votes, key=lambda person: votes[person])
    return people


def gallery_people(gallery: Gallery, ground_truth: Path) -> tuple[RecordTable, Ints]:
    """The records of a gallery, and who each is by ground truth that has one id space for all cameras.

    Args:
        gallery: whose cameras are called as the sequences.
        ground_truth: folders with ``gt/gt.txt``.

    Returns:
        Its table, and the person of each record ``(N,)``, -1 for nobody.

    Raises:
        FileNotFoundError: there is no ground truth.
        ValueError: no record of the gallery fits it.
    """
    if not ground_truth.exists():
        raise FileNotFoundError(f"ground truth not found: {ground_truth}")
    known = {sequence.name: sequence for sequence in list_sequences(ground_truth)}
    known |= {sequence.folder.name: sequence for sequence in known.values()}

    def truth(camera: str) -> BoxRows | None:
        found = known.get(camera)
        if found is None:
            return None
        return read_ground_truth(found.ground_truth, found.length, has_classes=found.protocol.has_classes)

    table = gallery.table()
    paths = [record.path for record in gallery.tracklets(np.arange(len(table)), crops=False)]
    people = people_of_records(table, paths, truth)
    if not (people >= 0).any():
        cameras = ", ".join(sorted(set(table.camera.tolist())))
        raise ValueError(
            f"{gallery.place}: no tracklet of its cameras ({cameras}) fits --gt ({', '.join(known)})"
        )
    return table, people


def fit_calibration(
    records: Sequence[Tracklet],
    people: Ints,
    embedder: str,
    fingerprint: str,
    data: str,
    settings: IdentifySettings | None = None,
) -> Calibration:
    """Fits how likely pairs of records show one person, on people whom the embedder has not learnt.

    People of whom all is known are seen in several cameras; elsewhere many are not, and where somebody has no
    record to be joined with, a stranger's comes first. So what joins records is fitted to four sets at once:
    all of them, and those in which one third of the people or another stays in one camera.

    Args:
        records: of them.
        people: ``(N,)`` who each is.
        embedder: its name.
        fingerprint: of its weights.
        data: what the records are, for the file.
        settings: how neighbours are counted; the defaults where None.
    """
    chosen = replace(settings or IdentifySettings(), rerank_from=0, dense=10**9)
    boxes = np.array([record.boxes for record in records], np.int64)
    whole = _Known(records, people, chosen)
    parts = [_one_camera(whole.cameras, people, part) for part in range(_PARTS)]
    sets = [whole, *(_Known([records[row] for row in rows], people[rows], chosen) for rows in parts)]
    alone = fit_logistic(whole.cosines[:, None], whole.same)
    features = np.concatenate([one.features(alone) for one in sets])
    both = fit_logistic(features, np.concatenate([one.same for one in sets]), _OF_A_HUNDRED)
    strangers = alone[0] * whole.cosines[~whole.same] + alone[1]
    fitted = Calibration(
        embedder,
        fingerprint,
        (float(alone[0]), float(alone[1])),
        (float(both[0]), float(both[1]), float(both[2]), float(both[3])),
        people=len(np.unique(people)),
        tracklets=len(records),
        data=data,
        strangers=(float(strangers.mean()), float(strangers.std())),
    )
    asked = [_hits(records, whole, fitted, chosen)]
    asked += [
        _hits([records[row] for row in rows], one, fitted, chosen)
        for rows, one in zip(parts, sets[1:], strict=True)
    ]
    features = np.concatenate([one for one, _ in asked])
    hits = fit_logistic(features, np.concatenate([same for _, same in asked]), _OF_A_HUNDRED)
    fitted = replace(fitted, found=(float(hits[0]), float(hits[1]), float(hits[2]), float(hits[3])))

    def links(rerank: bool) -> tuple[float, float]:
        wanted, known = replace(chosen, rerank=rerank), []
        for rows, one in zip([np.arange(len(records)), *parts], sets, strict=True):
            evidence = pair_evidence(one.means, one.cameras, one.barred, fitted, wanted)
            evidence = with_cameras(evidence, one.cameras, one.barred)
            known.append(KnownPairs(evidence, one.barred, people[rows], boxes[rows]))
        return fit_links(known)

    return replace(fitted, links=(*links(False), *links(True)))


class _Known:
    """Records of known people, and their pairs that can be one person.

    Attributes:
        means: ``(N, D)``.
        cameras: ``(N,)``.
        barred: ``(B, 2)`` pairs that are two people.
        rows: ``(P,)`` one record of each other pair.
        columns: ``(P,)`` the other, larger.
        cosines: ``(P,)`` of their normalised means.
        same: ``(P,)`` whether they are one person.
    """

    def __init__(self, records: Sequence[Tracklet], people: Ints, settings: IdentifySettings) -> None:
        self.means = np.stack([record.mean for record in records])
        self.cameras = np.array([record.camera for record in records], object)
        sources = np.array([record.source for record in records], object)
        start, end = (np.array([getattr(record, name) for record in records]) for name in ("start", "end"))
        self.barred = overlapping(sources, start, end)
        rows, columns = np.triu_indices(len(records), 1)
        keys = self.barred[:, 0] * len(records) + self.barred[:, 1]
        free = ~np.isin(rows * len(records) + columns, keys)
        rows, columns = rows[free], columns[free]

        self.same = people[rows] == people[columns]
        self.rows, self.columns, self._free, self._settings = rows, columns, free, settings
        self.cosines = self._values((1.0, 0.0), 0.0, rerank=False)

    def features(self, alone: Floats) -> Floats:
        """``(P, 3)``: cosines, Jaccard distances, roots of one less these.

        Args:
            alone: slope and offset of cosines, which tell how many records people have.
        """
        jaccard = self._values((float(alone[0]), float(alone[1])), 1.0, rerank=True)
        return hit_features(self.cosines, jaccard)[:, :-1]  # what is fitted has an offset of its own

    def _values(self, cosine: tuple[float, float], jaccard: float, rerank: bool) -> Floats:
        plain = Calibration("", "", cosine, (0.0, jaccard, 0.0, 0.0))
        wanted = replace(self._settings, rerank=rerank)
        return pair_evidence(self.means, self.cameras, self.barred, plain, wanted).values[self._free]


def _hits(
    records: Sequence[Tracklet], known: _Known, calibration: Calibration, settings: IdentifySettings
) -> tuple[Floats, Mask]:
    """Features of pairs of two cameras, each record asked for the other, and whether they are one person."""
    means, cameras, search = known.means, known.cameras, SearchSettings()
    looks = np.concatenate([record.medoids for record in records])
    owners = np.repeat(np.arange(len(records)), [len(record.medoids) for record in records])
    if settings.normalise:
        taken = camera_statistics(means, cameras)
        means, looks = normalised(means, cameras, taken), normalised(looks, cameras[owners], taken)
    alike = np.stack([likeness(mean[None], means, looks, owners, search.mean_share) for mean in means])
    k1 = np.empty(len(records), np.intp)
    for row, mean in enumerate(means):
        others = np.arange(len(records)) != row
        cosines = (means[others] @ mean).astype(np.float64)
        scales = strangers_scales(cosines, cameras[others] == cameras[row], calibration)
        alike[row, others] *= scales
        likely, _ = same_person(calibration.evidence(scales * cosines), len(cosines), search)
        k1[row] = neighbours(float(likely.sum()), settings.k1)
    across = cameras[known.rows] != cameras[known.columns]
    one = np.concatenate([known.rows[across], known.columns[across]])
    other = np.concatenate([known.columns[across], known.rows[across]])
    jaccard, ranked = np.empty(len(one), np.float32), nearest_points(means, settings.k1 + 1)
    for most in np.unique(k1).tolist():
        own = k1[one] == most
        jaccard[own] = jaccard_of_pairs(means, ranked, one[own], other[own], most, min(settings.k2, most))
    return hit_features(alike[one, other], jaccard)[:, :-1], np.tile(known.same[across], 2)


def _one_camera(cameras: NDArray[np.object_], people: Ints, part: int) -> Indices:
    """Rows that are left where every third person stays in the camera that sees him most, in no other."""
    kept = np.ones(len(people), bool)
    for person in np.unique(people)[part::_PARTS].tolist():
        own = np.flatnonzero(people == person)
        names, counts = np.unique(cameras[own].astype(str), return_counts=True)
        kept[own[cameras[own] != names[counts.argmax()]]] = False
    return np.flatnonzero(kept)
