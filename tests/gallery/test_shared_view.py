"""Where two cameras see one floor, and what that says of who is who."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from mot_reid.gallery.calibration import Calibration
from mot_reid.gallery.constraints import TravelTimes
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.moments import moments_of, together
from mot_reid.gallery.records import Tracklet
from mot_reid.gallery.settings import IdentifySettings
from mot_reid.gallery.shared_view import learned_views, view_evidence
from mot_reid.gallery.standing import Floor, common_clock, read_views, views_text
from mot_reid.gallery.store import GalleryError

from .conftest import D, Made, tracklet, unit

CALIBRATION = Calibration("made", "name:made", (12.0, -6.0), (12.0, -1.0, 0.0, -6.0))

# From the floor, metres, to two pictures, pixels: one camera looks along it, the other one across.
ALONG = np.array([[60.0, 10.0, 320.0], [0.0, 40.0, 120.0], [0.0, 0.06, 1.0]])
ACROSS = np.array([[-20.0, 70.0, 300.0], [35.0, 5.0, 200.0], [0.04, 0.0, 1.0]])


def walks(count: int, seconds: float = 12.0, seed: int = 0) -> list[np.ndarray]:
    """``(T, 3)`` seconds and metres: people who walk between places of a floor of 8 by 6 metres."""
    random = np.random.default_rng(seed)
    found = []
    for person in range(count):
        times = 4.0 * person + np.arange(0, seconds, 0.2)
        corners = random.uniform((-4, 0), (4, 6), (4, 2))
        knots = np.linspace(times[0], times[-1], 4)
        places = [np.interp(times, knots, corners[:, axis]) for axis in (0, 1)]
        found.append(np.column_stack([times, *places]))
    return found


def seen(walk: np.ndarray, camera: np.ndarray, seed: int = 0, noise: float = 2.0) -> np.ndarray:
    """The path of a walk in a camera's picture, ``(T, 6)``; feet are off by some pixels."""
    random = np.random.default_rng(seed)
    points = np.column_stack([walk[:, 1:], np.ones(len(walk))]) @ camera.T
    feet = points[:, :2] / points[:, 2:] + noise * random.normal(size=(len(walk), 2))
    height = 110 / points[:, 2]
    boxes = [feet[:, 0] - 0.2 * height, feet[:, 1] - height, feet[:, 0] + 0.2 * height, feet[:, 1]]
    return np.column_stack([walk[:, 0] * 25 + 1, walk[:, 0], *boxes]).astype(np.float32)


def scene(count: int = 12, shift: float = 0.0, other: np.ndarray = ACROSS, seed: int = 0) -> tuple:  # type: ignore[type-arg]
    """Cameras, paths, people and seconds at the start of both cameras' records of ``count`` people."""
    floor = walks(count, seed=seed)
    paths = [seen(walk, ALONG, number) for number, walk in enumerate(floor)]
    paths += [seen(walk, other, 100 + number) for number, walk in enumerate(floor)]
    cameras = np.array(["a"] * count + ["b"] * count, object)
    return cameras, paths, np.tile(np.arange(count), 2), np.repeat([0.0, shift], count)


