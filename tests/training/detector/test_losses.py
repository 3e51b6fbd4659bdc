import torch

from mot_reid.detection.rtmdet import STRIDES, Maps
from mot_reid.training.detector.assignment import places
from mot_reid.training.detector.losses import boxes_of, detection_loss, forgetting, quality_focal_loss

SPOTS = places(32, 32, STRIDES)
PERSON = torch.tensor([[4.0, 4.0, 28.0, 28.0]])


def perfect() -> Maps:
    """One place says the person's box, surely; all others say nothing, surely."""
    logits = torch.full((1, 1, len(SPOTS)), -20.0)
    distances = torch.full((1, 4, len(SPOTS)), 1.0)
    logits[0, 0, 5] = 20.0
    distances[0, :, 5] = torch.tensor([4.0, 4.0, 20.0, 20.0])  # from (8, 8)
    return Maps(logits, distances)


def test_distances_are_boxes() -> None:
    assert boxes_of(perfect().distances, SPOTS)[0, 5].tolist() == [4, 4, 28, 28]


def test_scores_that_are_nearly_right_count_less() -> None:
    wanted = torch.tensor([1.0])
    near, far = (quality_focal_loss(torch.tensor([value]), wanted) for value in (2.0, -2.0))
    assert far > 20 * near
    by_hand = torch.tensor(0.5).square() * torch.tensor(2.0).log()  # a half said, nothing meant
    torch.testing.assert_close(quality_focal_loss(torch.zeros(1), torch.zeros(1)), by_hand)


def test_what_is_right_costs_nothing() -> None:
    scores, boxes = detection_loss(perfect(), SPOTS, [PERSON])
    assert scores < 1e-6
    assert boxes < 1e-6


def test_a_box_that_is_off_and_a_missed_person_cost() -> None:
    off = perfect()
    off.distances[0, 0, 5] = 0.0
    assert detection_loss(off, SPOTS, [PERSON])[1] > 0.05
    missed = perfect()
    missed.logits[:] = -4
    assert detection_loss(missed, SPOTS, [PERSON])[0] > 3
    assert detection_loss(perfect(), SPOTS, [PERSON[:0]])[0] > 5  # somebody where nobody is


def test_every_picture_has_its_own_people() -> None:
    both = Maps(*(torch.cat((part, part)) for part in perfect()))
    scores, boxes = detection_loss(both, SPOTS, [PERSON, PERSON[:0]])
    assert scores > 5
    assert boxes < 1e-6


def test_gradients_reach_scores_and_boxes() -> None:
    maps = Maps(*(part.requires_grad_() for part in (perfect().logits * 0.1, perfect().distances + 1)))
    sum(detection_loss(maps, SPOTS, [PERSON])).backward()
    assert maps.logits.grad is not None
    assert maps.distances.grad is not None
    assert maps.logits.grad.abs().sum() > 0
    assert maps.distances.grad.abs().sum() > 0


def test_who_says_the_same_has_forgotten_nothing() -> None:
    before = perfect()
    assert abs(float(forgetting(perfect(), before, SPOTS))) < 1e-6
    other = perfect()
    other.logits[0, 0, 5] = -2.0
    assert forgetting(other, before, SPOTS) > 1
    moved = perfect()
    moved.distances[0, 2, 5] = 10.0
    assert forgetting(moved, before, SPOTS) > 0.5
    elsewhere = perfect()
    elsewhere.distances[0, :, 9] = 9.0  # a box that nobody believed in
    assert abs(float(forgetting(elsewhere, before, SPOTS))) < 1e-6
