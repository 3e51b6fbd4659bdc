"""The camera's shift as boxes show it."""

import numpy as np

from mot_reid.association.scene_shift import scene_shift

GROUP = np.array([[100.0 * k, 50 + 7 * k, 40, 100] for k in range(8)])


def test_a_common_shift_is_found_among_those_who_walk_otherwise() -> None:
    seen = np.add(GROUP, (15, -6, 0, 0))
    seen[0, 0] += 9
    seen[1, 1] -= 14
    np.testing.assert_allclose(scene_shift(GROUP, seen), [15, -6])


def test_a_large_shift_is_found_by_grown_boxes() -> None:
    np.testing.assert_allclose(scene_shift(GROUP, np.add(GROUP, (36, 20, 0, 0))), [36, 20])


def test_people_who_move_each_their_own_way_are_no_shift() -> None:
    offsets = np.array([[5, 0], [-5, 1], [0, 6], [1, -6], [4, 4], [-4, -4], [6, -2], [-3, 5.0]])
    seen = GROUP + np.hstack([offsets, np.zeros((8, 2))])
    np.testing.assert_array_equal(scene_shift(GROUP, seen), [0, 0])


def test_three_people_are_too_few() -> None:
    np.testing.assert_array_equal(scene_shift(GROUP[:3], np.add(GROUP[:3], (15, 0, 0, 0))), [0, 0])
    np.testing.assert_array_equal(scene_shift(GROUP, np.zeros((0, 4))), [0, 0])


def test_the_more_there_are_the_less_their_scatter_counts() -> None:
    """The same scatter: the median of 40 is sure where that of 8 may be chance."""
    offsets = np.tile([4.0, 5, 6, 7, 9, 10, 11, 12], 5)
    many = np.array([[100.0 * k, 50 + 7 * k, 40, 100] for k in range(40)])
    seen = many + np.outer(offsets, [1, 0, 0, 0])
    np.testing.assert_allclose(scene_shift(many, seen), [8, 0])
    few = many[:8] + np.outer(offsets[:8] - 4, [1, 0, 0, 0])  # four of them hardly move
    np.testing.assert_array_equal(scene_shift(many[:8], few), [0, 0])


def test_three_pairs_among_many_are_too_few() -> None:
    seen = np.concatenate([np.add(GROUP[:3], (15, 0, 0, 0)), np.add(GROUP[3:], (0, 3000, 0, 0))])
    np.testing.assert_array_equal(scene_shift(GROUP, seen), [0, 0])


def test_a_camera_that_has_just_moved_is_believed_sooner() -> None:
    three, shifted = GROUP[:3], np.add(GROUP[:3], (15, 0, 0, 0))
    np.testing.assert_allclose(scene_shift(three, shifted, moving=True), [15, 0])
    np.testing.assert_array_equal(scene_shift(three[:2], shifted[:2], moving=True), [0, 0])
    scattered = GROUP + np.outer([4.0, 12, 4, 12, 8, 8, 5, 11], [1, 0, 0, 0])  # 4.5 standard errors from rest
    assert scene_shift(GROUP, scattered).tolist() == [0, 0]
    np.testing.assert_allclose(scene_shift(GROUP, scattered, moving=True), [8, 0])
