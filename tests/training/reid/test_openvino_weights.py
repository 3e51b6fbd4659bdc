from pathlib import Path

import numpy as np
import pytest
import torch

from mot_reid.appearance.mgn import MGN
from mot_reid.appearance.osnet import OSNet
from mot_reid.training.reid.openvino_weights import osnet_state_from_openvino
from mot_reid.training.reid.warm_start import start_from

openvino = pytest.importorskip("openvino")


def last_map(network: OSNet, x: torch.Tensor) -> torch.Tensor:
    x = network.conv3(network.conv2(network.maxpool(network.conv1(network.in_first(x)))))
    return network.conv5(network.conv4(x))


@pytest.mark.filterwarnings("ignore")
def test_something_else_is_refused(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU())
    onnx = tmp_path / "plain.onnx"
    torch.onnx.export(network, (torch.zeros(1, 3, 64, 32),), str(onnx), dynamo=False, opset_version=17)
    openvino.save_model(openvino.convert_model(str(onnx)), str(tmp_path / "plain.xml"))
    with pytest.raises(ValueError, match=r"plain\.xml: not an OSNet with normalised images"):
        osnet_state_from_openvino(tmp_path / "plain.xml", OSNet(0.5, 16, lct=True))
    model = MGN("osnet_x0_25", 4)
    with pytest.raises(ValueError, match="not osnet_x0_25"):
        start_from(model, tmp_path / "plain.xml")


@pytest.mark.data
def test_intel_0277_keeps_its_map(data: Path) -> None:
    path = data.parent / "weights" / "person-reidentification-retail-0277.xml"
    network = OSNet(1.0, 256, lct=True).eval()
    network.load_state_dict(network.state_dict() | osnet_state_from_openvino(path, network))
    model = openvino.Core().read_model(str(path))
    theirs = next(node for node in model.get_ordered_ops() if node.get_friendly_name() == "1126")
    model.add_outputs([theirs.output(0)])
    run = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    bgr = np.random.default_rng(0).integers(0, 256, (1, 3, 256, 128)).astype(np.float32)
    expected = run(bgr)[run.outputs[1]]
    rgb = torch.from_numpy(bgr[:, ::-1].copy()) / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        found = last_map(network, (rgb - mean) / std).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-3)
