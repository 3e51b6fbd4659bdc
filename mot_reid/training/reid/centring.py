"""An embedder whose embeddings of different people spread around 0."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from mot_reid.appearance.mgn import MGN

__all__ = ["centred"]

NetworkType = TypeVar("NetworkType", bound=nn.Module)


@torch.no_grad()
def centred(model: NetworkType, images: Iterable[Tensor]) -> NetworkType:
    """A copy whose embeddings of the images have the mean 0; other networks as they are.

    What all crops share tells nobody apart, but brings all cosines together, the more the less a crop shows
    of its person. Taking the mean off is the first moment of CORAL (Sun et al. 2017, arXiv:1612.01939). It
    goes into the bias of each head's last normalisation, so it costs nothing.

    Args:
        model: an `MGN` whose heads end in a normalisation of their own (no ReLU, or a BNNeck) is centred;
            in a network whose features are never negative the mean is no such thing.
        images: batches of (n, 3, H, W) normalised images, on the model's device.
    """
    if not isinstance(model, MGN) or model.shared_reduction or (model.relu and not model.bnneck):
        return model
    model = deepcopy(model)
    model.eval()
    total, count = torch.zeros(()), 0
    for batch in images:
        total = total + model.embed(batch).cpu().double().sum(dim=0)  # some devices have no double precision
        count += len(batch)
    for head, mean in zip(model.reductions, torch.split(total / count, model.reduced_dim), strict=True):
        bias = cast(nn.BatchNorm2d, cast(nn.Sequential, head)[-1]).bias
        bias.sub_(mean.to(bias))
    return model
