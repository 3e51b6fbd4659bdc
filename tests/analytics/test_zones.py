"""Zones: who enters, who leaves, how long each stays."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from walks import FPS, in_pieces, straight, walk

from mot_reid.analytics import Analytics, Event, Line, Observations, Queue, Scene, Zone, analyse
from mot_reid.analytics.scene import POINTS

ROOM = Zone("room", ((100, 100), (300, 100), (300, 300), (100, 300)))


def happened(rows: Observations, *zones: Zone) -> list[Event]:
    """The events, which must be the same frame by frame."""
    scene = Scene(zones={zone.name: zone for zone in zones or (ROOM,)})
    events = analyse(scene, rows)[1]
    assert [event.to_dict() for event in events] == [event.to_dict() for event in in_pieces(scene, rows)[1]]
    return events


def test_who_walks_through_enters_and_leaves() -> None:
    events = happened(walk({1: straight((0, 200), (400, 200), range(1, 42))}))  # 10 pixels a frame
    assert [(event.kind, event.frame, event.reason) for event in events] == [
        ("enter", 11, None),
        ("leave", 32, "left"),  # 310 is more than 5 outside, 305 would not be
    ]
    assert events[1].dwell == pytest.approx(2.1)


def test_flicker_at_the_edge_is_one_visit() -> None:
    path = {frame: (102.0 - 4 * (frame % 2), 200.0) for frame in range(1, 41)}
    assert [event.kind for event in happened(walk({1: path}))] == ["enter", "leave"]


def test_a_track_that_ends_inside_leaves_when_it_was_seen_last() -> None:  # supervision#1855
    elsewhere = dict.fromkeys(range(1, 101), (0.0, 0.0))
    rows = walk({1: straight((0, 200), (200, 200), range(1, 21)), 2: elsewhere})
    events = happened(rows)
    assert [(event.kind, event.reason) for event in events] == [("enter", None), ("leave", "lost")]
    assert events[1].time == 2.0
    analytics = Analytics(Scene(zones={"room": ROOM}))
    inside = []
    for frame in range(1, 101):
        analytics.update(rows[rows.frames == frame], now=frame / FPS)
        inside.append(analytics.summary()["zones"]["room"]["inside_now"])
    assert inside[19] == 1
    assert inside[20 + 20] == 0  # two seconds of patience


def test_who_is_still_inside_at_the_end_is_told_so() -> None:
    events = happened(walk({1: straight((0, 200), (200, 200), range(1, 21))}))
    assert [(event.kind, event.reason) for event in events] == [("enter", None), ("leave", "end")]


def test_a_short_gap_does_not_end_the_visit() -> None:
    path = dict.fromkeys((*range(1, 11), *range(25, 41)), (200.0, 200.0))
    events = happened(walk({1: path}))
    assert [(event.kind, event.dwell) for event in events] == [("enter", None), ("leave", pytest.approx(3.9))]


def test_a_long_gap_is_two_visits_of_one_object() -> None:
    path = dict.fromkeys((*range(1, 11), *range(51, 61)), (200.0, 200.0))
    rows = walk({1: path})
    assert [event.kind for event in happened(rows)] == ["enter", "leave", "enter", "leave"]
    summary = analyse(Scene(zones={"room": ROOM}), rows)[0].summary()["zones"]["room"]
    assert (summary["visits"], summary["objects"]) == (2, 1)


def test_an_object_in_two_zones_is_in_both() -> None:  # supervision PR#1991
    other = Zone("corner", ((150, 150), (500, 150), (500, 500), (150, 500)))
    rows = walk({1: dict.fromkeys(range(1, 11), (200.0, 200.0))})
    assert sorted(event.place for event in happened(rows, ROOM, other) if event.kind == "enter") == [
        "corner",
        "room",
    ]


def test_all_points_or_any() -> None:  # supervision#1022
    corners = tuple(POINTS[name] for name in ("bottom_left", "bottom_right"))
    rows = walk({1: dict.fromkeys(range(1, 11), (95.0, 200.0))})  # from 85 to 105: one foot inside
    assert happened(rows, Zone("room", ROOM.polygon, corners, "all", margin=0)) == []
    assert len(happened(rows, Zone("room", ROOM.polygon, corners, "any", margin=0))) == 2


def test_who_passes_through_faster_than_the_least_dwell_is_no_visitor() -> None:
    zone = Zone("room", ROOM.polygon, min_dwell=1.5)
    quick = straight((0, 200), (400, 200), range(1, 14))
    slow = straight((0, 200), (400, 200), range(1, 42))
    events = happened(walk({1: quick, 2: slow}), zone)
    assert [(event.kind, event.track) for event in events] == [("enter", 2), ("leave", 2)]
    assert events[0].time == pytest.approx(1.1 + 1.5)


def test_a_zone_drawn_on_a_small_picture_fits_a_large_one() -> None:  # supervision#751
    small = Scene(zones={"room": Zone("room", ((50, 50), (150, 50), (150, 150), (50, 150)))}, size=(320, 240))
    large = small.for_size(640, 480)
    assert large.zones["room"].polygon == ROOM.polygon
    relative = Scene(zones={"room": Zone("room", ((0.25, 0.25), (0.5, 0.25), (0.5, 0.75)))}, relative=True)
    assert relative.for_size(400, 400).zones["room"].polygon == ((100, 100), (200, 100), (200, 300))
    with pytest.raises(ValueError, match="another shape"):
        small.for_size(640, 640)


def test_a_zone_with_a_notch_is_empty_in_the_notch() -> None:
    notched = Zone("room", ((100, 100), (300, 100), (300, 300), (200, 150), (100, 300)), margin=0)
    assert happened(walk({1: {1: (200.0, 250.0), 2: (200.0, 260.0)}}), notched) == []
    assert len(happened(walk({1: {1: (200.0, 120.0), 2: (200.0, 121.0)}}), notched)) == 2


@pytest.mark.parametrize(
    ("polygon", "message"),
    [
        (((0, 0), (1, 1)), "three different corners"),
        (((0, 0), (10, 10), (10, 0), (0, 10)), "cross each other"),
    ],
)
def test_a_polygon_that_is_none_is_refused(polygon: tuple[tuple[float, float], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Zone("room", polygon)


def test_a_queue_tells_waits_and_who_gave_up() -> None:
    till = Line("till", (350, 100), (350, 300))
    scene = Scene(
        lines={"till": till},
        zones={"room": ROOM},
        queues={"queue": Queue("queue", "room", "till", min_wait=3.0)},
    )
    stands = dict.fromkeys(range(11, 61), (250.0, 200.0))
    served = (
        straight((0, 200), (250, 200), range(1, 11))
        | stands
        | straight((260, 200), (400, 200), range(61, 71))
    )
    left = (
        straight((0, 150), (250, 150), range(1, 11))
        | dict.fromkeys(range(11, 61), (250.0, 150.0))
        | straight((250, 150), (0, 150), range(61, 71))
    )
    passed = straight((0, 120), (400, 120), range(1, 21))
    rows = walk({1: served, 2: left, 3: passed, 4: {200: (0.0, 0.0)}})
    for analytics, events in (analyse(scene, rows), in_pieces(scene, rows)):
        told = [(event.kind, event.track) for event in events if event.place == "queue"]
        assert told == [("served", 1), ("gave_up", 2)]
        summary = analytics.summary()["queues"]["queue"]
        assert (summary["served"], summary["given_up"]) == (1, 1)
        assert summary["mean_wait"] == pytest.approx(6, abs=0.5)


def test_who_was_served_is_told_although_he_is_gone_for_long() -> None:
    scene = Scene(
        lines={"till": Line("till", (350, 100), (350, 300))},
        zones={"room": ROOM},
        queues={"queue": Queue("queue", "room", "till", min_wait=0.0, within=5.0)},
        memory=2.0,
    )
    rows = walk({1: straight((0, 200), (400, 200), range(1, 42)), 2: {150: (0.0, 0.0)}})
    for analytics, events in (analyse(scene, rows), in_pieces(scene, rows)):
        assert [event.kind for event in events if event.place == "queue"] == ["served"]
        assert analytics.summary()["queues"]["queue"]["given_up"] == 0


def test_who_is_in_two_frames_of_one_time_is_inside_once() -> None:
    rows = walk({1: dict.fromkeys(range(1, 11), (200.0, 200.0))})
    rows = replace(rows, times=np.floor(rows.times * 5) / 5)
    (row,) = analyse(Scene(zones={"room": ROOM}), rows)[0].summary()["series"]
    assert row["room.most"] == 1


def test_counts_over_time_and_who_is_inside() -> None:
    scene = Scene(zones={"room": ROOM}, interval=2.0)
    rows = walk(
        {
            1: dict.fromkeys(range(1, 41), (200.0, 200.0)),
            2: dict.fromkeys(range(21, 41), (210.0, 200.0)),
        }
    )
    for analytics, _ in (analyse(scene, rows), in_pieces(scene, rows)):
        series = analytics.summary()["series"]
        assert [row["start"] for row in series] == [0, 2, 4]
        assert series[0] == {"start": 0, "room.entered": 1, "room.most": 1, "room.seconds": 1.8}
        assert series[1]["room.most"] == 2
        assert sum(row["room.seconds"] for row in series) == pytest.approx(3.9 + 1.9)


def close(a: Any, b: Any) -> bool:
    """Whether two summaries are equal but for the last digit of rounded numbers."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(close(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(close, a, b))
    return abs(a - b) < 0.0015 if isinstance(a, float) and isinstance(b, float) else bool(a == b)


