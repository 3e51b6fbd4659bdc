"""The batched filter against filterpy's eight-state one, and its invariants."""

import numpy as np
import pytest
from filterpy.kalman import KalmanFilter
from hypothesis import given, settings
from hypothesis import strategies as st

from mot_reid.config import MotionConfig
from mot_reid.motion import kalman

CONFIG = MotionConfig()
IDENTITY = np.array([[1.0, 0, 0], [0, 1, 0]])


def textbook_filter(box: np.ndarray) -> KalmanFilter:
    """filterpy's filter for one box, with the noise model written out as matrices."""
    full = KalmanFilter(dim_x=8, dim_z=4)
    full.F = np.eye(8) + np.eye(8, k=4)
    full.H = np.eye(4, 8)
    full.x = np.concatenate([box, np.zeros(4)])[:, None]
    scale = np.concatenate([box[2:], box[2:]])
    full.P = np.diag(
        np.concatenate([(2 * CONFIG.position_std * scale) ** 2, (10 * CONFIG.velocity_std * scale) ** 2])
    )
    return full


def set_noise(full: KalmanFilter) -> None:
    sides = np.maximum(full.x[2:4, 0], 1)
    scale = np.concatenate([sides, sides])
    full.Q = np.diag(np.concatenate([(CONFIG.position_std * scale) ** 2, (CONFIG.velocity_std * scale) ** 2]))
    full.R = np.diag((CONFIG.position_std * scale) ** 2)


def warp_textbook(full: KalmanFilter, scale: float, shift: np.ndarray) -> None:
    full.x = full.x * scale
    full.x[:2, 0] += shift
    full.P = full.P * scale**2


def assert_equal_states(states: kalman.KalmanStates, filters: list[KalmanFilter]) -> None:
    for row, full in enumerate(filters):
        np.testing.assert_allclose(states.position[row], full.x[:4, 0], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(states.velocity[row], full.x[4:, 0], rtol=1e-9, atol=1e-9)
        expected = np.zeros((8, 8))
        expected[:4, :4] = np.diag(states.p_xx[row])
        expected[:4, 4:] = expected[4:, :4] = np.diag(states.p_xv[row])
        expected[4:, 4:] = np.diag(states.p_vv[row])
        np.testing.assert_allclose(full.P, expected, rtol=1e-9, atol=1e-9)


def test_equals_filterpy_over_many_random_steps() -> None:
    """1,000 frames of three boxes with gaps in the measurements, a moving and zooming camera."""
    random = np.random.default_rng(7)
    boxes = np.array([[100.0, 200, 40, 90], [500, 300, 60, 150], [900, 250, 25, 60]])
    states = kalman.initiate(boxes, CONFIG)
    filters = [textbook_filter(box) for box in boxes]
    for _ in range(1000):
        scale, shift = float(random.uniform(0.99, 1.0101)), random.normal(0, 3, 2)
        kalman.predict(states, CONFIG)
        kalman.warp(states, np.array([[scale, 0, shift[0]], [0, scale, shift[1]]]))
        for full in filters:
            set_noise(full)
            full.predict()
            warp_textbook(full, scale, shift)
        rows = np.flatnonzero(random.random(3) < 0.7)
        measured = states.position[rows] + random.normal(0, 2, (len(rows), 4))
        measured[:, 2:] = np.maximum(measured[:, 2:], 5)
        scores = random.uniform(0.1, 1, len(rows))
        certainty = random.uniform(1, 2, 4)
        kalman.update(states, rows, measured, CONFIG, scores, certainty)
        for row, z, score in zip(rows, measured, scores, strict=True):
            set_noise(filters[row])
            filters[row].update(z[:, None], R=filters[row].R / score**2 / certainty**2)
        assert_equal_states(states, filters)


def test_a_steady_walk_is_learnt() -> None:
    states = kalman.initiate(np.array([[0.0, 0, 50, 100]]), CONFIG)
    for step in range(1, 60):
        kalman.predict(states, CONFIG)
        kalman.update(states, np.array([0]), np.array([[3.0 * step, 1.0 * step, 50, 100]]), CONFIG)
    np.testing.assert_allclose(states.velocity[0], [3, 1, 0, 0], atol=0.05)


def test_a_rolled_camera_turns_the_velocity() -> None:
    states = kalman.initiate(np.array([[10.0, 0, 50, 100]]), CONFIG)
    states.velocity[0, 0] = 2
    kalman.warp(states, np.array([[0.0, -1, 5], [1, 0, 7]]))  # a quarter turn and a shift
    np.testing.assert_allclose(states.position[0], [5, 17, 50, 100])
    np.testing.assert_allclose(states.velocity[0], [0, 2, 0, 0], atol=1e-12)


def test_the_camera_at_rest_changes_nothing() -> None:
    states = kalman.initiate(np.array([[10.0, 0, 50, 100]]), CONFIG)
    kalman.predict(states, CONFIG)
    before = states.values.copy()
    kalman.warp(states, IDENTITY)
    np.testing.assert_array_equal(states.values, before)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(-200, 200), st.floats(1, 400)), max_size=60))
