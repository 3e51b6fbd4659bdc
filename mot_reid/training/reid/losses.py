"""Losses: softmax, triplets, pairs, attributes, and distillation from a teacher."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from mot_reid.training.reid.attributes import UNKNOWN

__all__ = [
    "attribute_loss",
    "batch_hard_triplet",
    "contrastive",
    "distillation_loss",
    "mean_over_heads",
    "pairwise_distances",
    "softmax_loss",
]


def softmax_loss(logits: Sequence[Tensor], targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean cross entropy of several heads.

    Args:
        logits: of each head, (N, classes).
        targets: (N,) int64 classes.
        smoothing: share of the label spread over all classes (Szegedy et al., arXiv:1512.00567).
    """
    return torch.stack([F.cross_entropy(head, targets, label_smoothing=smoothing) for head in logits]).mean()


def batch_hard_triplet(features: Tensor, targets: Tensor, margin: float) -> Tensor:
    """Triplet loss with the farthest positive and the nearest negative (Hermans et al., arXiv:1703.07737).

    Args:
        features: (N, D), compared by Euclidean distance.
        targets: (N,) classes.
        margin: by how much the negative should be farther.

    Returns:
        The mean over all N anchors; 0 for an anchor whose batch holds no negative.
    """
    distances = pairwise_distances(features)
    same = targets[:, None] == targets[None, :]
    positive = distances.masked_fill(~same, 0).amax(dim=1)
    negative = distances.masked_fill(same, torch.inf).amin(dim=1)
    return F.relu(positive - negative + margin).mean()


def contrastive(features: Tensor, targets: Tensor, margin: float) -> Tensor:
    """Contrastive loss over all pairs of a batch (Hadsell, Chopra and LeCun, CVPR 2006).

    Half the squared distance of a pair that shows one person, half the squared shortfall from the margin of
    one that shows two; the two kinds weigh the same, however many pairs of each there are.

    Args:
        features: (N, D), compared by the Euclidean distance of their directions, 0 to 2.
        targets: (N,) classes.
        margin: how far apart two people should be.
    """
    distances = pairwise_distances(F.normalize(features))
    same = targets[:, None] == targets[None, :]
    pairs = torch.ones_like(same).triu(diagonal=1)
    positive, negative = distances[same & pairs], F.relu(margin - distances[~same & pairs])
    kinds = [half.square().mean() / 2 for half in (positive, negative) if len(half)]
    return torch.stack(kinds).sum() if kinds else features.sum() * 0


def mean_over_heads(losses: Sequence[Tensor]) -> Tensor:
    """The mean of a loss over heads."""
    return torch.stack(list(losses)).mean()


def pairwise_distances(features: Tensor) -> Tensor:
    """(N, N) Euclidean distances of (N, D) features, with a finite gradient where they are 0."""
    squares = features.square().sum(dim=1)
    squared = squares[:, None] + squares[None, :] - 2 * features @ features.T
    return squared.clamp_min(1e-12).sqrt()


def attribute_loss(logits: Sequence[Tensor], values: Tensor) -> Tensor:
    """Mean cross entropy of attributes (Lin et al., arXiv:1703.07220); 0 if none of the batch's is known.

    Args:
        logits: of each attribute, (N, classes of the attribute).
        values: (N, attributes) int64, `UNKNOWN` where nobody knows.
    """
    known = [
        F.cross_entropy(scores, values[:, column], ignore_index=UNKNOWN)
        for column, scores in enumerate(logits)
        if bool((values[:, column] != UNKNOWN).any())
    ]
    return torch.stack(known).mean() if known else torch.stack([scores.sum() for scores in logits]).sum() * 0


def distillation_loss(embedding: Tensor, projected: Tensor, teacher: Tensor, relation: float) -> Tensor:
    """How far an embedding is from a teacher's, whatever their lengths.

    The cosine distance of a linear projection (dropped later) to the teacher's embedding, and the mean
    squared difference of the two cosine matrices of the batch (Wu et al., "Distilled Person
    Re-identification", CVPR 2019), which makes the student's own cosines mean what the teacher's mean.

    Args:
        embedding: (N, D) of the student.
        projected: (N, T) of the student.
        teacher: (N, T), L2-normalised.
        relation: weight of the second part against the first.
    """
    unit = F.normalize(embedding)
    relations = F.mse_loss(unit @ unit.T, teacher @ teacher.T)
    return (1 - F.cosine_similarity(projected, teacher)).mean() + relation * relations
