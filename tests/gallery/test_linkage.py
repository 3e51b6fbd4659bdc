"""Constrained average linkage, by hand and against a slow reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from mot_reid.gallery.linkage import (
    constrained_linkage,
    group_distances,
    group_pairs,
    linked_clusters,
    sparse_linkage,
)


def reference(distances: np.ndarray, weights: np.ndarray, threshold: float) -> list[set[int]]:
    """Always merges the nearest two clusters, everything computed anew."""
    clusters = [{place} for place in range(len(distances))]
    while True:
        best, pair = threshold, None
        for one in range(len(clusters)):
            for other in range(one):
                a, b = sorted(clusters[one]), sorted(clusters[other])
                block = distances[np.ix_(a, b)]
                mean = float((weights[a] @ block @ weights[b]) / (weights[a].sum() * weights[b].sum()))
                if np.isfinite(block).all() and mean <= best:
                    best, pair = mean, (one, other)
        if pair is None:
            return clusters
        clusters[pair[1]] |= clusters.pop(pair[0])


def made(seed: int, count: int, barred: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    points = random.normal(size=(count, 3))
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    for one, other in random.integers(0, count, (barred, 2)):
        if one != other:
            distances[one, other] = distances[other, one] = np.inf
    return distances, random.uniform(0.5, 3, count)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 14), st.integers(0, 12), st.floats(0.2, 3))
def test_as_the_reference_and_as_the_sparse_one(seed: int, count: int, barred: int, threshold: float) -> None:
    distances, weights = made(seed, count, barred)
    expected = {frozenset(cluster) for cluster in reference(distances, weights, threshold)}
    labels = linked_clusters(constrained_linkage(distances, weights), count, threshold)
    assert {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels)} == expected

    rows, columns = np.triu_indices(count, 1)
    values = distances[rows, columns]
    bars: dict[int, set[int]] = {}
    for one, other in zip(rows[np.isinf(values)].tolist(), columns[np.isinf(values)].tolist(), strict=True):
        bars.setdefault(one, set()).add(other)
        bars.setdefault(other, set()).add(one)
    free = np.isfinite(values)
    merges = sparse_linkage(rows[free], columns[free], values[free], count, threshold, 5.0, bars, weights)
    sparse = linked_clusters(merges, count, threshold)
    assert {frozenset(np.flatnonzero(sparse == label).tolist()) for label in set(sparse)} == expected


def test_without_bars_as_scipy() -> None:
    distances, _ = made(3, 40, 0)
    expected = fcluster(linkage(squareform(distances), "average"), 1.2, "distance")
    labels = linked_clusters(constrained_linkage(distances), 40, 1.2)
    assert (expected[:, None] == expected).tolist() == (labels[:, None] == labels).tolist()


def test_a_bar_holds_for_whole_clusters() -> None:
    """b is near to a and c, but a and c are two people."""
    distances = np.array([[0, 1, np.inf], [1, 0, 1.5], [np.inf, 1.5, 0]])
    assert linked_clusters(constrained_linkage(distances), 3, 10).tolist() == [0, 0, 1]


def test_nothing_to_join() -> None:
    assert constrained_linkage(np.zeros((0, 0))).shape == (0, 3)
    assert linked_clusters(np.zeros((0, 3)), 2, 1.0).tolist() == [0, 1]
    assert constrained_linkage(np.full((3, 3), np.inf)).shape == (0, 3)


@pytest.mark.parametrize("threshold", [0.5, 1.0])
def test_labels_count_by_first_member(threshold: float) -> None:
    merges = np.array([[1, 3, 0.2], [0, 2, 0.9]])
    assert linked_clusters(merges, 4, threshold).tolist() == (
        [0, 1, 2, 1] if threshold < 0.9 else [0, 1, 0, 1]
    )


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 20), st.integers(0, 12))
def test_groups_are_as_far_apart_as_their_members(seed: int, count: int, barred: int) -> None:
    """As said, and as linkage itself has it after the merges that made them."""
    distances, weights = made(seed, count, barred)
    merges = constrained_linkage(distances, weights)
    half = len(merges) // 2
    labels = linked_clusters(merges[:half], count, np.inf)
    groups = int(labels.max()) + 1
    found = group_distances(distances, weights, labels)
    assert found.shape == (groups, groups)
    for one in range(groups):
        for other in range(one):
            a, b = np.flatnonzero(labels == one), np.flatnonzero(labels == other)
            expected = (
                weights[a] @ distances[np.ix_(a, b)] @ weights[b] / (weights[a].sum() * weights[b].sum())
            )
            assert found[one, other] == pytest.approx(expected)
    rest = constrained_linkage(found, np.bincount(labels, weights))
    np.testing.assert_allclose(rest[:, 2], merges[half:, 2])

    rows, columns = np.triu_indices(count, 1)
    near = distances[rows, columns] < 2
    one, other, mean = group_pairs(
        rows[near], columns[near], distances[rows, columns][near], weights, labels, 5.0
    )
    filled = np.where(distances < 2, distances, 5.0)
    whole = group_distances(filled, weights, labels)
    if groups < count:
        assert (one < other).all()
    np.testing.assert_allclose(mean, whole[one, other])
