"""What is replaced in a detector before its export."""

from copy import deepcopy

import torch

from mot_reid.detection.streamlined import streamline
from mot_reid.detection.yolo import import_ultralytics, load_ultralytics
from mot_reid.resources import shipped


def test_the_boxes_stay_where_they_are() -> None:
    import_ultralytics()
    from ultralytics.nn.modules.block import DFL, C2f

    network = load_ultralytics(shipped("weights") / "person_yolo11n.pt").model
    network = network.float().eval().fuse(verbose=False)
    lean = deepcopy(network)
    streamline(lean)
    images = torch.rand(2, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        (wanted, *_), (found, *_) = network(images), lean(images)
    assert wanted.shape == (2, 5, 252)
    torch.testing.assert_close(found, wanted, rtol=0, atol=5e-4)
    replaced = [sum(isinstance(module, DFL | C2f) for module in each.modules()) for each in (network, lean)]
    assert replaced == [9, 0]
