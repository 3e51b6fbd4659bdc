"""Who is who: constraints, calibration, identities, what is kept of them."""

import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from mot_reid.gallery import ground
from mot_reid.gallery.calibration import Calibration, estimated_prior, fit_logistic
from mot_reid.gallery.cameras_file import read_cameras
from mot_reid.gallery.constraints import (
    Travel,
    TravelTimes,
    absences,
    overlapping,
    seen_together,
    too_fast,
)
from mot_reid.gallery.evidence import pair_evidence
from mot_reid.gallery.finding import find_calibration
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.ground import too_far
from mot_reid.gallery.identities import identify
from mot_reid.gallery.normalisation import camera_statistics, normalised
from mot_reid.gallery.reranking import jaccard_of_pairs, nearest_points, rerank
from mot_reid.gallery.settings import IdentifySettings
from mot_reid.gallery.travel import learned_travel

from .conftest import D, Made, people, tracklet, unit

CALIBRATION = Calibration("made", "name:made", (20.0, -8.0), (20.0, -1.0, 0.0, -8.0))
NONE = np.zeros((0, 2), np.intp)


def gallery_of(records: list, place: Path) -> Gallery:  # type: ignore[type-arg]
    gallery = Gallery(place / "shop", Made())
    gallery.add(records)
    gallery.calibrate(CALIBRATION)
    return gallery


def test_everybody_is_found_in_every_camera(tmp_path: Path) -> None:
    gallery = gallery_of(people(8), tmp_path)
    found = gallery.identify(0.02)
    assert len(found) == 8
    table = found.table
    for person in range(1, 9):
        assert len(set(found.numbers[table.track_id == person])) == 1
    assert found.probability.min() > 0.5
    lines = (tmp_path / "shop" / "identities.csv").read_text().splitlines()
    assert len(lines) == 25
    assert lines[0].startswith("identity,camera,id,part,from,to,probability")
    assert gallery.identities() == dict(found)


def test_never_twice_in_one_camera_at_once(tmp_path: Path) -> None:
    """Twins: two records of equal looks at the same time, each with a record in another camera."""
    looks = np.eye(D)[0]
    twins = [
        tracklet(looks, camera="a", track_id=1, start=0, end=10),
        tracklet(looks, camera="a", track_id=2, start=5, end=15),
        tracklet(looks, camera="b", track_id=1, start=0, end=10),
    ]
    found = gallery_of(twins, tmp_path).identify()
    assert found.numbers[0] != found.numbers[1]
    assert len(np.unique(found.numbers)) == 2


def test_a_glimpse_is_nobody_for_sure(tmp_path: Path) -> None:
    """Seen once: for 0.4 s, for long but hardly, for long and well; and two glimpses of one person."""
    looks = np.eye(D)
    records = [
        tracklet(looks[0], track_id=1, end=0.4, boxes=11),
        tracklet(looks[1], track_id=2, start=20, end=25, boxes=126, quality=0.05),
        tracklet(looks[2], track_id=3, start=40, end=45, boxes=126, quality=0.9),
        tracklet(looks[3], track_id=4, start=60, end=60.4, boxes=11),
        tracklet(looks[3], track_id=5, start=80, end=80.4, boxes=11),
    ]
    found = gallery_of(records, tmp_path).identify()
    assert found.sure.tolist() == [False, False, True, True, True]
    assert (len(found), found.unsure) == (2, 2)
    assert [line.rsplit(",", 1)[1] for line in found.to_csv().split()[1:]] == [
        "no",
        "no",
        "yes",
        "yes",
        "yes",
    ]


def test_what_is_said_is_obeyed_and_kept(tmp_path: Path) -> None:
    gallery = gallery_of(people(4, per_person=2), tmp_path)
    before = gallery.identify()
    name = dict(zip(before.table.labels(), before.table.record, strict=True))
    gallery.say("two", name["a:1"], name["b:1"])
    gallery.say("one", name["a:2"], name["b:3"])
    again = Gallery(tmp_path / "shop").identify()
    number = dict(zip(again.table.labels(), again.numbers.tolist(), strict=True))
    assert number["a:1"] != number["b:1"]
    assert number["a:2"] == number["b:3"]
    assert number["a:4"] == number["b:4"] == before.numbers[before.table.track_id == 4][0]
    gallery.say("one", name["a:1"], name["b:1"])  # on second thoughts
    last = gallery.identify()
    assert len(set(last.numbers[last.table.track_id == 1])) == 1


