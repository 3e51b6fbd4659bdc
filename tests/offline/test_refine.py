"""Growing back, and all steps together."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from offline_scenes import assert_same, random_rows, scene, walk

from mot_reid import Detections
from mot_reid.config import OfflineConfig
from mot_reid.offline.camera_path import CameraPath
from mot_reid.offline.growing import grow_back
from mot_reid.offline.refine import refine_tracks
from mot_reid.offline.rows import TrackRows
from mot_reid.offline.smoothing import smooth

NOTHING = OfflineConfig(grow_score=1, link_time=0, prune_share=0, fill_time=0, smooth_time=0)


def detections(frames: range, x: float, speed: float, score: float) -> dict[int, Detections]:
    """One person in each frame, as `walk` puts them."""
    return {int(row[0]): Detections(row[None, 2:], [score]) for row in walk(1, frames, x, speed)}


def followed() -> TrackRows:
    """A track from frame 10 on that has used the only detection of each frame."""
    rows = scene(walk(3, range(10, 20), 0, 2))
    return replace(rows, detection_index=np.zeros(len(rows), np.int64))


def test_a_track_is_followed_back_through_weak_detections() -> None:
    seen = detections(range(1, 20), 0, 2, 0.5)
    grown = grow_back(followed(), seen, 0.4)
    assert grown.frames.tolist() == list(range(1, 20))
    assert set(grown.ids.tolist()) == {3}
    np.testing.assert_array_equal(grown.xyxy[:, 0], 2 * np.arange(1, 20))
    assert grown.detection_index.tolist() == [0] * 19
    assert not grown.interpolated.any()


def test_detections_that_are_too_weak_or_too_far_are_left() -> None:
    rows = followed()
    assert grow_back(rows, detections(range(1, 20), 0, 2, 0.3), 0.4) is rows
    assert grow_back(rows, detections(range(1, 10), 60, 2, 0.5), 0.4) is rows


def test_detections_of_another_class_are_left() -> None:
    rows = followed()
    bicycle = {
        number: replace(one, classes=np.ones(1, np.int64))
        for number, one in detections(range(1, 10), 0, 2, 0.5).items()
    }
    assert grow_back(rows, bicycle, 0.4) is rows


def test_it_ends_where_nothing_is_found() -> None:
    seen = detections(range(1, 4), 0, 2, 0.5) | detections(range(8, 20), 0, 2, 0.5)
    assert grow_back(followed(), seen, 0.4).frames[0] == 8  # 4 frames are more than 0.1 s
    seen |= detections(range(6, 8), 0, 2, 0.5)
    assert grow_back(followed(), seen, 0.4).frames[0] == 1


def test_two_tracks_do_not_share_a_detection() -> None:
    both = scene(walk(1, range(10, 20), 0), walk(2, range(10, 20), 8))
    grown = grow_back(both, detections(range(1, 10), 1, 0, 0.5), 0.4)
    assert np.count_nonzero(grown.frames < 10) == 9
    assert set(grown.ids[grown.frames < 10].tolist()) == {1}


def test_a_detection_in_use_is_not_taken() -> None:
    first = scene(walk(1, range(1, 10), 0), walk(2, range(10, 20), 0))
    used = replace(first, detection_index=np.zeros(len(first), np.int64))
    assert grow_back(used, detections(range(1, 20), 0, 0, 0.9), 0.4) is used


def test_the_camera_pans_meanwhile() -> None:
    pan = CameraPath([np.array([[1.0, 0, -100], [0, 1, 0]])] * 20)
    rows = scene(walk(1, range(18, 20), 2000, -100))
    seen = detections(range(10, 18), 2000, -100, 0.5)
    assert grow_back(rows, seen, 0.4, camera=pan).frames[0] == 10


def test_with_everything_off_nothing_changes() -> None:
    rows = scene(walk(1, range(1, 10), 0), walk(2, range(14, 20), 0))
    assert_same(refine_tracks(rows, NOTHING, fps=30), rows)


def test_all_together() -> None:
    """Seen weakly, then well, then hidden, then back under a new id: one track without a gap."""
    rows = scene(walk(1, range(10, 30), 0, 2), walk(2, range(40, 60), 0, 2))
    refined = refine_tracks(rows, fps=30, detections=detections(range(1, 10), 0, 2, 0.5))
    assert refined.frames.tolist() == list(range(1, 60))
    assert set(refined.ids.tolist()) == {1}
    np.testing.assert_allclose(refined.xyxy[:, 0], 2 * np.arange(1, 60), atol=0.05)
    assert refined.frames[refined.interpolated].tolist() == list(range(30, 40))


def test_what_was_never_convincing_is_taken_out_once_tracks_are_whole() -> None:
    """Two parts of one person, weak at first, well seen later, stay; the reflection beside goes."""
    rows = scene(walk(1, range(1, 30), 0, 2), walk(2, range(35, 60), 0, 2), walk(3, range(1, 60), 400))
    scores = np.where(rows.ids == 2, 0.9, 0.5).astype(np.float32)
    refined = refine_tracks(replace(rows, scores=scores), OfflineConfig(prune_share=0.9), fps=30)
    assert refined.frames.tolist() == list(range(1, 60))
    assert set(refined.ids.tolist()) == {1}


def test_what_the_tracker_only_predicted_gives_way() -> None:
    """A hidden person was predicted to walk on, but had stopped; another never came back."""
    rows = scene(walk(1, range(1, 12), 0), walk(2, range(1, 12), 300))
    shifted = rows.xyxy.copy()
    hidden = (rows.frames >= 5) & (rows.frames <= 8) | (rows.ids == 2) & (rows.frames > 8)
    shifted[hidden] += 30
    refined = refine_tracks(replace(rows, xyxy=shifted, interpolated=hidden), fps=30)
    assert refined.frames[refined.ids == 1].tolist() == list(range(1, 12))
    np.testing.assert_allclose(refined.xyxy[refined.ids == 1, 0], 0, atol=1e-3)
    assert refined.frames[refined.ids == 2].tolist() == [1, 2, 3, 4]


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="fps: expected a positive number, got 0"):
        refine_tracks(TrackRows.empty(), fps=0)
    with pytest.raises(ValueError, match="link_time"):
        OfflineConfig(link_time=-1)


def test_nothing_and_a_single_row() -> None:
    assert len(refine_tracks(TrackRows.empty(), fps=30, detections={1: Detections.empty()})) == 0
    one = scene(walk(4, range(7, 8), 0))
    assert refine_tracks(one, fps=30).frames.tolist() == [7]


@settings(max_examples=40, deadline=None)
@given(rows=random_rows())
def test_what_always_holds(rows: TrackRows) -> None:
    seen: dict[int, Detections] = {}
    for frame in range(1, 81):
        here = rows.xyxy[rows.frames == frame]
        if len(here):
            seen[frame] = Detections(here + 1, np.full(len(here), 0.5))
    affines = [np.array([[1.0, 0, 3], [0, 1, -1]])] * 80
    kept = refine_tracks(rows, OfflineConfig(prune_share=0), fps=10, affines=affines, detections=seen)
    assert np.isin(np.unique(rows.frames), kept.frames).all()  # pruning may drop whom weak boxes lengthened
    refined = refine_tracks(rows, fps=10, affines=affines, detections=seen)  # checks: an id once in a frame
    again = refine_tracks(rows[::-1], fps=10, affines=affines, detections=seen)
    assert_same(again, refined)


def test_every_step_follows_the_camera() -> None:
    """Somebody stands still under a camera that shakes: grown back, linked, filled in and smoothed."""
    shifts = np.random.default_rng(0).normal(0, 60, 61).cumsum()
    affines = [np.array([[1.0, 0, x], [0, 1, 0]]) for x in np.diff(shifts, prepend=0)]

    def shaken(track: int, frames: range) -> np.ndarray:
        return walk(track, frames, 1000) + np.outer(shifts[list(frames)], [0, 0, 1, 0, 1, 0])

    rows = scene(shaken(1, range(10, 30)), shaken(2, range(40, 61)))
    weak = {number: Detections(shaken(1, range(number, number + 1))[:, 2:], [0.5]) for number in range(1, 10)}
    refined = refine_tracks(rows, fps=30, affines=affines, first_frame=0, detections=weak)
    assert_same(replace(refined, scores=np.ones(60, np.float32)), scene(shaken(1, range(1, 61))))


def test_looks_keep_apart_who_would_be_linked() -> None:
    rows = scene(walk(1, range(1, 30), 0), walk(2, range(35, 60), 0))
    red, green = np.eye(2)
    for look, ids in ((red, {1}), (green, {1, 2})):
        refined = refine_tracks(rows, fps=30, embeddings={1: red, 2: look})
        assert set(refined.ids.tolist()) == ids


def test_times_are_in_seconds() -> None:
    rows = scene(walk(1, range(1, 10), 0), walk(1, range(25, 40), 0), walk(2, range(1, 41), 400))
    rng = np.random.default_rng(0)
    noisy = replace(rows, xyxy=rows.xyxy + rng.normal(0, 3, rows.xyxy.shape).astype(np.float32))
    for fps in (5.0, 10.0, 20.0):
        filled = refine_tracks(rows, replace(NOTHING, fill_time=15 / fps), fps=fps)
        assert np.count_nonzero(filled.interpolated) == 15
        left = refine_tracks(rows, replace(NOTHING, fill_time=14.9 / fps), fps=fps)
        assert not left.interpolated.any()
        smoothed = refine_tracks(noisy, replace(NOTHING, smooth_time=2 / fps), fps=fps)
        assert_same(smoothed, smooth(noisy, 2))


def test_interpolated_rows_keep_their_class() -> None:
    rows = scene(walk(1, range(1, 10), 0), walk(1, range(12, 20), 0))
    cars = replace(rows, classes=np.full(len(rows), 2))
    back = TrackRows.from_tracks(refine_tracks(cars, fps=30).to_tracks())
    assert back.classes.tolist() == [2] * 19


def test_growing_back_heeds_the_time_that_passed() -> None:
    """In every second frame there is no detection at all, and no entry for it."""
    seen = {number: one for number, one in detections(range(1, 20), 0, 12, 0.5).items() if number % 2 == 0}
    rows = scene(walk(3, range(10, 20), 0, 12))
    grown = grow_back(rows, seen, 0.4)
    assert grown.frames[grown.frames < 10].tolist() == [2, 4, 6, 8]
