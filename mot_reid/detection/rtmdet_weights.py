"""Weights of RTMDet-nano: read from OpenMMLab's export, saved and loaded as safetensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from mot_reid.detection.rtmdet import RtmDet

__all__ = ["from_openmmlab"]


def from_openmmlab(path: Path) -> RtmDet:
    """The network with the weights of an OpenMMLab export, ``rtmdet_nano_person.onnx``.

    The convolutions of both are in the order in which they are computed; that is how they are matched.

    Args:
        path: the ``.onnx`` file.

    Raises:
        ImportError: the package ``onnx`` is not installed.
        ValueError: it is no RTMDet-nano of one class.
    """
    try:
        import onnx
    except ImportError:
        raise ImportError("to read it needs the package onnx: pip install 'mot_reid[train]'") from None
    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:  # of protobuf, onnx or the disk
        raise ValueError(f"{path}: not an ONNX file: {' '.join(str(error).split())[:200]}") from None
    constants = {constant.name: constant for constant in graph.initializer}
    given = [[constants.get(name) for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"]
    network = RtmDet()
    wanted = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    if len(given) != len(wanted) or any(len(pair) != 2 or None in pair for pair in given):
        raise ValueError(f"{path}: expected {len(wanted)} convolutions with bias, as RTMDet-nano has")
    with torch.no_grad():
        for module, pair in zip(wanted, given, strict=True):
            weight, bias = (np.array(onnx.numpy_helper.to_array(constant)) for constant in pair)
            if weight.shape != tuple(module.weight.shape):
                raise ValueError(
                    f"{path}: expected RTMDet-nano's weights {tuple(module.weight.shape)}, got {weight.shape}"
                )
            module.weight.copy_(torch.from_numpy(weight))
            assert module.bias is not None
            module.bias.copy_(torch.from_numpy(bias))
    return network.eval()
