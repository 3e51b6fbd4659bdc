"""Ground truth beside results, frame by frame, after MOTChallenge's preprocessing: what all metrics see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from mot_reid.boxes import iou
from mot_reid.evaluation.motchallenge import PEDESTRIAN, BoxRows
from mot_reid.typing import Floats, Ints, Mask

__all__ = ["MATCH_IOU", "Comparison", "compare"]

MATCH_IOU = 0.5
"""From this overlap on a result may stand for a person."""
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Comparison:
    """Ground truth and results of one sequence, preprocessed, frame by frame.

    Attributes:
        gt_ids: for each frame ``(G,)`` int64, counted from 0 without gaps.
        track_ids: for each frame ``(T,)`` int64, counted from 0 without gaps.
        similarity: for each frame ``(G, T)`` float64, IoU.
    """

    gt_ids: list[Ints]
    track_ids: list[Ints]
    similarity: list[Floats]

    @property
    def num_frames(self) -> int:
        """Frames that are scored."""
        return len(self.gt_ids)

    @property
    def num_gt_ids(self) -> int:
        """People in the ground truth."""
        return _count_ids(self.gt_ids)

    @property
    def num_track_ids(self) -> int:
        """Tracks in the results."""
        return _count_ids(self.track_ids)

    @property
    def num_gt(self) -> int:
        """Boxes in the ground truth."""
        return sum(map(len, self.gt_ids))

    @property
    def num_tracks(self) -> int:
        """Boxes in the results."""
        return sum(map(len, self.track_ids))


def _count_ids(ids: list[Ints]) -> int:
    return max((int(frame.max()) + 1 for frame in ids if frame.size), default=0)


def compare(
    ground_truth: BoxRows, results: BoxRows, frames: range, distractors: frozenset[int]
) -> Comparison:
    """Puts results beside the ground truth, by MOTChallenge's protocol.

    First each frame's results are matched to all its ground truth, whatever the class (the largest total IoU
    of pairs at 0.5 or more); results matched to a distractor leave, neither right nor wrong. Then only
    pedestrians that count stay in the ground truth (Milan et al. 2016, arXiv 1603.00831, section 4.1; as
    TrackEval's MotChallenge2DBox does it).

    Args:
        ground_truth: all its rows, whatever the class.
        results: of the tracker.
        frames: consecutive frames to be scored.
        distractors: classes whose matches are removed; none for MOT15.
    """
    wanted = ground_truth.counted & (ground_truth.classes == PEDESTRIAN)
    distracting = np.isin(ground_truth.classes, list(distractors))
    gt_ids, track_ids, similarities = [], [], []
    for there, seen in zip(ground_truth.of_frames(frames), results.of_frames(frames), strict=True):
        similarity = iou(ground_truth.xyxy[there], results.xyxy[seen])
        scored = ~_matched_to(distracting[there], similarity)
        gt_ids.append(ground_truth.ids[there][wanted[there]])
        track_ids.append(results.ids[seen][scored])
        similarities.append(similarity[wanted[there]][:, scored])
    return Comparison(_renumbered(gt_ids), _renumbered(track_ids), similarities)


def _matched_to(distracting: Mask, similarity: Floats) -> Mask:
    """Which results ``(T,)`` belong to distractors ``(G,)``."""
    removed = np.zeros(similarity.shape[1], bool)
    if distracting.any() and removed.size:
        overlaps = np.where(similarity < MATCH_IOU - _EPS, 0, similarity)
        rows, columns = linear_sum_assignment(-overlaps)
        removed[columns[distracting[rows] & (overlaps[rows, columns] > _EPS)]] = True
    return removed


def _renumbered(ids: list[Ints]) -> list[Ints]:
    """The same ids counted from 0 without gaps."""
    if not ids:
        return []
    bounds = np.cumsum([len(frame) for frame in ids])[:-1]
    _, numbers = np.unique(np.concatenate(ids), return_inverse=True)
    return np.split(numbers, bounds)
