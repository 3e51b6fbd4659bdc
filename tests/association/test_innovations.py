"""What innovations tell: whether the detector's boxes or the filter's are nearer to the truth."""

import numpy as np
import pytest

from mot_reid.association.innovations import Innovations
from mot_reid.motion.kalman import KalmanStates

ALL = np.ones(20, bool)


def taken(offsets: np.ndarray) -> Innovations:
    """After N frames in which all of 20 people had innovations ``(N, 4)``."""
    states = KalmanStates(np.full((5, 4, 20), 100.0))
    innovations, last = Innovations(), np.zeros((20, 4))
    for number, offset in enumerate(offsets):
        measured = 100 + np.tile(offset * 100, (20, 1))
        innovations.take(states, np.arange(20), measured, last, ALL & (number > 0))
    return innovations


def test_nothing_is_known_at_first() -> None:
    assert Innovations().filter_shares == pytest.approx(np.full(4, 1 - 4 / 3 * 0.19))
    assert 2 ** (2 * Innovations().exponents - 1) - 1 == pytest.approx(np.full(4, 0.19))


def test_to_and_fro_is_noise_and_to_one_side_a_lag() -> None:
    frames = np.arange(200)
    swaying = np.where(frames % 2, 0.1, -0.1)
    leading = np.full(200, 0.1)
    alone = np.where(frames % 4 < 2, 0.1, -0.1)  # the next is as often to the same side as to the other
    innovations = taken(np.stack([swaying, leading, alone, 0 * leading], axis=1))
    shares, exponents = innovations.filter_shares, innovations.exponents
    assert exponents[0] == 0
    assert exponents[1] == pytest.approx(1, abs=0.01)
    assert exponents[2] == pytest.approx(0.5, abs=0.03)
    assert shares[0] == 1.5
    assert shares[1] == 0
    assert shares[2] == pytest.approx(1, abs=0.05)
    assert shares[3] == pytest.approx(1 - 4 / 3 * 0.19)  # without any it stays as it was


def test_only_those_measured_again_count() -> None:
    states = KalmanStates(np.full((5, 4, 20), 100.0))
    innovations, last = Innovations(), np.zeros((20, 4))
    before = innovations.filter_shares
    innovations.take(states, np.arange(20), np.full((20, 4), 110.0), last, ~ALL)
    assert innovations.filter_shares.tolist() == before.tolist()
    assert last == pytest.approx(0.1)


def test_a_leap_counts_no_more_than_its_bound() -> None:
    states = KalmanStates(np.full((5, 4, 1), 100.0))
    last = np.zeros((1, 4))
    Innovations().take(states, np.arange(1), np.full((1, 4), 900.0), last, np.zeros(1, bool))
    assert last == pytest.approx(0.3)