def test_covariances_stay_positive(steps: list[tuple[bool, float, float]]) -> None:
    states = kalman.initiate(np.array([[0.0, 0, 50, 100]]), CONFIG)
    for measured, x, side in steps:
        kalman.predict(states, CONFIG)
        if measured:
            kalman.update(states, np.array([0]), np.array([[x, x, side, 2 * side]]), CONFIG)
        assert (states.p_xx > 0).all()
        assert (states.p_vv > 0).all()
        assert (states.p_xx * states.p_vv - states.p_xv**2 > 0).all()


@pytest.mark.parametrize("frames", [2, 3, 7])
def test_a_gap_is_as_many_predictions_in_a_row(frames: int) -> None:
    random = np.random.default_rng(frames)
    values = random.uniform(5, 50, (5, 4, 6))
    at_once, one_by_one = kalman.KalmanStates(values.copy()), kalman.KalmanStates(values.copy())
    at_once.velocity[:, 2:] = one_by_one.velocity[:, 2:] = 0  # noise follows the size: let it stay
    kalman.predict(at_once, CONFIG, frames)
    for _ in range(frames):
        kalman.predict(one_by_one, CONFIG)
    np.testing.assert_allclose(at_once.values, one_by_one.values, rtol=1e-12)


@pytest.mark.parametrize("frames", [0.3, 0.5, 0.8, 1.5, 40.0])
def test_any_gap_leaves_covariances_that_are_ones(frames: float) -> None:
    states = kalman.initiate(np.array([[100.0, 100, 40, 80]]), CONFIG)
    for _ in range(30):
        kalman.predict(states, CONFIG, frames)
        kalman.update(states, np.array([0]), np.array([[101.0, 99, 41, 80]]), CONFIG)
    assert (states.p_xx > 0).all()
    assert (states.p_vv > 0).all()
    assert (states.p_xx * states.p_vv > states.p_xv**2).all()


def test_squared_distances_are_mahalanobis() -> None:
    """As the textbook has it, with matrices: the innovation through the inverse of its covariance."""
    boxes = np.array([[100.0, 200, 40, 90], [500, 300, 60, 150]])
    states = kalman.initiate(boxes, CONFIG)
    kalman.predict(states, CONFIG)
    rows, measured = (
        np.array([1, 0, 1]),
        np.array([[505.0, 310, 66, 140], [90, 200, 40, 95], [500, 300, 60, 150]]),
    )
    given = kalman.squared_distances(states, rows, measured, CONFIG)
    for distance, row, box in zip(given, rows, measured, strict=True):
        filtered = textbook_filter(boxes[row])
        set_noise(filtered)
        filtered.predict()
        covariance = filtered.H @ filtered.P @ filtered.H.T + filtered.R
        offset = box[:, None] - filtered.H @ filtered.x
        np.testing.assert_allclose(
            distance, (offset.T @ np.linalg.inv(covariance) @ offset).item(), rtol=1e-9
        )
    assert given[2] == 0
