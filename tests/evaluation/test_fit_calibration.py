"""Probabilities that are fitted on people say what comes of others."""

from dataclasses import replace

import numpy as np
from scipy.special import expit, logit

from mot_reid.evaluation.gallery_truth import fit_calibration
from mot_reid.gallery.evidence import pair_evidence
from mot_reid.gallery.identities import identify
from mot_reid.gallery.records import Tracklet
from mot_reid.gallery.reranking import jaccard_of_pairs, nearest_points
from mot_reid.gallery.search import SearchSettings, hit_evidence, likeness, same_person, strangers_scales
from mot_reid.gallery.settings import IdentifySettings


def made(seed: int, people: int = 40, noise: float = 0.9) -> tuple[list[Tracklet], np.ndarray]:
    """Six tracklets a person in three cameras, one after the other."""
    random = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), 6)
    looks = random.normal(size=(people, 32))[who] + noise * random.normal(size=(len(who), 32))
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


def test_hits_are_as_likely_as_was_said_where_people_have_two_looks() -> None:
    """Every tracklet shows one look of a person more than the other; its medoids are both."""

    def turned(seed: int) -> tuple[list[Tracklet], np.ndarray]:
        records, who = made(seed)
        random = np.random.default_rng(100 + seed)
        backs = random.normal(size=(who.max() + 1, 32))[who] + 0.9 * random.normal(size=(len(who), 32))
        found = []
        for record, back, share in zip(records, backs, random.uniform(0, 1, len(who)), strict=True):
            both = np.stack([record.mean, back / np.linalg.norm(back)])
            mean = np.array([share, 1 - share]) @ both
            unit = (mean / np.linalg.norm(mean)).astype(np.float32)
            found.append(replace(record, mean=unit, medoids=both.astype(np.float32)))
        return found, who

    records, who = turned(0)
    calibration = fit_calibration(records, who, "made", "x", "", IdentifySettings(normalise=False))
    records, who = turned(1)
    points = np.stack([record.mean for record in records])
    looks, owners = np.concatenate([record.medoids for record in records]), np.repeat(np.arange(len(who)), 2)
    cameras = np.array([record.camera for record in records])
    said, came = [], []
    for row in range(0, len(who), 3):
        others = np.flatnonzero(cameras != cameras[row])
        own = np.isin(owners, others)
        place = np.searchsorted(others, owners[own])
        share = SearchSettings.mean_share
        alike = likeness(points[row : row + 1], points[others], looks[own], place, share)
        evidence = hit_evidence(points[row], points[others], alike, 4.0, calibration)
        said.append(expit(evidence + logit(4 / len(others))))
        came.append(who[others] == who[row])
    total = np.concatenate(came).sum()
    assert 0.8 < np.concatenate(said).sum() / total < 1.25
    assert np.concatenate(said)[np.concatenate(came)].mean() > 0.5


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


def test_as_many_pairs_are_expected_as_there_are_where_people_have_two_records() -> None:
    """Fitted on people of six; of ten neighbours of somebody with one other record nine are strangers."""
    records, who = made(0)
    found = fit_calibration(records, who, "made", "x", "")
    none, settings = np.zeros((0, 2), np.intp), IdentifySettings(normalise=False)
    others = []
    for seed in range(1, 6):
        records, who = made(seed)
        kept = np.flatnonzero(np.arange(len(who)) % 6 < 2)
        points = np.stack([records[row].mean for row in kept])
        cameras = np.array([records[row].camera for row in kept], object)
        others.append(pair_evidence(points, cameras, none, found, settings).prior * (len(kept) - 1))
    assert 0.75 < np.mean(others) < 1.35


def test_hits_are_as_likely_as_was_said_where_people_have_one_other_record() -> None:
    """Fitted on people of six; who is asked for has one record more, or none, as a third of the people."""
    records, who = made(0, 60, 0.7)
    calibration = fit_calibration(records, who, "made", "x", "", IdentifySettings(normalise=False))
    said, came = [], []
    for seed in (1, 2):
        records, who = made(seed, 60, 0.7)
        kept = np.flatnonzero(np.arange(len(who)) % 6 < np.where(who % 3 > 0, 2, 1))
        points, own = np.stack([records[row].mean for row in kept]), who[kept]
        for row in range(len(kept)):
            others = np.arange(len(kept)) != row
            cosines = (points[others] @ points[row]).astype(np.float64)
            alike = cosines * strangers_scales(cosines, np.zeros(len(cosines), bool), calibration)
            settings = SearchSettings()
            expected = same_person(calibration.evidence(alike), len(alike), settings)[0].sum()
            evidence = hit_evidence(points[row], points[others], alike, float(expected), calibration)
            said.append(same_person(evidence, len(alike), settings)[0])
            came.append(own[others] == own[row])
    likely, right = np.concatenate(said), np.concatenate(came)
    assert 0.7 < likely.sum() / right.sum() < 1.4
    assert right[likely > 0.7].mean() > 0.7
