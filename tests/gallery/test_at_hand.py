"""Which embedder looks at a picture that somebody is searched for by."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from starlette.testclient import TestClient

from mot_reid.cli.serve import _application
from mot_reid.gallery.fingerprint import weights_fingerprint
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.opening import open_store
from mot_reid.gallery.records import Tracklet
from mot_reid.gallery.store import GalleryError, GalleryInfo
from mot_reid.resources import find_weights, shipped

STRONG = "mgn_osnet_lct_x1_0"
PICTURE = np.random.default_rng(0).integers(0, 255, (128, 48, 3), np.uint8)


def gallery_of(place: Path, weights: Path, dimension: int) -> Path:
    """A gallery with one tracklet that some weights have made."""
    store = open_store(place, GalleryInfo(weights.stem, weights_fingerprint(weights), dimension))
    look, path = np.eye(dimension, dtype=np.float32)[:1], np.array([[1, 0, 0, 0, 9, 20]], np.float32)
    store.append([Tracklet("a", "a", "run", 1, 1, 1, 0, 0, look[0], look, path)])
    return place


@pytest.fixture(scope="module")
def dimension() -> int:
    from mot_reid.appearance.embedder import NetworkEmbedder
    from mot_reid.config import EmbedderConfig

    whole = np.array([[0, 0, 48, 128]], np.float32)
    return int(NetworkEmbedder(EmbedderConfig(weights="strong")).embed(PICTURE, whole).shape[1])


def test_the_shipped_embedder_that_made_a_gallery_is_found(tmp_path: Path, dimension: int) -> None:
    gallery = Gallery(gallery_of(tmp_path / "shop", find_weights("strong", ()), dimension))
    assert gallery.embedder.path.stem == STRONG  # type: ignore[attr-defined]
    assert len(gallery.search(PICTURE, box=(0, 0, 48, 128))) == 1


def test_another_embedder_is_refused_each_time(tmp_path: Path) -> None:
    own = tmp_path / "own.safetensors"
    own.write_bytes(b"weights that are not at hand")
    gallery = Gallery(gallery_of(tmp_path / "shop", own, 8))
    for _ in range(2):
        with pytest.raises(GalleryError, match=r"made with the embedder own .*, not with mgn_osnet_lct_x0_5"):
            gallery.search(PICTURE, box=(0, 0, 48, 128))


def test_the_page_searches_with_the_configuration_s_embedder(tmp_path: Path, dimension: int) -> None:
    own = tmp_path / "own.onnx"  # of another content than what ships, as after a training
    own.write_bytes((shipped("weights") / f"{STRONG}.onnx").read_bytes())
    content = own.read_bytes()
    place = content.find(b"checkpoint_sha256") + len(b"checkpoint_sha256") + 2
    own.write_bytes(content[:place] + b"0" * 64 + content[place + 64 :])
    shop = gallery_of(tmp_path / "shop", own, dimension)
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({"embedder": {"weights": str(own)}}))
    asked = "/api/search/picture?box=0,0,48,128"

    picture = cv2.imencode(".png", PICTURE)[1].tobytes()
    for config, code in ((tmp_path / "my.yaml", 200), (None, 422)):
        app, _ = _application([], None, config, str(shop), frozenset(), "")
        answer = TestClient(app, base_url="http://127.0.0.1").post(asked, content=picture)
        assert answer.status_code == code, answer.text
    assert "made with the embedder own" in answer.json()["error"]
    assert len(Gallery(shop, own).search(PICTURE, box=(0, 0, 48, 128))) == 1
