"""How links are made of evidence."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit

from mot_reid.gallery.calibration import Calibration
from mot_reid.gallery.evidence import Evidence, pair_evidence, with_cameras
from mot_reid.gallery.identities import Linked, identify
from mot_reid.gallery.settings import IdentifySettings

NONE = np.zeros((0, 2), np.intp)


def test_what_is_said_of_many_holds_however_different_they_are() -> None:
    """A chain of forty records that were said to be one person; what is not said stays apart."""
    count = 42
    rows, columns = np.triu_indices(count, 1)
    for complete in (True, False):
        evidence = Evidence(rows, columns, np.full(len(rows), -20.0), 0.01, complete)
        chain = np.column_stack([np.arange(39), np.arange(1, 40)])
        settings = IdentifySettings(reassign=False)
        assert identify(evidence, count, NONE, chain, settings).labels.tolist() == [0] * 40 + [1, 2]


@pytest.mark.parametrize("complete", [True, False])
def test_links_of_glimpses_count_beside_those_made_before(complete: bool) -> None:
    """20 sure links; each of 20 glimpses is as likely as not his who is before him, or somebody else."""
    rows, columns = np.triu_indices(60, 1)
    values = np.full(len(rows), -30.0)
    values[(columns - rows == 20) & (rows < 20)] = 9.0
    values[(columns - rows == 20) & (rows >= 20)] = values[(columns - rows == 40)] = 0.5
    evidence = Evidence(rows, columns, values, 0.5, complete)
    late = np.arange(60) >= 40
    links = {}
    for asked in (0.01, 0.1, 0.3):
        settings = IdentifySettings(false_links=asked, reassign=False)
        found = identify(evidence, 60, NONE, NONE, settings, glimpses=late)
        links[asked] = 60 - len(np.unique(found.labels))
    # A glimpse is wrong with expit(-0.5) = 0.38: 20 + n links have 0.38 n wrong ones.
    assert links == {0.01: 20, 0.1: 27, 0.3: 40}


def test_neighbours_in_common_say_more_in_a_larger_gallery() -> None:
    """Four records a person; the calibration is of 100, 400 or more tracklets, the gallery has 400."""
    random = np.random.default_rng(0)
    looks = random.normal(size=(100, 32))[np.repeat(np.arange(100), 4)] + 0.5 * random.normal(size=(400, 32))
    looks = (looks / np.linalg.norm(looks, axis=1, keepdims=True)).astype(np.float32)
    cameras = np.array(["a", "b", "c", "d"] * 100, object)

    def values(tracklets: int) -> np.ndarray:
        calibration = Calibration("made", "x", (20.0, -8.0), (8.0, 1.0, 9.0, -6.0), tracklets=tracklets)
        return pair_evidence(looks, cameras, NONE, calibration, IdentifySettings()).values

    more = values(100) - values(400)
    rows, columns = np.triu_indices(400, 1)
    same = rows // 4 == columns // 4
    np.testing.assert_allclose(more[same], np.log(4))
    assert set(np.round(more, 9)) == {0.0, round(float(np.log(4)), 9)}
    for nothing_said in (values(0), values(10_000)):
        np.testing.assert_array_equal(nothing_said, values(400))


def test_strangers_are_measured_by_how_they_differ_here() -> None:
    """Calibrated where strangers deviate by .1 and one person's pairs lie at .6."""
    calibration = Calibration("made", "x", (60.0, -18.0), (60.0, 0.0, 0.0, -18.0), strangers=(-18.0, 6.0))
    strangers = np.random.default_rng(0).normal(0.0, 1.0, 50_000)
    alike = np.random.default_rng(1).normal(0.6, 0.1, 500)

    def scale(cosines: np.ndarray, records: int, known: bool = False) -> float:
        return calibration.strangers_scale(cosines, np.full(len(cosines), known), records)

    # Pairs of one person do not count, be they a hundredth of all, as far as they are told apart.
    for some in (0.1 * strangers, np.concatenate([0.1 * strangers, alike])):
        assert scale(some, 300) == pytest.approx(1, abs=0.01)
    for deviation in (0.06, 0.14):
        few, many = scale(deviation * strangers, 20), scale(deviation * strangers, 100_000)
        assert many == pytest.approx(0.1 / deviation, rel=0.02)
        assert abs(few - 1) < 0.6 * abs(many - 1)
    # Known ones count as a whole: 50 people here, 50 of the data, and the variance is between theirs.
    told = scale(np.array([-0.3, 0.3] * 1000), 50 * 100, known=True)
    prior = 2 / 5000
    people = 5000 / (1 + prior * 4999)
    assert told == pytest.approx(0.1 / np.sqrt((people * 0.09 + 50 * 0.01) / (people + 50)))
    assert scale(np.zeros(0), 10) == 1
    assert scale(np.array([1.0]), 2) == pytest.approx(1)  # one person, twice the same
    certain = replace(calibration, cosine=(6000.0, -18.0), strangers=(-18.0, 600.0))
    assert certain.strangers_scale([1.0], [False], 2) == pytest.approx(1)
    assert replace(calibration, strangers=None).strangers_scale(strangers, strangers > 9, 300) == 1


