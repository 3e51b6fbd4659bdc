"""Crossing counts: what users reported of other counters, as scenes whose counts are known."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from walks import FPS, in_pieces, straight, walk

from mot_reid.analytics import Line, Observations, Scene, analyse
from mot_reid.analytics.scene import POINTS

DOOR = Line("door", (100, 300), (300, 300), directions=("down", "up"))


def count(rows: Observations, line: Line = DOOR, **settings: float) -> tuple[int, int]:
    """Both counts; whole and frame by frame must agree."""
    scene = Scene(lines={line.name: line}, **settings)
    analytics, events = analyse(scene, rows)
    one_by_one, same = in_pieces(scene, rows)
    assert [event.to_dict() for event in events] == [event.to_dict() for event in same]
    counts = analytics.lines[line.name].counts
    assert counts == one_by_one.lines[line.name].counts
    return counts[0], counts[1]


def test_who_crosses_counts_once_in_his_direction() -> None:
    assert count(walk({1: straight((200, 200), (200, 400), range(1, 41))})) == (1, 0)
    assert count(walk({1: straight((200, 400), (200, 200), range(1, 41))})) == (0, 1)


def test_directions_turn_with_the_line() -> None:
    turned = Line("door", (300, 300), (100, 300))
    assert count(walk({1: straight((200, 200), (200, 400), range(1, 41))}), turned) == (0, 1)


def test_a_short_line_is_no_endless_one() -> None:  # supervision#210
    assert count(walk({1: straight((500, 200), (500, 400), range(1, 41))})) == (0, 0)


def test_nobody_counts_without_touching_it() -> None:  # supervision#518
    assert count(walk({1: straight((200, 200), (200, 290), range(1, 41))})) == (0, 0)


def test_flicker_at_the_line_counts_once() -> None:  # supervision PR#1540
    noise = np.random.default_rng(0).normal(0, 1.5, 60)
    path = {frame: (200.0, 300 + float(noise[frame - 11])) for frame in range(11, 71)}
    path = straight((200, 200), (200, 298), range(1, 11)) | path
    assert count(walk({1: path})) == (0, 0)
    assert count(walk({1: path | straight((200, 302), (200, 400), range(71, 81))})) == (1, 0)
    assert count(walk({1: path | straight((200, 298), (200, 200), range(71, 81))})) == (0, 0)


def test_without_a_margin_flicker_would_count() -> None:
    path = {frame: (200.0, 299.0 + 2 * (frame % 2)) for frame in range(1, 21)}
    bare = Line("door", (100, 300), (300, 300), margin=0)
    assert sum(count(walk({1: path}), bare)) == 19
    assert count(walk({1: path})) == (0, 0)


def test_a_line_near_the_edge_counts_boxes_that_never_fit_beyond_it() -> None:  # supervision#1838
    edge = Line("edge", (0, 470), (640, 470))
    assert count(walk({1: straight((200, 400), (200, 479), range(1, 21))}), edge) == (1, 0)


def test_who_is_born_on_the_line_crosses_nothing() -> None:
    assert count(walk({1: straight((200, 301), (200, 400), range(1, 21))})) == (0, 0)
    assert count(walk({1: straight((200, 299), (200, 400), range(1, 21))})) == (0, 0)


def test_boxes_without_an_id_are_not_one_object() -> None:  # supervision#2578
    people = {
        track: straight((150 + 10 * track, 200), (150 + 10 * track, 400), range(1, 21)) for track in (1, 2)
    }
    rows = walk(people)
    nobody = walk({1: {f: (200.0, 250.0 + 100 * (f % 2)) for f in range(1, 21)}})
    both = Observations.from_arrays(
        np.concatenate([rows.frames, nobody.frames]),
        np.concatenate([rows.times, nobody.times]),
        np.concatenate([rows.ids, np.full(len(nobody), -1)]),
        np.concatenate([rows.xyxy, nobody.xyxy]),
    )
    assert count(both) == (2, 0)
    assert analyse(Scene(lines={"door": DOOR}), both)[0].summary()["rows_without_id"] == 20


def test_who_walks_round_the_end_and_back_through_counts_where_he_went_through() -> None:
    corners = [(250, 200), (400, 200), (400, 400), (250, 400), (250, 200)]
    path: dict[int, tuple[float, float]] = {}
    for place, (a, b) in enumerate(pairwise(corners)):
        path |= straight(a, b, range(20 * place + 1, 20 * place + 21))
    assert count(walk({1: path})) == (0, 1)


def test_an_id_that_changes_in_the_middle_of_the_crossing_counts_once() -> None:
    whole = straight((200, 200), (200, 400), range(1, 41))
    cut = {frame: foot for frame, foot in whole.items() if frame <= 20}
    rest = {frame: foot for frame, foot in whole.items() if frame >= 22}
    rows = walk({1: cut, 2: rest})
    assert count(rows) == (1, 0)
    assert count(rows, handover=0.0) == (0, 0)


def test_a_new_track_far_from_the_one_that_ended_is_somebody_else() -> None:
    rows = walk(
        {
            1: straight((200, 200), (200, 280), range(1, 21)),
            2: straight((200, 420), (200, 440), range(22, 41)),
        }
    )
    assert count(rows) == (0, 0)


def test_who_comes_back_after_another_went_on_for_him_is_somebody_else() -> None:
    rows = walk(
        {
            1: straight((200, 200), (200, 290), range(1, 11))
            | straight((150, 400), (150, 450), range(30, 41)),
            2: straight((200, 300), (200, 400), range(12, 41)),
        }
    )
    assert count(rows) == (1, 0)
    analytics, _ = analyse(Scene(lines={"door": DOOR}), rows)
    assert analytics.summary()["ids_handed_over"] == 1


def test_an_identity_counts_once_among_the_objects_however_many_ids_it_had() -> None:
    rows = walk(
        {
            1: straight((200, 200), (200, 400), range(1, 21)),
            2: straight((200, 400), (200, 200), range(100, 121)),
            3: straight((200, 200), (200, 400), range(200, 221)),
        }
    )
    scene = Scene(lines={"door": DOOR})
    strangers = analyse(scene, rows)[0].summary()["lines"]["door"]
    assert (strangers["down"], strangers["objects"]["down"]) == (2, 2)
    one = analyse(scene, rows, identities={1: 1, 2: 1, 3: 1})[0].summary()["lines"]["door"]
    assert (one["down"], one["up"], one["objects"]) == (2, 1, {"down": 1, "up": 1})


def test_an_identity_twice_in_a_frame_is_taken_once() -> None:
    rows = walk(
        {1: straight((200, 200), (200, 400), range(1, 21)), 2: straight((210, 200), (210, 400), range(1, 21))}
    )
    analytics, _ = analyse(Scene(lines={"door": DOOR}), rows, identities={1: 5, 2: 5})
    assert analytics.lines["door"].counts == [1, 0]
    assert analytics.summary()["rows_twice"] == 20


def test_the_point_that_counts_is_chosen() -> None:
    rows = walk({1: straight((200, 250), (200, 380), range(1, 21))})  # the head stays above the line
    assert count(rows) == (1, 0)
    assert count(rows, Line("door", (100, 300), (300, 300), point=POINTS["head"])) == (0, 0)


def test_classes_are_counted_where_asked_for() -> None:
    paths = {n: straight((150 + 20 * n, 200), (150 + 20 * n, 400), range(1, 21)) for n in (1, 2, 3)}
    rows = walk(paths, classes={1: 0, 2: 7, 3: 7})
    assert count(rows, Line("door", (100, 300), (300, 300), classes=(7,))) == (2, 0)


def test_a_crossing_that_nobody_saw_counts_within_the_memory() -> None:
    rows = walk(
        {1: straight((200, 200), (200, 260), range(1, 11)) | {60: (200.0, 400.0), 61: (200.0, 405.0)}}
    )
    assert count(rows) == (1, 0)
    assert count(rows, memory=3.0) == (0, 0)


def test_an_event_names_what_happened_and_keeps_its_id() -> None:
    rows = walk({4: straight((200, 200), (200, 400), range(1, 41))})
    scene = Scene(lines={"door": DOOR})
    event = analyse(scene, rows, source="shop")[1][0]
    record = event.to_dict()
    assert record["kind"] == "cross"
    assert (record["place"], record["direction"], record["track"], record["source"]) == (
        "door",
        "down",
        4,
        "shop",
    )
    assert record["time"] == record["frame"] / FPS
    assert event.id == analyse(scene, rows, source="shop")[1][0].id
    assert event.id != analyse(scene, rows, source="street")[1][0].id


points = st.tuples(st.integers(0, 40).map(lambda v: v * 10.0), st.integers(0, 60).map(lambda v: v * 10.0))


def net_passages(path: list[tuple[float, float]]) -> int:
    """Crossings of DOOR with no margin, one step after the other: the definition, in plain Python."""
    net = 0
    for (x0, y0), (x1, y1) in pairwise(path):
        above, below = y0 < 300, y1 < 300
        if above != below:
            x = x0 + (x1 - x0) * (300 - y0) / (y1 - y0)
            net += (1 if above else -1) * (100 <= x <= 300)
    return net


@examples(max_examples=50)
@given(st.lists(points, min_size=2, max_size=12))
def test_with_no_margin_in_less_out_is_what_plain_geometry_says(path: list[tuple[float, float]]) -> None:
    path = [point for point in path if point[1] != 300]  # on the line, no margin leaves the side open
    if len(path) < 2:
        return
    rows = walk({1: dict(enumerate(path, start=1))})
    entered, left = count(rows, Line("door", (100, 300), (300, 300), margin=0))
    assert entered - left == net_passages(path)


@examples(max_examples=50)
@given(
    st.lists(st.lists(st.tuples(st.booleans(), points), min_size=1, max_size=14), min_size=1, max_size=3),
    st.sets(st.integers(1, 14)),
)
def test_pieces_of_any_length_give_the_same(
    paths: list[list[tuple[bool, tuple[float, float]]]], cuts: set[int]
) -> None:
    feet = {
        track: {frame: foot for frame, (seen, foot) in enumerate(path, start=1) if seen}
        for track, path in enumerate(paths, start=1)
    }
    rows = walk({track: path for track, path in feet.items() if path})
    scene = Scene(lines={"door": DOOR}, memory=0.55, handover=0.3)
    whole = analyse(scene, rows)
    pieces = in_pieces(scene, rows, sorted(cuts))
    assert [event.to_dict() for event in whole[1]] == [event.to_dict() for event in pieces[1]]


@pytest.mark.parametrize(
    "bad", [{"start": (1, 1), "end": (1, 1)}, {"margin": -1}, {"directions": ("a", "a")}]
)
def test_a_line_that_cannot_be_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="line door"):
        Line(**({"name": "door", "start": (0, 0), "end": (1, 0)} | bad))  # type: ignore[arg-type]