def test_nobody_is_in_cameras_of_two_groups(tmp_path: Path) -> None:
    """Cameras a and b are one group, c another one, and d, of which nothing is said, a third."""
    gallery = gallery_of(people(8, per_person=4), tmp_path)
    groups = TravelTimes(groups={"a": "north", "b": "north", "c": "south"})
    found = gallery.identify(0.02, times=groups)
    number = dict(zip(found.table.labels(), found.numbers.tolist(), strict=True))
    for person in range(1, 9):
        assert number[f"a:{person}"] == number[f"b:{person}"]
        assert len({number[f"{camera}:{person}"] for camera in "acd"}) == 3
    assert len(np.unique(found.numbers)) == 24
    record = dict(zip(found.table.labels(), found.table.record, strict=True))
    gallery.say("one", record["a:1"], record["c:1"])
    again = gallery.identify(0.02, times=groups)
    told = dict(zip(again.table.labels(), again.numbers.tolist(), strict=True))
    assert told["a:1"] == told["b:1"] == told["c:1"] != told["d:1"]
    assert len(np.unique(again.numbers)) == 23
    assert len(np.unique(gallery.identify().numbers)) <= 8


def test_groups_are_those_of_galleries_apart(tmp_path: Path) -> None:
    records = people(12, per_person=2)
    (tmp_path / "apart").mkdir()
    apart = gallery_of([record for record in records if record.camera == "a"], tmp_path / "apart").identify()
    both = gallery_of(records, tmp_path).identify(times=TravelTimes(groups={"a": "north", "b": "south"}))
    own = both.table.camera == "a"
    _, expected = np.unique(apart.numbers, return_inverse=True)
    _, got = np.unique(both.numbers[own], return_inverse=True)
    assert len(set(zip(got.tolist(), expected.tolist(), strict=True))) == len(set(expected.tolist()))


def test_numbers_stay(tmp_path: Path) -> None:
    records = people(5)
    gallery = gallery_of(records[5:], tmp_path)
    before = gallery.identify()
    gallery.add(records[:5])
    after = gallery.identify()
    number = dict(after)
    assert all(number[record] == old for record, old in before)


def test_routes_are_in_order_of_time(tmp_path: Path) -> None:
    looks = np.eye(D)[0]
    records = [
        tracklet(looks, camera="b", start=20, end=30),
        tracklet(looks, camera="a", start=0, end=10),
    ]
    found = gallery_of(records, tmp_path).identify(0.5)
    assert found.table.camera[found.route(int(found.numbers[0]))].tolist() == ["a", "b"]


def test_who_is_seen_at_the_same_time() -> None:
    source = np.array(["a", "a", "a", "b", "a"], object)
    start, end = np.array([0, 5, 9.8, 0, 0.0]), np.array([10, 8, 20, 10, 30.0])
    pairs = {tuple(pair) for pair in overlapping(source, start, end).tolist()}
    assert pairs == {(0, 1), (0, 4), (1, 4), (2, 4)}  # (0, 2) shares 0.2 s only


def test_who_was_lost_meanwhile_is_not_seen_beside_another() -> None:
    """A track that was lost from 10 to 20 s, and others: in the gap, half in it, and without any gap."""
    times = np.concatenate([np.arange(0, 10.1, 0.7), np.arange(20, 30.1, 0.7)])
    gone = absences(times)
    np.testing.assert_allclose(gone, [[9.8, 20.0]])
    assert len(absences(np.arange(0, 30, 0.7))) == len(absences(np.array([0.0, 9.0]))) == 0
    start, end = np.array([0, 11, 8, 11, 9.5]), np.array([30, 19, 12, 19, 20.3])
    pairs = np.array([[0, 1], [0, 2], [1, 3], [0, 4]], np.intp)
    # 1.8 s together before he was lost; 0.3 s before and after.
    assert seen_together(pairs, start, end, {0: gone}).tolist() == [False, True, True, True]
    assert seen_together(pairs[3:], np.where(start == 9.5, 9.7, start), end, {0: gone}).tolist() == [False]
    assert seen_together(pairs, start, end, {}).all()
    both = {0: gone, 1: np.array([[12.0, 19.0]])}
    assert seen_together(pairs[:1], start, end, both).tolist() == [False]


