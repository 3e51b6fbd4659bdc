import numpy as np
import pytest

from mot_reid.appearance.checkpoints import EmbeddingNetwork
from mot_reid.appearance.mgn import MGN
from mot_reid.training.retrieval import embed_crops, score_retrieval


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


def test_embeddings_are_normalised_whatever_the_batch() -> None:
    model = MGN("osnet_x0_25", reduced_dim=8).eval()
    network = EmbeddingNetwork(model, (96, 48), (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 64)
    images = np.random.default_rng(0).integers(0, 256, (5, 96, 48, 3), dtype=np.uint8)
    embeddings = embed_crops(network, images)
    assert embeddings.dtype == np.float32
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert embed_crops(network, images, batch_size=2) == pytest.approx(embeddings, abs=1e-5)
    assert embed_crops(network, images[:0]).shape == (0, 64)
    with pytest.raises(ValueError, match=r"images must be \(N, 96, 48, 3\)"):
        embed_crops(network, images[:, :64])
