"""The detector's usual score, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid import Detections
from mot_reid.association.associator import Associator
from mot_reid.association.scores import UsualScore, activation_shares
from mot_reid.config import AssociationConfig, load_config


def configured(*settings: str) -> AssociationConfig:
    """The settings of association with some changed, such as ``"tentative.min_hits=3"``."""
    return load_config(None, [f"association.{setting}" for setting in settings]).association


def test_before_anything_is_seen_the_prior_stands() -> None:
    assert UsualScore().after(np.zeros(0)).value == pytest.approx(0.8)


def test_one_frame_by_hand() -> None:
    usual = UsualScore()
    scores = np.array([1.0, 0.5])
    expected = (20 * 0.8 + 1 + 0.125) / (20 + 1 + 0.25)
    assert usual.after(scores).value == usual.after(scores).value == pytest.approx(expected)
    usual = usual.after(scores)
    assert usual.after(np.zeros(0)).value == pytest.approx((20 * 0.8 + 0.99 * 1.125) / (20 + 0.99 * 1.25))


def test_it_settles_on_the_people_and_not_on_the_clutter() -> None:
    usual = UsualScore()
    for _ in range(500):
        usual = usual.after(np.array([0.6] * 10 + [0.12] * 20))
    assert usual.after(np.zeros(0)).value == pytest.approx(0.6, abs=0.06)


def test_an_empty_scene_brings_the_prior_back() -> None:
    usual = UsualScore()
    for _ in range(200):
        usual = usual.after(np.full(10, 0.6))
    for _ in range(2000):
        usual = usual.after(np.array([0.11]))
    assert usual.after(np.zeros(0)).value == pytest.approx(0.8, abs=0.05)


def test_a_flood_of_poor_detections_does_not_lower_it_for_ever() -> None:
    usual = UsualScore()
    for _ in range(60):  # one in plain view shows what the detector can do
        usual = usual.after(np.array([0.8, 0.15]))
    for _ in range(2000):
        usual = usual.after(np.full(200, 0.15))
    assert usual.after(np.zeros(0)).value == pytest.approx(0.5)
    usual = UsualScore()
    for _ in range(2000):  # beside somebody it never does
        usual = usual.after(np.array([0.7] + [0.15] * 200))
    assert usual.value >= 0.5


@pytest.mark.parametrize("level", [0.12, 0.15, 0.2, 0.3, 0.4, 0.5])
def test_a_modest_detector_is_believed_after_a_while(level: float) -> None:
    usual = UsualScore()
    for _ in range(100):
        usual = usual.after(np.full(2, level))
    assert 0.75 * usual.value < usual.levels(np.array([level]))[0]


@pytest.mark.parametrize("level", [0.6, 0.75, 0.95])
def test_other_detectors_are_not_stretched(level: float) -> None:
    usual = UsualScore()
    for _ in range(300):
        scores = np.array([level, 0.1, 0.2])
        usual = usual.with_lowest(scores).after(scores)
        np.testing.assert_allclose(usual.levels(scores), scores, atol=1e-6)


def test_a_modest_detectors_scores_are_stretched_from_its_lowest_to_its_best() -> None:
    """Between 0.15 and 0.4 they mean what 0 to 1 mean: 0.4 is the best, 0.15 nothing, 0.275 half of it."""
    usual, scores = UsualScore(), np.array([0.4] * 29 + [0.15])
    for _ in range(100):
        usual = usual.with_lowest(scores).after(scores)
    np.testing.assert_allclose(usual.levels(np.array([0.15, 0.275, 0.4])), [0, 0.45, 0.9], atol=1e-3)


@pytest.mark.parametrize(("least", "span"), [(0.0, 0.5), (0.15, 0.25)])
def test_a_modest_detector_is_known_by_its_first_frame(least: float, span: float) -> None:
    """28 people and clutter; with scores up to 0.5, or from 0.15 to 0.4, as with scores up to 1."""
    plain = np.array([0.95, 0.9, 0.85, 0.8] * 7 + [0.3, 0.1])
    boxes = np.array([[x, 0, x + 40, 100] for x in range(0, 3000, 100)])
    full, modest = Associator(), Associator()
    for _ in range(5):
        expected = full.step(Detections(boxes, plain))
        tracks = modest.step(Detections(boxes, least + span * plain))
        assert tracks.detection_index.tolist() == expected.detection_index.tolist() == list(range(28))


def test_a_few_poor_detections_at_first_do_not_make_a_detector_modest() -> None:
    usual = UsualScore().after(np.array([0.3, 0.2]))
    assert usual.levels(np.array([0.3]))[0] == pytest.approx(0.3)
    for _ in range(6):
        usual = usual.after(np.array([0.9, 0.3]))
    np.testing.assert_allclose(usual.levels(np.array([0.3])), 0.3)


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=40), st.floats(0.05, 0.7))
def test_levels_never_change_the_order_of_scores(scores: list[float], best: float) -> None:
    usual, ascending = UsualScore(), np.sort(scores)
    for _ in range(50):
        usual = usual.with_lowest(best * ascending).after(best * ascending)
    levels = usual.levels(best * ascending)
    assert (np.diff(levels) >= -1e-12).all()
    assert (levels >= 0).all()
    assert (levels <= 1).all()


@pytest.mark.parametrize(("least", "span"), [(0.0, 1.0), (0.15, 0.25)])
def test_what_stays_poor_is_not_followed_whatever_the_scores_are_called(least: float, span: float) -> None:
    """Twelve people, two doubtful boxes that stay, one of clutter; scores up to 1, or from 0.15 to 0.4."""
    scores = least + span * np.array([0.9] * 12 + [0.5] * 2 + [0.1])
    boxes = np.array([[x, 0, x + 40, 100] for x in range(0, 1500, 100)])
    tracker = Associator()
    for _ in range(60):
        tracks = tracker.step(Detections(boxes, scores))
    assert tracks.detection_index.tolist() == list(range(12))


def test_who_turns_up_in_the_middle_needs_a_higher_score() -> None:
    config = configured("tentative.activation_share=0.8", "tentative.activation_share_inside=0.9")
    at_edge = np.array([True, False])
    assert activation_shares(at_edge, True, config).tolist() == [0.8, 0.9]
    assert activation_shares(at_edge, False, config) == 0.8


def test_frames_that_were_left_out_count_as_time() -> None:
    usual, scores = UsualScore().after(np.full(50, 0.6)), np.full(3, 0.9)
    thinned = usual.after(scores, frames=4)
    for _ in range(3):
        usual = usual.after(np.zeros(0))
    assert thinned.value == pytest.approx(usual.after(scores).value)
