"""Scores over several cameras with one id space."""

from __future__ import annotations

from collections.abc import Sequence as Entries
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mot_reid.evaluation.comparison import MATCH_IOU, Comparison, compare
from mot_reid.evaluation.metrics import Scores, evaluate
from mot_reid.evaluation.motchallenge import BoxRows

__all__ = ["AcrossScores", "Camera", "aligned_hota", "grouping", "score_across"]


@dataclass(frozen=True, eq=False)
class Camera:
    """One camera's boxes.

    Attributes:
        truth: ground truth; an id is one person in all cameras.
        results: likewise.
        frames: that are scored.
        distractors: classes whose matches do not count.
    """

    truth: BoxRows
    results: BoxRows
    frames: range
    distractors: frozenset[int] = frozenset()


@dataclass(frozen=True)
class AcrossScores:
    """Scores over cameras.

    Attributes:
        scores: of all cameras together, their frames one after the other, ids compared over all of them:
            IDF1, IDP and IDR as of DukeMTMC (Ristani et al. 2016), HOTA aligned globally.
        grouping: shares in 0..100 over matched boxes: ``pair precision`` and ``pair recall`` of pairs
            of boxes said to be one person, ``B3 precision``, ``B3 recall`` and ``B3 F`` (B-cubed).
        people: in the ground truth.
        identities: in the results.
        matched_identities: of which at least one box is matched.
        aligned: ``HOTA``, ``AssA`` and ``DetA`` in 0..100 under one map of people to identities, see
            `aligned_hota`.
    """

    scores: Scores
    grouping: dict[str, float]
    people: int
    identities: int
    matched_identities: int
    aligned: dict[str, float]


def score_across(cameras: Entries[Camera]) -> AcrossScores:
    """Scores several cameras with one id space.

    Raises:
        ValueError: there is no camera, or cameras have different distractors.
    """
    if not cameras:
        raise ValueError("cameras: expected at least one")
    if len({camera.distractors for camera in cameras}) > 1:
        raise ValueError("cameras: expected one protocol for all of them")
    truth, results, offset = [], [], 0
    for camera in cameras:
        shift = offset - camera.frames.start + 1
        truth.append(_shifted(_inside(camera.truth, camera.frames), shift))
        results.append(_shifted(_inside(camera.results, camera.frames), shift))
        offset += len(camera.frames)
    comparison = compare(_joined(truth), _joined(results), range(1, offset + 1), cameras[0].distractors)
    table = _matches(comparison)
    return AcrossScores(
        evaluate(comparison),
        grouping(table),
        comparison.num_gt_ids,
        comparison.num_track_ids,
        int((table.sum(axis=0) > 0).sum()),
        aligned_hota(comparison),
    )


