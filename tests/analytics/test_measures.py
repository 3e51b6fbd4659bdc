"""Geometry, speeds, heat maps, paths; and scenes as YAML holds them."""

import re

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from walks import straight, walk

from mot_reid.analytics import Analytics, Ground, Observations, Scene, analyse, scene_from_mapping
from mot_reid.analytics.geometry import apply_homography, fit_homography, points_in_polygon, polygon_distances
from mot_reid.analytics.motion import headings, velocities
from mot_reid.analytics.paths import simplified
from mot_reid.structures import Tracks

PIXELS = [[100, 400], [540, 400], [400, 200], [240, 200]]
METRES = [[0, 0], [4, 0], [4, 10], [0, 10]]


@examples(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=3, max_size=7, unique=True),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=20),
)
def test_inside_and_distance_are_those_of_opencv(
    polygon: list[tuple[int, int]], points: list[tuple[int, int]]
) -> None:
    where = np.array(points, np.float64) + np.array(
        [0.25, 0.125]
    )  # off the grid, so that none lies on an edge
    corners = np.array(polygon, np.float32)
    signed = [cv2.pointPolygonTest(corners, (float(x), float(y)), True) for x, y in where]
    distances = polygon_distances(where, corners)
    np.testing.assert_allclose(distances, np.abs(signed), atol=1e-5)
    clear = distances > 1e-6
    np.testing.assert_array_equal(points_in_polygon(where, corners)[clear], np.array(signed)[clear] > 0)


def test_points_on_a_shared_edge_are_inside_one_of_both() -> None:
    left, right = [(0, 0), (10, 0), (10, 10), (0, 10)], [(10, 0), (20, 0), (20, 10), (10, 10)]
    edge = np.array([[10.0, 5.0], [10.0, 3.0]])
    assert (points_in_polygon(edge, left) ^ points_in_polygon(edge, right)).all()


def test_a_homography_maps_its_points_and_knows_the_horizon() -> None:
    homography = fit_homography(PIXELS, METRES)
    np.testing.assert_allclose(apply_homography(np.array(PIXELS, float), homography), METRES, atol=1e-9)
    assert np.isnan(apply_homography(np.array([[320.0, -500.0]]), homography)).all()


@pytest.mark.parametrize(
    ("pixels", "metres"),
    [
        (PIXELS[:3], METRES[:3]),
        ([[0, 0], [1, 1], [2, 2], [3, 3]], METRES),
        ([[1, 1]] * 4, METRES),
        ([PIXELS[0], PIXELS[2], PIXELS[1], PIXELS[3]], METRES),
    ],
)
def test_points_that_determine_no_ground_are_refused(
    pixels: list[list[int]], metres: list[list[int]]
) -> None:
    with pytest.raises(ValueError, match=r"points|horizon"):
        fit_homography(pixels, metres)


def test_velocities_see_through_jitter() -> None:
    times = np.arange(40) / 10
    jitter = np.random.default_rng(1).normal(0, 0.5, (40, 2))
    points = np.column_stack([30 * times, -10 * times]) + jitter
    found = velocities(np.ones(40, np.int64), times, points)
    assert np.isnan(found[:2]).all()
    np.testing.assert_allclose(found[10:], np.tile([30, -10], (30, 1)), atol=2)


def test_velocities_are_those_of_a_fit_at_each_row() -> None:
    rng = np.random.default_rng(2)
    objects = np.repeat([3, 5, 9], [12, 1, 20])
    times = np.concatenate([np.sort(rng.uniform(0, 3, 12)), [1.0], np.sort(rng.uniform(1e5, 1e5 + 4, 20))])
    points = rng.normal(0, 50, (33, 2))
    found = velocities(objects, times, points, window=1.0)
    for row in range(33):
        mine = np.flatnonzero((objects == objects[row]) & (times <= times[row]) & (times >= times[row] - 1.0))
        if times[row] - times[mine[0]] < 0.25:
            assert np.isnan(found[row]).all()
        else:
            slopes = np.polyfit(times[mine] - times[row], points[mine], 1)[0]
            np.testing.assert_allclose(found[row], slopes, atol=1e-4)


