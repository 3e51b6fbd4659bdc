"""What two ways through the same detections agree on, and whose track is whose then."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from offline_scenes import scene, walk

from mot_reid import Detections
from mot_reid.association.associator import Associator
from mot_reid.config import OfflineConfig
from mot_reid.offline.both_ways import agreed_tracks, between_ways, named_as
from mot_reid.offline.interpolation import fill_gaps
from mot_reid.offline.refine import refine_tracks
from mot_reid.offline.rows import TrackRows
from mot_reid.offline.way_back import tracked_backward

PLAIN = OfflineConfig(grow_score=1, link_time=0, prune_share=0, smooth_time=0)


def crossing(swapped_at: int) -> TrackRows:
    """Two people, detections 0 and 1 of every frame, meet at frame 20; from one frame on ids are swapped."""
    people = scene(walk(1, range(1, 41), 0, 10), walk(2, range(1, 41), 400, -10))
    index = people.ids - 1
    ids = np.where(people.frames >= swapped_at, 3 - people.ids, people.ids)
    return replace(replace(people, detection_index=index), ids=ids)


def person_of(rows: TrackRows) -> dict[int, set[int]]:
    """The detections, which are those of one person each, of every id."""
    seen = rows[rows.detection_index >= 0]
    return {
        track: set(seen.detection_index[seen.ids == track].tolist()) for track in np.unique(seen.ids).tolist()
    }


def test_two_ways_that_agree_are_left_as_they_are() -> None:
    forward = crossing(41)
    backward = replace(forward, ids=forward.ids + 7)
    agreed = agreed_tracks(forward, backward)
    for name in ("frames", "ids", "detection_index"):
        np.testing.assert_array_equal(getattr(agreed, name), getattr(forward, name))


def test_where_they_disagree_tracks_are_cut() -> None:
    agreed = agreed_tracks(crossing(20), crossing(41))
    assert sorted(map(tuple, person_of(agreed).values())) == [(0,), (0,), (1,), (1,)]
    first = {track: int(agreed.frames[agreed.ids == track].min()) for track in person_of(agreed)}
    assert sorted(first.values()) == [1, 1, 20, 20]


def test_who_was_swapped_forward_is_himself_again() -> None:
    """The way back has it right; linking sees that both walk on as before."""
    forward, backward = crossing(20), crossing(41)
    alone = refine_tracks(forward, PLAIN, fps=30)
    assert person_of(alone) == {1: {0, 1}, 2: {0, 1}}
    refined = refine_tracks(forward, replace(PLAIN, link_time=1), fps=30, backward=backward)
    assert sorted(map(tuple, person_of(refined).values())) == [(0,), (1,)]
    assert len(refined) == 80
    assert set(refined.ids.tolist()) == {1, 2}


def test_without_linking_nothing_is_cut_and_without_smoothing_no_box_moves() -> None:
    forward, backward = crossing(20), replace(crossing(41), xyxy=crossing(41).xyxy + 4)
    left = refine_tracks(forward, PLAIN, fps=30, backward=backward)
    for name in ("frames", "ids", "xyxy"):
        np.testing.assert_array_equal(getattr(left, name), getattr(forward, name))
    moved = refine_tracks(forward, replace(PLAIN, smooth_time=0.01), fps=30, backward=backward)
    np.testing.assert_allclose(moved.xyxy, forward.xyxy + 2, atol=0.1)


def test_real_associations_of_a_crossing() -> None:
    """Two who pass each other, tracked both ways in earnest: each keeps his track, and no row is lost."""
    seen = []
    for number in range(60):
        a = np.array([6.0 * number, 100, 6.0 * number + 40, 200])
        b = np.array([400 - 6.0 * number, 104, 440 - 6.0 * number, 206])
        seen.append(Detections(np.stack([a, b]), [0.9, 0.85]))
    forward = tracked_backward(seen[::-1], [None] * 60, Associator(fps=25))
    forward = replace(forward, frames=61 - forward.frames)
    backward = tracked_backward(seen, [None] * 60, Associator(fps=25))
    refined = refine_tracks(forward, fps=25, detections=dict(enumerate(seen, 1)), backward=backward)
    assert sorted(map(tuple, person_of(refined).values())) == [(0,), (1,)]
    assert len(refined) == 120


def test_boxes_lie_halfway_where_both_ways_have_the_detection() -> None:
    forward = crossing(41)
    backward = replace(forward, xyxy=forward.xyxy + 4)[forward.frames > 10]
    between = between_ways(forward, backward)
    late = forward.frames > 10
    np.testing.assert_allclose(between.xyxy[late], forward.xyxy[late] + 2)
    np.testing.assert_array_equal(between.xyxy[~late], forward.xyxy[~late])


def test_weak_tails_and_what_one_way_alone_has_seen_are_no_part_of_it() -> None:
    forward = crossing(41)
    weak = (forward.ids == 1) & (forward.frames > 30)
    forward = replace(forward, scores=np.where(weak, 0.3, 0.9).astype(np.float32))
    agreed = agreed_tracks(forward, forward[forward.ids == 1])
    assert set(agreed.ids.tolist()) == {1}
    assert agreed.frames.max() == 30


def test_the_rest_of_a_track_goes_with_its_nearest_rows() -> None:
    rows = scene(walk(5, range(1, 32), 0, 2))
    rows = replace(rows, detection_index=np.zeros(31, np.int64))
    named = replace(rows, ids=np.where(rows.frames < 15, 1, 2))
    named = named[(rows.frames > 3) & ~((rows.frames > 10) & (rows.frames < 20)) & (rows.frames < 28)]
    changed = named_as(rows, named)
    assert changed.frames[changed.ids == 5].tolist() == list(range(16, 32))
    assert changed.frames[changed.ids == 6].tolist() == list(range(1, 16))


def test_a_gap_between_two_who_were_one_is_not_filled() -> None:
    rows = scene(walk(1, range(1, 11), 0, 2), walk(1, range(15, 31), 0, 2), walk(2, range(1, 31), 400))
    rows = replace(rows, detection_index=rows.ids - 1)
    named = replace(rows, ids=np.where((rows.ids == 1) & (rows.frames >= 15), 3, rows.ids))
    filled = fill_gaps(rows, 10)
    assert np.count_nonzero(filled.interpolated) == 4
    assert named_as(filled, rows).interpolated.sum() == 4
    cut = named_as(filled, named)
    assert not cut.interpolated.any()
    assert len(np.unique(cut.ids)) == 3


def test_nothing_to_go_by() -> None:
    rows, nothing = crossing(41), TrackRows.empty()
    assert len(agreed_tracks(nothing, rows)) == 0
    np.testing.assert_array_equal(agreed_tracks(rows, nothing).ids, rows.ids)
    assert named_as(rows, nothing) is rows
    assert named_as(nothing, rows) is nothing
    np.testing.assert_array_equal(between_ways(rows, nothing).xyxy, rows.xyxy)
    for refined in (
        refine_tracks(rows, PLAIN, fps=30, backward=nothing),
        refine_tracks(nothing, PLAIN, fps=30, backward=rows),
    ):
        assert len(refined) in (0, len(rows))


@st.composite
def two_ways(draw: st.DrawFn) -> tuple[TrackRows, TrackRows]:
    """The same detections, put into tracks at random twice; some are left out by either way."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    people, length = draw(st.integers(1, 5)), draw(st.integers(1, 25))
    frames, index = (grid.ravel() for grid in np.mgrid[1 : length + 1, 0:people])
    lefts = rng.uniform(0, 300, people)[index] + rng.normal(0, 5, len(index))
    xyxy = np.column_stack([lefts, index * 10, lefts + 40, index * 10 + 100])
    scores = rng.uniform(0.1, 1, len(index))

    def way(first_id: int) -> TrackRows:
        ids = index + first_id
        for frame in rng.integers(1, length + 1, rng.integers(0, 4)):
            ids = np.where(frames >= frame, rng.permutation(people)[ids - first_id] + first_id, ids)
        rows = TrackRows.from_arrays(frames, ids, xyxy, scores)
        rows = replace(rows, detection_index=index[np.lexsort((frames, ids))])
        return rows[rng.random(len(rows)) < 0.9]

    return way(1), way(100)


@settings(max_examples=60, deadline=None)
@given(ways=two_ways())
def test_what_always_holds(ways: tuple[TrackRows, TrackRows]) -> None:
    forward, backward = ways
    agreed = agreed_tracks(forward, backward)  # checks: an id once in a frame, rows in the order of time
    for rows in (agreed, named_as(forward, agreed)):
        pairs = np.column_stack([rows.frames, rows.detection_index])
        assert len(np.unique(pairs, axis=0)) == len(pairs)  # each detection is in one track
        same = np.diff(rows.ids) == 0
        assert (np.diff(rows.frames)[same] > 0).all()
    shuffled = agreed_tracks(forward[::-1], backward[::-1])
    for name in ("frames", "ids", "detection_index"):
        np.testing.assert_array_equal(getattr(shuffled, name), getattr(agreed, name))
    refined = refine_tracks(forward, fps=10, backward=backward)
    seen = refined[~refined.interpolated]
    pairs = np.column_stack([seen.frames, seen.detection_index])
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    again = refine_tracks(forward[::-1], fps=10, backward=backward[::-1])
    np.testing.assert_array_equal(again.ids, refined.ids)
    np.testing.assert_allclose(again.xyxy, refined.xyxy, atol=1e-2)
