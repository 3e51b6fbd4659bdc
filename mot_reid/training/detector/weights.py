"""Weights of Ultralytics' detection models: cut down to people, averaged, folded, saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from mot_reid.training.saved import write_state

__all__ = ["average", "blend", "fold_normalisation", "person_only", "save_checkpoint"]


def person_only(model: torch.nn.Module) -> torch.nn.Module:
    """A copy of an Ultralytics detection model, cut down to class 0.

    Only the last convolution of the classification branch knows the classes; of it the first channel stays.
    The branch keeps its width (a model built for one class would have a narrower one), so no score changes.
    Of YOLO26's two heads the one that is trained with ten anchors a person stays, not the one that needs no
    suppression.

    Args:
        model: an Ultralytics ``DetectionModel``, for instance one trained on COCO, whose class 0 is person.
    """
    cut: Any = deepcopy(model).float()
    head = cut.model[-1]
    for branch in head.cv3:
        last = branch[-1]
        kept = torch.nn.Conv2d(last.in_channels, 1, kernel_size=1)
        kept.load_state_dict({"weight": last.weight[:1].float(), "bias": last.bias[:1].float()})
        branch[-1] = kept
    if getattr(head, "one2one_cv2", None) is not None:
        head.one2one_cv2 = head.one2one_cv3 = None
        head.end2end = False
        cut.yaml = {**cut.yaml, "end2end": False}
    head.nc = cut.nc = 1
    head.no = 1 + 4 * head.reg_max
    cut.names = {0: "person"}
    cut.yaml = {**cut.yaml, "nc": 1}
    return cut


def blend(start: torch.nn.Module, tuned: torch.nn.Module, tuned_share: float) -> torch.nn.Module:
    """A copy of ``tuned`` with the weights ``(1 - tuned_share) * start + tuned_share * tuned``."""
    mixed = deepcopy(tuned).float()
    before = start.float().state_dict()
    state = mixed.state_dict()
    for name, value in state.items():
        if value.is_floating_point():
            value.lerp_(before[name], 1 - tuned_share)
    return mixed


def average(models: Sequence[torch.nn.Module]) -> torch.nn.Module:
    """A model whose weights are the mean of those of the ``models``, which have the same layers."""
    mean = models[0]
    for number, model in enumerate(models[1:], 2):
        mean = blend(mean, model, 1 / number)
    return mean


def fold_normalisation(model: torch.nn.Module) -> None:
    """Moves batch normalisation into the convolutions before it, in place; what is left is the identity.

    Rounded to half precision afterwards, convolutions are the same with normalisation and fused with it: an
    export can store them so, and gives the boxes that the checkpoint gives.
    """
    for module in model.modules():
        if not isinstance(getattr(module, "bn", None), torch.nn.BatchNorm2d):
            continue
        convolution: Any = module.conv
        norm: Any = module.bn
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        with torch.no_grad():
            convolution.weight.mul_(scale[:, None, None, None])
            norm.bias.sub_(norm.running_mean * scale)
            norm.weight.fill_(1)
        norm.running_mean.zero_()
        norm.running_var.fill_(1)
        norm.eps = 0.0


def save_checkpoint(model: torch.nn.Module, path: Path, settings: Mapping[str, Any]) -> None:
    """Writes a model as Ultralytics loads it: half precision, normalisation folded, no path of this machine.

    Args:
        model: an Ultralytics ``DetectionModel``.
        path: the ``.pt`` file to write; it appears only when it is whole.
        settings: how it was trained, kept beside the weights.
    """
    bare: Any = deepcopy(model).float().eval().requires_grad_(False)
    fold_normalisation(bare)
    bare.half()
    bare.criterion = bare.pt_path = None
    bare.args = {"task": "detect", "imgsz": settings.get("image_size", 640)}
    path.parent.mkdir(parents=True, exist_ok=True)
    licence = "AGPL-3.0 (https://ultralytics.com/license)"
    about = {"train_args": dict(bare.args), "settings": dict(settings), "license": licence}
    write_state(path, {"model": bare, **about})
