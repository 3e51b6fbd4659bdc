import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mot_reid.gallery.reranking import rerank


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def read_from_the_paper(query: np.ndarray, gallery: np.ndarray, k1: int, k2: int, share: float) -> np.ndarray:
    """Equations 2 to 12 of arXiv:1701.08398, with sets; a crop is among its own neighbours."""
    points = np.concatenate((query, gallery)).astype(float)
    d = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    everyone = range(len(points))

    def nearest(p: int, k: int) -> set[int]:
        return set(sorted(everyone, key=lambda g: (g != p, d[p, g], g))[:k])

    def reciprocal(p: int, k: int) -> set[int]:
        return {g for g in nearest(p, k + 1) if p in nearest(g, k + 1)}

    def expanded(p: int) -> set[int]:
        found = set(reciprocal(p, k1))
        for q in reciprocal(p, k1):
            others = reciprocal(q, round(k1 / 2))
            if len(reciprocal(p, k1) & others) >= 2 / 3 * len(others):
                found |= others
        return found

    sets = [expanded(p) for p in everyone]
    v = np.array([[np.exp(-d[p, g]) if g in sets[p] else 0.0 for g in everyone] for p in everyone])
    v = np.array([v[sorted(nearest(p, k2))].mean(axis=0) for p in everyone])
    final = np.empty((len(query), len(gallery)))
    for p in range(len(query)):
        for row in range(len(gallery)):
            g = len(query) + row
            jaccard = 1 - np.minimum(v[p], v[g]).sum() / np.maximum(v[p], v[g]).sum()
            final[p, row] = (1 - share) * jaccard + share * d[p, g]
    return final


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    k1=st.integers(1, 8),
    k2=st.integers(1, 5),
    share=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_equals_a_direct_reading_of_the_paper(seed: int, k1: int, k2: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    people = rng.normal(size=(4, 3))
    points = unit(people[rng.integers(0, 4, 18)] + 0.4 * rng.normal(size=(18, 3)))
    query, gallery = points[:5], points[5:]
    found = rerank(query, gallery, k1, k2, share)
    assert found.dtype == np.float32
    assert found == pytest.approx(read_from_the_paper(query, gallery, k1, k2, share), abs=1e-5)


def test_a_friend_of_friends_comes_before_a_nearer_stranger() -> None:
    def at(*degrees: float) -> np.ndarray:
        return np.stack((np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))), 1).astype(np.float32)

    # The stranger at -11 is nearer to the query than the crop at 12, but keeps to company of its own.
    query, gallery = at(0), at(4, 8, 12, -11, -13, -14, -15)
    plain = np.argsort(2 - 2 * query @ gallery.T, axis=1)[0].tolist()
    again = np.argsort(rerank(query, gallery, k1=3, k2=2), axis=1)[0].tolist()
    assert plain.index(3) < plain.index(2)
    assert again.index(2) < again.index(3)


def test_more_neighbours_than_crops_and_the_original_alone() -> None:
    points = unit(np.random.default_rng(0).normal(size=(6, 4)))
    assert np.isfinite(rerank(points[:2], points[2:], k1=50, k2=20)).all()
    assert rerank(points[:2], points[2:], original_share=1.0) == pytest.approx(
        2 - 2 * points[:2] @ points[2:].T, abs=1e-6
    )


def test_bad_parameters_are_named() -> None:
    points = np.eye(3, dtype=np.float32)
    with pytest.raises(ValueError, match="k1 and k2 must be positive"):
        rerank(points, points, k1=0)
    with pytest.raises(ValueError, match=r"must be \(Q, D\) and \(G, D\)"):
        rerank(points, points[:, :2])
