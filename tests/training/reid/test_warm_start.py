import os
from pathlib import Path

import numpy as np
import pytest
import torch

from mot_reid.appearance.backbones import OSNet
from mot_reid.appearance.checkpoints import save_checkpoint
from mot_reid.appearance.mgn import MGN
from mot_reid.training.reid.warm_start import (
    backbone_state,
    blend_backbone,
    osnet_from_onnx,
    restore_batch_norm,
    start_from,
)


@pytest.fixture
def model() -> MGN:
    return MGN("osnet_x0_25", reduced_dim=8, num_classes=3)


def shared_weights(name: str) -> Path:
    data = os.environ.get("MOT_REID_DATA")
    if not data:
        pytest.skip("MOT_REID_DATA is not set")
    path = Path(data).parent / "weights" / name
    if not path.exists():
        pytest.skip(f"{path} does not exist")
    return path


def test_start_from_a_plain_state_dict_in_any_wrapping(model: MGN, tmp_path: Path) -> None:
    plain = OSNet(0.25).state_dict()
    wrapped = {f"module.{name}": value.half() for name, value in plain.items()}
    wrapped["module.classifier.weight"] = torch.zeros(4, 512)
    torch.save({"state_dict": wrapped, "epoch": 3}, tmp_path / "osnet.pth.tar")
    start_from(model, tmp_path / "osnet.pth.tar")
    assert torch.allclose(model.b2[2].conv.weight, plain["conv5.conv.weight"], atol=1e-3)


def test_start_from_our_checkpoint_keeps_the_classifiers(model: MGN, tmp_path: Path) -> None:
    other = MGN("osnet_x0_25", reduced_dim=8)
    save_checkpoint(tmp_path / "a.safetensors", other, input_size=(96, 48), half=False)
    classifier = model.classifiers[0].weight.detach().clone()
    start_from(model, tmp_path / "a.safetensors")
    assert torch.equal(model.reductions[0][0].weight, other.reductions[0][0].weight)
    assert torch.equal(model.classifiers[0].weight, classifier)


def test_weights_that_do_not_fit_are_refused(model: MGN, tmp_path: Path) -> None:
    torch.save(OSNet(1.0).state_dict(), tmp_path / "wide.pth")
    with pytest.raises(ValueError, match=r"wide\.pth does not fit the network"):
        start_from(model, tmp_path / "wide.pth")
    save_checkpoint(tmp_path / "a.safetensors", MGN("osnet_x0_25", reduced_dim=4), input_size=(96, 48))
    with pytest.raises(ValueError, match=r"a\.safetensors does not fit"):
        start_from(model, tmp_path / "a.safetensors")


@pytest.mark.parametrize("content", [b"", b"no protobuf at all", bytes(100)])
def test_a_file_that_is_no_osnet(model: MGN, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.onnx: not an exported OSNet"):
        start_from(model, tmp_path / "bad.onnx")


def test_restored_batch_norm_computes_the_same_and_knows_its_input() -> None:
    torch.manual_seed(0)
    network = OSNet(0.25).eval()
    images = torch.rand(8, 3, 96, 48) * 3 + 1
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.bias.normal_(std=0.1)
        before = network(images)
        restore_batch_norm(network, images.split(4))
        assert torch.allclose(network(images), before, atol=1e-3)
        seen = network.conv1.conv(images)
    norm = network.conv1.bn
    assert torch.allclose(norm.running_mean, seen.mean(dim=(0, 2, 3)), atol=1e-4)
    assert torch.allclose(norm.running_var, seen.var(dim=(0, 2, 3), correction=0), rtol=1e-3)


def test_blend_lies_between_and_measures_its_statistics(model: MGN) -> None:
    torch.manual_seed(0)
    start = backbone_state(model)
    assert not any(name.startswith(("reductions", "classifiers")) for name in start)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    images = torch.randn(8, 3, 96, 48)
    blended = blend_backbone(model, start, 0.25, images.split(4))
    weight = model.stem[0].conv.weight
    assert torch.allclose(blended.stem[0].conv.weight, 0.75 * weight + 0.25 * start["stem.0.conv.weight"])
    assert torch.equal(blended.reductions[0][0].weight, model.reductions[0][0].weight)
    with torch.no_grad():
        seen = blended.stem[0].conv(images)
    assert torch.allclose(blended.stem[0].bn.running_mean, seen.mean(dim=(0, 2, 3)), atol=1e-4)
    assert not blended.training


def test_blend_takes_a_start_on_another_device(model: MGN) -> None:
    start = backbone_state(model)
    blended = blend_backbone(model.to("meta"), start, 0.25, [])
    assert blended.stem[0].conv.weight.device.type == "meta"


def test_blend_with_frozen_norms_measures_the_heads_only(model: MGN) -> None:
    torch.manual_seed(0)
    start = backbone_state(model)
    images = torch.randn(8, 3, 96, 48)
    blended = blend_backbone(model, start, 0.5, images.split(4), frozen_norms=True)
    assert torch.equal(blended.stem[0].bn.running_mean, start["stem.0.bn.running_mean"])
    with torch.no_grad():
        seen = blended.reductions[0][0](blended.pooled(images)[0])
    assert torch.allclose(blended.reductions[0][1].running_mean, seen.mean(dim=(0, 2, 3)), atol=1e-4)


@pytest.mark.data
def test_the_teachers_own_backbone_loads_by_name() -> None:
    import onnx
    import onnxruntime

    path = shared_weights("person-reidentification-retail-0267.onnx")
    model = MGN("osnet_lct_x0_5", reduced_dim=8).eval()
    start_from(model, path)
    # Up to its last map the file computes the same: make that map an output.
    whole = onnx.load(path)
    last = next(node.input[0] for node in whole.graph.node if "global_avgpool.weight" in node.input)
    whole.graph.output.append(onnx.helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(whole.SerializeToString(), options)
    image = np.random.default_rng(0).normal(size=(1, 3, 256, 128)).astype(np.float32)
    (expected,) = session.run([last], {session.get_inputs()[0].name: image})
    with torch.no_grad():
        found = model.b2(model.stem(torch.from_numpy(image))).numpy()
    assert found == pytest.approx(expected, abs=1e-3)


def test_an_onnx_file_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.onnx.export(torch.nn.Flatten(), (torch.zeros(1, 3),), tmp_path / "f.onnx", dynamo=False)
    with pytest.raises(ValueError, match=r"no tensors .*conv1"):
        start_from(MGN("osnet_lct_x0_5", reduced_dim=8), tmp_path / "f.onnx")


@pytest.mark.data
def test_osnet_read_from_onnx_computes_what_onnxruntime_computes() -> None:
    import onnxruntime

    path = shared_weights("osnet_x0_25_msmt17.onnx")
    network = osnet_from_onnx(path)
    images = np.random.default_rng(0).normal(size=(2, 3, 256, 128)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"images": images})
    with torch.no_grad():
        assert network(torch.from_numpy(images)).numpy() == pytest.approx(expected, abs=1e-3)


@pytest.mark.data
def test_torchreids_osnet_loads_by_name() -> None:
    path = shared_weights("osnet_x1_0_msmt17_fp16.pth")
    start_from(MGN("osnet_x1_0", reduced_dim=8), path)
