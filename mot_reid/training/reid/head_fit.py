"""Heads that speak a teacher's language from the first step on, fitted by linear regression."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from mot_reid.appearance.mgn import MGN


@torch.no_grad()
def fit_heads(model: MGN, samples: Iterable[tuple[Tensor, Tensor]], ridge: float = 0.03) -> Tensor:
    """Set MGN's reductions to the best linear guess of a teacher's embedding from each pooled map.

    Reduced-rank regression (Izenman, J. Multivariate Analysis 5, 1975): of the ridge regression from a head's
    pooled features to the teacher, the `reduced_dim` directions that explain most. Features are scaled to a
    mean variance of 1, which is what a new batch normalisation would give them.

    Args:
        model: whose reductions to set; its backbone should have pretrained weights.
        samples: batches of (n, 3, H, W) normalised images and their (n, T) teacher embeddings.
        ridge: of the regression, as a share of the mean variance of the pooled features.

    Returns:
        (T, dim) matrix that maps the embedding to the teacher's, for the distillation's projection.

    Raises:
        ValueError: if there are fewer samples than features of a head, or the teacher's are too few.
    """
    training = model.training
    model.eval()
    pooled, targets = [], []
    for images, teacher in samples:
        pooled.append(torch.stack(model.pooled(images)).flatten(2))
        targets.append(teacher)
    features, target = torch.cat(pooled, dim=1).double(), torch.cat(targets).double()
    count, channels = features.shape[1:]
    if count <= channels or target.shape[1] < model.reduced_dim:
        raise ValueError(
            f"fitting heads needs more than {channels} samples of a teacher of at least {model.reduced_dim}; "
            f"got {count} of {target.shape[1]}"
        )
    target = target - target.mean(dim=0)
    columns = []
    for head, x in zip(model.reductions, features, strict=True):
        mean = x.mean(dim=0)
        coefficients = _ridge(x - mean, target, ridge)
        directions = torch.linalg.svd((x - mean) @ coefficients, full_matrices=False).Vh[: model.reduced_dim]
        weight = directions @ coefficients.T
        reduced = x @ weight.T
        spread = reduced.std(dim=0)
        scale = 1 / spread.square().mean().sqrt()
        conv, norm = cast(nn.Sequential, head)[:2]
        variance = (spread * scale).square()
        conv.load_state_dict({"weight": (weight * scale)[:, :, None, None]})
        norm.load_state_dict(
            {
                "running_mean": reduced.mean(dim=0) * scale,
                "running_var": variance,
                "weight": (variance + cast(nn.BatchNorm2d, norm).eps).sqrt(),
                "bias": torch.zeros_like(variance),
                "num_batches_tracked": torch.zeros((), dtype=torch.int64),
            }
        )
        columns.append((reduced - reduced.mean(dim=0)) * scale)
    model.train(training)
    return _ridge(torch.cat(columns, dim=1), target, ridge).T.float()


@torch.no_grad()
def fit_projection(model: MGN, samples: Iterable[tuple[Tensor, Tensor]], ridge: float = 0.03) -> Tensor:
    """The (T, dim) matrix that `fit_heads` returns, for heads that stay as they are.

    Args:
        model: with trained heads.
        samples: batches of (n, 3, H, W) normalised images and their (n, T) teacher embeddings.
        ridge: of the regression, as a share of the mean variance of the features.
    """
    training = model.training
    model.eval()
    pairs = [(model.embed(images), teacher) for images, teacher in samples]
    model.train(training)
    x, y = (torch.cat(column).double() for column in zip(*pairs, strict=True))
    return _ridge(x - x.mean(dim=0), y - y.mean(dim=0), ridge).T.float()


def _ridge(x: Tensor, y: Tensor, share: float) -> Tensor:
    """(P, T) coefficients from centred (N, P) to centred (N, T)."""
    gram = x.T @ x
    penalty = share * gram.diagonal().mean() * torch.eye(len(gram), dtype=x.dtype)
    return torch.linalg.solve(gram + penalty, x.T @ y)
