"""Pruning on scores small enough to check by hand."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from offline_scenes import assert_same, random_rows, scene, walk

from mot_reid.offline.pruning import prune_tracks
from mot_reid.offline.rows import TrackRows


def scored(*tracks: list[float]) -> TrackRows:
    """One track for each list of scores, from frame 1 on, side by side."""
    rows = scene(*(walk(i + 1, range(1, len(track) + 1), 100 * i) for i, track in enumerate(tracks)))
    return replace(rows, scores=np.concatenate(tracks).astype(np.float32))


def left(rows: TrackRows) -> list[int]:
    return np.unique(rows.ids).tolist()


def test_a_reflection_goes_and_people_stay() -> None:
    """What is usual is 0.86: the reflection comes to 0.525, half of it and of its best score."""
    rows = scored([0.9] * 20, [0.8] * 10, [0.5] * 9 + [0.55])
    pruned = prune_tracks(rows, 0.8)
    assert left(pruned) == [1, 2]
    assert_same(pruned, rows[rows.ids < 3])


def test_who_is_hidden_most_of_the_time_but_well_seen_once_stays() -> None:
    """Mean 0.5 and best 0.9 make 0.7, and 0.9 is usual; the mean alone would not do."""
    rows = scored([0.9] * 50, [0.9, 0.9, *[0.4] * 8])
    assert left(prune_tracks(rows, 0.75)) == [1, 2]
    assert left(prune_tracks(rows, 0.85)) == [1]


def test_one_lucky_frame_is_not_enough() -> None:
    """The best alone would keep it: 0.9; with a mean of 0.33 it comes to 0.61."""
    assert left(prune_tracks(scored([0.9] * 50, [0.9, *[0.3] * 19]), 0.75)) == [1]


def test_a_detector_that_scores_everybody_low_loses_nobody() -> None:
    rows = scored([0.3] * 20, [0.28] * 10)
    assert_same(prune_tracks(rows, 0.8), rows)


def test_rows_that_nobody_saw_do_not_count() -> None:
    rows = scored([0.9] * 10, [0.85] * 5 + [0.1] * 5)
    predicted = (rows.ids == 2) & (rows.frames > 5)
    assert left(prune_tracks(rows, 0.8)) == [1]
    assert left(prune_tracks(replace(rows, interpolated=predicted), 0.8)) == [1, 2]


def test_nothing_to_prune() -> None:
    rows = scored([0.9] * 10, [0.1] * 10)
    assert prune_tracks(rows, 0) is rows
    assert len(prune_tracks(TrackRows.empty(), 0.8)) == 0
    unscored = replace(rows, scores=np.zeros(20, np.float32))
    assert left(prune_tracks(unscored, 0.8)) == [1, 2]


@settings(max_examples=30, deadline=None)
@given(rows=random_rows(), share=st.floats(0, 1), seed=st.integers(0, 99))
def test_tracks_stay_or_go_whole(rows: TrackRows, share: float, seed: int) -> None:
    scores = np.random.default_rng(seed).uniform(0.1, 1, len(rows)).astype(np.float32)
    rows = replace(rows, scores=scores)
    pruned = prune_tracks(rows, share)
    assert_same(pruned, rows[np.isin(rows.ids, pruned.ids)])
    again = prune_tracks(rows[::-1], share)
    assert_same(again, pruned)
