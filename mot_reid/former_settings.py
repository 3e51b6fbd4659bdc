"""Settings that have gone, and what to write instead: a file of an earlier version fails with help."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FORMER"]

_ASSOCIATION_BEFORE = {
    "high_share": "confident.score_share",
    "new_share": "tentative.activation_share",
    "new_share_inside": "tentative.activation_share_inside",
    "min_iou": "confident.min_iou",
    "age_cost": "confident.lost_cost",
    "weak_age": "association.weak.lost_time, in seconds, stands for it",
    "weak_min_iou": "weak.min_iou",
    "weak_lost_min_iou": "weak.lost_min_iou",
    "tentative_min_iou": "tentative.min_iou",
    "embed_share": "embedding.share",
    "appearance_weight": "confident.appearance_weight",
    "appearance_gate": "confident.appearance_gate",
    "stranger_distance": "confident.stranger_distance",
    "stranger_iou": "confident.stranger_iou",
    "embedding_momentum": "embedding.momentum",
    "max_occlusion": "embedding.max_occlusion",
    "duplicate_iou": "lifecycle.duplicate_iou",
    "min_hits": "tentative.min_hits",
    "patient_hits": "tentative.unactivated_hits",
    "hidden_age": "association.report.hidden_time, in seconds, stands for it",
    "hidden_time": "report.hidden_time",
    "hidden_cover": "report.hidden_cover",
    "smoothing": "report.smoothing",
    "max_age": "association.lifecycle.lost_time, in seconds, stands for it",
    "max_time": "lifecycle.lost_time",
    "revive_age": "association.revive.lost_time, in seconds, stands for it",
    "revive_time": "revive.lost_time",
    "revive_gate": "revive.gate",
    "revive_edge_gate": "association.reentry, same or new, stands for it",
    "revive.edge_gate": "association.reentry, same or new, stands for it",
    "revive_margin": "revive.margin",
    "revive_speed": "revive.speed",
    "revive_reach": "revive.reach",
    "revive_size_ratio": "revive.size_ratio",
}
"""What the settings of association were called before each stood below its stage."""

_ASSOCIATION_GONE = {
    "tentative.min_iou": "association.confident.min_iou holds for tentative tracks, too",
    "confident.stranger_distance": "association.confident.appearance_gate stands for it",
    "revive.margin": "it must beat every rival's distance of appearance by 0.05, always",
    "revive.speed": "association.revive.reach alone says how far away a lost track may turn up",
    "revive.size_ratio": "a lost track may come back at any height",
    "tentative.unactivated_hits": "30 detections in a row confirm such a track, always",
    "lifecycle.duplicate_iou": "a new track may not overlap a followed one by more than 0.5, always",
    "report.hidden_cover": "half of a box must be covered, always",
    "report.smoothing": "the mean of the detection's and the filter's box is reported, always",
}
"""What took the place of settings of association that earned nothing."""


def _association_now() -> dict[str, str]:
    """For each former name below ``association.`` its present one, or a sentence."""
    moved = {old: _ASSOCIATION_GONE.get(new, new) for old, new in _ASSOCIATION_BEFORE.items()}
    return {
        f"association.{old}": new if " " in new else f"association.{new}"
        for old, new in (moved | _ASSOCIATION_GONE).items()
    }


_OFFLINE_GONE = {
    "offline.grow_iou": "a detection must overlap the track by half, always",
    "offline.smooth_position": "offline.smooth_time",
    "offline.smooth_size": "offline.smooth_time holds for centres and sizes",
}

FORMER: Mapping[str, str] = (
    {
        f"output.{name}": f"output.formats is the list of what is written, such as [mot, {name}]"
        for name in ("video", "jsonl", "csv", "parquet")
    }
    | _association_now()
    | _OFFLINE_GONE
)
"""For each former name the present one, or a sentence that says what stands for it; a new entry goes here."""