def test_a_track_that_was_found_again_is_joined_with_what_was_seen_meanwhile(tmp_path: Path) -> None:
    """Track 1 is lost from 10 to 20 s; track 2, of the same looks, is seen then, track 3 all the time."""
    looks = np.eye(D)[0]

    def path(times: np.ndarray) -> np.ndarray:
        boxes = np.tile([0.0, 0.0, 10.0, 20.0], (len(times), 1))
        return np.column_stack([times * 25 + 1, times, boxes]).astype(np.float32)

    lost = np.concatenate([np.arange(0, 10, 0.5), np.arange(20, 30.1, 0.5)])
    records = [
        tracklet(looks, track_id=1, start=0, end=30, boxes=500, path=path(lost)),
        tracklet(looks, track_id=2, start=11, end=19, boxes=201, path=path(np.arange(11, 19.1, 0.5))),
        tracklet(looks, track_id=3, start=0, end=30, boxes=751, path=path(np.arange(0, 30.1, 0.5))),
    ]
    numbers = gallery_of(records, tmp_path).identify().numbers
    assert numbers[0] == numbers[1] != numbers[2]


def test_a_glimpse_keeps_nobody_apart(tmp_path: Path) -> None:
    """Tracks 1 and 2 are one person; a glimpse that looks most like track 1 overlaps with track 2."""
    looks = np.eye(D)
    records = [
        tracklet(looks[0], track_id=1, start=0, end=10, boxes=251),
        tracklet(looks[0] + 0.5 * looks[1], track_id=2, start=20, end=30, boxes=251),
        tracklet(looks[0] + 0.01 * looks[2], track_id=3, start=25, end=26, boxes=26, quality=0.2),
    ]
    found = gallery_of(records, tmp_path).identify()
    assert found.numbers[0] == found.numbers[1] != found.numbers[2]
    assert found.sure.tolist() == [True, True, False]


def test_nobody_is_faster_than_the_way_allows() -> None:
    camera = np.array(["a", "b", "b"], object)
    start, end = np.array([0, 12, 40.0]), np.array([10, 20, 50.0])
    times = TravelTimes({("a", "b"): Travel(least=15)}, synchronised=True)
    assert too_fast(camera, start, end, np.full(3, np.nan), times).tolist() == [[0, 1]]
    unknown = TravelTimes({("a", "b"): Travel(least=15)})
    assert len(too_fast(camera, start, end, np.full(3, np.nan), unknown)) == 0
    assert too_fast(camera, start, end, np.full(3, 1e9), unknown).tolist() == [[0, 1]]
    seen_by_both = TravelTimes({("a", "b"): Travel(overlap=True)}, synchronised=True)
    assert len(too_fast(camera, start, end, np.full(3, np.nan), seen_by_both)) == 0


def test_cameras_file(tmp_path: Path) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_text("travel:\n  - {between: [yard, door], least: 10}\n")
    assert read_cameras(path).between == {("door", "yard"): Travel(least=10)}
    path.write_text("ground: {door: [[1, 0, 0], [0, 2, 0], [0, 0, 1]]}\napart: 2\n")
    read = read_cameras(path)
    np.testing.assert_array_equal(read.homographies["door"], np.diag([1.0, 2.0, 1.0]))
    assert (read.apart, read.between) == (2.0, {})
    path.write_text("groups: {north: [door, hall], south: [yard]}\n")
    assert read_cameras(path).groups == {"door": "north", "hall": "north", "yard": "south"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("travel:\n  - {between: [yard], least: 10}\n", "travel, entry 1"),
        ("travel:\n  - {between: [yard, door], least: -1}\n", "travel, entry 1"),
        ("ground: {door: [[1, 0, 0], [0, 0, 0], [0, 0, 1]]}\n", "ground, door: expected 3 x 3 numbers"),
        ("ground: {door: [1, 2]}\n", "ground, door: expected 3 x 3 numbers"),
        ("ground: [door]\n", "expected cameras under ground"),
        ("apart: 1\n", "expected a list under travel, homographies under ground, or cameras under groups"),
        ("travel: []\napart: no\n", "apart: expected metres"),
        ("travel: []\nfloor: 1\n", "floor: expected travel, ground, apart and groups only"),
        ("groups: [door]\n", "expected lists of cameras under groups"),
        ("groups: {north: door}\n", "groups, north: expected a list of cameras"),
        ("groups: {north: [door], south: [door]}\n", "groups: door is in north and in south"),
        ("travel: [\n", "not a YAML file"),
    ],
)
def test_a_broken_cameras_file_is_told(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"cameras\.yaml: {told}"):
        read_cameras(path)


