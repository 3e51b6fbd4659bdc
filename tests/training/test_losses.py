import math

import pytest
import torch

from mot_reid.appearance.mgn import MGNOutput
from mot_reid.training.losses import (
    batch_hard_triplet,
    distillation_loss,
    mgn_losses,
    pairwise_distances,
    softmax_loss,
)


def test_distances_and_their_gradient_at_equal_points() -> None:
    features = torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0]], requires_grad=True)
    distances = pairwise_distances(features)
    assert torch.allclose(distances, torch.cdist(features, features), atol=1e-5)
    distances.sum().backward()
    assert torch.isfinite(features.grad).all()


def test_triplet_by_hand() -> None:
    # On a line: class 0 at 0 and 2, class 1 at 3 and 7. Anchors: 2-3, 2-1, 4-1, 4-5, each plus the margin.
    features = torch.tensor([[0.0], [2.0], [3.0], [7.0]])
    targets = torch.tensor([0, 0, 1, 1])
    expected = (0.0 + 1.5 + 3.5 + 0.0) / 4
    assert batch_hard_triplet(features, targets, margin=0.5).item() == pytest.approx(expected, abs=1e-5)


def test_triplet_without_negatives_is_zero_and_differentiable() -> None:
    features = torch.randn(4, 2, requires_grad=True)
    loss = batch_hard_triplet(features, torch.zeros(4, dtype=torch.long), margin=1.0)
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(features.grad).all()


def test_softmax_of_uninformed_heads_is_log_classes() -> None:
    logits = [torch.zeros(3, 5)] * 8
    loss = softmax_loss(logits, torch.tensor([0, 1, 2]), smoothing=0.1)
    assert loss.item() == pytest.approx(math.log(5), abs=1e-6)


def test_smoothing_makes_certainty_cost() -> None:
    logits, targets = [100 * torch.eye(3)] * 8, torch.arange(3)
    assert softmax_loss(logits, targets).item() == pytest.approx(0, abs=1e-6)
    assert softmax_loss(logits, targets, smoothing=0.3).item() == pytest.approx(0.2 * 100, rel=1e-4)


def test_total_weighs_its_parts_and_only_global_heads_meet_triplets() -> None:
    torch.manual_seed(0)
    features = tuple(torch.randn(6, 4, requires_grad=True) for _ in range(8))
    output = MGNOutput(features, tuple(torch.randn(6, 3) for _ in range(8)))
    losses = mgn_losses(output, torch.arange(6) % 3, triplet_weight=2.0)
    assert losses.total.item() == pytest.approx(losses.softmax.item() + 2 * losses.triplet.item(), rel=1e-6)
    losses.triplet.backward()
    assert [feature.grad is not None for feature in features] == [True] * 3 + [False] * 5


def test_a_student_like_its_teacher_has_nothing_to_learn() -> None:
    torch.manual_seed(0)
    teacher = torch.nn.functional.normalize(torch.randn(5, 4))
    turned = torch.linalg.qr(torch.randn(4, 4)).Q
    assert distillation_loss(3 * teacher @ turned, 2 * teacher, teacher, 5.0).item() == pytest.approx(
        0, abs=1e-5
    )


def test_distillation_by_hand() -> None:
    teacher = torch.eye(2)
    alike = torch.ones(2, 3)  # the student cannot tell two people apart: off-diagonal cosines 1 for 0
    projected = torch.tensor([[2.0, 0.0], [3.0, 0.0]])  # right for the first, orthogonal for the second
    loss = distillation_loss(alike, projected, teacher, relation=4.0)
    assert loss.item() == pytest.approx(0.5 + 4 * 0.5)
