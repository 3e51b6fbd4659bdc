from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mot_reid.training.detector.keeping import KeepingLoss, drift


def maps(scores: list[float], boxes: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
    logits = torch.tensor(scores).view(1, 1, -1)
    return {"scores": logits, "boxes": torch.zeros(1, 8, len(scores)) if boxes is None else boxes}


def test_what_stays_has_not_drifted() -> None:
    torch.manual_seed(0)
    before = {"scores": torch.randn(2, 1, 5), "boxes": torch.randn(2, 64, 5)}
    assert drift(before, before).item() == pytest.approx(0, abs=1e-6)
    moved = {"scores": before["scores"] + 1, "boxes": before["boxes"]}
    assert drift(moved, before) > 0


def test_drift_by_hand() -> None:
    # One place with a person (0.5), whose score becomes 0.9; two bins a side, all distances even before.
    after = maps([float(np.log(9))])
    entropy = -np.log(0.5)
    crossed = -0.5 * np.log(0.9) - 0.5 * np.log(0.1)
    assert drift(after, maps([0.0])).item() == pytest.approx(0.5 * (crossed - entropy), rel=1e-5)
    # Distances move to 0.9 and 0.1 on all four sides: KL of (.5, .5) from (.9, .1), weighted by the person.
    boxes = torch.tensor([float(np.log(9)), 0.0] * 4).view(1, 8, 1)
    divergence = 0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1)
    # The sum of the scores is below 1, which it is divided by at least.
    assert drift(maps([0.0], boxes), maps([0.0])).item() == pytest.approx(0.5 * divergence, rel=1e-5)


class Start(nn.Module):
    """Gives the mean of a picture as its score."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.ModuleList([nn.Sequential(nn.BatchNorm2d(3))])

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        scores = images.mean(dim=(1, 2, 3)).view(-1, 1, 1)
        return {"scores": scores, "boxes": torch.zeros(len(images), 8, 1)}


def test_the_start_gives_maps_and_learns_nothing() -> None:
    head = KeepingLoss(lambda *_: (torch.zeros(3), {}), Start().train(), weight=1).start.model[-1]
    assert head.training
    assert not head[0].training, "its normalisation would go by the batch"
    assert not any(parameter.requires_grad for parameter in head.parameters())


def test_only_kept_pictures_count() -> None:
    def losses(_: Any, __: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return torch.tensor([2.0, 1.0]), {"box": torch.tensor(2.0)}

    keeping = KeepingLoss(losses, Start(), weight=3)
    images = torch.stack((torch.zeros(3, 2, 2), torch.ones(3, 2, 2)))
    given = {"scores": torch.tensor([5.0, 1.0]).view(2, 1, 1), "boxes": torch.zeros(2, 8, 1)}
    total, parts = keeping(given, {"img": images, "kept": torch.tensor([False, True])})
    assert total.item() == pytest.approx(3.0, abs=1e-5)  # the kept one has not moved
    total, parts = keeping(given, {"img": images, "kept": torch.tensor([True, False])})
    assert parts["keep"] > 0
    assert total.item() == pytest.approx(3 + 2 * parts["keep"].item(), rel=1e-5)
    total, parts = keeping(given, {"img": images, "kept": torch.tensor([False, False])})
    assert (total.item(), parts["keep"].item()) == (3, 0)
