"""What a detector is punished for: wrong scores, wrong boxes, and what it forgets."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from mot_reid.detection.rtmdet import Maps
from mot_reid.training.detector.assignment import assign, generalised_iou

__all__ = ["boxes_of", "detection_loss", "forgetting", "quality_focal_loss"]

_BOX_WEIGHT = 2.0


def boxes_of(distances: Tensor, spots: Tensor) -> Tensor:
    """Boxes ``(N, A, 4)`` xyxy of distances ``(N, 4, A)`` from places ``(A, 3)``, as `places` gives them."""
    distances = distances.transpose(1, 2)
    return torch.cat((spots[:, :2] - distances[..., :2], spots[:, :2] + distances[..., 2:]), -1)


def quality_focal_loss(logits: Tensor, scores: Tensor) -> Tensor:
    """Cross entropy with soft labels, less where the score is nearly right, summed.

    Li et al., "Generalized Focal Loss", NeurIPS 2020, with beta = 2.

    Args:
        logits: of the scores said.
        scores: to be said, in [0, 1].
    """
    wrong = F.binary_cross_entropy_with_logits(logits, scores, reduction="none")
    return (wrong * (scores - logits.sigmoid()).square()).sum()


def detection_loss(maps: Maps, spots: Tensor, people: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The losses of the scores and of the boxes (GIoU) of a batch of one class.

    Args:
        maps: what is said of N pictures.
        spots: from `places`.
        people: of each picture, ``(G, 4)`` xyxy.
    """
    logits, boxes = maps.logits[:, 0].float(), boxes_of(maps.distances.float(), spots)
    scores, wrong = torch.zeros_like(logits), logits.new_zeros(())
    for row, there in enumerate(people):
        assigned = assign(logits[row].detach(), boxes[row].detach(), spots, there)
        answering = assigned.person >= 0
        scores[row] = assigned.score
        agreed = generalised_iou(boxes[row][answering], there[assigned.person[answering]])
        wrong = wrong + ((1 - agreed) * assigned.score[answering]).sum()
    total = scores.sum().clamp(min=1)
    return quality_focal_loss(logits, scores) / total, _BOX_WEIGHT * wrong / total


def forgetting(maps: Maps, before: Maps, spots: Tensor) -> Tensor:
    """How far scores and boxes have moved from those of another network on the same pictures.

    The divergence of the scores, over their sum before (Hinton et al., "Distilling the Knowledge in a Neural
    Network", 2015), and 1 - GIoU of the boxes, weighed by the scores before.
    """
    likely = before.logits[:, 0].float().sigmoid()
    changed = F.binary_cross_entropy_with_logits(maps.logits[:, 0].float(), likely, reduction="sum")
    least = F.binary_cross_entropy(likely, likely, reduction="sum")
    total = likely.sum().clamp(min=1)
    sure = likely > 0.05
    new, old = (boxes_of(each.distances.float(), spots)[sure] for each in (maps, before))
    moved = ((1 - generalised_iou(new, old)) * likely[sure]).sum()
    return (changed - least + _BOX_WEIGHT * moved) / total
