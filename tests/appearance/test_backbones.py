import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from mot_reid.appearance.backbones import BACKBONES, HEAD_PREFIXES, IBN, build_backbone, split_backbone
from mot_reid.appearance.efficientnet import SameConv2d
from mot_reid.appearance.osnet import ContextGate, OSNet

SMALL = ("resnet18", "osnet_x0_25", "efficientnet_lite0", "mobilenet_v3_small", "mobilenet_v3_large")


@pytest.mark.parametrize("name", [*SMALL, "resnet50_ibn"])
def test_stem_and_branch_are_the_backbone_cut_in_two(name: str) -> None:
    assert name in BACKBONES
    with torch.device("meta"):
        network = build_backbone(name)
        split = split_backbone(name, network)
        whole, part = split.branch(coarse=True), split.branch(coarse=False)
        shared = split.stem(torch.empty(1, 3, 192, 96))
    stride = 16 if name.startswith("osnet") else 32
    assert shared.shape[2:] == ((24, 12) if name.startswith("osnet") else (12, 6))
    assert whole(shared).shape == (1, split.channels, 192 // stride, 96 // stride)
    assert part(shared).shape == (1, split.channels, 12, 6)

    def count(*modules: nn.Module) -> int:
        return sum(p.numel() for module in modules for p in module.parameters())

    head = sum(p.numel() for key, p in network.named_parameters() if key.startswith(HEAD_PREFIXES))
    assert head > 0
    assert count(split.stem, whole) == count(network) - head


@pytest.mark.parametrize("name", SMALL)
def test_nothing_of_the_whole_is_lost_in_the_cut(name: str) -> None:
    torch.manual_seed(0)
    network = build_backbone(name).eval()
    seen: list[torch.Tensor] = []
    head = {"resnet18": "avgpool", "osnet_x0_25": "fc", "efficientnet_lite0": "_conv_head"}.get(
        name, "avgpool"
    )
    network.get_submodule(head).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    split = split_backbone(name, network)
    x = torch.randn(2, 3, 96, 64)
    with torch.no_grad():
        network(x)
        cut = split.branch(coarse=True)(split.stem(x))
    wanted = seen[0]
    torch.testing.assert_close(cut.mean(dim=(2, 3)) if wanted.ndim == 2 else cut, wanted)


def test_ibn_normalises_half_of_the_channels_by_the_picture() -> None:
    network = build_backbone("resnet18_ibn").eval()
    layer = IBN(6).eval()
    with torch.no_grad():
        layer.BN.running_mean.fill_(2.0)
    x = torch.randn(3, 6, 8, 5) * 4 + 1
    y = layer(x)
    assert torch.allclose(y[:, :3].mean(dim=(2, 3)), torch.zeros(3, 3), atol=1e-5)
    assert torch.allclose(y[:, 3:], (x[:, 3:] - 2) / (1 + 1e-5) ** 0.5, atol=1e-5)
    kinds = [type(getattr(network, f"layer{stage}")[1].bn1) for stage in (1, 2, 3, 4)]
    assert kinds == [IBN, IBN, IBN, nn.BatchNorm2d]


def test_mobilenets_batch_norms_follow_short_trainings() -> None:
    norms = [m for m in build_backbone("mobilenet_v3_small").modules() if isinstance(m, nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {0.1}


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_same_convolutions_pad_as_tensorflow_does(kernel: int, stride: int) -> None:
    conv = SameConv2d(2, 2, kernel, stride, groups=2, bias=False)
    x = torch.randn(1, 2, 8, 6)
    total = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in (8, 6)]
    (top, left) = (t // 2 for t in total)
    padded = F.pad(x, (left, total[1] - left, top, total[0] - top))
    torch.testing.assert_close(conv(x), F.conv2d(padded, conv.weight, None, stride, groups=2))


def test_efficientnet_lite0_has_the_published_size_cost_and_names() -> None:
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = build_backbone("efficientnet_lite0").eval()
        assert network(torch.empty(1, 3, 224, 224)).shape == (1, 1000)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(4.652, abs=0.001)
    assert counter.get_total_flops() / 2e6 == pytest.approx(407, abs=25)  # 407 M in the paper's repository
    names = network.state_dict().keys()
    for name in (
        "_conv_stem.weight",
        "_bn0.running_var",
        "_blocks.0._depthwise_conv.weight",
        "_blocks.1._expand_conv.weight",
        "_blocks.15._bn2.bias",
        "_conv_head.weight",
        "_fc.bias",
    ):
        assert name in names


def test_branches_share_nothing_and_start_alike() -> None:
    split = split_backbone("osnet_x0_25")
    first, second = split.branch(coarse=True), split.branch(coarse=False)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
        assert a.data_ptr() != b.data_ptr()


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
    with pytest.raises(ValueError, match=r"resnet50.*osnet_x0_25.*; got 'vgg'"):
        build_backbone("vgg")
    with pytest.raises(ValueError, match="vgg"):
        split_backbone("vgg")
