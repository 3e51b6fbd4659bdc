"""Which places of a detector's maps answer for which person: RTMDet's assignment with soft labels.

Lyu et al., "RTMDet", arXiv:2212.07784, section 3.3, after SimOTA (Ge et al., "YOLOX", arXiv:2107.08430): a
place costs a person the error of its score, that of its box, and its distance from the person's centre; each
person takes the cheapest places, as many as its best boxes together overlap it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Assigned", "assign", "generalised_iou", "pair_iou", "places"]

_MOST = 13  # of a person's best boxes, whose overlaps are summed
_OVERLAP_WEIGHT = 3.0
_FREE_RADIUS = 3.0  # strides from the centre from which on the distance costs much
_NEAR = 0.5  # strides from the centre within which a place counts although it lies outside a small box
_EPSILON = 1e-7


class Assigned(NamedTuple):
    """What each of A places is to say.

    Attributes:
        person: ``(A,)`` int64, the row of the person, -1 for none.
        score: ``(A,)``, the overlap of its box with the person's, 0 for none.
    """

    person: Tensor
    score: Tensor


def places(height: int, width: int, strides: tuple[int, ...], device: torch.device | str = "cpu") -> Tensor:
    """The places of all maps, in the order of `mot_reid.detection.rtmdet.Maps`: ``(A, 3)`` x, y, stride.

    Args:
        height: of the picture, pixels; a multiple of each stride.
        width: of the picture.
        strides: of the maps.
        device: where the result lies.
    """
    parts = []
    for stride in strides:
        y, x = torch.meshgrid(
            torch.arange(0, height, stride, device=device, dtype=torch.float32),
            torch.arange(0, width, stride, device=device, dtype=torch.float32),
            indexing="ij",
        )
        parts.append(torch.stack((x, y, torch.full_like(x, stride)), -1).reshape(-1, 3))
    return torch.cat(parts)


def pair_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes ``(N, 4)`` xyxy with those of the same rows: ``(N,)``."""
    return _shared(a, b)[0]


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """GIoU of boxes ``(N, 4)`` with those of the same rows (Rezatofighi et al., CVPR 2019): ``(N,)``."""
    iou, union = _shared(a, b)
    sides = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    hull = sides.clamp(min=0).prod(dim=1)
    return iou - (hull - union) / hull.clamp(min=_EPSILON)


def _shared(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    sides = torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])
    intersection = sides.clamp(min=0).prod(dim=1)
    areas = [(box[:, 2:] - box[:, :2]).clamp(min=0).prod(dim=1) for box in (a, b)]
    union = areas[0] + areas[1] - intersection
    return intersection / union.clamp(min=_EPSILON), union


@torch.no_grad()
def assign(logits: Tensor, boxes: Tensor, spots: Tensor, people: Tensor) -> Assigned:
    """Assigns the places of one picture to its people.

    Args:
        logits: ``(A,)``, of the scores said now.
        boxes: ``(A, 4)`` xyxy, the boxes said now.
        spots: from `places`.
        people: ``(G, 4)`` xyxy, the boxes to be said.
    """
    none = Assigned(torch.full_like(logits, -1, dtype=torch.int64), torch.zeros_like(logits))
    if not len(people):
        return none
    centres = (people[:, :2] + people[:, 2:]) / 2
    inside = (spots[None, :, :2] > people[:, None, :2]) & (spots[None, :, :2] < people[:, None, 2:])
    apart = (spots[None, :, :2] - centres[:, None]).abs()
    near = (apart <= _NEAR * spots[None, :, 2:]).all(-1) & (spots[:, 2] == spots[:, 2].min())
    person, place = (inside.all(-1) | near).nonzero(as_tuple=True)
    if not len(place):
        return none
    overlap = pair_iou(boxes[place], people[person])
    distance = (spots[place, :2] - centres[person]).norm(dim=1) / spots[place, 2]
    said = logits[place]
    wrong = F.binary_cross_entropy_with_logits(said, overlap, reduction="none")
    wrong = wrong * (overlap - said.sigmoid()).square()
    cost = wrong - _OVERLAP_WEIGHT * (overlap + _EPSILON).log() + 10 ** (distance - _FREE_RADIUS)
    shape = len(people), len(logits)
    overlaps, costs = logits.new_zeros(shape), logits.new_full(shape, float("inf"))
    overlaps[person, place], costs[person, place] = overlap, cost
    most = min(_MOST, shape[1])
    counts = overlaps.topk(most, dim=1).values.sum(dim=1).int().clamp(min=1)
    cheapest = costs.topk(most, dim=1, largest=False, sorted=True)
    taken = (torch.arange(most, device=costs.device) < counts[:, None]) & cheapest.values.isfinite()
    chosen = torch.full_like(costs, float("inf"))
    rows = torch.arange(len(people), device=costs.device)[:, None].expand_as(cheapest.indices)[taken]
    columns = cheapest.indices[taken]
    chosen[rows, columns] = costs[rows, columns]
    best, owner = chosen.min(dim=0)  # a place that several people want answers for the cheapest
    owner = torch.where(best.isfinite(), owner, -1)
    score = torch.where(owner >= 0, overlaps.gather(0, owner.clamp(min=0)[None])[0], 0.0)
    return Assigned(owner, score)