points = st.tuples(st.integers(0, 40).map(lambda v: v * 10.0), st.integers(0, 40).map(lambda v: v * 10.0))


@examples(max_examples=60)
@given(
    st.lists(st.lists(st.tuples(st.booleans(), points), min_size=1, max_size=14), min_size=1, max_size=3),
    st.sets(st.integers(1, 14)),
    st.sampled_from([0.0, 0.25]),
)
@example(
    [
        [(False, (0.0, 0.0))],
        [(seen, (0.0, 0.0)) for seen in (False, False, True, True, False, False, True)],
        [(True, (50.0, 20.0)), *[(False, (0.0, 0.0))] * 3, (True, (50.0, 0.0))],
    ],
    {5},
    0.0,
)
def test_pieces_of_any_length_give_the_same(
    paths: list[list[tuple[bool, tuple[float, float]]]], cuts: set[int], least: float
) -> None:
    feet = {
        track: {frame: foot for frame, (seen, foot) in enumerate(path, start=1) if seen}
        for track, path in enumerate(paths, start=1)
    }
    rows = walk({track: path for track, path in feet.items() if path})
    zone = Zone("room", ROOM.polygon, patience=0.25, min_dwell=least)
    line = Line("door", (100, 200), (300, 200))
    scene = Scene(
        lines={"door": line},
        zones={"room": zone},
        queues={"queue": Queue("queue", "room", "door", min_wait=0.2, within=0.3)},
        memory=0.55,
        size=(400, 400),
        interval=0.5,
    )
    whole, pieces = analyse(scene, rows), in_pieces(scene, rows, sorted(cuts))
    assert [event.to_dict() for event in whole[1]] == [event.to_dict() for event in pieces[1]]
    first, second = whole[0].summary(), pieces[0].summary()
    assert close(first, second)
    assert whole[0].heat is not None
    assert pieces[0].heat is not None
    np.testing.assert_array_equal(whole[0].heat.presence, pieces[0].heat.presence)
    np.testing.assert_allclose(whole[0].heat.seconds, pieces[0].heat.seconds, atol=1e-9)


