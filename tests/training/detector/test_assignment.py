"""Who answers for whom, on small scenes checked by hand."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.training.detector.assignment import assign, generalised_iou, pair_iou, places

BOX = torch.tensor([[0.0, 0.0, 10.0, 10.0]])


def test_places_of_a_small_picture() -> None:
    spots = places(32, 64, (16, 32))
    assert spots.tolist()[:5] == [[0, 0, 16], [16, 0, 16], [32, 0, 16], [48, 0, 16], [0, 16, 16]]
    assert spots.tolist()[8:] == [[0, 0, 32], [32, 0, 32]]


def test_overlaps_by_hand() -> None:
    other = torch.tensor([[5.0, 0.0, 15.0, 10.0]])
    assert math.isclose(float(pair_iou(BOX, other)), 50 / 150, rel_tol=1e-6)
    assert math.isclose(float(generalised_iou(BOX, other)), 50 / 150, rel_tol=1e-6)  # they fill their hull
    apart = torch.tensor([[20.0, 0.0, 30.0, 10.0]])
    assert float(pair_iou(BOX, apart)) == 0
    assert math.isclose(float(generalised_iou(BOX, apart)), -100 / 300, rel_tol=1e-6)


@given(st.lists(st.floats(-50, 50), min_size=8, max_size=8))
def test_giou_lies_between_minus_one_and_iou(numbers: list[float]) -> None:
    a, b = torch.tensor(numbers).view(2, 1, 4)
    a, b = (torch.cat((x[:, :2], x[:, :2] + x[:, 2:].abs()), 1) for x in (a, b))
    assert -1.001 <= float(generalised_iou(a, b)) <= float(pair_iou(a, b)) + 1e-5


def test_nobody_is_answered_for_by_nobody() -> None:
    spots = places(32, 32, (8,))
    found = assign(torch.zeros(16), torch.zeros(16, 4), spots, torch.zeros(0, 4))
    assert (found.person == -1).all()
    assert (found.score == 0).all()


def test_the_places_with_the_best_boxes_answer() -> None:
    spots = places(64, 64, (8,))
    people = torch.tensor([[4.0, 4.0, 60.0, 60.0]])
    boxes = torch.zeros(64, 4)
    good = [27, 28, 35]  # near the centre
    boxes[good] = people + 2  # overlap 0.87 each: their sum, 2.6, says that two answer
    logits = torch.full((64,), -3.0)
    logits[28] = 2.0  # says more than 27, as it should
    found = assign(logits, boxes, spots, people)
    answering = (found.person >= 0).nonzero().ravel().tolist()
    assert len(answering) == 2
    assert 28 in answering
    assert set(answering) <= set(good)
    overlap = 54 * 54 / (2 * 56 * 56 - 54 * 54)
    torch.testing.assert_close(found.score[28], torch.tensor(overlap))


def test_a_place_that_two_want_answers_for_the_better_box() -> None:
    spots = places(32, 32, (8,))
    people = torch.tensor([[0.0, 0.0, 30.0, 30.0], [2.0, 2.0, 32.0, 32.0]])
    boxes = torch.zeros(16, 4)
    boxes[5] = people[1]
    found = assign(torch.zeros(16), boxes, spots, people)
    assert found.person[5] == 1
    assert found.score[5] == 1


def test_somebody_between_the_places_is_answered_for() -> None:
    spots = places(32, 32, (8, 16))
    people = torch.tensor([[10.0, 10.0, 14.0, 15.0]])  # no place inside
    found = assign(torch.zeros(len(spots)), torch.zeros(len(spots), 4), spots, people)
    (place,) = (found.person >= 0).nonzero().ravel().tolist()
    assert spots[place, 2] == 8
    assert spots[place, :2].tolist() in ([8, 8], [16, 8], [8, 16], [16, 16])


def test_places_outside_a_person_do_not_answer() -> None:
    torch.manual_seed(0)
    spots = places(96, 96, (8, 16, 32))
    people = torch.tensor([[10.0, 20.0, 40.0, 80.0], [50.0, 5.0, 90.0, 60.0], [30.0, 30.0, 60.0, 95.0]])
    boxes = torch.rand(len(spots), 2) * 60
    boxes = torch.cat((boxes, boxes + 30), 1)
    found = assign(torch.randn(len(spots)), boxes, spots, people)
    owned = found.person >= 0
    inside = people[found.person[owned]]
    assert ((spots[owned, :2] > inside[:, :2]) & (spots[owned, :2] < inside[:, 2:])).all()
    assert set(found.person[owned].tolist()) == {0, 1, 2}
    assert (found.score[~owned] == 0).all()
