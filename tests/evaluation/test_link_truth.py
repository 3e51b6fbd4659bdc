"""Which links are right, and how likely."""

import numpy as np
import pytest
from scipy.special import expit, logit

from mot_reid.evaluation.link_truth import KnownPairs, fit_links, right_links
from mot_reid.gallery.evidence import Evidence
from mot_reid.gallery.identities import identify
from mot_reid.gallery.settings import IdentifySettings

NONE = np.zeros((0, 2), np.intp)


def test_a_merge_is_right_if_it_joins_what_is_mostly_one_persons() -> None:
    people = np.array([1, 1, 2, 2, 2])
    merges = np.array([[0, 1, -3.0], [2, 3, -2.0], [0, 4, -1.0], [0, 2, 0.0]])
    assert right_links(merges, people, np.ones(5)).tolist() == [True, True, False, False]
    # The last one counts more than both of the first: then their cluster is mostly his.
    heavy = np.array([1.0, 1.0, 1.0, 1.0, 5.0])
    assert right_links(merges, people, heavy).tolist() == [True, True, False, True]


def made(seed: int, people: int = 60) -> tuple[Evidence, np.ndarray]:
    """Three records a person; evidence of pairs as a person's, or as two people's, has it."""
    random = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), 3)
    rows, columns = np.triu_indices(len(who), 1)
    same = who[rows] == who[columns]
    values = random.normal(np.where(same, 5.0, -5.0), np.sqrt(10.0))  # a mean of d / 2 and a variance of d
    return Evidence(rows, columns, values, float(same.mean()), True), who


def test_as_many_are_wrong_as_were_asked_for() -> None:
    evidence, who = made(0)
    link = fit_links([KnownPairs(evidence, NONE, who, np.ones(len(who), np.int64))])
    assert link[0] > 0
    wrong = {}
    for asked in (0.02, 0.2):
        found = []
        for seed in range(1, 5):
            other, who = made(seed)
            known = Evidence(other.rows, other.columns, other.values, other.prior, True, link)
            settings = IdentifySettings(false_links=asked, reassign=False)
            labels = identify(known, len(who), NONE, NONE, settings).labels
            pairs = np.unique(np.column_stack([labels, who]), axis=0)
            groups = len(np.unique(labels))
            found.append(((len(pairs) - groups), len(who) - groups))
        wrong[asked] = sum(bad for bad, _ in found) / sum(made for _, made in found)
    assert wrong[0.02] < 0.05
    assert wrong[0.02] <= wrong[0.2]


def test_chance_and_least_are_inverse() -> None:
    evidence = Evidence(NONE[:, 0], NONE[:, 0], np.zeros(0), 0.01, True, (0.5, -1.0))
    assert evidence.chance(evidence.least(0.9)) == pytest.approx(0.9)
    plain = Evidence(NONE[:, 0], NONE[:, 0], np.zeros(0), 0.2, True)
    assert plain.chance(1.5) == pytest.approx(expit(1.5 + logit(0.2)))
