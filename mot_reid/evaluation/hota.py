"""HOTA: the TrackEval package's metric, its loops over frames and thresholds in array algebra."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from trackeval.metrics import HOTA

from mot_reid.evaluation.comparison import Comparison
from mot_reid.typing import Floats, Ints

__all__ = ["ArrayHOTA", "trackeval_data"]


_EPS = np.finfo("float").eps


def trackeval_data(comparison: Comparison) -> dict[str, Any]:
    """A comparison as TrackEval's metrics take it."""
    return {
        "gt_ids": comparison.gt_ids,
        "tracker_ids": comparison.track_ids,
        "similarity_scores": comparison.similarity,
        "num_gt_ids": comparison.num_gt_ids,
        "num_tracker_ids": comparison.num_track_ids,
        "num_gt_dets": comparison.num_gt,
        "num_tracker_dets": comparison.num_tracks,
        "num_timesteps": comparison.num_frames,
    }


class ArrayHOTA(HOTA):  # type: ignore[misc]  # TrackEval has no types
    """TrackEval's HOTA (Luiten et al. 2021, IJCV 129), equal but for the last bits of its sums.

    Each frame's boxes are matched once for all 19 thresholds, so a match counts at every threshold up to its
    similarity: one histogram over (pair of ids, thresholds passed) holds all that the scores need.
    """

    def eval_sequence(self, data: dict[str, Any]) -> dict[str, Any]:
        """The fields of HOTA for one sequence, from `trackeval_data`."""
        if not data["num_gt_dets"] or not data["num_tracker_dets"]:
            return super().eval_sequence(data)
        gt_counts = np.bincount(np.concatenate(data["gt_ids"]), minlength=data["num_gt_ids"])
        track_counts = np.bincount(np.concatenate(data["tracker_ids"]), minlength=data["num_tracker_ids"])
        gt, track, similarity = _matches(data, _alignment(data, gt_counts, track_counts))

        pairs, pair = np.unique(gt * len(track_counts) + track, return_inverse=True)
        gt_count, track_count = gt_counts[pairs // len(track_counts)], track_counts[pairs % len(track_counts)]
        passed = np.searchsorted(self.array_labels - _EPS, similarity, side="right")
        levels = len(self.array_labels) + 1
        histogram = np.bincount(pair * levels + passed, minlength=len(pairs) * levels).reshape(-1, levels)
        matches = _at_least(histogram).T.astype(float)  # (thresholds, pairs of ids)

        found = matches.sum(1)
        res: dict[str, Any] = {
            "HOTA_TP": found,
            "HOTA_FN": data["num_gt_dets"] - found,
            "HOTA_FP": data["num_tracker_dets"] - found,
        }
        for field, whole in (
            ("AssA", gt_count + track_count - matches),
            ("AssRe", gt_count),
            ("AssPr", track_count),
        ):
            res[field] = (matches * (matches / np.maximum(1, whole))).sum(1) / np.maximum(1, found)
        located = _at_least(np.bincount(passed, weights=similarity, minlength=levels))
        res["LocA"] = np.maximum(1e-10, located) / np.maximum(1e-10, found)
        return self._compute_final_fields(res)


def _at_least(histogram: NDArray[Any]) -> NDArray[Any]:
    """From how many (or how much) passed exactly n = 0, 1, ... thresholds to how many passed each one."""
    return histogram[..., :0:-1].cumsum(-1)[..., ::-1]


def _alignment(data: dict[str, Any], gt_counts: Ints, track_counts: Ints) -> Floats:
    """How well each person and each track ``(gt ids, track ids)`` go together over the whole sequence.

    In TrackEval's own order of operations, to the bit: rounding decides between matchings of equal worth.
    """
    together = np.zeros((len(gt_counts), len(track_counts)))
    for gt_ids, track_ids, similarity in zip(
        data["gt_ids"], data["tracker_ids"], data["similarity_scores"], strict=True
    ):
        whole = similarity.sum(0)[None, :] + similarity.sum(1)[:, None] - similarity
        share = np.divide(similarity, whole, out=np.zeros_like(similarity), where=whole > _EPS)
        together[gt_ids[:, None], track_ids] += share
    return together / (gt_counts[:, None] + track_counts - together)


def _matches(data: dict[str, Any], alignment: Floats) -> tuple[Ints, Ints, Floats]:
    """The matched people, tracks and their similarity ``(M,)``, of all frames, whatever the similarity."""
    gt, track, similarities = [], [], []
    for gt_ids, track_ids, similarity in zip(
        data["gt_ids"], data["tracker_ids"], data["similarity_scores"], strict=True
    ):
        scores = alignment[gt_ids[:, None], track_ids] * similarity
        rows, columns = linear_sum_assignment(-scores)
        gt.append(gt_ids[rows])
        track.append(track_ids[columns])
        similarities.append(similarity[rows, columns])
    return np.concatenate(gt), np.concatenate(track), np.concatenate(similarities)
