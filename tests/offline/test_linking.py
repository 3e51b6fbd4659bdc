"""Linking on scenes small enough to check by hand, and what holds for any."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from offline_scenes import assert_same, random_rows, scene, walk

from mot_reid.config import OfflineConfig
from mot_reid.offline.camera_path import CameraPath
from mot_reid.offline.linking import link_tracks
from mot_reid.offline.rows import TrackRows

FPS = 30.0


def tracks_of(rows: TrackRows) -> dict[int, list[int]]:
    """The first and last frame of each track."""
    return {
        int(track): [int(rows.frames[rows.ids == track].min()), int(rows.frames[rows.ids == track].max())]
        for track in np.unique(rows.ids)
    }


def test_somebody_who_walks_on_behind_a_tree_is_one() -> None:
    rows = scene(walk(1, range(1, 30), 0, 3), walk(2, range(45, 80), 0, 3))
    assert tracks_of(link_tracks(rows, fps=FPS)) == {1: [1, 79]}


def test_who_turns_up_elsewhere_is_somebody_else() -> None:
    rows = scene(walk(1, range(1, 30), 0, 3), walk(2, range(45, 80), 300, 3))
    assert tracks_of(link_tracks(rows, fps=FPS)) == {1: [1, 29], 2: [45, 79]}


def test_who_is_of_another_size_is_somebody_else() -> None:
    rows = scene(walk(1, range(1, 30), 0), walk(2, range(45, 80), 20, height=180, y=60))
    assert len(tracks_of(link_tracks(rows, fps=FPS))) == 2


def test_who_stays_away_too_long_is_not_linked() -> None:
    rows = scene(walk(1, range(1, 30), 0), walk(2, range(150, 180), 0))
    assert len(tracks_of(link_tracks(rows, fps=FPS))) == 2
    assert len(tracks_of(link_tracks(rows, OfflineConfig(link_time=5, link_cost=4), fps=FPS))) == 1


def test_tracks_seen_in_one_frame_are_two_people() -> None:
    rows = scene(walk(1, range(1, 31), 0), walk(2, range(30, 60), 2))
    assert len(tracks_of(link_tracks(rows, fps=FPS))) == 2


def test_tracks_of_different_classes_are_not_linked() -> None:
    rows = scene(walk(1, range(1, 30), 0), walk(2, range(35, 60), 0))
    classes = (rows.ids == 2).astype(np.int64)
    values = {name: getattr(rows, name) for name in rows.__dataclass_fields__}
    assert len(tracks_of(link_tracks(TrackRows(**(values | {"classes": classes})), fps=FPS))) == 2


def test_two_who_meet_out_of_sight_keep_their_ways() -> None:
    """They pass behind a pillar in opposite directions; nearest neighbours would swap them."""
    rows = scene(
        walk(1, range(1, 30), 0, 4),
        walk(2, range(1, 30), 240, -4),
        walk(3, range(33, 60), 0, 4),
        walk(4, range(33, 60), 240, -4),
    )
    linked = link_tracks(rows, fps=FPS)
    assert tracks_of(linked) == {1: [1, 59], 2: [1, 59]}
    last = linked.frames == 59
    assert linked.xyxy[last & (linked.ids == 1), 0] == 236


def test_a_track_is_never_cut() -> None:
    """Appearance may have brought somebody back far away."""
    rows = scene(walk(1, range(1, 30), 0), walk(1, range(60, 90), 400))
    assert tracks_of(link_tracks(rows, fps=FPS)) == {1: [1, 89]}


def test_three_parts_become_one() -> None:
    rows = scene(walk(9, range(1, 30), 0, 2), walk(5, range(40, 41), 0, 2), walk(7, range(50, 80), 0, 2))
    assert tracks_of(link_tracks(rows, fps=FPS)) == {9: [1, 79]}


def test_the_camera_pans_meanwhile() -> None:
    pan = [np.array([[1.0, 0, -10], [0, 1, 0]])] * 80
    rows = scene(walk(1, range(1, 30), 1000, -10), walk(2, range(50, 80), 1000, -10))
    far = scene(walk(1, range(1, 30), 1000, 0), walk(2, range(50, 80), 1000, 0))
    camera = CameraPath(pan, first_frame=1)
    assert len(tracks_of(link_tracks(rows, fps=FPS, camera=camera))) == 1
    assert len(tracks_of(link_tracks(far, fps=FPS, camera=camera))) == 2


def test_who_looks_different_is_somebody_else() -> None:
    rows = scene(walk(1, range(1, 30), 0), walk(2, range(35, 60), 0))
    red, green = np.eye(2)
    assert len(tracks_of(link_tracks(rows, fps=FPS, embeddings={1: red, 2: red}))) == 1
    assert len(tracks_of(link_tracks(rows, fps=FPS, embeddings={1: red}))) == 1
    assert len(tracks_of(link_tracks(rows, fps=FPS, embeddings={1: red, 2: green}))) == 2


def test_frame_rate_does_not_matter() -> None:
    for step in (1, 2, 3):
        whole = scene(walk(1, range(31), 0, 2), walk(2, range(48, 90), 0, 2), walk(3, range(60, 90), 300))
        every = whole[whole.frames % step == 0]
        values = {name: getattr(every, name) for name in every.__dataclass_fields__}
        slower = TrackRows(**(values | {"frames": every.frames // step}))
        assert sorted(tracks_of(link_tracks(slower, fps=FPS / step))) == [1, 3]


def test_nothing_and_a_single_row() -> None:
    assert len(link_tracks(TrackRows.empty())) == 0
    one = scene(walk(4, range(7, 8), 0))
    assert tracks_of(link_tracks(one)) == {4: [7, 7]}


@settings(max_examples=60, deadline=None)
@given(rows=random_rows(), seed=st.integers(0, 1000))
def test_what_always_holds(rows: TrackRows, seed: int) -> None:
    config = OfflineConfig(link_cost=4)
    merged = link_tracks(rows, config, fps=10)  # an id twice in a frame would not be taken
    shuffled = rows[np.random.default_rng(seed).permutation(len(rows))]
    assert_same(link_tracks(shuffled, config, fps=10), merged)
    assert set(merged.ids.tolist()) <= set(rows.ids.tolist())
    assert len(merged) == len(rows)
    parts = {tuple(row[1:]): row[0] for row in np.column_stack([rows.ids, rows.frames, rows.xyxy]).tolist()}
    for track in np.unique(merged.ids):
        chosen = merged[merged.ids == track]
        before = [parts[tuple(row)] for row in np.column_stack([chosen.frames, chosen.xyxy]).tolist()]
        runs = 1 + np.count_nonzero(np.diff(before))
        assert runs == len(set(before))  # one after the other, never interleaved


@pytest.mark.parametrize("length", [20_000, 600])
def test_thousands_of_tracks(length: int) -> None:
    rng = np.random.default_rng(0)
    count, seen = 4000, 12
    starts = rng.integers(1, length, count)
    frames = starts[:, None] + np.arange(seen)
    corners = (
        rng.uniform(0, 20_000, (count, 1, 2)) + rng.normal(0, 3, (count, 1, 2)) * np.arange(seen)[:, None]
    )
    boxes = np.concatenate([corners, corners + np.array([40, 100])], axis=2).reshape(-1, 4)
    rows = TrackRows.from_arrays(frames.ravel(), np.repeat(np.arange(1, count + 1), seen), boxes)
    begin = time.perf_counter()
    link_tracks(rows, fps=FPS)
    assert time.perf_counter() - begin < 20


def test_who_comes_from_elsewhere_is_somebody_else() -> None:
    """One stops, another walks fast through the same place: seen from its start, it was never there."""
    rows = scene(walk(1, range(1, 30), 0), walk(2, range(40, 70), -400, 10))
    assert len(tracks_of(link_tracks(rows, fps=FPS))) == 2
    stands = scene(walk(1, range(1, 30), 0), walk(2, range(40, 70), 0))
    assert len(tracks_of(link_tracks(stands, fps=FPS))) == 1


def test_a_last_box_that_is_cut_off_does_not_matter() -> None:
    """Behind a car legs vanish first: the last box is a fifth less tall than those before."""
    cut = walk(1, range(1, 30), 0)
    cut[-1, 5] -= 20
    assert tracks_of(link_tracks(scene(cut, walk(2, range(34, 60), 0)), fps=FPS)) == {1: [1, 59]}


def test_the_longest_time_is_in_seconds() -> None:
    config = OfflineConfig(link_time=2, link_cost=9)
    for fps in (5, 10, 20):
        for missing, count in ((2 * fps, 1), (2 * fps + 1, 2)):
            rows = scene(walk(1, range(1, 30), 0), walk(2, range(30 + missing, 60 + missing), 0))
            assert len(tracks_of(link_tracks(rows, config, fps=fps))) == count
