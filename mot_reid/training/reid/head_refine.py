"""Heads that learn a teacher's embedding from pooled maps alone, while the backbone stays as it is.

A step costs a matrix product, not a pass through the network: the maps are pooled once and kept.
"""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from mot_reid.appearance.mgn import HEADS, MGN
from mot_reid.training.reid.losses import distillation_loss

__all__ = ["Heads", "install_heads", "learn_heads"]


class Heads(NamedTuple):
    """Linear heads of an MGN.

    Attributes:
        weight: (8, reduced_dim, C), in the order of `HEADS`.
        bias: (8, reduced_dim).
    """

    weight: Tensor
    bias: Tensor

    def embed(self, pooled: Tensor) -> Tensor:
        """(N, 8 * reduced_dim) of pooled maps (N, 8, C)."""
        return (torch.einsum("nkc,krc->nkr", pooled, self.weight) + self.bias).flatten(1)


def learn_heads(
    pooled: Tensor,
    teacher: Tensor,
    reduced_dim: int,
    *,
    steps: int = 900,
    rate: float = 2e-3,
    batch: int = 384,
    relation: float = 5.0,
    seed: int = 0,
) -> Heads:
    """Learn heads by the distillation loss (see `mot_reid.training.reid.losses.distillation_loss`).

    AdamW, a short warm-up, a cosine to 0. The embeddings of the crops have the mean 0 in the end (see
    `mot_reid.training.reid.centring`).

    Args:
        pooled: (N, 8, C) pooled maps.
        teacher: (N, T), L2-normalised.
        reduced_dim: length of each head's feature.
        steps: how many.
        rate: the highest learning rate.
        batch: crops in a step.
        relation: weight of the cosines between crops.
        seed: of the initial weights and the batches.
    """
    draws = torch.Generator().manual_seed(seed)
    centre, scale = pooled.mean(dim=0), pooled.std()
    weight = torch.randn(len(HEADS), reduced_dim, pooled.shape[2], generator=draws)
    weight = nn.Parameter(weight / math.sqrt(pooled.shape[2]))
    bias = nn.Parameter(torch.zeros(len(HEADS), reduced_dim))
    outputs = len(HEADS) * reduced_dim
    projection = nn.Parameter(
        torch.randn(teacher.shape[1], outputs, generator=draws) / math.sqrt(3 * outputs)
    )
    optimiser = torch.optim.AdamW((weight, bias, projection), rate, weight_decay=1e-4)
    for step in range(steps):
        share = min(1.0, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        optimiser.param_groups[0]["lr"] = rate * share
        rows = torch.randint(len(pooled), (batch,), generator=draws)
        embedding = Heads(weight, bias).embed((pooled[rows].float() - centre) / scale)
        loss = distillation_loss(embedding, embedding @ projection.T, teacher[rows], relation)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        scaled = weight / scale
        mean = torch.einsum("kc,krc->kr", pooled.float().mean(dim=0), scaled)
        return Heads(scaled, -mean)


@torch.no_grad()
def install_heads(model: MGN, heads: Heads, pooled: Tensor) -> None:
    """Put heads into a network, with the statistics that its batch normalisations would have seen.

    Args:
        model: with heads of that length, without ReLU and BNNeck.
        heads: what to put in.
        pooled: (N, 8, C) pooled maps, to measure the statistics.

    Raises:
        ValueError: the network has other heads.
    """
    if model.relu or model.bnneck or model.shared_reduction or model.reduced_dim != heads.weight.shape[1]:
        raise ValueError(f"heads of {heads.weight.shape[1]} without ReLU do not fit {model.architecture()}")
    for number, head in enumerate(model.reductions):
        reduced = pooled[:, number].float() @ heads.weight[number].T
        variance, mean = torch.var_mean(reduced, dim=0)
        conv, norm = cast(nn.Sequential, head)[:2]
        conv.load_state_dict({"weight": heads.weight[number][:, :, None, None]})
        norm.load_state_dict(
            {
                "running_mean": mean,
                "running_var": variance,
                "weight": (variance + cast(nn.BatchNorm2d, norm).eps).sqrt(),
                "bias": heads.bias[number] + mean,
                "num_batches_tracked": torch.zeros((), dtype=torch.int64),
            }
        )
