"""Gaps filled and boxes smoothed: by hand, and what holds for any tracks."""

import numpy as np
from hypothesis import given, settings
from offline_scenes import assert_same, random_rows, scene, walk

from mot_reid.offline.camera_path import CameraPath
from mot_reid.offline.interpolation import fill_free_gaps, fill_gaps
from mot_reid.offline.rows import TrackRows
from mot_reid.offline.smoothing import smooth


def test_a_gap_is_filled_on_a_line() -> None:
    boxes = np.array([[0.0, 0, 10, 20], [30, 6, 46, 32]])
    rows = TrackRows.from_arrays(np.array([5, 8]), np.array([2, 2]), boxes, np.array([0.9, 0.6]))
    filled = fill_gaps(rows, 2)
    assert filled.frames.tolist() == [5, 6, 7, 8]
    assert filled.interpolated.tolist() == [False, True, True, False]
    np.testing.assert_allclose(filled.xyxy[1], [10, 2, 22, 24], atol=1e-5)
    np.testing.assert_allclose(filled.scores, [0.9, 0.8, 0.7, 0.6], atol=1e-6)
    assert filled.detection_index.tolist() == [-1] * 4


def test_a_long_gap_stays() -> None:
    rows = scene(walk(1, range(1, 3), 0), walk(1, range(10, 12), 0))
    assert len(fill_gaps(rows, 6)) == 4
    assert len(fill_gaps(rows, 7)) == 11


def test_gaps_are_within_tracks_only() -> None:
    rows = scene(walk(1, range(1, 3), 0), walk(2, range(5, 7), 0))
    assert fill_gaps(rows, 100) is rows


def test_the_line_is_drawn_on_the_ground() -> None:
    """Somebody stands still while the camera jerks to the side for one frame."""
    jerk = [np.array([[1.0, 0, x], [0, 1, 0]]) for x in (0, 0, 90, -90, 0)]
    rows = scene(walk(1, range(1, 3), 0), walk(1, range(4, 6), 0))
    filled = fill_gaps(rows, 5, CameraPath(jerk, first_frame=1))
    assert filled.xyxy[:, 0].tolist() == [0, 0, 90, 0, 0]


def test_a_straight_walk_is_left_as_it_is() -> None:
    rows = scene(walk(1, range(1, 40), 0, 3), walk(2, range(5, 6), 100))
    np.testing.assert_allclose(smooth(rows, 3).xyxy, rows.xyxy, atol=1e-2)


def test_noise_is_smoothed_away() -> None:
    rows = scene(walk(1, range(1, 101), 0, 3))
    rng = np.random.default_rng(0)
    noisy = TrackRows.from_arrays(rows.frames, rows.ids, rows.xyxy + rng.normal(0, 3, rows.xyxy.shape))
    before, after = (np.abs(each.xyxy - rows.xyxy).mean() for each in (noisy, smooth(noisy, 3)))
    assert after < before / 2


def test_a_box_that_opens_up_keeps_a_size() -> None:
    """Somebody comes in at the left edge: a line through the widths would begin below 0."""
    widths = np.array([10.0] * 6 + [22, 48] + [100] * 6)
    zeros = np.zeros(len(widths))
    boxes = np.column_stack([zeros, zeros + 100, widths, zeros + 300])
    rows = TrackRows.from_arrays(np.arange(len(widths)), np.ones(len(widths)), boxes)
    smoothed = smooth(rows, 3).xyxy
    assert np.all(smoothed[:, 2] - smoothed[:, 0] >= 10 - 1e-3)
    assert np.all(smoothed[:, 2] - smoothed[:, 0] <= 100 + 1e-3)
    np.testing.assert_allclose(smoothed[:, [1, 3]], boxes[:, [1, 3]], atol=1e-3)


def test_smoothing_follows_the_camera() -> None:
    """Who stands still under a shaking camera is not smoothed."""
    rng = np.random.default_rng(0)
    shifts = rng.normal(0, 20, 50)
    shake = [np.array([[1.0, 0, shift], [0, 1, 0]]) for shift in np.diff(shifts, prepend=0)]
    boxes = np.array([100.0, 100, 140, 200]) + shifts[:, None] * [1, 0, 1, 0]
    rows = TrackRows.from_arrays(np.arange(1, 51), np.ones(50), boxes)
    np.testing.assert_allclose(smooth(rows, 3, CameraPath(shake)).xyxy, rows.xyxy, atol=1e-2)
    assert np.abs(smooth(rows, 3).xyxy - rows.xyxy).max() > 5


def test_nothing_and_a_single_row() -> None:
    none, one = TrackRows.empty(), scene(walk(4, range(7, 8), 0))
    assert len(fill_gaps(none, 5)) == len(smooth(none, 3)) == 0
    assert fill_gaps(one, 5) is one
    np.testing.assert_allclose(smooth(one, 3).xyxy, one.xyxy, atol=1e-4)
    assert smooth(one, 0) is one


@settings(max_examples=60, deadline=None)
@given(rows=random_rows())
def test_interpolation_changes_no_row(rows: TrackRows) -> None:
    filled = fill_gaps(rows, 10)
    assert_same(filled[~filled.interpolated], rows)
    same = filled.ids[1:] == filled.ids[:-1]
    steps = np.diff(filled.frames)[same]
    assert ((steps == 1) | (steps > 11)).all()


@settings(max_examples=60, deadline=None)
@given(rows=random_rows())
def test_smoothing_keeps_every_row(rows: TrackRows) -> None:
    smoothed = smooth(rows, 2)
    assert smoothed.frames.tolist() == rows.frames.tolist()
    assert smoothed.ids.tolist() == rows.ids.tolist()
    only_second = rows[rows.ids == 2]  # no track knows of another
    np.testing.assert_allclose(smooth(only_second, 2).xyxy, smoothed.xyxy[rows.ids == 2], atol=1e-3)


def test_a_longer_gap_on_which_somebody_else_stands_stays_open() -> None:
    hidden = scene(walk(1, range(1, 11), 0), walk(1, range(21, 31), 0))
    beside, on_it = (hidden.joined_with(scene(walk(2, range(1, 31), x))) for x in (60, 3))
    assert np.count_nonzero(fill_free_gaps(beside, 20, 4).interpolated) == 10
    assert not fill_free_gaps(on_it, 20, 4).interpolated.any()
    assert np.count_nonzero(fill_free_gaps(on_it, 20, 10).interpolated) == 10
    assert fill_free_gaps(on_it, 9, 10) is on_it
    passing = hidden.joined_with(scene(walk(2, range(1, 31), 300, -20)))
    assert np.count_nonzero(fill_free_gaps(passing, 20, 4).interpolated) == 10


def test_gaps_that_were_filled_before_stay_filled() -> None:
    rows = scene(walk(1, range(1, 11), 0), walk(1, range(21, 31), 0), walk(2, range(1, 31), 3))
    filled = fill_gaps(rows, 20)
    assert_same(fill_free_gaps(filled, 20, 0), filled)