@pytest.mark.parametrize("dense", [10_000, 10])
def test_where_strangers_of_one_camera_are_more_alike_it_takes_more(dense: int) -> None:
    """In either camera 40 people dress in two ways; across cameras it does not show, for colours change."""
    random = np.random.default_rng(0)
    who = np.tile(np.arange(40), 2)
    cameras = np.array(["a"] * 40 + ["b"] * 40, object)
    person, dress = random.normal(size=(40, 256)), random.normal(size=(2, 256))
    looks = person[who]
    looks[:40] += 0.6 * dress[0] * np.where(who[:40] % 2, 1, -1)[:, None]
    looks[40:] += 0.6 * dress[1] * np.where(who[40:] % 2, 1, -1)[:, None]
    looks = (looks / np.linalg.norm(looks, axis=1, keepdims=True)).astype(np.float32)
    plain = Calibration("made", "x", (60.0, -18.0), (60.0, 0.0, 0.0, -18.0))
    settings = IdentifySettings(rerank=False, dense=dense, neighbours=60)
    one, other = (
        pair_evidence(looks, cameras, NONE, calibration, settings)
        for calibration in (plain, replace(plain, strangers=(-18.0, 3.9)))
    )
    within = cameras[one.rows] == cameras[one.columns]
    scales = (other.values + 18) / (one.values + 18)
    for kind in (within, ~within):
        assert np.ptp(scales[kind]) < 1e-5
    assert scales[within][0] < 0.7
    assert scales[~within][0] > 0.85


