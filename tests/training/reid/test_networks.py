import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from mot_reid.appearance.backbones import build_backbone
from mot_reid.appearance.backends import OnnxBackend
from mot_reid.appearance.mgn import MGN, MGNOutput
from mot_reid.training.reid.networks import (
    AlignedNetwork,
    StripNetwork,
    build_network,
    save_embedder,
    whole_body_features,
)
from mot_reid.training.reid.settings import NetworkSettings


def test_settings_choose_the_network() -> None:
    mgn = build_network(NetworkSettings(reduced_dim=8, relu=True, pooling="avg", bnneck=True), 5)
    assert isinstance(mgn, MGN)
    assert (mgn.dim, mgn.num_classes, mgn.pooling, mgn.bnneck) == (64, 5, "avg", True)
    pcb = build_network(NetworkSettings(architecture="pcb", reduced_dim=8))
    plain = build_network(NetworkSettings(architecture="plain", reduced_dim=8))
    assert (pcb.dim, plain.dim) == (48, 8)
    aligned = build_network(NetworkSettings(architecture="aligned", reduced_dim=8), 5)
    assert isinstance(aligned, AlignedNetwork)
    assert (aligned.dim, len(aligned.classifiers)) == (56, 7)


def test_strips_see_their_own_part_of_the_picture() -> None:
    network = StripNetwork("osnet_x0_25", strips=6, reduced_dim=4, num_classes=3)
    output = network(torch.randn(2, 3, 96, 32))
    assert isinstance(output, MGNOutput)
    assert [tuple(feature.shape) for feature in output.features] == [(2, 4)] * 6
    assert [tuple(scores.shape) for scores in output.logits] == [(2, 3)] * 6
    features = network.eval().features(torch.randn(2, 3, 192, 32))
    assert torch.equal(
        network(torch.zeros(1, 3, 96, 32)), torch.cat(network.features(torch.zeros(1, 3, 96, 32)), 1)
    )
    assert len(features) == 6
    with pytest.raises(ValueError, match="fewer rows than 6 strips"):
        network(torch.zeros(1, 3, 48, 32))


def test_masks_share_the_map_out_and_begin_as_strips() -> None:
    network = AlignedNetwork("osnet_x0_25", parts=6, reduced_dim=4, num_classes=3)
    fmap = torch.randn(2, network.masks.in_channels, 12, 6)
    masks = network.part_masks(fmap)
    assert masks.shape == (2, 7, 12, 6)
    assert torch.allclose(masks.sum(dim=1), torch.ones(2, 12, 6))
    assert masks.mean(dim=(0, 3)).argmax(dim=0).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    output = network(torch.randn(2, 3, 96, 32))
    assert [tuple(feature.shape) for feature in output.features] == [(2, 4)] * 7
    assert [tuple(scores.shape) for scores in output.logits] == [(2, 3)] * 7
    assert len(whole_body_features(network, output)) == 1


def test_masks_follow_the_body() -> None:
    """A pattern that a part's mask has learnt is pooled wherever it is; strips would see another one."""
    torch.manual_seed(0)
    network = AlignedNetwork("osnet_x0_25", parts=2, reduced_dim=4).eval()
    with torch.no_grad():
        network.masks.weight.zero_()
        network.masks.weight[0, 0] = 40  # the first part looks for the first channel
    high, low = torch.zeros(2, 1, network.masks.in_channels, 8, 4)
    high[0, 0, 1], low[0, 0, 6] = 1.0, 1.0
    for fmap, row in ((high, 1), (low, 6)):
        assert int(network.part_masks(fmap)[0, 0].mean(dim=1).argmax()) == row


def test_triplets_compare_whole_bodies() -> None:
    mgn, pcb = MGN("osnet_x0_25", 4), StripNetwork("osnet_x0_25", 6, 4)
    features = tuple(torch.randn(2, 4) for _ in range(8))
    assert whole_body_features(mgn, MGNOutput(features, ())) == features[:3]
    (row,) = whole_body_features(pcb, MGNOutput(features[:6], ()))
    assert row.shape == (2, 24)


def test_a_plain_backbone_starts_the_trunk() -> None:
    torch.manual_seed(0)
    backbone, network = build_backbone("osnet_x0_25").eval(), StripNetwork("osnet_x0_25", 1, 4).eval()
    network.load_backbone({n: v for n, v in backbone.state_dict().items() if not n.startswith("fc.")})
    images = torch.randn(1, 3, 96, 48)
    maps: list[torch.Tensor] = []
    backbone.conv5.register_forward_hook(lambda *call: maps.append(call[2]))
    backbone(images)
    assert torch.allclose(network.branch(network.stem(images)), maps[0], atol=1e-6)


@pytest.mark.parametrize("kind", [StripNetwork, AlignedNetwork])
def test_other_architectures_become_onnx(tmp_path: Path, kind: type[StripNetwork]) -> None:
    network = kind("osnet_x0_25", 2, 4).eval()
    save_embedder(tmp_path / "embedder.onnx", network, (96, 32), {"seed": 3})
    assert [path.name for path in tmp_path.iterdir()] == ["embedder.onnx"]
    backend = OnnxBackend(tmp_path / "embedder.onnx")
    assert backend.input_size == (96, 32)
    crops = np.random.default_rng(0).integers(0, 256, (3, 96, 32, 3), dtype=np.uint8)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    pixels = torch.from_numpy(crops[..., ::-1].copy()).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        expected = network((pixels - mean) / std).numpy()
    assert backend(crops) == pytest.approx(expected, abs=1e-3)
    entries = {entry.key: entry.value for entry in onnx.load(tmp_path / "embedder.onnx").metadata_props}
    assert json.loads(entries["notes"]) == {"seed": 3}