def pairs_of(cameras: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.triu_indices(len(cameras), 1)
    return rows, columns


def learnt(cameras: np.ndarray, paths: list, people: np.ndarray, base: np.ndarray, **rest: float) -> tuple:  # type: ignore[type-arg]
    """Evidence, views, moments and which pairs are one person; looks say so with a probability of 0.9."""
    rows, columns = pairs_of(cameras)
    same = people[rows] == people[columns]
    moments = moments_of(paths, base)
    found, views = learned_views(cameras, moments, rows, columns, np.where(same, 0.9, 0.05), **rest)
    return found, views, moments, same & (cameras[rows] != cameras[columns])


def test_moments_are_half_seconds_near_a_box() -> None:
    """Boxes at 0.1, 0.6 and 4.0 s: nothing is known from 1.5 to 3 s."""
    path = np.array([[1, 0.1, 0, 0, 10, 20], [2, 0.6, 5, 0, 15, 40], [3, 4.0, 5, 0, 15, 40]], np.float32)
    found = moments_of([path, path[:1], path], np.array([0.0, 7.0, np.nan]))
    assert (found.keys[:5] % (1 << 40)).tolist() == [0, 1, 2, 7, 8]
    assert found.feet[0].tolist() == [5, 20]  # before the first box
    np.testing.assert_allclose(found.feet[1], [9, 36], atol=1e-4)
    np.testing.assert_allclose(found.heights[1], 36, atol=1e-4)
    assert (found.keys[5:] // (1 << 40)).tolist() == [1]  # one box is one moment; NaN is none
    assert (found.keys[5:] % (1 << 40)).tolist() == [14]


def test_moments_together() -> None:
    path = np.array([[1, 0, 0, 0, 10, 20], [2, 1, 0, 0, 20, 30]], np.float32)
    later = path + np.array([0, 0.5, 0, 0, 0, 0], np.float32)
    moments = moments_of([path, later, path], np.array([0.0, 0.0, 100.0]))
    found = together(moments, np.array([0, 0, 1]), np.array([1, 2, 0]))
    assert found.pair.tolist() == [0, 0, 2, 2]
    assert found.number.tolist() == [2, 0, 2]
    assert found.feet[:, 1].tolist() == [25, 30, 20, 25]  # halfway and at the end; at the start and halfway
    assert found.others[:, 1].tolist() == [20, 25, 25, 30]
    assert found.heights.tolist() == [25, 30, 20, 25]
    ahead = together(moments, np.array([0]), np.array([1]), late=1)
    assert ahead.feet.tolist() == ahead.others.tolist() == [[5, 20], [7.5, 25], [10, 30]]
    assert not len(together(moments_of([], np.zeros(0)), np.array([0]), np.array([1])).pair)


@pytest.mark.parametrize("wrong", [0.0, 0.3])
def test_who_stands_in_one_place_is_one_person(wrong: float) -> None:
    """Looks say the opposite of the truth for three pairs in ten; places put it right."""
    cameras, paths, people, base = scene()
    rows, columns = pairs_of(cameras)
    same = people[rows] == people[columns]
    random = np.random.default_rng(1)
    lies = random.random(len(rows)) < np.where(same, wrong, wrong / 4)
    likely = np.where(same ^ lies, 0.8, 0.1)
    moments = moments_of(paths, base)
    found, views = learned_views(cameras, moments, rows, columns, likely)
    together = found != 0
    assert together[same & (cameras[rows] != cameras[columns])].all()
    wrongly = together & ((found > 0) != same)
    assert not (wrongly & same).any()
    assert wrongly.sum() <= 1, found[wrongly]  # two may have met
    assert found[same & together].min() > 3
    assert list(views) == [("a", "b")]
    floor = np.array([[x, y, 1.0] for x in (-3, 0, 3) for y in (1, 3, 5)])
    here, there = floor @ ALONG.T, floor @ ACROSS.T
    mapped = (here / here[:, 2:]) @ views["a", "b"].homography.T
    away = np.linalg.norm(mapped[:, :2] / mapped[:, 2:] - there[:, :2] / there[:, 2:], axis=1)
    assert away.max() < 8
    first, second = np.array([0, 0]), np.array([12, 13])
    by_view = view_evidence(views["a", "b"], moments, first, second)
    assert by_view[0] > 3
    assert by_view[1] < -1


def test_nothing_is_learnt_where_clocks_differ() -> None:
    found, views, _, _ = learnt(*scene(shift=5.0))
    assert not views
    assert not found.any()


@pytest.mark.parametrize("ahead", [1.0, -1.5])
def test_a_clock_that_is_off(ahead: float) -> None:
    found, views, moments, same = learnt(*scene(shift=ahead), tolerance=2.0)
    assert views["a", "b"].late == 2 * ahead
    assert found[same].min() > 3
    own = np.arange(12), np.arange(12, 24)
    assert view_evidence(views["a", "b"], moments, *own).min() > 3


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_learnt_of_cameras_that_share_no_floor(seed: int) -> None:
    """Other people walk in the second picture, and looks pair them with those of the first."""
    cameras, paths, people, base = scene(count=16, seed=seed)
    paths[16:] = [seen(walk, ACROSS, number) for number, walk in enumerate(walks(16, seed=50 + seed))]
    found, views, _, _ = learnt(cameras, paths, people, base)
    assert not views
    assert not found.any()


def test_two_pairs_teach_nothing() -> None:
    found, views, _, _ = learnt(*scene(count=2))
    assert not views
    assert not found.any()


def test_a_pair_does_not_count_for_itself() -> None:
    """Looks join a pair that stands apart: however sure they are, places speak against it."""
    cameras, paths, people, base = scene()
    rows, columns = pairs_of(cameras)
    likely = np.where(people[rows] == people[columns], 0.9, 0.05)
    wrong = np.flatnonzero((rows == 3) & (columns == 12 + 4))
    likely[wrong] = 0.95
    found, _ = learned_views(cameras, moments_of(paths, base), rows, columns, likely)
    assert found[wrong] < -1


def alike(count: int = 10, **rest: object) -> list[Tracklet]:
    """Records of both cameras of people who look much the same."""
    cameras, paths, people, _ = scene(count)
    random = np.random.default_rng(2)
    uniform = random.normal(size=D)
    centres = unit(uniform + 0.8 * random.normal(size=(count, D)))
    return [
        tracklet(
            centres[person] + 0.25 * random.normal(size=D),
            camera=str(camera),
            track_id=int(person) + 1,
            start=float(path[0, 1]),
            end=float(path[-1, 1]),
            path=path,
            boxes=len(path),
            run=f"run of {camera}",
            **rest,
        )
        for camera, path, person in zip(cameras, paths, people, strict=True)
    ]


def test_identities_by_places(tmp_path: Path) -> None:
    """With looks alone people are taken for each other, or for nobody; with places nobody is."""
    gallery = Gallery(tmp_path / "shop", Made())
    gallery.add(alike())
    gallery.calibrate(CALIBRATION)
    by_looks = gallery.identify(settings=IdentifySettings(views=False))
    assert not by_looks.views
    found = gallery.identify()
    assert all(len(set(found.numbers[found.table.track_id == person])) == 1 for person in range(1, 11))
    assert len(found) == 10
    joined = [len(set(by_looks.numbers[found.table.track_id == person])) == 1 for person in range(1, 11)]
    assert sum(joined) < 5
    assert list(found.views) == [("a", "b")]


def test_a_search_for_a_track_goes_by_places(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    gallery.add(alike())
    gallery.calibrate(CALIBRATION)
    before = [gallery.search(f"a:{person}")[0] for person in range(1, 11)]
    gallery.identify()
    after = [gallery.search(f"a:{person}")[0] for person in range(1, 11)]
    assert [hit.track_id for hit in after] == list(range(1, 11))
    assert min(hit.probability for hit in after) > 0.9
    assert [hit.track_id for hit in before] != list(range(1, 11))
    assert max(hit.probability for hit in before) < 0.9


def test_clocks(tmp_path: Path) -> None:
    """The first runs of cameras without a clock may have begun together, a second one may not."""
    gallery = Gallery(tmp_path / "shop", Made())
    looks = np.eye(D)
    gallery.add([tracklet(looks[0], camera="a", run="1", added=1.0)])
    gallery.add([tracklet(looks[1], camera="b", run="2", added=2.0)])
    gallery.add([tracklet(looks[2], camera="a", run="3", added=3.0)])
    gallery.add([tracklet(looks[3], camera="c", run="4", added=4.0, epoch=1.7e9)])
    table = gallery.table()
    base, names = common_clock(table, TravelTimes())
    by_run = dict(zip(table.run.tolist(), zip(base.tolist(), names.tolist(), strict=True), strict=True))
    assert by_run["1"][0] == by_run["2"][0] != by_run["3"][0]
    assert by_run["1"][1] == "a"
    assert by_run["3"][1] == "a, run 2"
    assert by_run["4"] == (1.7e9, "c")
    base, names = common_clock(table, TravelTimes(synchronised=True))
    assert base.tolist().count(0.0) == 3
    assert set(names) == {"a", "b", "c"}


def test_views_are_kept_and_read_again() -> None:
    cameras, paths, people, base = scene()
    rows, columns = pairs_of(cameras)
    likely = expit(np.where(people[rows] == people[columns], 2.0, -3.0))
    moments = moments_of(paths, base)
    _, views = learned_views(cameras, moments, rows, columns, likely)
    floors = {key: Floor(view, frozenset({("1 a.mp4", "2 b.mp4")})) for key, view in views.items()}
    again = read_views(views_text(floors), "shop")
    assert list(again) == list(views)
    assert again["a", "b"].sources == floors["a", "b"].sources
    own = np.arange(12), np.arange(12, 24)
    np.testing.assert_array_equal(
        view_evidence(again["a", "b"].view, moments, *own), view_evidence(views["a", "b"], moments, *own)
    )
    assert read_views(None, "shop") == {}
    for broken in ("{", "[1]", '[{"cameras": ["a", "b"], "homography": [[1]]}]'):
        with pytest.raises(GalleryError, match=r"shop/views\.json: broken"):
            read_views(broken, "shop")


def test_a_camera_that_was_turned(tmp_path: Path) -> None:
    """Two days with known clocks; on the second one camera looks the other way: places say nothing of it."""
    gallery = Gallery(tmp_path / "shop", Made())
    first = alike(14, epoch=1.7e9)
    mirrored = np.array([[-1.0, 0, 900], [0, 1, 0], [0, 0, 1]])
    second = []
    for record in alike(14, epoch=1.7e9 + 86_400):
        path = record.path
        if record.camera == "b":
            path = path.copy()
            path[:, [2, 4]] = mirrored[0, 2] - path[:, [4, 2]]
        second.append(replace(record, path=path, run=f"{record.run}, second day", record=f"{record.record}2"))
    gallery.add([*first, *second])
    gallery.calibrate(CALIBRATION)
    found = gallery.identify()
    ((one, other),) = found.views["a", "b"].sources  # the other day's places say nothing
    days = [", second day" in origin for origin in (one, other)]
    assert days[0] == days[1]
    table, of_day = found.table, np.array(["second" in run for run in found.table.run]) == days[0]
    for person in range(1, 15):
        assert len(set(found.numbers[of_day & (table.track_id == person)])) == 1


def test_two_days_with_the_same_view(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    later = [
        replace(record, run=f"{record.run}, second day", record=f"{record.record}2")
        for record in alike(epoch=1.7e9 + 86_400)
    ]
    gallery.add([*alike(epoch=1.7e9), *later])
    gallery.calibrate(CALIBRATION)
    assert len(gallery.identify().views["a", "b"].sources) == 2