@pytest.mark.parametrize(("asked", "people"), [(0.001, 12), (0.01, 11), (0.02, 10)])
def test_who_was_left_is_linked_within_what_was_asked_for(asked: float, people: int) -> None:
    """30 sure links of ten people; two records besides are of two of them with a chance of 0.73.

    One wrong link of 0.27 is 0.9 % of 31, both are 1.7 % of 32.
    """
    rows, columns = np.triu_indices(42, 1)
    values = np.full(len(rows), -20.0)
    values[(rows // 4 == columns // 4) & (columns < 40)] = 20.0
    values[((columns == 40) & (rows // 4 == 0)) | ((columns == 41) & (rows // 4 == 1))] = 1.0
    evidence = Evidence(rows, columns, values, 0.5, True)
    settings = IdentifySettings(false_links=asked)
    found = identify(evidence, 42, NONE, NONE, settings)
    assert len(np.unique(found.labels)) == people


def lone_part(to_own: float, to_other: float, tracks: list[int] | None, barred: np.ndarray = NONE) -> Linked:
    """Records 0 and 1 are one person, 2 and 3 another; 4 is left over, and a part of 0's track."""
    rows, columns = np.triu_indices(5, 1)
    values = np.full(len(rows), -20.0)
    for (first, second), value in {
        (0, 1): 20.0,
        (2, 3): 20.0,
        **dict.fromkeys([(0, 4), (1, 4)], to_own),
        **dict.fromkeys([(2, 4), (3, 4)], to_other),
    }.items():
        values[(rows == first) & (columns == second)] = value
    numbers = None if tracks is None else np.array(tracks)
    return identify(
        Evidence(rows, columns, values, 0.5, True), 5, barred, NONE, IdentifySettings(), tracks=numbers
    )


@pytest.mark.parametrize(
    ("to_own", "to_other", "person"),
    [
        (-1.0, -9.0, 0),  # 0.27 by its looks, 0.79 as a part of the track
        (-2.0, -9.0, 2),  # 0.58 is not enough
        (-1.0, -0.5, 2),  # somebody else is as likely
        (-9.0, 3.0, 1),  # the track had gone over to another one
    ],
)
def test_a_part_that_nobody_takes_is_of_the_tracks_own_person(
    to_own: float, to_other: float, person: int
) -> None:
    linked = lone_part(to_own, to_other, tracks=[0, 1, 2, 3, 0])
    assert linked.labels.tolist() == [0, 0, 1, 1, person]
    assert lone_part(to_own, to_other, tracks=None).labels[4] == (1 if person == 1 else 2)


def test_how_likely_a_part_is_its_tracks_own_is_told() -> None:
    np.testing.assert_allclose(
        lone_part(-1.0, -9.0, [0, 1, 2, 3, 0]).probability[4], 1 / (1 + np.exp(1) / 10)
    )


def test_a_part_that_somebody_took_away_stays_away() -> None:
    assert lone_part(-1.0, -9.0, [0, 1, 2, 3, 0], np.array([[0, 4]])).labels[4] == 2


@pytest.mark.parametrize(("value", "people"), [(-1.0, 1), (-3.0, 2)])
def test_the_two_parts_of_a_track_that_nobody_takes_are_one_person(value: float, people: int) -> None:
    rows, columns = np.triu_indices(3, 1)
    evidence = Evidence(rows, columns, np.array([value, -20, -20.0]), 0.5, True)
    linked = identify(evidence, 3, NONE, NONE, IdentifySettings(), tracks=np.array([0, 0, 1]))
    assert linked.labels[2] == linked.labels.max()
    assert len(set(linked.labels[:2].tolist())) == people


def test_pairs_of_one_camera_and_of_two_have_shares_of_their_own() -> None:
    """20 people in cameras a and b; nobody returns to one camera, and a few pairs there are doubtful."""
    cameras = np.array(["a"] * 20 + ["b"] * 20, object)
    rows, columns = np.triu_indices(40, 1)
    across = cameras[rows] != cameras[columns]
    same = columns - rows == 20
    doubtful = ~across & (columns - rows == 1) & (rows % 5 == 0)
    values = np.where(same, 8.0, np.where(doubtful, 1.5, -8.0))
    for complete in (True, False):
        known = np.ones(len(rows), bool) if complete else values > -8
        pairs = rows[known], columns[known], values[known]
        evidence = Evidence(*pairs, float(same.mean()), complete)
        found = with_cameras(evidence, cameras, NONE).values - evidence.values
        assert (found[across[known]] > 0.3).all()
        assert np.ptp(found[across[known]]) < 1e-12
        assert (found[~across[known]] < -0.3).all()
        assert np.ptp(found[~across[known]]) < 1e-12
    one = Evidence(rows, columns, values, 0.02, True)
    alike = with_cameras(one, np.array(["a"] * 40, object), np.column_stack([rows, columns])[~same])
    # All 20 pairs that can be one person are, beside 30 of which 0.02 were expected to be.
    np.testing.assert_allclose(alike.values - one.values, logit(20.6 / 50) - logit(0.02), atol=0.01)