def test_speed_in_metres_where_the_ground_is_known() -> None:
    homography = fit_homography(PIXELS, METRES)
    back = np.linalg.inv(homography)
    path = np.column_stack([np.full(51, 2.0), np.linspace(0, 7.5, 51)])  # 1.5 m/s
    pixels = cv2.perspectiveTransform(path[None], back)[0]
    rows = walk({1: {frame: tuple(foot) for frame, foot in enumerate(pixels.tolist(), start=1)}})
    speed = analyse(Scene(ground=Ground(homography)), rows)[0].summary()["speed"]
    assert speed["unit"] == "m/s"
    assert speed["median"] == pytest.approx(1.5, abs=0.1)


def test_headings_are_told_of_those_who_move() -> None:
    velocity = np.array([[2, 0], [0, 3], [-1, 0], [1, -1], [np.nan, np.nan]], float)
    np.testing.assert_allclose(headings(velocity), [0, 90, 180, 315, np.nan])
    stands = dict.fromkeys(range(1, 41), (50.0, 200.0))
    rows = walk({1: straight((0, 200), (200, 400), range(1, 41)), 2: stands})
    counts = analyse(Scene(), rows)[0].summary()["speed"]["headings"]
    assert counts[1] > 30
    assert sum(counts) == counts[1]


def test_heat_maps_tell_presence_from_dwell() -> None:
    rows = walk({1: dict.fromkeys(range(1, 32), (8.0, 8.0)), 2: straight((8, 8), (88, 8), range(101, 112))})
    heat = analyse(Scene(size=(96, 32), cell=16), rows)[0].heat
    assert heat is not None
    assert heat.presence.shape == (2, 6)
    assert heat.presence[0].tolist() == [2, 1, 1, 1, 1, 1]
    assert heat.seconds[0, 0] == pytest.approx(3.1)
    assert heat.dwell()[0, 0] == pytest.approx(1.55)
    assert heat.seconds.sum() == pytest.approx(4.0)


def test_feet_outside_the_picture_heat_nothing() -> None:
    heat = analyse(Scene(size=(96, 32)), walk({1: {1: (-5.0, 10.0), 2: (200.0, 10.0), 3: (96.5, 32.0)}}))[
        0
    ].heat
    assert heat is not None
    assert heat.presence.sum() == 0


def test_paths_keep_their_corners() -> None:
    path = np.array([[0, 0], [1, 0.1], [2, -0.1], [3, 0], [3, 1], [3.1, 2], [3, 3]], float)
    assert simplified(path, 0.5).tolist() == [0, 3, 6]
    assert simplified(path[:1], 1).tolist() == [0]


SHOP = """
size: [640, 480]
lines:
  door: {from: [100, 300], to: [300, 300], directions: [in, out], point: foot}
zones:
  till: {polygon: [[0, 0], [100, 0], [100, 100]], min_dwell: 2, points: [bottom_left, [0.5, 0.9]], need: any}
queues:
  wait: {zone: till, served_by: door}
ground: {pixels: [[100, 400], [540, 400], [400, 200], [240, 200]], metres: [[0, 0], [4, 0], [4, 10], [0, 10]]}
interval: 30
"""


