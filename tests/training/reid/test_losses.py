import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mot_reid.training.reid.losses import (
    attribute_loss,
    batch_hard_triplet,
    contrastive,
    distillation_loss,
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


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), people=st.integers(2, 4), images=st.integers(1, 4))
def test_mining_equals_a_search_by_hand(seed: int, people: int, images: int) -> None:
    torch.manual_seed(seed)
    features, targets = torch.randn(people * images, 3), torch.arange(people).repeat_interleave(images)
    hardest = []
    for a in range(len(targets)):
        distances = [
            (float((features[a] - other).norm()), int(t)) for other, t in zip(features, targets, strict=True)
        ]
        positive = max(d for d, t in distances if t == targets[a])
        negative = min(d for d, t in distances if t != targets[a])
        hardest.append(max(0.0, positive - negative + 0.7))
    expected = sum(hardest) / len(hardest)
    assert batch_hard_triplet(features, targets, 0.7).item() == pytest.approx(expected, abs=1e-3)


def test_contrastive_by_hand() -> None:
    # Directions at 0, 60 and 180 degrees, whatever the lengths: distances 1, sqrt(3) and 2.
    features = torch.tensor([[2.0, 0.0], [0.5, 0.75**0.5], [-3.0, 0.0]])
    assert contrastive(features, torch.tensor([0, 0, 1]), margin=1.9).item() == pytest.approx(
        1 / 2 + (1.9 - 3**0.5) ** 2 / 4, abs=1e-5
    )
    assert contrastive(features, torch.tensor([0, 0, 0]), margin=1.9).item() == pytest.approx(
        (1 + 3 + 4) / 6, abs=1e-5
    )


def test_pairs_without_partners_are_nothing_and_differentiable() -> None:
    features = torch.randn(1, 2, requires_grad=True)
    loss = contrastive(features, torch.zeros(1, dtype=torch.long), margin=1.0)
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(features.grad).all()


def test_unknown_attributes_do_not_count() -> None:
    logits = [torch.zeros(2, 4), torch.zeros(2, 2, requires_grad=True)]
    assert attribute_loss(logits, torch.tensor([[3, -1], [-1, -1]])).item() == pytest.approx(math.log(4))
    both = attribute_loss(logits, torch.tensor([[3, -1], [-1, 1]])).item()
    assert both == pytest.approx((math.log(4) + math.log(2)) / 2)
    nothing = attribute_loss(logits, torch.full((2, 2), -1))
    nothing.backward()
    assert nothing.item() == 0


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