def test_who_stands_elsewhere_is_somebody_else() -> None:
    """Camera b sees the ground at half the scale; the first two walk together, the third is 5 m off."""

    def walk(start: float, first: float, last: float, scale: float) -> np.ndarray:
        times = start + np.arange(11.0)
        feet = np.linspace(first, last, 11) * scale
        zero = np.zeros(11)
        return np.column_stack([zero, times, feet - 1, zero, feet + 1, zero + 10]).astype(np.float32)

    cameras = np.array(["a", "b", "b", "b", "b", "c"], object)
    paths = [
        walk(0, 0, 10, 1.0),
        walk(0, 0.5, 10.5, 2.0),
        walk(0, 5, 15, 2.0),
        walk(12, 11, 20, 2.0),  # a metre on, two seconds later
        walk(12, 60, 70, 2.0),  # 50 m in two seconds
        walk(0, 90, 90, 1.0),
    ]
    planes = {"a": np.diag([1.0, 0.1, 1.0]), "b": np.diag([0.5, 0.1, 1.0])}
    pairs = too_far(cameras, paths, np.zeros(6), planes, 1.5, 0.0)
    assert {tuple(pair) for pair in pairs.tolist()} == {(0, 2), (0, 4)}
    late = too_far(cameras, paths, np.array([0, 0, 5, 0, 0, 0.0]), planes, 1.5, 0.0)
    assert (0, 2) not in {tuple(pair) for pair in late.tolist()}
    assert len(too_far(cameras, paths, np.full(6, np.nan), planes, 1.5, 0.0)) == 0
    loose = too_far(cameras, paths, np.zeros(6), planes, 1.5, 5.0)
    assert {tuple(pair) for pair in loose.tolist()} == {(0, 4)}


def test_only_those_who_had_no_time_for_their_way_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    random, count = np.random.default_rng(0), 120
    cameras = np.array(["a", "b", "c"], object)[np.arange(count) % 3]
    base = random.uniform(0, 900, count)
    paths = []
    for _ in range(count):
        times, feet = np.linspace(0, random.uniform(1, 20), 6), random.uniform(0, 500, (6, 2))
        paths.append(np.column_stack([times, times, feet, feet + 20]).astype(np.float32))
    paths[5] = paths[5][:0]  # of which nothing is known
    homographies = {"a": np.diag([0.1, 0.1, 1]), "b": np.diag([0.1, 0.1, 1])}
    asked, excess = list[float](), ground._excess

    def counted(*given: object) -> float:
        asked.append(excess(*given))
        return asked[-1]

    monkeypatch.setattr(ground, "_excess", counted)
    found = too_far(cameras, paths, base, homographies, 1.5, 2.0)
    assert len(asked) < 0.2 * 40 * 40 * 9
    tracks = {
        row: (base[row] + times, places)
        for row in np.flatnonzero(cameras != "c").tolist()
        if len(paths[row])
        for times, places in [ground.foot_points(paths[row], homographies[cameras[row]])]
    }
    everybody = [
        [one, other]
        for one, other in itertools.combinations(tracks, 2)
        if cameras[one] != cameras[other]
        and min(excess(tracks[one], tracks[other], shift / 2, 1.5, 4.0) for shift in range(-4, 5)) > 0
    ]
    assert found.tolist() == everybody
    assert len(everybody) > 10


def test_ways_between_large_cameras_take_little_memory() -> None:
    count = 4000
    cameras = np.array(["a", "b"], object)[np.arange(count) % 2]
    start, times = np.arange(count, dtype=np.float64), TravelTimes({("a", "b"): Travel(least=3.5)}, True, 0.0)
    tracemalloc.start()
    found = too_fast(cameras, start, start + 1, np.full(count, np.nan), times)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6
    apart = np.diff(found, axis=1)
    assert sorted(set(apart.ravel().tolist())) == [1, 3]
    assert len(found) == (count - 1) + (count - 3)


