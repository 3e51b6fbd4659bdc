from pathlib import Path

import numpy as np
import pytest

from mot_reid.appearance.backends import TorchBackend
from mot_reid.appearance.checkpoints import EmbeddingNetwork, save_checkpoint
from mot_reid.appearance.mgn import MGN
from mot_reid.training.reid.evaluation import backend_embed, embed_crops, list_trial, network_embed


@pytest.fixture
def network() -> EmbeddingNetwork:
    model = MGN("osnet_x0_25", reduced_dim=8).eval()
    return EmbeddingNetwork(model, (96, 48), (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 64)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 96, 48, 3), dtype=np.uint8)


def test_embeddings_are_normalised_whatever_the_batch(network: EmbeddingNetwork, images: np.ndarray) -> None:
    embed = network_embed(network)
    embeddings = embed_crops(embed, images)
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (5, 64)
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert embed_crops(embed, images, batch_size=2) == pytest.approx(embeddings, abs=1e-5)
    assert len(embed_crops(embed, images[:0])) == 0


def test_mirrored_crops_have_one_embedding(network: EmbeddingNetwork, images: np.ndarray) -> None:
    embed, mirrored = network_embed(network), np.ascontiguousarray(images[:, :, ::-1])
    assert embed_crops(embed, images, flip=True) == pytest.approx(
        embed_crops(embed, mirrored, flip=True), abs=1e-5
    )


def test_the_trackers_backend_embeds_alike(
    network: EmbeddingNetwork, images: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, network.module, input_size=(96, 48), mean=network.mean, std=network.std, half=False)
    theirs = embed_crops(backend_embed(TorchBackend(path, "cpu")), images)
    assert theirs == pytest.approx(embed_crops(network_embed(network), images), abs=1e-4)


def put(folder: Path, *names: str) -> None:
    folder.mkdir()
    for name in names:
        (folder / name).touch()


def test_trial_of_held_out_identities(tmp_path: Path) -> None:
    names = [
        f"{person:04d}_c{camera}s1_{shot:06d}_00.jpg"
        for person in range(4)
        for camera in (1, 2)
        for shot in (1, 2)
    ]
    put(tmp_path / "bounding_box_train", *names)
    query, gallery, name = list_trial(tmp_path, held_out=2)
    assert name == "2 held-out identities"
    assert (len(query.paths), len(gallery.paths)) == (4, 4)
    assert set(query.identities) == set(gallery.identities)
    everybody, _, _ = list_trial(tmp_path, held_out=0)
    assert len(everybody.paths) == 8


def test_trial_by_the_sets_own_query_and_gallery(tmp_path: Path) -> None:
    put(tmp_path / "query", "0003_c5s1_000001_00.jpg")
    put(
        tmp_path / "bounding_box_test",
        "-1_c6s3_000002_01.jpg",
        "0000_c1s1_000001_01.jpg",
        "0003_c1s1_000001_01.jpg",
    )
    query, gallery, _ = list_trial(tmp_path)
    assert (query.identities.tolist(), gallery.identities.tolist()) == ([3], [0, 3])


def test_names_mean_one_person_in_query_and_gallery(tmp_path: Path) -> None:
    put(tmp_path / "query", "anna_east_1.jpg", "bob_east_1.jpg")
    put(tmp_path / "bounding_box_test", "aaron_west_1.jpg", "anna_west_1.jpg", "bob_west_1.jpg")
    query, gallery, _ = list_trial(tmp_path, r"(?P<identity>[a-z]+)_(?P<camera>[a-z]+)_\d+")
    assert query.identities.tolist() == [2, 3]
    assert gallery.identities.tolist() == [1, 2, 3]
    assert query.cameras.tolist() == [1, 1]
    assert gallery.cameras.tolist() == [2, 2, 2]


def test_numbers_of_a_query_are_those_of_a_gallery_with_a_name(tmp_path: Path) -> None:
    put(tmp_path / "query", "5_c1.jpg", "7_c1.jpg")
    put(tmp_path / "bounding_box_test", "5_c2.jpg", "7_c2.jpg", "nobody_c2.jpg")
    query, gallery, _ = list_trial(tmp_path, r"(?P<identity>.+)_c(?P<camera>\d+)")
    assert query.identities.tolist() == gallery.identities[:2].tolist()
