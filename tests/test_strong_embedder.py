"""The embedder for galleries ships; it and the default one have short names."""

import pytest

from mot_reid.appearance.backends import OnnxBackend
from mot_reid.config import EmbedderConfig
from mot_reid.resources import DETECTORS, EMBEDDERS, export_of, find_weights


def test_strong_is_the_shipped_embedder_for_galleries() -> None:
    checkpoint = find_weights("strong", (".safetensors",))
    assert checkpoint.name == "mgn_osnet_lct_x1_0.safetensors"
    export = export_of(checkpoint)
    assert export is not None
    assert OnnxBackend(export, "cpu", 1).input_size == (288, 128)


def test_default_is_the_embedder_that_is_taken_where_none_is_named() -> None:
    assert find_weights("default", (), EMBEDDERS) == find_weights(EmbedderConfig().weights, ())


@pytest.mark.parametrize("name", ["default", "strong"])
def test_short_names_of_embedders_mean_no_detector(name: str) -> None:
    with pytest.raises(FileNotFoundError, match=rf"weights not found: {name} \(.*person_yolo11n.pt"):
        find_weights(name, (".pt",), DETECTORS)
