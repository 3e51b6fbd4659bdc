"""The detector's usual score, by hand."""

import numpy as np
import pytest

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
    assert 0.75 * usual.value < level
    assert usual.stretch == pytest.approx(level / 0.6, rel=0.05)


@pytest.mark.parametrize("level", [0.6, 0.75, 0.95])
def test_other_detectors_are_not_stretched(level: float) -> None:
    usual = UsualScore()
    for _ in range(300):
        usual = usual.after(np.array([level, 0.1, 0.2]))
        assert usual.stretch == 1


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
