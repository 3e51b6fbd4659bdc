"""The networks that can be trained, by their settings, and the file that a tracker takes."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from mot_reid.appearance.backbones import HEAD_PREFIXES, build_backbone, split_backbone
from mot_reid.appearance.checkpoints import save_checkpoint
from mot_reid.appearance.crops import IMAGENET_MEAN, IMAGENET_STD
from mot_reid.appearance.mgn import GLOBAL_HEADS, MGN, MGNOutput, Pooling
from mot_reid.extras import require
from mot_reid.files import atomic
from mot_reid.training.reid.settings import NetworkSettings

__all__ = [
    "AlignedNetwork",
    "Network",
    "StripNetwork",
    "body_of",
    "build_network",
    "embedder_file",
    "save_embedder",
    "whole_body_features",
]

PCB_STRIPS = 6
# How steeply a part's mask falls with the distance from its place at first: a strip with soft edges.
_STEEPNESS = 8.0


class StripNetwork(nn.Module):
    """A backbone whose map is cut into horizontal strips, one feature each.

    With six strips it is PCB (Sun et al., "Beyond Part Models", ECCV 2018, arXiv:1711.09349), with one the
    plain network of representation and metric learning. The map has a stride of 16 pixels, as PCB's.

    Args:
        backbone: one of `mot_reid.appearance.backbones.BACKBONES`.
        strips: how many.
        reduced_dim: length of each feature.
        num_classes: identities to classify while training; 0 leaves the classifiers out.
        relu: whether a ReLU ends the features.
    """

    def __init__(
        self, backbone: str, strips: int, reduced_dim: int, num_classes: int = 0, relu: bool = True
    ) -> None:
        super().__init__()
        split = split_backbone(backbone)
        self.backbone, self.strips, self.dim = backbone, strips, strips * reduced_dim
        self.stem, self.branch = split.stem, split.branch(False)
        self.reductions = nn.ModuleList(_reduction(split.channels, reduced_dim, relu) for _ in range(strips))
        self.classifiers = nn.ModuleList(
            _classifier(reduced_dim, num_classes) for _ in range(strips if num_classes else 0)
        )

    def features(self, x: Tensor) -> tuple[Tensor, ...]:
        """(N, reduced_dim) of each strip, from top to bottom, of images (N, 3, H, W)."""
        rows = self.branch(self.stem(x)).chunk(self.strips, dim=2)
        if len(rows) != self.strips:
            raise ValueError(f"an input {x.shape[2]} pixels high gives fewer rows than {self.strips} strips")
        return tuple(
            reduction(strip.mean(dim=(2, 3), keepdim=True)).flatten(1)
            for reduction, strip in zip(self.reductions, rows, strict=True)
        )

    def embed(self, x: Tensor) -> Tensor:
        """The (N, dim) features in a row of images (N, 3, H, W), not normalised."""
        return torch.cat(self.features(x), dim=1)

    def forward(self, x: Tensor) -> Tensor | MGNOutput:
        """Embed images (N, 3, H, W): (N, dim), not normalised; an `MGNOutput` in training mode."""
        if not self.training:
            return self.embed(x)
        features = self.features(x)
        logits = tuple(fc(feature) for fc, feature in zip(self.classifiers, features, strict=False))
        return MGNOutput(features, logits)

    def load_backbone(self, state: Mapping[str, Tensor]) -> None:
        """Start from the weights of a plain backbone; see `mot_reid.appearance.mgn.MGN.load_backbone`."""
        network = build_backbone(self.backbone)
        own = network.state_dict()
        network.load_state_dict(
            {name: own[name] for name in own if name.startswith(HEAD_PREFIXES)}
            | {name: value for name, value in state.items() if not name.startswith(HEAD_PREFIXES)}
        )
        split = split_backbone(self.backbone, network)
        self.stem.load_state_dict(split.stem.state_dict())
        self.branch.load_state_dict(split.branch(False).state_dict())


class AlignedNetwork(StripNetwork):
    """A backbone with one feature of the whole body and one of each part, pooled by masks that are learnt.

    Each place of the map belongs, in shares, to one of the parts or to the background, which has no feature:
    a softmax over 1x1 convolutions of the map (Zhao et al., "Deeply-Learned Part-Aligned Representations",
    ICCV 2017, arXiv:1707.07256, have such attention without the competition). To begin with the masks are
    soft strips, one below the other, from where they may follow the body.

    Args:
        backbone: one of `mot_reid.appearance.backbones.BACKBONES`.
        parts: how many.
        reduced_dim: length of each feature.
        num_classes: identities to classify while training; 0 leaves the classifiers out.
        relu: whether a ReLU ends the features.
    """

    def __init__(
        self, backbone: str, parts: int, reduced_dim: int, num_classes: int = 0, relu: bool = True
    ) -> None:
        super().__init__(backbone, parts + 1, reduced_dim, num_classes, relu)
        reduction = cast(nn.Sequential, self.reductions[0])
        channels = cast(nn.Conv2d, reduction[0]).in_channels
        self.masks = nn.Conv2d(channels, parts + 1, 1, bias=False)
        nn.init.normal_(self.masks.weight, std=0.001)
        self.places = nn.Parameter((torch.arange(parts) + 0.5) / parts)

    def part_masks(self, fmap: Tensor) -> Tensor:
        """The share (N, parts + 1, H, W) that each place of a map (N, C, H, W) has in each part.

        The last one is the background's.
        """
        height = fmap.shape[2]
        rows = (torch.arange(height, device=fmap.device, dtype=fmap.dtype) + 0.5) / height
        distance = (rows[None, :] - self.places[:, None].to(fmap.dtype)).abs()
        prior = 1 - _STEEPNESS * distance  # the background's is 0: nowhere the likeliest to begin with
        prior = torch.cat((prior, torch.zeros_like(prior[:1])))
        return (self.masks(fmap) + prior[None, :, :, None]).softmax(dim=1)

    def features(self, x: Tensor) -> tuple[Tensor, ...]:
        """(N, reduced_dim) of the whole and of each part, of images (N, 3, H, W)."""
        fmap = self.branch(self.stem(x))
        masks = self.part_masks(fmap)[:, :-1].flatten(2)
        sums = masks @ fmap.flatten(2).transpose(1, 2)  # (N, parts, C)
        means = sums / masks.sum(dim=2, keepdim=True).clamp_min(1e-4)
        pooled = (fmap.mean(dim=(2, 3)), *means.unbind(dim=1))
        return tuple(
            reduction(value[:, :, None, None]).flatten(1)
            for reduction, value in zip(self.reductions, pooled, strict=True)
        )


Network = MGN | StripNetwork


def build_network(settings: NetworkSettings, num_classes: int = 0) -> Network:
    """The network of these settings, with random weights.

    Raises:
        ValueError: an unknown backbone.
    """
    if settings.architecture == "mgn":
        return MGN(
            settings.backbone,
            settings.reduced_dim,
            num_classes,
            settings.relu,
            pooling=cast(Pooling, settings.pooling),
            global_stride=settings.global_stride,
            bnneck=settings.bnneck,
            wide_softmax=settings.wide_softmax,
        )
    if settings.architecture == "aligned":
        return AlignedNetwork(settings.backbone, PCB_STRIPS, settings.reduced_dim, num_classes, settings.relu)
    strips = PCB_STRIPS if settings.architecture == "pcb" else 1
    return StripNetwork(settings.backbone, strips, settings.reduced_dim, num_classes, settings.relu)


def body_of(network: Network) -> nn.ModuleList:
    """The stem and the branches: what comes before the heads."""
    branches = [network.b1, network.b2, network.b3] if isinstance(network, MGN) else [network.branch]
    return nn.ModuleList([network.stem, *branches])


def whole_body_features(network: nn.Module, output: MGNOutput) -> tuple[Tensor, ...]:
    """The features that triplets and pairs compare: those of the whole body.

    Of MGN the three global ones (arXiv:1804.01438): a misaligned strip of the same person may well look
    different. Of the aligned network it is the first one. PCB has none, so that all strips in a row stand for
    it.
    """
    if isinstance(network, MGN):
        return output.features[:GLOBAL_HEADS]
    if isinstance(network, AlignedNetwork):
        return output.features[:1]
    return (torch.cat(output.features, dim=1),)


def embedder_file(folder: Path, settings: NetworkSettings) -> Path:
    """What a training writes for the tracker: `embedder.safetensors` for MGN, `embedder.onnx` for others."""
    return folder / f"embedder.{'safetensors' if settings.architecture == 'mgn' else 'onnx'}"


def save_embedder(path: Path, network: nn.Module, size: tuple[int, int], notes: Mapping[str, Any]) -> None:
    """Write a network as the tracker's embedder, whole or not at all.

    Args:
        path: see `embedder_file`.
        network: in evaluation mode.
        size: (h, w) in pixels of its input.
        notes: what else to keep in the file, as JSON can hold it.

    Raises:
        ImportError: onnx is needed and not installed.
    """
    with atomic(path) as part:
        if isinstance(network, MGN):
            save_checkpoint(part, network, input_size=size, notes=notes)
        else:
            _export(part, copy.deepcopy(network).cpu(), size, notes)


def _export(path: Path, network: nn.Module, size: tuple[int, int], notes: Mapping[str, Any]) -> None:
    onnx = require("onnx", "saving this architecture")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's advice to use another exporter
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, *size),),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=["images"],
            output_names=["embeddings"],
            dynamic_axes={"images": {0: "n"}, "embeddings": {0: "n"}},
        )
    model = onnx.load(str(path))
    entries = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD, "notes": dict(notes)}
    onnx.helper.set_model_props(model, {name: json.dumps(value) for name, value in entries.items()})
    onnx.save(model, str(path))


def _reduction(channels: int, reduced_dim: int, relu: bool) -> nn.Sequential:
    conv = nn.Conv2d(channels, reduced_dim, 1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_in")
    layers: list[nn.Module] = [conv, nn.BatchNorm2d(reduced_dim)]
    return nn.Sequential(*layers, nn.ReLU()) if relu else nn.Sequential(*layers)


def _classifier(reduced_dim: int, num_classes: int) -> nn.Linear:
    linear = nn.Linear(reduced_dim, num_classes, bias=False)
    nn.init.normal_(linear.weight, std=0.001)
    return linear