def test_calibration_says_what_comes() -> None:
    random = np.random.default_rng(0)
    alike, unlike = random.normal(0.6, 0.15, 20_000), random.normal(0.0, 0.15, 20_000)
    slope, offset = fit_logistic(np.concatenate([alike, unlike])[:, None], np.repeat([True, False], 20_000))
    # Two normal distributions of one deviation: the log-likelihood ratio is linear, known by heart.
    assert slope == pytest.approx(0.6 / 0.15**2, rel=0.15)
    assert offset == pytest.approx(-0.18 / 0.15**2, rel=0.15)
    mixed = np.concatenate([alike[:300], unlike])
    assert estimated_prior(slope * mixed + offset) == pytest.approx(300 / 20_300, rel=0.15)
    with pytest.raises(ValueError, match="some of one person and some of two"):
        fit_logistic(np.ones((2, 1)), np.array([True, True]))


@pytest.mark.parametrize("false_links", [0.01, 0.1])
def test_no_more_wrong_links_than_asked_for(false_links: float) -> None:
    """Records drawn as the calibration has it: the share of wrong links stays near what was asked for."""
    random = np.random.default_rng(4)
    count, noise = 300, 0.75
    centres = unit(random.normal(size=(count // 3, 64)))
    who = np.repeat(np.arange(count // 3), 3)
    looks = unit(centres[who] + noise * random.normal(size=(count, 64)) / np.sqrt(64))
    cosine = (looks @ looks.T)[np.triu_indices(count, 1)]
    same = (who[:, None] == who)[np.triu_indices(count, 1)]
    slope, offset = fit_logistic(cosine[:, None], same)
    calibration = Calibration("made", "x", (slope, offset), (slope, 0.0, 0.0, offset))
    settings = IdentifySettings(false_links=false_links, normalise=False, rerank=False)
    cameras = np.array(["a"] * count, object)
    found = identify(pair_evidence(looks, cameras, NONE, calibration, settings), count, NONE, NONE, settings)
    linked = (found.labels[:, None] == found.labels)[np.triu_indices(count, 1)]
    assert linked.sum() > 20
    assert 1 - same[linked].mean() <= 2 * false_links + 0.02


def test_the_sparse_way_finds_the_same() -> None:
    records = people(30, per_person=4, noise=0.5)
    means = np.stack([record.mean for record in records])
    cameras = np.array([record.camera for record in records], object)
    labels = []
    for dense in (10_000, 10):
        settings = IdentifySettings(dense=dense, neighbours=119)
        evidence = pair_evidence(means, cameras, NONE, CALIBRATION, settings)
        labels.append(identify(evidence, len(records), NONE, NONE, settings).labels)
    assert labels[0].tolist() == labels[1].tolist()


def test_what_a_camera_adds_is_taken_off() -> None:
    random = np.random.default_rng(1)
    looks = unit(random.normal(size=(200, D)))
    tint = 2 * np.eye(D)[0]
    cameras = np.repeat(np.array(["a", "b"], object), 100)
    seen = unit(looks + np.where(cameras == "b", 1, 0)[:, None] * tint)
    statistics = camera_statistics(seen, cameras, shrink=1.0)
    found = normalised(seen, cameras, statistics)
    assert abs(float((found[:100] @ found[100:].T).mean())) < 0.02
    assert abs(float((found[100:] @ found[100:].T).mean())) < 0.05
    assert float((seen[100:] @ seen[100:].T).mean()) > 0.5
    np.testing.assert_array_equal(camera_statistics(seen, cameras, shrink=np.inf).shared, np.zeros(D))
    unknown = normalised(seen[:1], np.array([None], object), statistics)
    np.testing.assert_allclose(unknown[0], unit(seen[:1] - statistics.shared)[0], rtol=1e-5)


def test_a_camera_s_deviations_become_those_of_all_where_there_are_enough() -> None:
    random = np.random.default_rng(2)
    seen = random.normal(size=(4000, D)).astype(np.float32)
    seen[2000:, 0] *= 3
    cameras = np.repeat(np.array(["a", "b"], object), 2000)

    def scales(*rows: range, shrink_deviation: float) -> list[float]:
        chosen = np.concatenate([np.array(own) for own in rows])
        found = camera_statistics(seen[chosen], cameras[chosen], shrink_deviation=shrink_deviation).scales
        return [float(found[name][0]) for name in "ab"]

    enough = scales(range(2000), range(2000, 4000), shrink_deviation=1.0)
    np.testing.assert_allclose(enough, [np.sqrt(5), np.sqrt(5) / 3], rtol=0.05)
    half = scales(range(100), range(2000, 2100), shrink_deviation=100.0)
    np.testing.assert_allclose(half, [np.sqrt(5 / 3), np.sqrt(5 / 7)], rtol=0.1)
    few = scales(range(5), range(2000, 2005), shrink_deviation=100.0)
    np.testing.assert_allclose(few, 1, rtol=0.1)
    alone = camera_statistics(seen, cameras, shrink_deviation=np.inf)
    assert not alone.scales
    found = normalised(seen, cameras, camera_statistics(seen, cameras))
    apart = normalised(seen, cameras, alone)
    assert np.square(found[2000:, 0]).mean() < 0.8 * np.square(apart[2000:, 0]).mean()


def test_jaccard_of_pairs_is_that_of_the_whole() -> None:
    points = np.stack([record.mean for record in people(12, noise=0.6)])
    whole = rerank(points, points, 5, 3, 0.0)
    rows, columns = np.triu_indices(len(points), 1)
    # Both sets are the same, so each point is there twice: the neighbours of one set are asked for directly.
    found = jaccard_of_pairs(points, nearest_points(points, 8), rows, columns, 5, 3)
    assert np.corrcoef(found, whole[rows, columns])[0, 1] > 0.8
    assert ((found >= -1e-6) & (found <= 1 + 1e-6)).all()


@pytest.mark.parametrize("count", [1, 7, 64, 300])
def test_the_nearest_are_the_nearest(count: int) -> None:
    points = unit(np.random.default_rng(count).normal(size=(count, 8)))
    cosines = points @ points.T
    np.fill_diagonal(cosines, np.inf)
    expected = np.argsort(-cosines, axis=1)[:, :5]
    np.testing.assert_array_equal(nearest_points(points, 5), expected)


def test_travel_times_are_learnt_from_sure_links() -> None:
    """Who walks from a to b takes 60 s; others come whenever."""
    random = np.random.default_rng(0)
    start = random.uniform(0, 20_000, 400)
    begin = np.concatenate([start + 70, start])
    camera = np.repeat(np.array(["b", "a"], object), 400)
    end = begin + 10
    rows, columns = (grid.ravel() for grid in np.meshgrid(np.arange(400), np.arange(400, 800), indexing="ij"))
    likely = (columns - rows == 400).astype(float) * 0.99
    likely[rows < 20] = 0.0  # looks say nothing of these
    found = learned_travel(camera, begin, end, rows, columns, likely)
    same, soon = columns - rows == 400, np.abs(begin[rows] - end[columns] - 60) < 1e-6
    assert same.sum() == soon.sum() == 400
    assert found[same & (rows < 20)].min() > 2
    assert np.median(found[~same & (np.abs(begin[rows] - end[columns]) < 1500)]) < -1
    nobody = learned_travel(camera, begin, end, rows, columns, np.zeros(len(rows)))
    np.testing.assert_allclose(nobody, 0, atol=1e-9)
    unknown = learned_travel(camera, begin * np.nan, end, rows, columns, likely)
    np.testing.assert_array_equal(unknown, 0)


def test_the_shipped_calibration_is_for_the_shipped_embedder() -> None:
    from mot_reid.config import EmbedderConfig
    from mot_reid.gallery.fingerprint import weights_fingerprint
    from mot_reid.resources import find_weights

    path = find_weights(EmbedderConfig().weights, (".safetensors",))
    found = find_calibration(weights_fingerprint(path), path.stem)
    assert found.fingerprint == weights_fingerprint(path)
    assert 0.3 < expit(found.evidence(0.35)) < 0.99
    assert Calibration.from_json(found.to_json(), "x") == found
    with pytest.raises(ValueError, match="x: not a calibration"):
        Calibration.from_json("{}", "x")
