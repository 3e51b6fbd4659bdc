"""Corrections: a log replayed over tracks, undone and redone."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from mot_reid.offline.corrections import Corrected, active, apply, checked, replay
from mot_reid.offline.rows import TrackRows


def tracks(spans: dict[int, range]) -> TrackRows:
    """Ids to the frames in which they are seen; the box tells the id they were found with, and the frame."""
    rows = [(frame, track) for track, frames in spans.items() for frame in frames]
    frames, ids = np.array(rows).T
    boxes = np.column_stack([ids * 100.0, frames, ids * 100.0 + 10, frames + 20])
    return TrackRows.from_arrays(frames, ids, boxes)


ROWS = tracks({1: range(1, 11), 2: range(12, 21), 3: range(5, 16)})


def frames_of(rows: TrackRows, track: int) -> list[int]:
    return rows.frames[rows.ids == track].tolist()


def test_merge_joins_tracks_that_are_not_seen_at_one_time() -> None:
    state = replay(ROWS, [{"kind": "merge", "ids": [1, 2]}])
    assert frames_of(state.rows, 1) == [*range(1, 11), *range(12, 21)]
    with pytest.raises(ValueError, match="both seen in frame 5"):
        apply(state, {"kind": "merge", "ids": [1, 3]})


def test_split_gives_the_rest_a_new_id() -> None:
    state = replay(ROWS, [{"kind": "split", "id": 1, "frame": 6}])
    assert frames_of(state.rows, 1) == [1, 2, 3, 4, 5]
    assert frames_of(state.rows, 4) == [6, 7, 8, 9, 10]
    with pytest.raises(ValueError, match="no boxes on both sides"):
        apply(state, {"kind": "split", "id": 1, "frame": 6})
    with pytest.raises(ValueError, match="id 3 is another track already"):
        apply(state, {"kind": "split", "id": 1, "frame": 3, "new": 3})


def test_swap_repairs_a_switch_and_moves_one() -> None:
    both = tracks({1: range(1, 11), 3: range(1, 11)})
    state = replay(both, [{"kind": "swap", "ids": [1, 3], "frame": 4}])
    found = state.rows.xyxy[state.rows.ids == 1][:, 0].tolist()
    assert found == [100] * 3 + [300] * 7
    moved = apply(state, {"kind": "swap", "ids": [1, 3], "frame": 4, "until": 6})
    assert moved.rows.xyxy[moved.rows.ids == 1][:, 0].tolist() == [100] * 5 + [300] * 5
    whole = replay(both, [{"kind": "swap", "ids": [1, 3], "frame": 4}] * 2)
    np.testing.assert_array_equal(whole.rows.xyxy, both.xyxy)


def test_names_stay_with_their_people() -> None:
    state = replay(ROWS, [{"kind": "rename", "id": 2, "name": "Ann"}, {"kind": "merge", "ids": [1, 2]}])
    assert state.names == {1: "Ann"}
    assert apply(state, {"kind": "rename", "id": 1, "name": ""}).names == {}


def test_delete_takes_a_track_or_some_of_its_boxes() -> None:
    assert frames_of(replay(ROWS, [{"kind": "delete", "id": 1}]).rows, 1) == []
    some = replay(ROWS, [{"kind": "delete", "id": 1, "frame": 3, "until": 9}])
    named = [{"kind": "rename", "id": 1, "name": "Ann"}, {"kind": "delete", "id": 1, "frame": 3}]
    assert replay(ROWS, named).names == {1: "Ann"}
    assert replay(ROWS, [*named, {"kind": "delete", "id": 1}]).names == {}  # with the last box
    assert frames_of(some.rows, 1) == [1, 2, 9, 10]


def test_a_box_is_drawn_and_the_frames_between_are_filled() -> None:
    rows = tracks({1: range(1, 3)})
    entry = {"kind": "box", "id": 1, "frame": 6, "xyxy": [140.0, 10.0, 150.0, 30.0]}
    alone = replay(rows, [entry])
    assert frames_of(alone.rows, 1) == [1, 2, 6]
    filled = replay(rows, [entry | {"fill": True}])
    assert frames_of(filled.rows, 1) == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(filled.rows.xyxy[2:, 0], [110, 120, 130, 140])
    assert filled.rows.interpolated.tolist() == [False, False, True, True, True, True]
    other = replay(rows, [{**entry, "id": 9}])
    assert frames_of(other.rows, 9) == [6]


def test_undo_and_redo_are_entries_too() -> None:
    first, second = {"kind": "delete", "id": 1}, {"kind": "delete", "id": 2}
    log: list[dict[str, Any]] = [first, second, {"kind": "undo"}]
    assert active(log) == ([first], [second])
    assert active([*log, {"kind": "redo"}]) == ([first, second], [])
    assert active([*log, {"kind": "undo"}, {"kind": "undo"}]) == ([], [second, first])
    third = {"kind": "delete", "id": 3}
    assert active([*log, third, {"kind": "redo"}]) == ([first, third], [])


def test_an_entry_that_no_longer_fits_is_told() -> None:
    state = replay(ROWS, [{"kind": "delete", "id": 1}, {"kind": "rename", "id": 1, "name": "Ann"}])
    assert state.refused == ("rename: there is no id 1",)
    assert state.applied == 1


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ([], "kind"),
        ({"kind": "explode"}, "kind: expected one of"),
        ({"kind": ["merge"]}, "kind: expected one of"),
        ({"kind": "merge"}, "ids is missing"),
        ({"kind": "merge", "ids": [1, 1]}, "different ids"),
        ({"kind": "merge", "ids": [1, 2, 3]}, "two ids"),
        ({"kind": "split", "id": 0, "frame": 1}, "from 1"),
        ({"kind": "split", "id": True, "frame": 1}, "whole number"),
        ({"kind": "swap", "ids": [1, 2], "frame": 5, "until": 5}, "after frame"),
        ({"kind": "delete", "id": 1, "until": 5}, "after frame"),
        ({"kind": "rename", "id": 1, "name": "x" * 81}, "80 printable"),
        ({"kind": "rename", "id": 1, "name": "a\nb"}, "printable"),
        ({"kind": "box", "id": 1, "frame": 1, "xyxy": [1, 1, 1, 2]}, "x1 < x2"),
        ({"kind": "box", "id": 1, "frame": 1, "xyxy": [1, 1, float("nan"), 2]}, "four numbers"),
        ({"kind": "undo", "id": 1}, "id does not exist"),
    ],
)
def test_what_is_wrong_with_an_entry_is_named(entry: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked(entry)


numbers = st.integers(1, 6)
entries = st.one_of(
    st.fixed_dictionaries(
        {"kind": st.just("merge"), "ids": st.lists(numbers, min_size=2, max_size=2, unique=True)}
    ),
    st.fixed_dictionaries({"kind": st.just("split"), "id": numbers, "frame": st.integers(1, 20)}),
    st.fixed_dictionaries(
        {
            "kind": st.just("swap"),
            "ids": st.lists(numbers, min_size=2, max_size=2, unique=True),
            "frame": st.integers(1, 20),
        }
    ),
    st.fixed_dictionaries({"kind": st.just("delete"), "id": numbers, "frame": st.integers(1, 20)}),
    st.just({"kind": "undo"}),
    st.just({"kind": "redo"}),
)


@examples(max_examples=60)
@given(st.lists(entries, max_size=8))
def test_a_log_is_replayed_as_it_was_applied_and_undone_to_nothing(log: list[dict[str, Any]]) -> None:
    state, kept = Corrected(ROWS), []
    for entry in map(checked, log):
        if entry["kind"] in ("undo", "redo"):
            kept.append(entry)
            state = replay(ROWS, kept)
            continue
        try:
            state = apply(state, entry)
        except ValueError:
            continue
        kept.append(entry)
    again = replay(ROWS, kept)
    np.testing.assert_array_equal(again.rows.ids, state.rows.ids)
    np.testing.assert_array_equal(again.rows.xyxy, state.rows.xyxy)
    none = replay(ROWS, [*kept, *[{"kind": "undo"}] * len(kept)])
    np.testing.assert_array_equal(none.rows.xyxy, ROWS.xyxy)
