"""The optimiser, the precision of its arithmetic, and where the crops lie meanwhile."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mot_reid.training.reid.settings import TrainingSettings
from mot_reid.typing import Crops

__all__ = ["autocast_type", "build_optimiser", "on_device"]


def build_optimiser(module: nn.Module, body: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """The optimiser of a module's parameters that learn; those of its body at a share of the rate."""
    inside = set(body.parameters())
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in learning if p in inside], "share": settings.optimiser.backbone_rate},
        {"params": [p for p in learning if p not in inside], "share": 1.0},
    ]
    rate, decay = settings.optimiser.learning_rate, settings.optimiser.weight_decay
    if settings.optimiser.name == "sgd":
        return torch.optim.SGD(groups, rate, momentum=0.9, weight_decay=decay)
    kind = torch.optim.Adam if settings.optimiser.name == "adam" else torch.optim.AdamW
    return kind(groups, rate, weight_decay=decay)


def autocast_type(precision: str, device: torch.device) -> torch.dtype | None:
    """The type of mixed precision, None for plain float32."""
    if precision == "fp32" or (precision == "auto" and device.type != "cuda"):
        return None
    if precision == "auto":
        with torch.cuda.device(device):
            native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    return torch.bfloat16 if precision == "bf16" else torch.float16


def on_device(images: Crops, device: torch.device, share: float = 0.5) -> Tensor:
    """Crops as a uint8 tensor: on a CUDA device if they take no more than a share of its free memory."""
    tensor = torch.from_numpy(images)
    if device.type != "cuda" or images.nbytes > share * torch.cuda.mem_get_info(device)[0]:
        return tensor
    return tensor.to(device)
