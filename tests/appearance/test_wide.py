"""The form of networks that is exported: the same embeddings from fewer layers."""

from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from mot_reid.appearance.backbones import build_backbone
from mot_reid.appearance.checkpoints import save_checkpoint
from mot_reid.appearance.export import export_onnx
from mot_reid.appearance.mgn import MGN
from mot_reid.appearance.osnet import OSNet
from mot_reid.appearance.wide import widened


def unsettled(network: nn.Module) -> nn.Module:
    """With statistics, scales and biases that are not the same for all channels, in evaluation mode."""
    torch.manual_seed(3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.GroupNorm | nn.InstanceNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


@pytest.mark.parametrize(
    "network",
    [
        MGN("osnet_lct_x0_5", 8, relu=False),
        MGN("osnet_x0_25", 8, pooling="gem", bnneck=True, extra_bn=True, shared_reduction=True),
        OSNet(0.25),
        OSNet(0.5, lct=True),
    ],
    ids=["lct", "switches", "plain", "plain lct"],
)
def test_the_embedding_is_the_same(network: nn.Module) -> None:
    before = {name: value.clone() for name, value in unsettled(network).state_dict().items()}
    images = torch.randn(3, 3, 96, 32)
    with torch.inference_mode():
        wanted, found = network(images), widened(network)(images)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_branches_run_beside_each_other() -> None:
    network = unsettled(MGN("osnet_x0_5", 8)).eval()  # fresh, all three are one
    one, three = (
        sum(isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3) for module in each.modules())
        for each in (network.b2, widened(network).branches)
    )
    assert three == one == 30


def test_other_networks_stay_as_they_are() -> None:
    network = MGN("mobilenet_v3_small", 8).eval()
    assert widened(network) is network


def test_an_export_tells_the_batch_of_every_map(tmp_path: Path) -> None:
    """Without, ONNX Runtime adds maps by themselves, not in the convolution before."""
    save_checkpoint(tmp_path / "a.safetensors", MGN("osnet_lct_x0_5", 8), input_size=(96, 32))
    export_onnx(tmp_path / "a.safetensors", tmp_path / "a.onnx")
    graph = onnx.load(tmp_path / "a.onnx").graph
    shapes = {entry.name: entry.type.tensor_type.shape.dim for entry in (*graph.value_info, *graph.output)}
    made = [name for node in graph.node if node.op_type in ("Conv", "Add", "Mul") for name in node.output]
    batches = [shapes[name][0].dim_param for name in made if len(shapes[name]) == 4]
    assert len(batches) > 150
    assert set(batches) == {"n"}


def test_branches_that_are_alike_run_once() -> None:
    network = unsettled(MGN("osnet_lct_x0_5", 8, relu=False))
    network.load_backbone(build_backbone("osnet_lct_x0_5").state_dict())
    images = torch.randn(3, 3, 96, 32)
    made = widened(network)
    with torch.inference_mode():
        torch.testing.assert_close(made(images), network(images), rtol=1e-4, atol=1e-4)
    depthwise = [
        sum(isinstance(m, nn.Conv2d) and m.groups > 1 for m in each.modules())
        for each in (made.branch, network.b1)
    ]
    assert depthwise[0] == depthwise[1]
    with torch.no_grad():
        next(network.b2.parameters()).add_(1)
    assert not hasattr(widened(network), "branch")
