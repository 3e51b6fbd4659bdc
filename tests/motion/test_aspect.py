"""DeepSORT's filter against filterpy's eight-state one."""

import numpy as np
import pytest
from filterpy.kalman import KalmanFilter

from mot_reid.config import MotionConfig
from mot_reid.motion import aspect

CONFIG = MotionConfig(position_std=1 / 20, velocity_std=1 / 160)


def textbook_filter(box: np.ndarray) -> KalmanFilter:
    """filterpy's filter of centre, aspect ratio and height, for one box of centre, width and height."""
    full = KalmanFilter(dim_x=8, dim_z=4)
    full.F = np.eye(8) + np.eye(8, k=4)
    full.H = np.eye(4, 8)
    full.x = np.concatenate([as_aspect(box), np.zeros(4)])[:, None]
    height = box[3]
    spread = [height / 10, height / 10, 1e-2, height / 10, height / 16, height / 16, 1e-5, height / 16]
    full.P = np.diag(np.square(spread))
    return full


def set_noise(full: KalmanFilter) -> None:
    place, speed = full.x[3, 0] / 20, full.x[3, 0] / 160
    full.Q = np.diag(np.square([place, place, 1e-2, place, speed, speed, 1e-5, speed]))
    full.R = np.diag(np.square([place, place, 1e-1, place]))


def as_aspect(box: np.ndarray) -> np.ndarray:
    return np.array([box[0], box[1], box[2] / box[3], box[3]])


def test_equals_filterpy_over_many_random_steps() -> None:
    random = np.random.default_rng(3)
    boxes = np.array([[100.0, 200, 40, 90], [500, 300, 60, 150], [900, 250, 25, 60]])
    states = aspect.initiate(boxes, CONFIG)
    filters = [textbook_filter(box) for box in boxes]
    for _ in range(300):
        for full in filters:
            set_noise(full)
            full.predict()
        aspect.predict(states, CONFIG)
        seen = random.random(3) < 0.8
        measured = boxes + random.normal(0, 2, boxes.shape)
        boxes[:, :2] += random.normal(0, 3, (3, 2))
        for full, box, here in zip(filters, measured, seen, strict=True):
            set_noise(full)
            if here:
                expected = full.residual_of(as_aspect(box)[:, None])
                variance = np.diag(full.P)[:4] + np.diag(full.R)
                row = [each is full for each in filters].index(True)
                found = aspect.squared_distances(states, np.array([row]), box[None], CONFIG)
                assert found[0] == pytest.approx(((expected[:, 0] ** 2) / variance).sum())
                full.update(as_aspect(box))
        rows = seen.nonzero()[0]
        aspect.update(states, rows, measured[rows], CONFIG)
        for row, full in enumerate(filters):
            np.testing.assert_allclose(as_aspect(states.position[row]), full.x[:4, 0], rtol=1e-9)
            np.testing.assert_allclose(states.velocity[row], full.x[4:, 0], rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(states.p_xx[row], np.diag(full.P)[:4], rtol=1e-9)


def test_certainty_is_of_other_coordinates() -> None:
    box = np.array([[100.0, 200, 40, 90]])
    with pytest.raises(ValueError, match="certainty: expected None"):
        aspect.update(aspect.initiate(box, CONFIG), np.array([0]), box, CONFIG, None, np.ones(4))


def test_three_frames_at_once_are_three_frames() -> None:
    box = np.array([[100.0, 200, 40, 90]])
    one_by_one, at_once = aspect.initiate(box, CONFIG), aspect.initiate(box, CONFIG)
    for states in (one_by_one, at_once):
        aspect.update(states, np.array([0]), box + 3, CONFIG)
    height = at_once.position[0, 3]
    one_by_one.values[1, 3] = at_once.values[1, 3] = 0  # the noise follows the height, which shall stay
    for _ in range(3):
        aspect.predict(one_by_one, CONFIG)
    aspect.predict(at_once, CONFIG, 3)
    assert at_once.position[0, 3] == height
    np.testing.assert_allclose(at_once.values, one_by_one.values, rtol=1e-12)


def test_nobody() -> None:
    states = aspect.initiate(np.zeros((0, 4)), CONFIG)
    aspect.predict(states, CONFIG)
    aspect.update(states, np.zeros(0, np.intp), np.zeros((0, 4)), CONFIG)
    assert states.values.shape == (5, 4, 0)
