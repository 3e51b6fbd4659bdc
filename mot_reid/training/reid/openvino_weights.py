"""An OSNet read back from OpenVINO's IR, as Open Model Zoo has it, for trainings that start from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mot_reid.appearance.osnet import OSBlock, OSNet
from mot_reid.extras import require

__all__ = ["osnet_state_from_openvino"]

_CONVOLUTIONS = ("Convolution", "GroupConvolution")


class _Convolution(NamedTuple):
    """One convolution of the graph.

    Attributes:
        weight: as PyTorch has it, (outputs, inputs / groups, h, w).
        bias: what is added to its output, (outputs,); None if nothing is.
    """

    weight: Tensor
    bias: Tensor | None


def osnet_state_from_openvino(path: Path | str, network: OSNet) -> dict[str, Tensor]:
    """The weights of an OSNet with normalised images out of an `.xml` file and its `.bin`.

    OpenVINO folds batch normalisations into convolutions and drops most names. The convolutions keep the
    order in which the network runs, so the order tells which is which; their shapes are compared. A folded
    normalisation becomes a mere shift, as in `mot_reid.training.reid.warm_start.osnet_from_onnx`.

    Args:
        path: such as Intel's person-reidentification-retail-0277.xml.
        network: an `OSNet(..., lct=True)` of the file's width.

    Returns:
        The state dict of the network, without the layers behind its last map.

    Raises:
        ImportError: openvino is not installed.
        ValueError: the file cannot be read, or is no such network.
    """
    openvino = require("openvino", f"{path}: to read it")
    try:
        operations = openvino.Core().read_model(str(path)).get_ordered_ops()
        graph = _Graph(operations)
        state = _entry(graph)
        for stage in ("conv2", "conv3", "conv4"):
            for index, module in enumerate(getattr(network, stage)):
                name = f"{stage}.{index}"
                if isinstance(module, OSBlock):
                    state |= _block(graph, name, module)
                else:
                    part = "0" if hasattr(module, "__getitem__") else ""
                    state |= _layer(graph.take(), f"{name}.{part}" if part else name)
        state |= _layer(graph.take(), "conv5")
    except (IndexError, KeyError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path}: not an OSNet with normalised images: {str(error)[:300]}") from error
    own = network.state_dict()
    wrong = [name for name, value in state.items() if name not in own or own[name].shape != value.shape]
    missing = [name for name in own if name not in state and not name.startswith("fc.")]
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if wrong or missing:
        raise ValueError(f"{path}: does not fit the network; wrong: {wrong[:3]}, missing: {missing[:3]}")
    return state


class _Graph:
    """The convolutions and normalisations of a graph, to be taken in the order in which they run."""

    def __init__(self, operations: list[Any]) -> None:
        self._convolutions: list[_Convolution] = []
        self.instance_norms: list[tuple[Tensor, Tensor]] = []
        self.group_norms: list[tuple[Tensor, Tensor]] = []
        for operation in operations:
            kind = operation.get_type_name()
            if kind in _CONVOLUTIONS:
                self._convolutions.append(_read_convolution(operation))
            elif kind == "MVN":
                rank = len(operation.output(0).get_partial_shape())
                scale, reshaped = _next_constant(operation, "Multiply")
                shift, _ = _next_constant(reshaped, "Add")
                norms = self.instance_norms if rank == 4 else self.group_norms
                norms.append((scale.flatten(), shift.flatten()))
        self._next = 0

    def take(self) -> _Convolution:
        """The next convolution."""
        self._next += 1
        return self._convolutions[self._next - 1]


def _entry(graph: _Graph) -> dict[str, Tensor]:
    (first, first_shift), (second, second_shift) = graph.instance_norms
    return {
        "in_first.weight": first,
        "in_first.bias": first_shift,
        "conv1.conv.weight": graph.take().weight,
        "conv1.bn.weight": second,
        "conv1.bn.bias": second_shift,
    }


def _block(graph: _Graph, name: str, block: OSBlock) -> dict[str, Tensor]:
    state = _layer(graph.take(), f"{name}.conv1")
    depths = {"conv2a": 1, "conv2b": 2, "conv2c": 3, "conv2d": 4}
    context = not hasattr(block.gate, "fc1")
    for stream, depth in depths.items():
        for step in range(depth):
            module = f"{name}.{stream}" if depth == 1 else f"{name}.{stream}.{step}"
            state[f"{module}.conv1.weight"] = graph.take().weight
            depthwise = graph.take()
            state[f"{module}.conv2.weight"] = depthwise.weight
            state |= _norm(depthwise, f"{module}.bn")
        if context:
            state[f"{name}.gate.gn.weight"], state[f"{name}.gate.gn.bias"] = graph.group_norms.pop(0)
        else:
            for layer in ("fc1", "fc2"):
                gate = graph.take()
                assert gate.bias is not None
                state[f"{name}.gate.{layer}.weight"], state[f"{name}.gate.{layer}.bias"] = (
                    gate.weight,
                    gate.bias,
                )
    state |= _layer(graph.take(), f"{name}.conv3")
    return state if block.downsample is None else state | _layer(graph.take(), f"{name}.downsample")


def _layer(convolution: _Convolution, name: str) -> dict[str, Tensor]:
    return {f"{name}.conv.weight": convolution.weight} | _norm(convolution, f"{name}.bn")


def _norm(convolution: _Convolution, name: str) -> dict[str, Tensor]:
    """The batch normalisation behind a convolution, as a mere shift (exact for eps = 1e-5)."""
    outputs = len(convolution.weight)
    bias = torch.zeros(outputs) if convolution.bias is None else convolution.bias
    ones = torch.ones(outputs)
    return {
        f"{name}.weight": ones,
        f"{name}.bias": bias,
        f"{name}.running_mean": torch.zeros(outputs),
        f"{name}.running_var": ones - 1e-5,
    }


def _read_convolution(operation: Any) -> _Convolution:
    weight = _constant(operation.input(1).get_source_output().get_node())
    if operation.get_type_name() == "GroupConvolution":  # (groups, outputs, inputs, h, w)
        weight = weight.flatten(0, 1)
    try:
        bias = _next_constant(operation, "Add")[0].flatten()
    except KeyError:
        bias = None
    return _Convolution(weight, bias)


def _next_constant(operation: Any, kind: str) -> tuple[Tensor, Any]:
    """The constant of the only following node of a kind (reshaping ones passed over), and that node."""
    targets = [target.get_node() for target in operation.output(0).get_target_inputs()]
    for target in targets:
        if target.get_type_name() == "Reshape":
            return _next_constant(target, kind)
        if target.get_type_name() == kind:
            for side in target.inputs():
                node = side.get_source_output().get_node()
                if node.get_type_name() in ("Constant", "Convert"):
                    return _constant(node), target
    raise KeyError(f"no {kind} with a constant behind {operation.get_friendly_name()}")


def _constant(node: Any) -> Tensor:
    """A constant's values, through the conversion from half precision."""
    if node.get_type_name() == "Convert":
        node = node.input(0).get_source_output().get_node()
    return torch.from_numpy(np.array(node.get_data(), np.float32))