def test_a_scene_is_read_and_written_alike() -> None:
    scene = scene_from_mapping(yaml.safe_load(SHOP))
    again = scene_from_mapping(yaml.safe_load(yaml.safe_dump(scene.to_mapping())))
    assert again.to_mapping() == scene.to_mapping()
    assert again.lines == scene.lines
    assert again.zones == scene.zones
    assert again.queues == scene.queues


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"line": {}}, "line does not exist; did you mean lines"),
        ({"lines": {"door": {"from": [0, 0]}}}, "line door: to is missing"),
        ({"lines": {"door": {"from": [0], "to": [1, 1]}}}, "line door: from: expected 2 numbers"),
        ({"lines": {"door": {"from": [0, 0], "to": [1, float("nan")]}}}, "finite"),
        ({"lines": {"door": {"from": [0, 0], "to": [1, 1], "margn": 1}}}, "did you mean margin"),
        ({"lines": {"door": {"from": [0, 0], "to": [1, 1], "point": "toe"}}}, "expected one of foot"),
        ({"lines": {"door": {"from": [0, 0], "to": [1, 1], "classes": ["dog"]}}}, "'dog' is no class"),
        ({"lines": ["door"]}, "lines: expected names and values"),
        ({"zones": {"a": {"polygon": 3}}}, "zone a: polygon"),
        ({"zones": {"a": {"polygon": [0, 0, 1, 0, 1, 1]}}}, "polygon: expected corners"),
        ({"zones": {"a": {"polygon": [[0, 0], [1, 0], [1, 1]], "need": "most"}}}, "expected all or any"),
        ({"zones": {"a": {"polygon": [[0, 0], [1, 0], [1, 1]], "patience": 99}}}, "no more than memory"),
        ({"queues": {"q": {"zone": "b"}}}, "there is no zone 'b'"),
        (
            {
                "zones": {"a": {"polygon": [[0, 0], [1, 0], [1, 1]]}},
                "queues": {"q": {"zone": "a", "served_by": "a"}},
            },
            "queue q: served_by: 'a' is where it waits",
        ),
        ({"units": "feet"}, "expected pixels or relative"),
        ({"size": [0, 5]}, "width and height"),
        ({"interval": 0}, "interval"),
        ({"cell": 0}, "cell"),
        ({"ground": {"pixels": [[0, 0]], "metres": [[0, 0]]}}, "at least four"),
        ({"ground": {"homography": [[1, 0, 0], [0, 1, 0], [0, 0, 0]]}}, "inverted"),
        ("lines", "expected names and values"),
    ],
)
def test_what_is_wrong_with_a_scene_is_named(change: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scene_from_mapping(change)


def test_rows_out_of_order_are_refused() -> None:
    rows = walk({1: {1: (0.0, 0.0), 2: (0.0, 0.0)}})
    analytics, _ = analyse(Scene(), rows)
    with pytest.raises(ValueError, match="expected frames after 2"):
        analytics.update(rows)


def test_what_does_not_fit_together_is_named() -> None:
    with pytest.raises(ValueError, match=re.escape("times: expected shape (2,), got (1,)")):
        Observations.from_arrays([1, 2], [0.0], [1, 1], np.zeros((2, 4)))
    with pytest.raises(ValueError, match=re.escape("frames: expected shape (1,), got ()")):
        Observations.from_arrays(1, 0.0, [1, 1], np.zeros((2, 4)))  # of_frame takes one frame
    with pytest.raises(TypeError, match="scene: expected Scene, got dict; scene_from_mapping"):
        Analytics({"lines": {}})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="rows: expected Observations, got Tracks; of_frame makes them"):
        Analytics(Scene()).update(Tracks.empty())  # type: ignore[arg-type]


def test_speeds_of_two_frames_of_one_time_go_back_as_far() -> None:
    times = np.array([0.1, 0.6, 1.1, 1.1])  # 1.1 - 1 is a little more than 0.1
    boxes = np.array([[x, 0.0, x + 20, 100.0] for x in (0.0, 100.0, 120.0, 140.0)])
    found = []
    for cuts in ([0, 4], [0, 1, 2, 3, 4]):
        analytics = Analytics(Scene())
        for own in map(slice, cuts, cuts[1:]):
            analytics.update(
                Observations.from_arrays(np.arange(1, 5)[own], times[own], np.ones(4)[own], boxes[own])
            )
        found.append(analytics.summary()["speed"])
    assert found[0] == found[1]


def test_two_frames_may_have_one_time() -> None:
    """As a clock too coarse for single frames gives them, and files that round."""
    boxes = np.array([[0, 0, 10, 20], [500, 0, 510, 20]], float)
    rows = Observations.from_arrays(np.array([1, 2]), np.zeros(2), np.array([2, 1]), boxes)
    counted, _ = analyse(Scene(), rows)
    assert counted.summary()["frame"] == 2
