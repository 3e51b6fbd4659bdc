import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.association.appearance import AppearanceDistances

ALL = np.ones(3, bool)


def matrix(appearance: AppearanceDistances, tracks: int, detections: int) -> np.ndarray:
    return appearance.each_with_each(np.arange(tracks), np.arange(detections))


def mean_of(tracks: np.ndarray, remembered: np.ndarray) -> np.ndarray:
    return (tracks[remembered].sum(axis=0) / (remembered.sum() + 2)).astype(np.float32)


def test_cosine_by_hand() -> None:
    tracks = np.array([[1, 0], [0.6, 0.8]], np.float32)
    detected, nobody = np.array([[0, 1]], np.float32), np.zeros(2, bool)
    appearance = AppearanceDistances(tracks, mean_of(tracks, nobody), detected, ALL[:1], nobody)
    np.testing.assert_allclose(matrix(appearance, 2, 1), [[1], [0.2]], atol=1e-6)


def test_what_everybody_shares_does_not_count() -> None:
    """Strangers whose embeddings share one large component are as far apart as without it."""
    people = np.array([[0.6, 0, 0.8], [-0.6, 0, 0.8], [0, 0.6, 0.8], [0, -0.6, 0.8]], np.float32)
    assert (people @ people.T > 0.2).all()
    crowd = np.tile(people, (50, 1))
    expected = [[0, 2, 1, 1], [2, 0, 1, 1], [1, 1, 0, 2], [1, 1, 2, 0]]
    mean = mean_of(crowd, np.ones(len(crowd), bool))
    appearance = AppearanceDistances(crowd, mean, people, np.ones(4, bool), np.ones(len(crowd), bool))
    np.testing.assert_allclose(matrix(appearance, 4, 4), expected, atol=1e-3)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@given(st.integers(0, 10_000), st.integers(1, 7), st.integers(1, 7))
def test_equals_the_definition(seed: int, tracks: int, detections: int) -> None:
    """Pair by pair and as a matrix, where some detections have no embedding."""
    random = np.random.default_rng(seed)
    known = random.random(detections) < 0.7
    a, b = unit(random.normal(size=(tracks, 6)) + 0.7), unit(random.normal(size=(detections, 6)) + 0.7)
    remembered = random.random(tracks) < 0.7
    usual = mean_of(a, remembered)
    appearance = AppearanceDistances(
        a.astype(np.float32), usual, b[known].astype(np.float32), known, remembered
    )
    columns = np.flatnonzero(known)
    expected = 1 - unit(a - usual) @ unit(b - usual).T
    seen = appearance.each_with_each(np.arange(tracks), columns)
    np.testing.assert_allclose(seen, expected[:, columns], atol=1e-4)
    rows, picked = np.repeat(np.arange(tracks), len(columns)), np.tile(columns, tracks)
    pairs = np.where(remembered[:, None], seen, np.nan)  # nobody compares with what is not remembered
    np.testing.assert_allclose(appearance.of_pairs(rows, picked), pairs.ravel(), atol=1e-5)
    np.testing.assert_array_equal(appearance.embeddings(columns[::-1]), b.astype(np.float32)[columns[::-1]])
