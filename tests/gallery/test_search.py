"""Finding people: ranks, probabilities, filters, pictures, descriptions, and the answer nobody."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mot_reid.appearance.attributes import load_attributes
from mot_reid.evaluation.person_search import open_set_rates, reliability, score_search
from mot_reid.gallery.calibration import Calibration
from mot_reid.gallery.filters import Filter
from mot_reid.gallery.finding import Hit, Hits
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.queries import PictureError, embedded_people, people_in
from mot_reid.gallery.search import SearchSettings, liked, likeness, same_person
from mot_reid.gallery.sheet import Cell, clock, contact_sheet
from mot_reid.gallery.store import GalleryError
from mot_reid.resources import shipped
from mot_reid.structures import Detections

from .conftest import D, Made, people, tracklet, unit

CALIBRATION = Calibration("made", "name:made", (20.0, -9.0), (20.0, -1.0, 0.0, -9.0))


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    gallery = Gallery(tmp_path / "shop", Made())
    gallery.add(people(12))
    gallery.calibrate(CALIBRATION)
    return gallery


def test_a_track_finds_its_person_in_the_other_cameras(gallery: Gallery) -> None:
    hits = gallery.search("a:5", top=4)
    assert {hit.label for hit in hits[:2]} == {"b:5", "c:5"}
    assert min(hit.probability for hit in hits[:2]) > 0.8 > 0.3 > max(hit.probability for hit in hits[2:])
    assert hits.absent < 0.05
    assert hits.searched == 35  # not itself
    assert (hits[0].source, hits[0].start, hits[0].end) == (f"/videos/{hits[0].camera}.mp4", 40.0, 45.0)


def test_nobody_is_an_answer(gallery: Gallery) -> None:
    stranger = unit(np.random.default_rng(77).normal(size=(1, D)))
    hits = gallery.search(stranger)
    assert max(hit.probability for hit in hits) < 0.5
    assert hits.absent > 0.5


def test_who_is_seen_beside_somebody_is_somebody_else(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    looks = np.eye(D)[0]
    gallery.add([tracklet(looks, track_id=1, end=5), tracklet(looks, track_id=2, start=3, end=9)])
    gallery.add([tracklet(looks, track_id=3, start=6, end=9), tracklet(looks, camera="b", track_id=4)])
    gallery.calibrate(CALIBRATION)
    assert {hit.track_id for hit in gallery.search("a:1")} == {3, 4}


def test_a_track_that_several_runs_have_is_asked_for_by_run(tmp_path: Path) -> None:
    """Ids count anew in each run: two people were taken for one."""
    gallery = Gallery(tmp_path / "shop", Made())
    one, two = np.eye(D)[:2]
    gallery.add([tracklet(one, run="monday"), tracklet(two, run="tuesday", epoch=1e9, end=2)])
    gallery.add([tracklet(one, camera="b", run="hall"), tracklet(two, camera="b", track_id=2, run="hall")])
    gallery.calibrate(CALIBRATION)
    with pytest.raises(GalleryError, match=r"track a:1: 2 runs have one; say which: a:1@monday \(/videos"):
        gallery.search("a:1")
    assert gallery.search("a:1@tuesday")[0].label == "b:2"
    assert gallery.search("a:1@mon")[0].label == "b:1"
    assert gallery.table().labels() == ["a:1@monday", "a:1@tuesday", "b:1", "b:2"]
    with pytest.raises(GalleryError, match="no track a:1@friday in it"):
        gallery.find("a:1@friday")


def test_filters(gallery: Gallery) -> None:
    assert {hit.camera for hit in gallery.search("a:5", cameras=["c"])} == {"c"}
    times = [(hit.start, hit.end) for hit in gallery.search("a:5", top=50, after=60, before=80)]
    assert set(times) == {(60.0, 65.0), (70.0, 75.0), (80.0, 85.0)}
    assert gallery.search("a:5", after=2e9) == []  # no clock is known


@pytest.mark.parametrize("ask", ["search", "describe"])
def test_what_could_find_nobody_is_refused(ask: str, gallery: Gallery) -> None:
    for given, told in (
        ({"top": 0}, "top: expected at least 1, got 0"),
        ({"after": float("nan")}, "after: expected seconds, got nan"),
        ({"before": float("inf")}, "before: expected seconds, got inf"),
    ):
        with pytest.raises(ValueError, match=told):
            getattr(gallery, ask)("a:5", **given)
    with pytest.raises(GalleryError, match=r"no camera nowhere in it \(cameras: a, b, c"):
        getattr(gallery, ask)("a:5", cameras=["a", "nowhere"])


def test_time_of_the_clock() -> None:
    assert "epoch + `end`" in Filter(after=1.7e9 + 50).sql()
    assert Filter(cameras=["o'clock"]).sql() == "camera IN ('o''clock')"
    assert Filter().sql() == ""


def test_hits_of_one_identity_have_its_number(gallery: Gallery) -> None:
    assert {hit.identity for hit in gallery.search("a:5")} == {None}
    gallery.identify()
    hits = gallery.search("a:5", top=2)
    assert hits[0].identity == hits[1].identity == gallery.identities()[hits[0].record]


def test_hits_of_one_identity_stand_together() -> None:
    def hit(name: str, identity: int | None) -> Hit:
        nothing = {"source": "", "track_id": 1, "part": 0, "start": 0.0, "end": 1.0, "epoch": float("nan")}
        return Hit(
            name,
            "a",
            first_frame=1,
            last_frame=2,
            probability=0.5,
            similarity=0.5,
            identity=identity,
            row=0,
            **nothing,
        )  # type: ignore[arg-type]

    hits = Hits([hit("a", 7), hit("b", None), hit("c", 3), hit("d", 7), hit("e", None)])
    names = [[entry.record for entry in group] for group in hits.by_identity()]
    assert names == [["a", "d"], ["b"], ["c"], ["e"]]


def test_a_group_that_looks_alike_is_told_less() -> None:
    """Strangers as those of the calibration change nothing; alike and different ones take its certainty."""
    from_data = replace(CALIBRATION, strangers=(-9.0, 2.0))
    same = np.array([0.0 - 0.1, 0.0 + 0.1] * 50)
    as_before = from_data.for_gallery(same)
    assert as_before.cosine == pytest.approx(from_data.cosine, rel=0.01)
    alike = from_data.for_gallery(np.array([0.1, 0.5] * 50))
    assert 0 < alike.cosine[0] < 0.5 * from_data.cosine[0]
    assert alike.evidence(0.6) < from_data.evidence(0.6)
    assert alike.evidence(0.3) < 0 < alike.evidence(0.95)
    assert from_data.for_gallery([]) is from_data
    assert CALIBRATION.for_gallery(same) is CALIBRATION


def test_where_looks_say_nothing_the_most_alike_come_first(gallery: Gallery) -> None:
    """Strangers here are as alike as one person: each hit is as likely, and still not in any order."""
    expected = [hit.record for hit in gallery.search("a:3", top=5)]
    gallery.calibrate(replace(CALIBRATION, cosine=(0.0, -2.0)))
    found = gallery.search("a:3", top=5)
    assert len({hit.probability for hit in found}) == 1
    assert [hit.record for hit in found] == expected


def test_feedback(gallery: Gallery) -> None:
    """A query between two people goes to the one that is liked and away from the other."""
    table = gallery.table()
    one, other = (int(np.flatnonzero((table.camera == "a") & (table.track_id == n))[0]) for n in (1, 2))
    means = gallery.store.means()
    between = unit(means[one] + means[other])
    like, unlike = [table.record[one]], [table.record[other]]
    hits = gallery.search(between[None], top=2, like=like, unlike=unlike)
    assert {hit.track_id for hit in hits} == {1}
    with pytest.raises(GalleryError, match="no such record"):
        gallery.search(between[None], like=["nobody"])
    both = liked(between[None], means[[one]], means[[other]])
    assert both @ means[one] > between @ means[one]


def test_tracks_can_stand_for_their_records(gallery: Gallery) -> None:
    table = gallery.table()
    alike, unlike = (str(table.record[gallery.find(label)[0]]) for label in ("b:5", "c:7"))
    by_track = gallery.search("a:5", like=["b:5"], unlike=["c:7"])
    assert [hit.label for hit in by_track] == [
        hit.label for hit in gallery.search("a:5", like=[alike], unlike=[unlike])
    ]
    assert gallery.forget(["a:5", unlike]) == 2
    assert gallery.forget("b:5") == 1  # not its letters, of which none is there
    assert len(gallery) == len(table) - 3
    with pytest.raises(GalleryError, match="no track b:5 in it"):
        gallery.forget(["b:5"])


def test_several_pictures_of_one_person(gallery: Gallery) -> None:
    means = gallery.store.means()
    hits = gallery.search(means[[4, 16]], top=3)
    assert {hit.track_id for hit in hits} == {5}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (np.empty((0, D), np.float32), r"at least one embedding, got shape \(0, "),
        ([], "at least one picture"),
        (np.ones(D + 1, np.float32), f"embeddings of {D} values, got {D + 1}"),
    ],
)
def test_a_query_that_is_none_is_refused(
    query: np.ndarray | list[np.ndarray], told: str, gallery: Gallery
) -> None:
    with pytest.raises(ValueError, match=told):
        gallery.search(query, like=[str(gallery.table().record[0])])


def test_medoids_count() -> None:
    """Somebody whose back alone looks like the query comes before a stranger of a like mean."""
    query = unit(np.eye(D)[:1])
    means = unit(np.array([np.eye(D)[1] + 0.3 * np.eye(D)[0], np.eye(D)[2] + 0.35 * np.eye(D)[0]]))
    looks = np.concatenate([query, means])
    owners = np.array([0, 0, 1])
    one, other = likeness(query, means, looks, owners, SearchSettings.mean_share)
    assert one > other
    one, other = likeness(query, means, looks, owners, 1.0)
    assert one < other


def test_who_is_likelier_comes_first(tmp_path: Path) -> None:
    """By neighbours as well as by likeness; whatever is said, in the order of the hits."""
    gallery = Gallery(tmp_path / "shop", Made())
    gallery.add(people(20, noise=1.2))
    gallery.calibrate(CALIBRATION)
    as_alike = []
    for number in range(1, 21):
        hits = gallery.search(f"a:{number}", top=59)
        assert len(hits) == hits.searched == 59
        said = [hit.probability for hit in hits]
        assert said == sorted(said, reverse=True)
        alike = [hit.similarity for hit in hits]
        as_alike.append(alike == sorted(alike, reverse=True))
    assert not all(as_alike)
    plain = gallery.search("a:5", top=59, settings=SearchSettings(rerank=False, mean_share=1.0))
    alike = [hit.similarity for hit in plain]
    assert alike == sorted(alike, reverse=True)


def test_of_a_large_gallery_the_most_alike_are_looked_at(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    gallery.add(people(20, noise=1.2))
    gallery.calibrate(CALIBRATION)
    large = SearchSettings(whole=10, shortlist=6, per_hit=1)
    hits = gallery.search("a:5", top=4, settings=large)
    query = gallery.store.means(gallery.find("a:5"))
    nearest = gallery.store.nearest(query, 7)[0][0].tolist()  # the query itself is one of them
    assert len(hits) == 4
    assert {hit.row for hit in hits} < set(nearest)
    assert hits.searched == 59


def test_probability_falls_with_the_size_of_the_gallery() -> None:
    cosines = np.array([0.65, 0.1])
    evidence = CALIBRATION.evidence(cosines)
    small, _ = same_person(evidence, 10, SearchSettings())
    large, absent = same_person(evidence, 1_000_000, SearchSettings())
    assert small[0] > 0.5 > large[0]
    assert absent > 0.5


def _detect(*boxes: tuple[float, float, float, float]) -> Callable[[np.ndarray], Detections]:
    return lambda picture: Detections(np.array(boxes).reshape(-1, 4), np.full(len(boxes), 0.9))


def test_pictures_are_looked_through_first() -> None:
    wide = np.full((100, 200, 3), 90, np.uint8)
    with pytest.raises(PictureError, match="nobody is found"):
        embedded_people([wide], None, Made(), _detect())  # type: ignore[arg-type]
    two = _detect((100, 10, 140, 90), (10, 10, 50, 90))
    with pytest.raises(PictureError, match="2 people are in it; choose one") as raised:
        embedded_people([wide], None, Made(), two)  # type: ignore[arg-type]
    assert raised.value.boxes[:, 0].tolist() == [10, 100]  # from left to right
    assert embedded_people([wide], [10, 10, 50, 90], Made(), two).shape == (1, D)  # type: ignore[arg-type]
    size = f"{wide.shape[1]} x {wide.shape[0]}"
    for outside in ([500, 10, 540, 90], [-50, 10, -10, 90]):
        with pytest.raises(ValueError, match=f"lies outside of the picture of {size} pixels"):
            embedded_people([wide], outside, Made(), two)  # type: ignore[arg-type]
    crop = np.full((100, 40, 3), 90, np.uint8)
    assert people_in(crop, _detect()).tolist() == [[0, 0, 40, 100]]
    assert people_in(crop, _detect((2, 2, 38, 98))).tolist() == [[0, 0, 40, 100]]
    assert people_in(wide, _detect((10, 10, 50, 90))).tolist() == [[10, 10, 50, 90]]


def test_what_is_no_query_is_told(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    gallery.add([tracklet(np.ones(D))])
    wrong: Any
    path = type(tmp_path).__name__
    for wrong, got in ((tmp_path, path), (["person.jpg"], "str"), ("person.jpg", "str"), (None, "NoneType")):
        told = f"query: expected pictures or embeddings .*, got {got}; cv2.imread reads a picture"
        with pytest.raises(TypeError, match=told):
            gallery.search(wrong)
    with pytest.raises(TypeError, match=re.escape("cameras: expected names in a list, ['a'], got 'a'")):
        gallery.search("a:1", cameras="a")
    with pytest.raises(ValueError, match=r"query: expected \(H, W, 3\) uint8 BGR, got \(9, 9, 3\) float64"):
        gallery.search(np.zeros((9, 9, 3)))


def test_descriptions(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    looks = {"upper_colour=red": 0.9, "upper_colour=blue": 0.1, "backpack=yes": 0.2, "backpack=no": 0.8}
    other = {"upper_colour=red": 0.6, "upper_colour=blue": 0.4, "backpack=yes": 0.9, "backpack=no": 0.1}
    gallery.add([tracklet(np.ones(D), track_id=1, attributes=looks)])
    gallery.add([tracklet(np.ones(D), track_id=2, attributes=other)])
    assert [hit.track_id for hit in gallery.describe("red top")] == [1, 2]
    hits = gallery.describe("red top, backpack")
    assert [hit.track_id for hit in hits] == [2, 1]
    assert hits[0].probability == pytest.approx(0.54)
    assert [hit.track_id for hit in gallery.describe("no backpack")] == [1, 2]
    told = "no attribute is called 'green hat'; there are: backpack, blue/red top"
    with pytest.raises(GalleryError, match=re.escape(told)):
        gallery.describe("green hat")
    for nothing in (" , ", "no", "without"):  # not everybody
        with pytest.raises(GalleryError, match="there are: backpack, blue/red top"):
            gallery.describe(nothing)
    without = Gallery(tmp_path / "without", Made())
    without.add([tracklet(np.ones(D))])
    with pytest.raises(GalleryError, match="have no attributes"):
        without.describe("red")


def test_a_description_that_is_none_names_what_can_be_typed(tmp_path: Path) -> None:
    labels = load_attributes(shipped("weights") / "mgn_osnet_lct_x0_5_attributes.safetensors").labels
    gallery = Gallery(tmp_path / "shop", Made())
    for number, own in enumerate(labels):
        looks = {label: 0.5 + 0.4 * (label == own) for label in labels}
        gallery.add([tracklet(np.ones(D), track_id=number, attributes=looks)])
    with pytest.raises(GalleryError, match="there are: ") as raised:
        gallery.describe("hoodie")
    told = str(raised.value).partition("there are: ")[2]
    assert ("_" in told, "long/short hair" in told, "long/short trousers" in told) == (False, True, True)
    found = []
    for group in told.split(", "):
        values, _, noun = group.rpartition(" ")
        typed = [f"{value} {noun}" for value in values.split("/")] if values else noun.split("/")
        found += [labels[gallery.describe(text)[0].track_id] for text in typed]
    assert sorted(found) == sorted(label for label in labels if not label.endswith("=no"))
    assert labels[gallery.describe("long sleeves")[0].track_id] == "sleeve=long"


def test_scores_by_hand() -> None:
    scores = np.array([[3.0, 2, 1], [1, 2, 3]])
    right = np.array([[True, False, True], [True, False, False]])
    found = score_search(scores, right, np.ones((2, 3), bool))
    assert found.mean_average_precision == pytest.approx(((1 + 2 / 3) / 2 + 1 / 3) / 2)
    assert found.cmc == (0.5, 1.0, 1.0)
    assert found.inverse_negative_penalty == pytest.approx((2 / 3 + 1 / 3) / 2)
    allowed = np.array([[True, True, True], [False, True, True]])
    assert score_search(scores, right, allowed).queries == 1
    present = np.array([0.9, 0.5, -np.inf, 0.8])
    absent = np.linspace(0, 0.85, 100)
    assert open_set_rates(present, absent, (0.01, 0.5)) == [0.25, 0.75]
    bins, error = reliability(np.array([0.1, 0.1, 0.9, 0.9]), np.array([False, False, True, False]), 2)
    assert bins == [(0.1, 0.0, 2), (0.9, 0.5, 2)]
    assert error == pytest.approx(0.25)


def test_contact_sheet() -> None:
    red = np.full((160, 80, 3), (0, 0, 255), np.uint8)
    sheet = contact_sheet([Cell(red, ["query"])], [Cell(red, ["0.93 a:1"], 0.93)] * 9 + [Cell(None, ["x"])])
    assert sheet.shape[0] > 2 * 160  # two rows
    assert (sheet == (0, 0, 255)).all(axis=2).sum() > 9 * 80 * 150
    assert clock(3725.5) == "01:02:05.5"
    assert clock(59.97) == "00:01:00.0"
    assert clock(0, 1.7e9).startswith("2023-11-1")
