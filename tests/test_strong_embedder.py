"""The embedder for galleries ships, and has a short name."""

from mot_reid.appearance.backends import OnnxBackend
from mot_reid.resources import export_of, find_weights


def test_strong_is_the_shipped_embedder_for_galleries() -> None:
    checkpoint = find_weights("strong", (".safetensors",))
    assert checkpoint.name == "mgn_osnet_lct_x1_0.safetensors"
    export = export_of(checkpoint)
    assert export is not None
    assert OnnxBackend(export, "cpu", 1).input_size == (288, 128)
