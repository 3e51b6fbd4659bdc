import pytest
import torch

from mot_reid.appearance.backbones import BACKBONES, ContextGate, OSNet, build_backbone, split_backbone


@pytest.mark.parametrize("name", BACKBONES)
def test_stem_and_branch_are_the_backbone_cut_in_two(name: str) -> None:
    with torch.device("meta"):
        network = build_backbone(name)
        split = split_backbone(name, network)
        whole, part = split.branch(True), split.branch(False)
        shared = split.stem(torch.empty(1, 3, 192, 96))
    stride = 32 if name == "resnet50" else 16
    assert whole(shared).shape == (1, split.channels, 192 // stride, 96 // stride)
    assert part(shared).shape == (1, split.channels, 12, 6)

    def count(*modules: torch.nn.Module) -> int:
        return sum(p.numel() for module in modules for p in module.parameters())

    assert count(split.stem, whole) == count(network) - count(network.fc)


def test_branches_share_nothing_and_start_alike() -> None:
    split = split_backbone("osnet_x0_25")
    first, second = split.branch(True), split.branch(False)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
        assert a.data_ptr() != b.data_ptr()


def test_cut_osnet_computes_what_the_whole_computes() -> None:
    network = OSNet(0.25).eval()
    split = split_backbone("osnet_x0_25", network)
    x = torch.randn(2, 3, 96, 48)
    with torch.no_grad():
        pooled = split.branch(True)(split.stem(x)).mean(dim=(2, 3))
        assert torch.allclose(network.fc(pooled), network(x), atol=1e-6)


@pytest.mark.parametrize(("width", "millions"), [(1.0, 2.17), (0.25, 0.20)])
def test_osnet_is_as_large_as_published_without_the_last_layer_of_other_widths(
    width: float, millions: float
) -> None:
    network = OSNet(width, feature_dim=512)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.03)


def test_osnet_has_torchreids_names() -> None:
    names = OSNet(0.25).state_dict().keys()
    for name in (
        "conv1.conv.weight",
        "conv2.0.conv2d.3.conv2.weight",
        "conv2.0.gate.fc1.bias",
        "conv2.0.downsample.bn.running_var",
        "conv3.2.0.conv.weight",
        "conv5.bn.weight",
        "fc.1.running_mean",
    ):
        assert name in names
    assert len(OSNet(1.0).state_dict()) == 565  # as in torchreid's osnet_x1_0 without its classifier


def test_context_gate_is_a_group_norm_of_the_means() -> None:
    gate = ContextGate(32).eval()
    torch.nn.init.normal_(gate.gn.weight)
    torch.nn.init.normal_(gate.gn.bias)
    x = torch.randn(3, 32, 5, 4)
    with torch.no_grad():
        expected = x * torch.sigmoid(gate.gn(x.mean(dim=(2, 3), keepdim=True)))
        assert torch.allclose(gate(x), expected, atol=1e-5)


def test_normalised_images_make_light_and_colour_cast_drop_out() -> None:
    network = build_backbone("osnet_lct_x0_5").eval()
    x = torch.rand(2, 3, 96, 48)
    cast = x * torch.tensor([0.5, 0.8, 1.2]).view(1, 3, 1, 1) + 0.1
    with torch.no_grad():
        assert torch.allclose(network(cast), network(x), atol=1e-3)


def test_unknown_backbone() -> None:
    with pytest.raises(ValueError, match="resnet50, osnet_x1_0, osnet_x0_25, osnet_lct_x0_5; got 'vgg'"):
        build_backbone("vgg")
    with pytest.raises(ValueError, match="vgg"):
        split_backbone("vgg")
