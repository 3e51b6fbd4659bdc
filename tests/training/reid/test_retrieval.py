import numpy as np
import pytest

from mot_reid.training.reid.retrieval import rank_gallery, score_retrieval


def score(similarity: list[list[float]], labels: str, query: str = "1a") -> object:
    """Labels like `1b`: identity and camera."""
    gallery = labels.split()
    identities = np.array([int(label[:-1]) for label in gallery])
    cameras = np.array([ord(label[-1]) for label in gallery])
    queries = query.split()
    return score_retrieval(
        np.array(similarity),
        np.array([int(label[:-1]) for label in queries]),
        identities,
        np.array([ord(label[-1]) for label in queries]),
        cameras,
        ranks=4,
    )


def test_average_precision_by_hand() -> None:
    # In order: wrong, right, wrong, right: precisions 1/2 and 2/4.
    found = score([[0.9, 0.8, 0.7, 0.6]], "2b 1b 3c 1c")
    assert found.mean_average_precision == pytest.approx(0.5)
    assert found.cmc.tolist() == [0, 1, 1, 1]
    assert found.rank1 == 0


def test_same_camera_and_junk_do_not_count_but_distractors_do() -> None:
    # Without 1a (own camera) and -1 (junk), the order is: distractor, right.
    found = score([[0.9, 0.8, 0.7, 0.6]], "1a -1b 0b 1b")
    assert found.mean_average_precision == pytest.approx(0.5)
    assert found.cmc.tolist() == [0, 1, 1, 1]


def test_other_people_of_the_same_camera_do_count() -> None:
    assert score([[0.9, 0.8]], "2a 1b").rank1 == 0


def test_queries_are_averaged_and_unanswerable_ones_left_out() -> None:
    similarity = [[0.9, 0.1, 0.2], [0.9, 0.1, 0.2], [0.3, 0.1, 0.2]]
    found = score(similarity, "1b 2b 3a", query="1a 2a 3a")
    assert found.queries == 2
    assert np.isnan(found.average_precisions).tolist() == [False, False, True]
    assert found.mean_average_precision == pytest.approx((1 + 1 / 3) / 2)
    assert found.cmc.tolist() == [0.5, 0.5, 1, 1]


def test_scores_equal_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    similarity = rng.random((20, 60))
    query, gallery = rng.integers(0, 6, 20), rng.integers(-1, 6, 60)
    query_cameras, gallery_cameras = rng.integers(0, 3, 20), rng.integers(0, 3, 60)
    precisions, firsts = [], []
    for row in range(20):
        hits, seen, found, first = [], 0, 0, 0
        for column in np.argsort(-similarity[row]):
            right = gallery[column] == query[row]
            if gallery[column] == -1 or (right and gallery_cameras[column] == query_cameras[row]):
                continue
            seen += 1
            if right:
                found += 1
                first = first or seen
                hits.append(found / seen)
        if hits:
            precisions.append(np.mean(hits))
            firsts.append(first)
    scores = score_retrieval(similarity, query, gallery, query_cameras, gallery_cameras)
    assert scores.queries == len(precisions)
    assert scores.mean_average_precision == pytest.approx(np.mean(precisions))
    assert scores.cmc == pytest.approx([np.mean(np.array(firsts) <= rank) for rank in range(1, 11)])


def test_wrong_shapes_and_hopeless_queries_are_refused() -> None:
    with pytest.raises(ValueError, match=r"similarity must be \(1, 2\)"):
        score([[0.5, 0.5, 0.5]], "1b 2b")
    with pytest.raises(ValueError, match="no query"):
        score([[0.5, 0.5]], "1a 2b")
    nobody = np.empty(0, np.int64)
    with pytest.raises(ValueError, match="no query"):
        score_retrieval(np.empty((1, 0)), np.array([1]), nobody, np.array([1]), nobody)


def test_rankings_leave_out_what_does_not_count() -> None:
    ranking = rank_gallery(
        np.array([[0.1, 0.9, 0.5, 0.7]]),
        np.array([1]),
        np.array([1, 1, -1, 1]),
        np.array([1]),
        np.array([2, 1, 3, 3]),
    )
    assert ranking.order.tolist() == [[1, 3, 2, 0]]
    assert ranking.counts.tolist() == [[False, True, False, True]]
    assert ranking.hits.tolist() == [[False, True, False, True]]
