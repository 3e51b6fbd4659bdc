"""What a step minimises, put together from the losses that the settings choose."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mot_reid.appearance.mgn import MGNOutput
from mot_reid.training.reid.data import TrainingData
from mot_reid.training.reid.losses import (
    attribute_loss,
    batch_hard_triplet,
    contrastive,
    distillation_loss,
    mean_over_heads,
    softmax_loss,
)
from mot_reid.training.reid.networks import Network, whole_body_features
from mot_reid.training.reid.settings import TrainingSettings
from mot_reid.typing import Ints

__all__ = ["MEASURES", "Objective", "Trainee", "TraineeOutput"]

MEASURES = ("loss", "softmax", "triplet", "contrastive", "attributes", "distillation", "accuracy")
"""What `Objective` measures, in this order."""


class TraineeOutput(NamedTuple):
    """What the losses need, of labelled crops and unlabelled ones behind them.

    Attributes:
        heads: features and class scores.
        whole: the features of the whole body.
        embedding: all features in a row.
        projected: the embedding's projection to the teachers', if there are any.
        attributes: class scores of each attribute.
    """

    heads: MGNOutput
    whole: tuple[Tensor, ...]
    embedding: Tensor
    projected: Tensor | None
    attributes: tuple[Tensor, ...]


class Objective:
    """The weighted sum of the losses, and its parts.

    Args:
        data: labels and teachers' embeddings.
        settings: weights and margins.
        device: where to keep them.
    """

    def __init__(self, data: TrainingData, settings: TrainingSettings, device: torch.device) -> None:
        self.losses, self.distillation = settings.losses, settings.distillation
        self.attribute_classes = data.attribute_classes
        self.classes = torch.from_numpy(data.classes).to(device)
        self.attributes = None if data.attributes is None else torch.from_numpy(data.attributes).to(device)
        self.teacher = data.teacher
        self.device = device

    def __call__(self, output: TraineeOutput, rows: Ints) -> tuple[Tensor, Tensor]:
        """The loss, and `MEASURES`.

        Args:
            output: of the crops `rows`.
            rows: (B,) of labelled crops, then of unlabelled ones.
        """
        losses, count = self.losses, int((rows < len(self.classes)).sum())
        labelled = torch.from_numpy(rows[:count]).to(self.device)
        targets = self.classes[labelled]
        logits = [scores[:count].float() for scores in output.heads.logits]
        whole = [feature[:count].float() for feature in output.whole]
        nothing = targets.new_zeros((), dtype=torch.float32)
        softmax = triplet = pairs = attributes = distillation = accuracy = nothing
        if losses.softmax:
            softmax = softmax_loss(logits, targets, losses.smoothing)
            accuracy = (logits[0].argmax(dim=1) == targets).float().mean()
        if losses.triplet:
            triplet = mean_over_heads([batch_hard_triplet(x, targets, losses.margin) for x in whole])
        if losses.contrastive:
            pairs = mean_over_heads([contrastive(x, targets, losses.contrastive_margin) for x in whole])
        if losses.attributes and self.attributes is not None:
            scores = [values[:count].float() for values in output.attributes]
            attributes = attribute_loss(scores, self.attributes[labelled])
        if self.teacher is not None and output.projected is not None:
            teacher = torch.from_numpy(self.teacher[rows]).to(self.device)
            embedding, projected = output.embedding.float(), output.projected.float()
            distillation = distillation_loss(embedding, projected, teacher, self.distillation.relation)
        total = (
            losses.softmax * softmax
            + losses.triplet * triplet
            + losses.contrastive * pairs
            + losses.attributes * attributes
            + self.distillation.weight * distillation
        )
        parts = (total, softmax, triplet, pairs, attributes, distillation, accuracy)
        return total, torch.stack([part.detach() for part in parts])


class Trainee(nn.Module):
    """A network and what only its training needs behind the embedding.

    Args:
        network: what is trained.
        objective: knows the teachers and the attributes.
    """

    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__()
        self.network = network
        teacher = objective.teacher
        self.projection = None if teacher is None else nn.Linear(network.dim, teacher.shape[1], bias=False)
        self.attributes = nn.ModuleList(
            nn.Linear(network.dim, classes) for classes in objective.attribute_classes
        )

    def forward(self, images: Tensor) -> TraineeOutput:
        """Map normalised images (N, 3, H, W) to all that the losses need."""
        heads = self.network(images)
        assert isinstance(heads, MGNOutput)
        embedding = torch.cat(heads.features, dim=1)
        return TraineeOutput(
            heads,
            whole_body_features(self.network, heads),
            embedding,
            None if self.projection is None else self.projection(embedding),
            tuple(classifier(embedding) for classifier in self.attributes),
        )