def aligned_hota(comparison: Comparison) -> dict[str, float]:
    """HOTA in which a box counts as found only under its person's one identity.

    HOTA itself lets a person's box be found by any track and asks only then whose it is. Here people and
    identities are first mapped one to one over all cameras and frames, by the largest sum of the Jaccard
    indices of their boxes (as NIST's reid-hota aligns globally): each box of another identity is a miss
    and a false one.

    Returns:
        ``HOTA``, ``AssA`` and ``DetA``, 0..100, means over the IoU thresholds 0.05 to 0.95.
    """
    from scipy.optimize import linear_sum_assignment

    people, identities = comparison.num_gt_ids, comparison.num_track_ids
    if not people or not identities:
        return dict.fromkeys(("HOTA", "AssA", "DetA"), 0.0)
    gt_counts = np.bincount(np.concatenate(comparison.gt_ids), minlength=people)
    counts = np.bincount(np.concatenate(comparison.track_ids), minlength=identities)
    together = np.zeros((people, identities))
    for gt, found, similarity in zip(
        comparison.gt_ids, comparison.track_ids, comparison.similarity, strict=True
    ):
        np.add.at(together, (gt[:, None], found[None, :]), similarity)
    jaccard = together / np.maximum(gt_counts[:, None] + counts - together, 1e-12)
    rows, columns = linear_sum_assignment(-jaccard)
    partner = np.full(people, -1)
    partner[rows] = columns
    pair, overlaps = [np.zeros(0, np.int64)], [np.zeros(0)]
    for gt, found, similarity in zip(
        comparison.gt_ids, comparison.track_ids, comparison.similarity, strict=True
    ):
        places = np.nonzero(partner[gt][:, None] == found[None, :])
        pair.append(gt[places[0]])
        overlaps.append(similarity[places])
    person, overlap = np.concatenate(pair), np.concatenate(overlaps)
    values = []
    for threshold in np.arange(0.05, 0.99, 0.05):
        hits = np.bincount(person[overlap >= threshold - 1e-12], minlength=people).astype(np.float64)
        true = hits.sum()
        own = np.where(partner >= 0, counts[partner], 0)
        association = (hits * hits / np.maximum(gt_counts + own - hits, 1)).sum() / max(true, 1)
        detection = true / (comparison.num_gt + comparison.num_tracks - true)
        values.append((np.sqrt(association * detection), association, detection))
    mean = 100 * np.mean(values, axis=0)
    return {"HOTA": float(mean[0]), "AssA": float(mean[1]), "DetA": float(mean[2])}


def grouping(table: NDArray[np.int64]) -> dict[str, float]:
    """How well things are grouped, in 0..100, from how many of each true group are in each found one.

    B-cubed (Bagga and Baldwin 1998): the mean over things of the share of their found group that belongs with
    them, and of their true group that is found with them.

    Args:
        table: ``(people, identities)`` counts.
    """
    counts = table.astype(np.float64)
    total = counts.sum()
    if not total:
        nothing = float("nan")
        names = ("pair precision", "pair recall", "B3 precision", "B3 recall", "B3 F")
        return dict.fromkeys(names, nothing)
    people, found = counts.sum(axis=1), counts.sum(axis=0)
    together = (counts * (counts - 1)).sum()
    said, true = (found * (found - 1)).sum(), (people * (people - 1)).sum()
    precision = float((counts**2 / np.maximum(found, 1)).sum() / total)
    recall = float((counts**2 / np.maximum(people, 1)[:, None]).sum() / total)
    return {
        "pair precision": 100 * float(together / said) if said else float("nan"),
        "pair recall": 100 * float(together / true) if true else float("nan"),
        "B3 precision": 100 * precision,
        "B3 recall": 100 * recall,
        "B3 F": 100 * 2 * precision * recall / (precision + recall),
    }


def _matches(comparison: Comparison) -> NDArray[np.int64]:
    """How many boxes of each person are matched (IoU at least 0.5) to each identity."""
    from scipy.optimize import linear_sum_assignment

    table = np.zeros((comparison.num_gt_ids, comparison.num_track_ids), np.int64)
    frames = zip(comparison.gt_ids, comparison.track_ids, comparison.similarity, strict=True)
    for people, identities, similarity in frames:
        rows, columns = linear_sum_assignment(-np.where(similarity >= MATCH_IOU, similarity, 0))
        fits = similarity[rows, columns] >= MATCH_IOU
        np.add.at(table, (people[rows[fits]], identities[columns[fits]]), 1)
    return table


def _inside(rows: BoxRows, frames: range) -> BoxRows:
    kept = (rows.frames >= frames.start) & (rows.frames < frames.stop)
    return BoxRows(rows.frames[kept], rows.ids[kept], rows.xyxy[kept], rows.counted[kept], rows.classes[kept])


def _shifted(rows: BoxRows, by: int) -> BoxRows:
    return replace(rows, frames=rows.frames + by)


def _joined(parts: Entries[BoxRows]) -> BoxRows:
    names = ("frames", "ids", "xyxy", "counted", "classes")
    return BoxRows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