def test_counts_over_time_keep_the_latest_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """More intervals than are kept, and two zones: the second one began with an interval that had gone."""
    monkeypatch.setattr("mot_reid.analytics.series._MOST", 3)
    rows = walk({1: dict.fromkeys(range(1, 81), (200.0, 200.0))})
    scene = Scene(zones={"room": ROOM, "hall": replace(ROOM, name="hall")}, interval=1.0)
    found = [counted.series.rows() for counted in (analyse(scene, rows)[0], in_pieces(scene, rows)[0])]
    assert [row["start"] for row in found[0]] == [6, 7, 8]
    assert found[0][-1].keys() == {"start", "room.seconds", "room.most", "hall.seconds", "hall.most"} | {
        "room.left",
        "hall.left",
    }
    assert found[0] == found[1]


def test_a_long_run_is_counted_some_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once five million rows took three gigabytes and a minute; results are the same."""
    rows = walk({n: straight((20 * n, 200), (400, 200 + n), range(n, 42)) for n in (1, 2, 3)})
    scene, taken, update = Scene(zones={"room": ROOM}), list[Observations](), Analytics.update
    whole = analyse(scene, rows, now=9.0)
    monkeypatch.setattr("mot_reid.analytics.engine._PIECE", 10)
    monkeypatch.setattr(
        Analytics, "update", lambda self, *given: (taken.append(given[0]), update(self, *given))[1]
    )
    pieces = analyse(scene, rows, now=9.0)
    assert (pieces[0].summary(), pieces[1]) == (whole[0].summary(), whole[1])
    assert len(taken) > 10
    assert max(map(len, taken)) <= 12
    assert sum(map(len, taken)) == len(rows)
    assert len({frame for piece in taken for frame in set(piece.frames.tolist())}) == len(
        set(rows.frames.tolist())
    )
