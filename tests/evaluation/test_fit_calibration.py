"""Probabilities that are fitted on people say what comes of others."""

import numpy as np
from scipy.special import expit, logit

from mot_reid.evaluation.gallery_truth import fit_calibration
from mot_reid.gallery.identities import IdentifySettings, identify, pair_evidence
from mot_reid.gallery.records import Tracklet
from mot_reid.gallery.reranking import jaccard_of_pairs, nearest_points


def made(seed: int, people: int = 40) -> tuple[list[Tracklet], np.ndarray]:
    """Six tracklets a person in three cameras, one after the other."""
    random = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), 6)
    looks = random.normal(size=(people, 32))[who] + 0.9 * random.normal(size=(len(who), 32))
    looks = (looks / np.linalg.norm(looks, axis=1, keepdims=True)).astype(np.float32)
    path = np.zeros((1, 6), np.float32)
    return [
        Tracklet(
            "abc"[row % 3],
            "abc"[row % 3],
            "run",
            row + 1,
            1,
            2,
            10.0 * row,
            10.0 * row + 1,
            look,
            look[None],
            path,
        )
        for row, look in enumerate(looks)
    ], who


def test_hits_are_as_likely_as_was_said() -> None:
    records, who = made(0)
    found = fit_calibration(records, who, "made", "x", "")
    others, who = made(1)
    points = np.stack([record.mean for record in others])
    cameras = np.array([record.camera for record in others])
    rows, columns = np.triu_indices(len(points), 1)
    jaccard = jaccard_of_pairs(points, nearest_points(points, 51), rows, columns, 10, 3)
    cosine = np.einsum("nd,nd->n", points[rows], points[columns])
    across, same = cameras[rows] != cameras[columns], who[rows] == who[columns]
    prior = same[across].mean()
    likely = expit(found.evidence_of_hits(cosine, jaccard)[across] + logit(prior))
    assert 0.8 < likely.sum() / same[across].sum() < 1.25
    assert likely[same[across]].mean() > 0.5


def test_no_more_wrong_links_than_asked_for_where_many_are_in_one_camera_only() -> None:
    """Half of the people are in camera a only; what was fitted knows people in all three."""
    records, who = made(0)
    found = fit_calibration(records, who, "made", "x", "")
    none, settings = np.zeros((0, 2), np.intp), IdentifySettings(false_links=0.05, normalise=False)
    wrong = links = 0
    for seed in range(1, 6):
        others, who = made(seed)
        kept = [row for row, one in enumerate(others) if one.camera == "a" or who[row] % 2]
        points = np.stack([others[row].mean for row in kept])
        cameras = np.array([others[row].camera for row in kept], object)
        evidence = pair_evidence(points, cameras, none, found, settings)
        labels = identify(evidence, len(kept), none, none, settings).labels
        groups = len(np.unique(labels))
        wrong += len(np.unique(np.column_stack([labels, who[kept]]), axis=0)) - groups
        links += len(kept) - groups
    assert links > 100
    assert wrong / links < 0.07
