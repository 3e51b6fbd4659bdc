from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from mot_reid.appearance.backbones import HEAD_PREFIXES, OSNet, build_backbone
from mot_reid.appearance.mgn import GLOBAL_HEADS, HEADS, MGN, GeMPool, MGNOutput, Pooling


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


@pytest.mark.parametrize(
    ("arguments", "millions", "gmacs"),
    [
        ({"num_classes": 751}, 70.35, 11.89),
        ({"num_classes": 751, "global_stride": 1}, 70.35, 13.96),  # fast-reid's
        ({"backbone": "resnet18"}, 31.38, 5.45),
    ],
)
def test_other_sizes_and_costs(arguments: dict[str, Any], millions: float, gmacs: float) -> None:
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = MGN(**arguments).eval()
        network(torch.empty(1, 3, 384, 128))
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.006)
    assert counter.get_total_flops() / 2e9 == pytest.approx(gmacs, abs=0.01)


def test_global_branch_is_coarser_than_part_branches(canonical: MGN) -> None:
    shared = canonical.stem(torch.empty(1, 3, 384, 128, device="meta"))
    assert shared.shape[1:] == (1024, 24, 8)
    maps = [branch(shared).shape[1:] for branch in (canonical.b1, canonical.b2, canonical.b3)]
    assert maps == [(2048, 12, 4), (2048, 24, 8), (2048, 24, 8)]
    with torch.device("meta"):
        alike = MGN(global_stride=1)
    assert alike.b1(shared).shape[1:] == (2048, 24, 8)


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


@pytest.mark.parametrize("pooling", ["avg", "gem"])
def test_other_poolings(pooling: Pooling) -> None:
    network = MGN("osnet_x0_25", reduced_dim=8, pooling=pooling).eval()
    x = torch.randn(2, 3, 96, 48)
    with torch.no_grad():
        for power, pool in enumerate(network.pools, start=2):
            if isinstance(pool, GeMPool):
                pool.p.fill_(power)
        pooled = network.pooled(x)
        maps = [branch(network.stem(x)) for branch in (network.b1, network.b2, network.b3)]
    regions = [*maps, *maps[1].split(3, dim=2), *maps[2].split(2, dim=2)]
    assert len(pooled) == len(regions) == 8
    for power, (mine, region) in enumerate(zip(pooled, regions, strict=True), start=2):
        p = power if pooling == "gem" else 1
        values = region.flatten(2).double().clamp_min(1e-6 if pooling == "gem" else -torch.inf)
        torch.testing.assert_close(
            mine.flatten(1).double(), (values**p).mean(dim=2) ** (1 / p), rtol=1e-4, atol=1e-6
        )


def test_generalised_means_survive_half_precision() -> None:
    x = torch.full((1, 2, 4, 4), 60.0)  # 60^3 is more than float16 holds
    assert torch.allclose(GeMPool().half()(x.half()).float(), torch.tensor(60.0), rtol=2e-3)
    assert GeMPool()(-x).flatten().tolist() == pytest.approx([1e-6] * 2)


def test_switches_do_what_they_say() -> None:
    torch.manual_seed(0)
    network = MGN(
        "osnet_x0_25", 8, bnneck=True, extra_bn=True, shared_reduction=True, stem_pool="ceil"
    ).eval()
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point() and tensor.ndim == 1:
                tensor.uniform_(0.5, 1.5)
        x = torch.randn(2, 3, 96, 48)
        shared = F.relu(network.stem[0].bn(network.stem[0].conv(x)))
        shared = network.stem[2:](F.max_pool2d(shared, 3, 2, ceil_mode=True))
        maps = [
            norm(branch(shared))
            for norm, branch in zip(network.extra_bns, (network.b1, network.b2, network.b3), strict=True)
        ]
        regions = [*maps, *maps[1].split(3, dim=2), *maps[2].split(2, dim=2)]
        conv, norm, relu, neck = network.reductions[0]
        wanted = [
            neck(relu(norm(conv(region.amax(dim=(2, 3), keepdim=True))))).flatten(1) for region in regions
        ]
        torch.testing.assert_close(network(x), torch.cat(wanted, dim=1))


def test_architecture_names_the_switches_that_differ() -> None:
    switches = {"pooling": "gem", "global_stride": 1, "bnneck": True, "extra_bn": True}
    plain = {"backbone": "osnet_x0_25", "reduced_dim": 8, "relu": False}
    with torch.device("meta"):
        assert MGN(**plain, wide_softmax=True).architecture() == plain
        network = MGN(**plain, **switches, shared_reduction=True, stem_pool="ceil")
        assert network.architecture() == plain | switches | {"shared_reduction": True, "stem_pool": "ceil"}
        again = MGN(**network.architecture())
    assert again.state_dict().keys() == network.state_dict().keys()


def test_softmax_on_the_wide_global_features() -> None:
    network = MGN("osnet_x0_25", reduced_dim=8, num_classes=5, wide_softmax=True).train()
    assert [fc.in_features for fc in network.classifiers] == [128] * 3 + [8] * 5
    x = torch.randn(4, 3, 96, 48)
    output = network(x)
    pooled = network.pooled(x)
    for index in range(GLOBAL_HEADS):
        logits = network.classifiers[index](pooled[index].flatten(1))
        torch.testing.assert_close(output.logits[index], logits)
    for index in range(GLOBAL_HEADS, 8):
        logits = network.classifiers[index](output.features[index])
        torch.testing.assert_close(output.logits[index], logits)


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
    with pytest.raises(ValueError, match=r"one of max, avg, gem.*got 'median', 2, 'pad'"):
        MGN("osnet_x0_25", pooling="median")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mobilenet_v3_small has no max pooling"):
        MGN("mobilenet_v3_small", stem_pool="ceil")


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
    with pytest.raises(RuntimeError, match=r"Missing.*conv5\.conv\.weight"):
        network.load_backbone({k: v for k, v in plain.state_dict().items() if k != "conv5.conv.weight"})


@pytest.mark.parametrize("name", ["efficientnet_lite0", "mobilenet_v3_small"])
def test_backbones_load_without_their_heads(name: str) -> None:
    state = {k: v for k, v in build_backbone(name).state_dict().items() if not k.startswith(HEAD_PREFIXES)}
    network = MGN(name, reduced_dim=4)
    network.load_backbone(state)
    pool = {value.double().sum().item() for value in state.values()}
    for module in (network.stem, network.b1, network.b2, network.b3):
        assert {value.double().sum().item() for value in module.state_dict().values()} <= pool
