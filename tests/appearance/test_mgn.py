import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mot_reid.appearance.backbones import OSNet
from mot_reid.appearance.mgn import GLOBAL_HEADS, HEADS, MGN, MGNOutput


@pytest.fixture(scope="module")
def small() -> MGN:
    torch.manual_seed(0)
    return MGN("osnet_x0_25", reduced_dim=8, relu=False).eval()


@pytest.fixture(scope="module")
def canonical() -> MGN:
    with torch.device("meta"):
        return MGN().eval()


def test_canonical_network_has_the_papers_size_and_cost(canonical: MGN) -> None:
    with FlopCounterMode(display=False) as counter:
        embedding = canonical(torch.empty(1, 3, 384, 128, device="meta"))
    assert embedding.shape == (1, 2048)
    assert sum(p.numel() for p in canonical.parameters()) / 1e6 == pytest.approx(68.81, abs=0.005)
    assert counter.get_total_flops() / 2e9 == pytest.approx(11.89, abs=0.01)


def test_global_branch_is_coarser_than_part_branches(canonical: MGN) -> None:
    shared = canonical.stem(torch.empty(1, 3, 384, 128, device="meta"))
    assert shared.shape[1:] == (1024, 24, 8)
    maps = [branch(shared).shape[1:] for branch in (canonical.b1, canonical.b2, canonical.b3)]
    assert maps == [(2048, 12, 4), (2048, 24, 8), (2048, 24, 8)]


def test_pooled_vectors_are_maxima_of_whole_maps_and_equal_strips(small: MGN) -> None:
    x = torch.randn(2, 3, 192, 64)
    with torch.no_grad():
        pooled = dict(zip(HEADS, small.pooled(x), strict=True))
        shared = small.stem(x)
        maps = [branch(shared) for branch in (small.b1, small.b2, small.b3)]
    assert maps[0].shape[2] == 12
    for name, whole in zip(HEADS[:GLOBAL_HEADS], maps, strict=True):
        assert torch.equal(pooled[name].flatten(1), whole.amax(dim=(2, 3)))
    for index in range(2):
        strip = maps[1][:, :, 6 * index : 6 * index + 6]
        assert torch.equal(pooled[f"p2_{index}"].flatten(1), strip.amax(dim=(2, 3)))
    for index in range(3):
        strip = maps[2][:, :, 4 * index : 4 * index + 4]
        assert torch.equal(pooled[f"p3_{index}"].flatten(1), strip.amax(dim=(2, 3)))


def test_embedding_is_the_features_in_order(small: MGN) -> None:
    x = torch.randn(3, 3, 96, 48)
    with torch.no_grad():
        embedding, features = small(x), small.features(x)
    assert embedding.shape == (3, small.dim) == (3, 64)
    assert len(features) == len(HEADS) == 8
    assert torch.equal(embedding, torch.cat(features, dim=1))


def test_relu_ends_the_canonical_features_and_not_the_signed_ones(small: MGN) -> None:
    x = torch.randn(2, 3, 96, 48)
    with torch.no_grad():
        assert small(x).min() < 0
        assert MGN("osnet_x0_25", reduced_dim=8).eval()(x).min() >= 0


def test_training_output_has_features_and_logits_of_all_heads() -> None:
    network = MGN("osnet_x0_25", reduced_dim=8, num_classes=5).train()
    output = network(torch.randn(4, 3, 96, 48))
    assert isinstance(output, MGNOutput)
    assert [tuple(f.shape) for f in output.features] == [(4, 8)] * 8
    assert [tuple(f.shape) for f in output.logits] == [(4, 5)] * 8
    for logits in output.logits:
        logits.sum().backward(retain_graph=True)
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("height", [0, 64, 100, 256])
def test_heights_that_do_not_split_evenly_are_refused(small: MGN, height: int) -> None:
    with pytest.raises(ValueError, match=f"multiple of 96 pixels; got {height}"):
        small(torch.zeros(1, 3, height, 64))


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="vgg"):
        MGN("vgg")
    with pytest.raises(ValueError, match="reduced_dim must be positive"):
        MGN("osnet_x0_25", reduced_dim=0)


def test_backbone_weights_reach_the_stem_and_every_branch() -> None:
    plain, network = OSNet(0.25), MGN("osnet_x0_25", reduced_dim=8)
    network.load_backbone(plain.state_dict())
    assert torch.equal(network.stem[0].conv.weight, plain.conv1.conv.weight)
    assert torch.equal(network.stem[3].conv1.conv.weight, plain.conv3[0].conv1.conv.weight)
    for branch in (network.b1, network.b2, network.b3):
        assert torch.equal(branch[0][0].conv1.conv.weight, plain.conv3[1].conv1.conv.weight)
        assert torch.equal(branch[2].conv.weight, plain.conv5.conv.weight)
    with pytest.raises(RuntimeError, match="size mismatch"):
        network.load_backbone(OSNet(1.0).state_dict())
