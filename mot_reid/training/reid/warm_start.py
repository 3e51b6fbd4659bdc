"""Where a training starts from: our checkpoints, plain backbones, or an exported OSNet (ONNX)."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from mot_reid.appearance.backbones import OSNet, build_backbone
from mot_reid.appearance.checkpoints import load_checkpoint, read_tensors
from mot_reid.extras import require
from mot_reid.resources import weights_kind
from mot_reid.training.reid.networks import Network
from mot_reid.training.reid.openvino_weights import osnet_state_from_openvino


def start_from(model: Network, path: Path | str, samples: Iterable[Tensor] = ()) -> None:
    """Give a network the weights of a file; classifiers keep theirs.

    Args:
        model: the network to start.
        path: by its suffix: `.safetensors`, a checkpoint of ours with the same architecture; `.onnx`, an
            exported OSNet for all three branches (with the tensors' own names for `osnet_lct_x0_5`, as
            Intel's person-reidentification-retail-0267 has them); `.xml`, OpenVINO's IR of an OSNet with
            normalised images (`osnet_lct_x1_0`: Intel's person-reidentification-retail-0277); anything else,
            a PyTorch state dict of the plain backbone.
        samples: batches (N, 3, H, W) of normalised images, to measure what the batch normalisations see; used
            only for ONNX and OpenVINO, where they were folded away.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file does not fit the network.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no such initial weights: {path}")
    try:
        if weights_kind(path) == "safetensors":
            model.load_state_dict(
                load_checkpoint(path).module.state_dict()
                | {name: tensor for name, tensor in model.state_dict().items() if "classifiers." in name}
            )
        elif weights_kind(path) == "onnx" and model.backbone.startswith("osnet_lct"):
            model.load_backbone(_named_state(path, model.backbone))
        elif path.suffix == ".xml":
            network = build_backbone(model.backbone)
            if not isinstance(network, OSNet) or not network.lct:
                raise ValueError(f"{path}: holds an OSNet with normalised images, not {model.backbone}")
            network.load_state_dict(network.state_dict() | osnet_state_from_openvino(path, network))
            restore_batch_norm(network, samples)
            model.load_backbone(network.state_dict())
        elif weights_kind(path) == "onnx":
            network = osnet_from_onnx(path)
            restore_batch_norm(network, samples)
            model.load_backbone(network.state_dict())
        else:
            model.load_backbone(plain_state(path))
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit the network: {str(error)[:300]}") from error


def plain_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a PyTorch state dict of a plain backbone (torchreid's names), classifiers left out."""
    tensors = {name.removeprefix("module."): tensor for name, tensor in read_tensors(path).items()}
    return {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
        if not name.startswith("classifier.")
    }


def _named_state(path: Path, backbone: str) -> dict[str, Tensor]:
    """A backbone's tensors out of an ONNX file that kept their names; what the file lacks stays as it is."""
    _, tensors = _read_onnx(path)
    state = build_backbone(backbone).state_dict()
    missing = [name for name in state if name not in tensors and not name.endswith("num_batches_tracked")]
    if missing:
        raise ValueError(f"no tensors {', '.join(missing[:3])} ({len(missing)} are missing)")
    return state | {name: tensors[name] for name in state if name in tensors}


def osnet_from_onnx(path: Path | str) -> OSNet:
    """Read torchreid's OSNet back from its ONNX export, in which convolutions have swallowed batch norms.

    Every batch norm becomes a shift by the convolution's bias, so that the evaluation output is the export's.
    Call `restore_batch_norm` before training.

    Args:
        path: an ONNX file whose nodes are named after the modules, as PyTorch's exporter names them.

    Raises:
        ValueError: if the file is not such an OSNet.
    """
    try:
        nodes, tensors = _read_onnx(Path(path))
        first = tensors[next(node for node in nodes if node.kind == "Conv").inputs[1]]
        network = OSNet(width=first.shape[0] / 64)
        state = network.state_dict()
        loaded: dict[str, Tensor] = {}
        for node in nodes:
            parameters = [tensors[name] for name in node.inputs[1:] if name in tensors]
            module = _module_path(node.name)
            if node.kind in ("Conv", "Gemm"):
                loaded[f"{module}.weight"] = parameters[0]
                if len(parameters) == 2:
                    own = f"{module}.bias" in state
                    loaded |= {f"{module}.bias": parameters[1]} if own else _shift(module, parameters[1])
            elif node.kind == "BatchNormalization":
                fields = ("weight", "bias", "running_mean", "running_var")
                loaded |= {f"{module}.{field}": p for field, p in zip(fields, parameters, strict=True)}
        network.load_state_dict(
            loaded | {name: value for name, value in state.items() if "num_batches_tracked" in name}
        )
    except (IndexError, KeyError, RuntimeError, StopIteration, ValueError) as error:
        raise ValueError(f"{path}: not an exported OSNet: {str(error)[:300]}") from error
    return network.eval()


def _shift(module: str, bias: Tensor) -> dict[str, Tensor]:
    """The batch norm behind a convolution, as a mere shift (exact for eps = 1e-5)."""
    norm = f"{module.rpartition('.')[0]}.bn"
    ones = torch.ones_like(bias)
    return {
        f"{norm}.weight": ones,
        f"{norm}.bias": bias,
        f"{norm}.running_mean": torch.zeros_like(bias),
        f"{norm}.running_var": ones - 1e-5,
    }


def restore_batch_norm(network: nn.Module, samples: Iterable[Tensor]) -> None:
    """Give every 2-d batch norm the statistics of its input, without changing what the network computes.

    A folded batch norm is a shift with statistics 0 and 1: harmless in evaluation, but training would replace
    them by the batch's and scramble the weights. Here each gets the measured mean and variance, with the
    scale and shift that undo them.

    Args:
        network: the network, in evaluation mode afterwards.
        samples: batches (N, 3, H, W) that look like the training's.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    sums = {norm: torch.zeros(3, norm.num_features, dtype=torch.float64) for norm in norms}

    def measure(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0].double().transpose(0, 1).flatten(1)
        count = torch.full((x.shape[0],), x.shape[1], dtype=torch.float64)
        sums[cast(nn.BatchNorm2d, norm)] += torch.stack((count, x.sum(1), x.square().sum(1)))

    hooks = [norm.register_forward_pre_hook(measure) for norm in norms]
    network.eval()
    with torch.no_grad():
        for batch in samples:
            network(batch)
        for norm in norms:
            count, total, squares = sums[norm]
            if not bool(count.all()):
                continue
            mean = total / count
            variance = (squares / count - mean.square()).clamp_min(1e-8)
            # y = (x - m0) * s0 + b0 now; find scale and shift for the new m and v with the same y.
            old_mean, old_var = _running(norm)
            scale = norm.weight.double() / torch.sqrt(old_var.double() + norm.eps)
            norm.bias.copy_(norm.bias.double() + (mean - old_mean.double()) * scale)
            norm.weight.copy_(scale * torch.sqrt(variance + norm.eps))
            old_mean.copy_(mean)
            old_var.copy_(variance)
    for hook in hooks:
        hook.remove()


def backbone_state(model: nn.Module) -> dict[str, Tensor]:
    """Copies of the floating tensors of the stem and the branches."""
    return {
        name: value.detach().clone()
        for name, value in model.state_dict().items()
        if value.is_floating_point() and not name.startswith(("reductions.", "classifiers."))
    }


@torch.no_grad()
def blend_backbone(
    model: Network,
    start: Mapping[str, Tensor],
    share: float,
    samples: Iterable[Tensor],
    frozen_norms: bool = False,
) -> Network:
    """A copy of a trained network, its backbone drawn back towards the weights that it started from.

    On the straight line between pretrained and fine-tuned weights lie networks that know both worlds better
    (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022). Statistics of batch norms do not
    blend, so they are measured anew.

    Args:
        model: the trained network.
        start: the `backbone_state` before training.
        share: of the start, 0 to 1.
        samples: batches (N, 3, H, W) that look like the training's.
        frozen_norms: whether the backbone's batch norms kept the start's statistics: they do so here, too,
            and only those of the heads are measured.

    Returns:
        The blended copy, in evaluation mode.
    """
    model = copy.deepcopy(model)
    state = model.state_dict()
    for name, value in start.items():
        state[name].lerp_(value.to(state[name].device), share)
    measured: nn.Module = model.reductions if frozen_norms else model
    norms = [module for module in measured.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    model.eval()
    measured.train()
    for batch in samples:
        model.embed(batch)
    for norm in norms:
        norm.momentum = 0.1
    return model.eval()


def _running(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var


class _Node(NamedTuple):
    name: str
    kind: str
    inputs: list[str]


def _module_path(node: str) -> str:
    """`/conv2/conv2.0/conv1/conv/Conv` is a node of the module `conv2.0.conv1.conv`."""
    parts: list[str] = []
    for scope in node.strip("/").split("/")[:-1]:
        if parts and scope.startswith(f"{parts[-1]}."):
            parts.pop()
        parts.append(scope)
    return re.sub(r"_\d+$", "", ".".join(parts))  # later calls of one module are numbered: fc1_1


def _read_onnx(path: Path) -> tuple[list[_Node], dict[str, Tensor]]:
    """Nodes and float tensors of an ONNX file."""
    onnx = require("onnx", f"{path}: to start from it")
    try:
        graph = onnx.load(path).graph
    except Exception as error:  # protobuf's own exceptions differ between its builds
        raise ValueError(str(error)) from error
    nodes = [_Node(node.name, node.op_type, list(node.input)) for node in graph.node]
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    floats = {name: array for name, array in arrays.items() if array.dtype == np.float32}
    return nodes, {name: torch.from_numpy(array.copy()) for name, array in floats.items()}
