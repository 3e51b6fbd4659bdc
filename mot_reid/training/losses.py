"""MGN's losses (softmax on all heads, batch-hard triplets on the global ones) and distillation's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from mot_reid.appearance.mgn import GLOBAL_HEADS, MGNOutput


class Losses(NamedTuple):
    """Scalars: `total` is what to minimise, the others its parts before weighting."""

    total: Tensor
    softmax: Tensor
    triplet: Tensor


def mgn_losses(
    output: MGNOutput,
    targets: Tensor,
    *,
    margin: float = 1.2,
    smoothing: float = 0.1,
    triplet_weight: float = 1.0,
) -> Losses:
    """The mean softmax loss of the heads plus the mean triplet loss of the global ones (arXiv:1804.01438).

    Parts get no triplet loss: a misaligned strip of the same person may well look different.

    Args:
        output: what the network gives in training mode, with classifiers.
        targets: (N,) int64 classes.
        margin: of the triplet loss; 1.2 in the paper.
        smoothing: of the labels; the paper has none.
        triplet_weight: of the triplet loss against the softmax loss.
    """
    softmax = softmax_loss(output.logits, targets, smoothing)
    hardest = [batch_hard_triplet(feature, targets, margin) for feature in output.features[:GLOBAL_HEADS]]
    triplet = torch.stack(hardest).mean()
    return Losses(softmax + triplet_weight * triplet, softmax, triplet)


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


def pairwise_distances(features: Tensor) -> Tensor:
    """(N, N) Euclidean distances of (N, D) features, with a finite gradient where they are 0."""
    squares = features.square().sum(dim=1)
    squared = squares[:, None] + squares[None, :] - 2 * features @ features.T
    return squared.clamp_min(1e-12).sqrt()


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
