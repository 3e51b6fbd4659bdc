"""The same motion model at another rate: what a frame may change grows with the time it stands for."""

import numpy as np
import pytest

from mot_reid import Detections
from mot_reid.association.associator import Associator
from mot_reid.config import MotionConfig
from mot_reid.motion import kalman


def frames_followed(steps: list[int], fps: float) -> int:
    """In how many frames somebody 40 pixels wide keeps his id, who moves so many pixels to the right."""
    tracker = Associator(fps=fps)
    lefts = np.cumsum([0, *steps])
    seen = [tracker.step(Detections(np.array([[x, 0, x + 40, 100]])), np.eye(2, 3)) for x in lefts]
    return sum(1 in tracks.ids for tracks in seen)


def test_at_30_frames_a_second_the_noise_is_the_settings() -> None:
    config = MotionConfig()
    assert kalman.at_interval(config, 1 / 30) == config


@pytest.mark.parametrize(("fps", "factor"), [(7.5, 2), (120, 0.5)])
def test_the_velocitys_noise_grows_with_the_root_of_the_interval(fps: float, factor: float) -> None:
    config = MotionConfig(position_std=0.04, velocity_std=0.003)
    changed = kalman.at_interval(config, 1 / fps)
    assert changed.position_std == 0.04
    assert changed.velocity_std == pytest.approx(0.003 * factor)


def test_a_measured_place_is_the_surer_the_longer_nobody_looked() -> None:
    exponents = np.array([0.0, 0.5, 0.75, 1.0])
    assert kalman.certainty(1 / 30, exponents) == pytest.approx([0.5] * 4)
    assert kalman.certainty(1 / 7.5, exponents) == pytest.approx([0.5, 1, 2**0.5, 2])


def test_who_starts_to_run_is_followed_where_few_frames_show_it() -> None:
    standing, faster_and_faster = [0] * 10, list(range(0, 31, 3))
    steps = standing + faster_and_faster
    everywhere = len(steps) + 1
    assert frames_followed(steps, fps=7.5) == everywhere
    assert frames_followed(steps, fps=30) < everywhere  # the same within 0.4 seconds nobody does
    assert frames_followed([0] * 20, fps=30) == 21
