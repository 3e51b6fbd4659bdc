"""Chains of camera motion."""

import numpy as np

from mot_reid.offline.camera_path import CameraPath, move_cxcywh


def affine(rng: np.random.Generator) -> np.ndarray:
    angle, scale = rng.normal(0, 0.02), np.exp(rng.normal(0, 0.02))
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cosine, -sine, rng.normal(0, 5)], [sine, cosine, rng.normal(0, 5)]])


def test_any_span_equals_the_chain_step_by_step() -> None:
    rng = np.random.default_rng(0)
    affines = [None if i % 5 == 0 else affine(rng) for i in range(40)]
    path = CameraPath(affines, first_frame=10)
    steps = [np.eye(3) if a is None else np.vstack([a, [0, 0, 1]]) for a in affines]
    for start, end in ((10, 11), (9, 49), (20, 20), (13, 30), (44, 17), (49, 10)):
        expected = np.eye(3)
        for number in range(min(start, end) + 1, max(start, end) + 1):
            expected = steps[number - 10] @ expected
        expected = expected if start <= end else np.linalg.inv(expected)
        found = path.between(np.array([start]), np.array([end]))[0]
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_outside_the_affines_the_camera_stands_still() -> None:
    path = CameraPath([np.array([[1.0, 0, 7], [0, 1, 0]])], first_frame=5)
    maps = path.between(np.array([1, 4, 5, 1]), np.array([3, 5, 90, 90]))
    assert maps[:, 0, 2].tolist() == [0, 7, 0, 7]
    assert CameraPath().between(np.array([1]), np.array([9]))[0].tolist() == np.eye(3).tolist()


def test_a_zoom_scales_boxes() -> None:
    zoom = np.diag([2.0, 2.0, 1.0])[None]
    assert move_cxcywh(np.array([[10.0, 20, 4, 6]]), zoom).tolist() == [[20, 40, 8, 12]]


def test_a_camera_that_drives_on_for_ever_stays_exact() -> None:
    path = CameraPath([np.array([[1.02, 0, 0], [0, 1.02, 0]])] * 50_000)
    maps = path.between(np.array([49_000]), np.array([49_010]))
    np.testing.assert_allclose(maps[0, 0, 0], 1.02**10)


def test_a_roll_turns_centres_and_leaves_boxes_upright() -> None:
    quarter = np.array([[[0.0, -1, 5], [1, 0, 7], [0, 0, 1]]])
    np.testing.assert_allclose(
        move_cxcywh(np.array([[10.0, 20, 4, 6]]), quarter), [[-15, 17, 4, 6]], atol=1e-12
    )
