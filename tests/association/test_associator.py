"""The stages of a frame on scenes small enough to check by hand, and invariants over random streams."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mot_reid import Detections, Tracks
from mot_reid.association.associator import Associator
from mot_reid.association.rhythm import DetectorRhythm
from mot_reid.config import AssociationConfig, load_config

SIZE = np.array([40, 100])
RED, GREEN, BLUE = np.eye(3, 8, dtype=np.float32)
REDDISH = 0.7 * RED + np.float32(0.51**0.5) * np.eye(1, 8, 7, dtype=np.float32)[0]
CORNERS = (0, 0), (1000, 500)
"""Two people, GREEN and BLUE, whom the edges of a picture of 1040 x 600 pixels cut off."""


def configured(*settings: str) -> AssociationConfig:
    """The settings of association with some changed, such as ``"tentative.min_hits=3"``."""
    return load_config(None, [f"association.{setting}" for setting in settings]).association


def people(*positions: tuple[float, float], scores: list[float] | None = None) -> Detections:
    """People of 40 x 100 pixels at these left upper corners."""
    corners = np.array(positions, float).reshape(-1, 2)
    return Detections(np.hstack([corners, corners + SIZE]), scores)


def step(tracker: Associator, detections: Detections, *looks: np.ndarray, **options: np.ndarray) -> Tracks:
    """One frame; with ``looks``, the embedding of each detection."""
    if not looks:
        return tracker.step(detections, **options)
    return tracker.step(detections, embed=lambda rows: np.stack(looks)[rows], **options)


def ids(tracks: Tracks) -> list[int]:
    return tracks.ids.tolist()


def test_everybody_in_the_first_frame_gets_an_id_at_once() -> None:
    assert ids(step(Associator(), people((0, 0), (200, 0)))) == [1, 2]


def test_later_births_wait_for_a_second_sight() -> None:
    tracker = Associator()
    step(tracker, people((0, 0)))
    assert ids(step(tracker, people((0, 0), (200, 0)))) == [1]
    seen = step(tracker, people((200, 0), (0, 0)))
    assert ids(seen) == [2, 1]
    assert seen.detection_index.tolist() == [0, 1]


def test_a_single_false_positive_never_gets_an_id() -> None:
    tracker = Associator()
    step(tracker, people((0, 0)))
    step(tracker, people((0, 0), (300, 0)))
    for _ in range(3):
        assert ids(step(tracker, people((0, 0)))) == [1]
    step(tracker, people((0, 0), (500, 0)))
    assert ids(step(tracker, people((0, 0), (500, 0)))) == [1, 2]


def test_two_people_pass_each_other() -> None:
    tracker = Associator()
    for frame in range(40):
        a, b = (10.0 * frame, 0), (400 - 10.0 * frame, 12)
        assert ids(step(tracker, people(a, b))) == [1, 2]


def test_appearance_decides_where_overlap_cannot() -> None:
    """Two people stand still on nearly one spot and change places between two frames."""
    tracker = Associator()
    for _ in range(5):
        step(tracker, people((0, 0), (20, 0)), RED, BLUE)
    assert ids(step(tracker, people((8, 0), (12, 0)), BLUE, RED)) == [2, 1]
    blind = Associator()
    for _ in range(5):
        step(blind, people((0, 0), (20, 0)))
    assert ids(step(blind, people((8, 0), (12, 0)))) == [1, 2]


def test_a_dip_of_the_score_is_bridged_by_overlap() -> None:
    tracker = Associator()
    for _ in range(3):
        step(tracker, people((0, 0)))
    seen = step(tracker, people((2, 0), scores=[0.2]))
    assert ids(seen) == [1]
    assert seen.scores.tolist() == pytest.approx([0.2])


def test_weak_detections_start_nothing() -> None:
    tracker = Associator()
    for _ in range(5):
        assert ids(step(tracker, people((0, 0), scores=[0.4]))) == []


OTHERS = (200, 0), (400, 0), (600, 0), (800, 0)
"""Four people in plain view, beside one whose score is confident among theirs but starts no track soon."""


def beside_others(tracker: Associator, present: bool = True) -> bool:
    """One more frame; tells whether he has an id."""
    scores = [0.9] * len(OTHERS)
    seen = step(
        tracker,
        people((0, 0), *OTHERS, scores=[0.69, *scores]) if present else people(*OTHERS, scores=scores),
    )
    return 0 in seen.xyxy[:, 0].round()


def warm(*settings: str) -> Associator:
    tracker = Associator(configured(*settings))
    for _ in range(60):
        beside_others(tracker, present=False)
    return tracker


def test_who_is_seen_again_and_again_without_convincing_is_followed_in_the_end() -> None:
    tracker = warm()
    assert [beside_others(tracker) for _ in range(31)] == [*([False] * 29), True, True]


def test_who_is_missed_before_convincing_starts_again() -> None:
    tracker = warm()
    for _ in range(29):
        beside_others(tracker)
    beside_others(tracker, present=False)
    assert [beside_others(tracker) for _ in range(30)] == [*([False] * 29), True]


def test_a_convincing_score_starts_the_count_anew() -> None:
    tracker = Associator(configured("tentative.min_hits=3"))
    scores = (0.62, 0.62, 0.62, 0.62, 0.9, 0.62, 0.62)
    seen = [ids(step(tracker, people((0, 0), scores=[score]))) for score in scores]
    assert seen == [[], [], [], [], [], [], [1]]


def test_patience_is_never_shorter_than_what_everybody_needs() -> None:
    tracker = warm("tentative.min_hits=40")
    assert [beside_others(tracker) for _ in range(41)] == [*([False] * 39), True, True]


def test_confident_means_the_same_for_every_detector() -> None:
    """A modest detector's 0.5 is a person, a bold one's may be anything."""
    modest, bold = Associator(), Associator()
    for tracker, usual in ((modest, 0.55), (bold, 0.95)):
        for _ in range(300):
            step(tracker, people((0, 0), (200, 0), scores=[usual, usual]))
        for _ in range(3):
            seen = step(tracker, people((0, 0), (200, 0), (400, 0), scores=[usual, usual, 0.5]))
        assert len(seen) == (3 if usual < 0.6 else 2)


def test_a_weak_detection_brings_back_who_was_missed_for_a_moment() -> None:
    tracker = Associator()
    for _ in range(3):
        step(tracker, people((0, 0)))
    for _ in range(3):
        step(tracker, people())
    assert ids(step(tracker, people((2, 0), scores=[0.2]))) == [1]
    for _ in range(16):  # longer than half a second
        step(tracker, people())
    assert ids(step(tracker, people((2, 0), scores=[0.2]))) == []


def test_a_person_behind_another_is_still_there_for_a_moment() -> None:
    tracker = Associator(configured("report.hidden_time=0.17"))
    for _ in range(30):
        step(tracker, people(*CORNERS, (500, 200), (510, 220)))
    for age in range(1, 8):
        seen = step(tracker, people(*CORNERS, (510, 220)))
        assert ids(seen) == ([1, 2, 4, 3] if age <= 5 else [1, 2, 4])
        assert seen.detection_index.tolist() == ([0, 1, 2, -1] if age <= 5 else [0, 1, 2])
    np.testing.assert_allclose(seen.xyxy[2], [510, 220, 550, 320], atol=0.1)


def test_a_person_in_front_who_is_missed_is_not_made_up() -> None:
    tracker = Associator()
    for _ in range(5):
        step(tracker, people((0, 0), (10, 20)))
    assert ids(step(tracker, people((0, 0)))) == [1]


@pytest.mark.parametrize(("seen_in", "frames"), [(2, 1), (4, 2), (9, 5), (100, 8)])
def test_who_was_hardly_seen_is_not_made_up_for_long(seen_in: int, frames: int) -> None:
    """Half as many frames as there were detections, rounded up; 0.27 seconds, eight frames, are the most."""
    tracker = Associator()
    for _ in range(seen_in):
        step(tracker, people(*CORNERS, (500, 200), (510, 220)))
    seen = [ids(step(tracker, people(*CORNERS, (510, 220)))) for _ in range(12)]
    assert seen == [[1, 2, 4, 3]] * frames + [[1, 2, 4]] * (12 - frames)


def test_who_was_cut_off_by_the_edge_has_left_and_is_not_hidden() -> None:
    """Both walk behind somebody and vanish: at the picture's right edge, and in its middle."""
    for left, hidden in ((1000, []), (500, [-1])):
        tracker = Associator()
        for _ in range(30):
            step(tracker, people(*CORNERS, (left, 200), (left - 10, 220)))
        seen = step(tracker, people(*CORNERS, (left - 10, 220)))
        assert seen.detection_index.tolist() == [0, 1, 2, *hidden]


def test_nobody_hidden_is_reported_when_the_setting_says_so() -> None:
    tracker = Associator(configured("report.hidden_time=0"))
    for _ in range(5):
        step(tracker, people((0, 0), (10, 20)))
    assert ids(step(tracker, people((10, 20)))) == [2]


def test_what_is_reported_lies_between_the_detection_and_the_filter() -> None:
    tracker = Associator()
    for _ in range(10):
        np.testing.assert_allclose(step(tracker, people((0, 0))).xyxy, people((0, 0)).xyxy, atol=1e-4)
    left, top, right, bottom = step(tracker, people((6, 0))).xyxy[0].tolist()
    filtered = tracker._table.states.position[0, 0] - 20
    assert 0 < filtered < 6
    share = tracker._innovations.filter_shares[0]
    assert 0.7 < share < 0.8
    reported = share * filtered + (1 - share) * 6
    assert (left, top, right - left, bottom) == pytest.approx((reported, 0, 40, 100), abs=1e-4)


def test_of_two_claims_the_longer_loss_is_the_weaker() -> None:
    """Both tracks fit the detection equally well; one was seen in the last frame, one is 30 frames gone."""
    for age_cost, expected in ((0.4, [2]), (0.0, [1])):
        tracker = Associator(configured(f"confident.lost_cost={age_cost}"))
        for _ in range(5):
            step(tracker, people((0, 0), (30, 0)))
        for _ in range(30):
            step(tracker, people((30, 0)))
        assert ids(step(tracker, people((14, 0)))) == expected


def test_below_the_floor_a_detection_is_left_out() -> None:
    tracker = Associator()
    step(tracker, people((0, 0)))
    assert ids(step(tracker, people((0, 0), scores=[0.05]))) == []


def test_a_short_absence_is_bridged_by_motion() -> None:
    tracker = Associator()
    for frame in range(20):
        step(tracker, people((5.0 * frame, 0)))
    for _ in range(8):
        assert ids(step(tracker, people())) == []
    assert ids(step(tracker, people((5.0 * 27, 0)))) == [1]


def test_a_track_in_view_keeps_its_speed_without_any_memory() -> None:
    tracker = Associator(configured("lifecycle.lost_time=0"))
    for frame in range(20):
        assert ids(step(tracker, people((15.0 * frame, 0)))) == [1]
    assert tracker._table.states.velocity[0, 0] == pytest.approx(15, abs=1)


def test_a_lost_person_comes_back_elsewhere_by_appearance() -> None:
    """No overlap with where the person was seen last; 80 frames out of sight."""
    tracker = Associator()
    for _ in range(5):
        step(tracker, people((0, 0), (600, 0)), RED, GREEN)
    for _ in range(80):
        step(tracker, people((600, 0)), GREEN)
    assert ids(step(tracker, people((200, 20), (600, 0)), RED, GREEN)) == [1, 2]


def test_a_return_by_looks_alone_is_worth_less_than_never_having_gone() -> None:
    """Overlap afterwards says nothing about who it was that came back; a second return doubts further."""
    tracker = Associator()
    for _ in range(5):
        first = step(tracker, people((0, 0), (600, 0)), RED, GREEN)
    assert first.id_confidence.tolist() == [1, 1]
    for _ in range(80):
        step(tracker, people((600, 0)), GREEN)
    back = step(tracker, people((200, 20), (600, 0)), RED, GREEN)
    once = float(back.id_confidence[0])
    assert ids(back) == [1, 2]
    assert 0.5 < once < 1
    assert back.id_confidence[1] == 1
    for _ in range(20):
        later = step(tracker, people((200, 20), (600, 0)), RED, GREEN)
    assert later.id_confidence.tolist() == back.id_confidence.tolist()
    for _ in range(80):
        step(tracker, people((600, 0)), GREEN)
    again = step(tracker, people((0, 0), (600, 0)), RED, GREEN)
    assert ids(again) == [1, 2]
    assert again.id_confidence[0] == pytest.approx(once**2, rel=0.01)


@pytest.mark.parametrize(("fps", "expected"), [(None, 1), (10.0, 1), (4.0, 3), (60.0, 1)])
def test_seconds_end_the_wait_where_the_frame_rate_is_low(fps: float | None, expected: int) -> None:
    """100 frames out of sight: 10 seconds at 10 frames/s, but 25 at 4."""
    tracker = Associator(configured("revive.lost_time=20", "reentry=new"), fps=fps)
    for _ in range(5):
        step(tracker, people((0, 0), (600, 0)), RED, GREEN)
    for _ in range(100):
        step(tracker, people((600, 0)), GREEN)
    for _ in range(2):
        seen = step(tracker, people((120, 0), (600, 0)), RED, GREEN)
    assert ids(seen) == [expected, 2]


@pytest.mark.parametrize(("fps", "expected"), [(None, 1), (30.0, 1), (10.0, 1), (5.0, 2)])
def test_a_return_by_overlap_ends_with_seconds_too(fps: float | None, expected: int) -> None:
    """20 frames out of sight: 2 seconds at 10 frames/s, 4 at 5."""
    tracker = Associator(configured("lifecycle.lost_time=3"), fps=fps)
    for _ in range(5):
        step(tracker, people((500, 250)))
    for _ in range(20):
        step(tracker, people())
    for _ in range(2):
        back = step(tracker, people((500, 250)))
    assert ids(back) == [expected]


def test_a_return_by_overlap_needs_no_doubt() -> None:
    tracker = Associator()
    for _ in range(5):
        step(tracker, people((500, 250)), RED)
    for _ in range(8):
        step(tracker, people())
    back = step(tracker, people((500, 250)), RED)
    assert (ids(back), back.id_confidence.tolist()) == ([1], [1])


@pytest.mark.parametrize(
    ("place", "back", "look", "expected"),
    [
        ((500, 250), (600, 260), REDDISH, 3),  # hidden in the middle, turned a little: who else should it be?
        ((1000, 250), (1000, 300), REDDISH, 4),  # out of the picture, and somebody alike comes in
        ((1000, 250), (850, 250), REDDISH, 4),  # out of the picture, and somebody alike within
        ((500, 250), (500, 500), REDDISH, 4),  # hidden, and somebody alike comes in
        ((1000, 250), (1000, 300), RED, 3),  # out of the picture and in again, beyond doubt
    ],
)
def test_the_edge_of_the_picture_makes_strangers_likelier(
    place: tuple[int, int], back: tuple[int, int], look: np.ndarray, expected: int
) -> None:
    tracker = Associator(configured("reentry=new"))
    for _ in range(6):
        step(tracker, people(*CORNERS, place), GREEN, BLUE, RED)
    for _ in range(80):
        step(tracker, people(*CORNERS), GREEN, BLUE)
    for _ in range(2):
        seen = step(tracker, people(*CORNERS, back), GREEN, BLUE, look)
    assert ids(seen) == [1, 2, expected]


def test_whom_the_camera_left_is_no_stranger_when_it_returns() -> None:
    """The same look that is too little for one who walked out of a still picture (see above)."""
    tracker = Associator(configured("reentry=new"))
    for _ in range(6):
        step(tracker, people(*CORNERS, (1000, 250)), GREEN, BLUE, RED)
    away, back = (np.array([[1.0, 0, dx], [0, 1, 0]]) for dx in (500, -500))
    for affine in (away, *[None] * 79, back):
        step(tracker, people(), affine=affine)
    seen = step(tracker, people(*CORNERS, (900, 300)), GREEN, BLUE, REDDISH)
    assert ids(seen) == [1, 2, 3]


def test_what_appears_in_the_middle_and_looks_like_nobody_must_be_convincing() -> None:
    def newcomer(place: tuple[int, int], *looks: np.ndarray) -> list[int]:
        tracker = Associator()
        for _ in range(60):
            step(tracker, people(*CORNERS), *looks[:2])
        for _ in range(2):  # 0.85 of the usual score, which is 0.97
            seen = step(tracker, people(*CORNERS, place, scores=[1, 1, 0.82]), *looks)
        return ids(seen)

    assert newcomer((500, 250), GREEN, BLUE, RED) == [1, 2]
    assert newcomer((1000, 250), GREEN, BLUE, RED) == [1, 2, 3]
    assert newcomer((500, 250)) == [1, 2, 3]


def test_a_stranger_does_not_inherit_an_identity() -> None:
    tracker = Associator()
    for _ in range(5):
        step(tracker, people((0, 0)), RED)
    for _ in range(80):
        step(tracker, people())
    for _ in range(2):
        seen = step(tracker, people((150, 20)), BLUE)
    assert ids(seen) == [2]


@pytest.mark.parametrize(
    ("shift", "look", "same"),
    [
        (20, RED, True),  # IoU 20 / 60: loose, but it is the same person
        (20, BLUE, False),  # as loose, and somebody else
        (14, BLUE, False),  # IoU 26 / 54: still loose
        (9, BLUE, True),  # IoU 31 / 49: close enough for a look to change (light, a turn)
        (20, None, True),  # nobody looked
    ],
)
def test_a_loose_overlap_is_not_enough_for_a_stranger(
    shift: int, look: np.ndarray | None, same: bool
) -> None:
    tracker, still = Associator(configured("embedding.share=1")), np.eye(2, 3)
    for _ in range(5):
        step(tracker, people((500, 250)), RED, affine=still)
    for _ in range(2):
        seen = step(tracker, people((500 + shift, 250)), *([] if look is None else [look]), affine=still)
    assert ids(seen) == [1 if same else 2]


def test_nobody_comes_back_faster_than_people_run() -> None:
    tracker = Associator()
    for _ in range(5):
        step(tracker, people((0, 0)), RED)
    step(tracker, people())
    assert ids(step(tracker, people((1500, 0)), RED)) == []


def test_twins_are_not_told_apart_by_guessing() -> None:
    tracker = Associator()
    for _ in range(5):
        step(tracker, people((0, 0), (120, 0)), RED, RED)
    for _ in range(80):
        step(tracker, people())
    for _ in range(2):
        seen = step(tracker, people((60, 30)), RED)
    assert ids(seen) == [3]


def test_without_embeddings_an_old_track_is_gone() -> None:
    tracker = Associator(configured("lifecycle.lost_time=0.33"))
    for _ in range(3):
        step(tracker, people((0, 0)))
    for _ in range(11):
        step(tracker, people())
    assert ids(step(tracker, people((0, 0)))) == []
    assert ids(step(tracker, people((0, 0)))) == [2]


def test_a_double_of_a_followed_person_starts_nothing() -> None:
    tracker = Associator()
    for _ in range(5):
        seen = step(tracker, people((0, 0), (3, 2)))
    assert (
        len(step(Associator(), people((0, 0), (3, 2)))) == 2
    )  # in the very first frame nobody is followed yet
    tracker = Associator()
    step(tracker, people((0, 0)))
    for _ in range(5):
        seen = step(tracker, people((0, 0), (3, 2)))
        assert ids(seen) == [1]


def test_a_pan_of_the_camera_is_taken_out() -> None:
    jump = np.array([[1.0, 0, 80], [0, 1, 0]])
    for affine, expected in ((jump, [1]), (None, [])):
        tracker = Associator()
        for _ in range(5):
            step(tracker, people((0, 0)))
        assert ids(tracker.step(people((80, 0)), affine)) == expected


def test_a_pan_shows_in_the_boxes_of_a_group() -> None:
    """Six people stand still; the camera jumps by more than half a width, and nobody measured it."""
    places = np.array([(150.0 * k, 37.0 * (k % 3)) for k in range(6)])
    moved = np.add(places, (30, 12))
    tracker = Associator()
    for _ in range(5):
        step(tracker, people(*places))
    assert ids(step(tracker, people(*moved))) == [1, 2, 3, 4, 5, 6]
    measured = Associator()
    for _ in range(5):
        step(measured, people(*places))
    still = np.eye(2, 3)
    assert ids(measured.step(people(*moved), still)) == []


def test_embeddings_of_another_length_are_refused() -> None:
    tracker = Associator(configured("embedding.share=1"))
    step(tracker, people((0, 0)), RED)
    with pytest.raises(ValueError, match="expected 8 columns, got 5"):
        tracker.step(people((0, 0)), embed=lambda rows: np.eye(1, 5, dtype=np.float32))


def test_covered_boxes_teach_no_appearance() -> None:
    tracker = Associator()
    for _ in range(3):
        step(tracker, people((0, 0)), RED)
    for _ in range(30):  # somebody stands in front and covers four fifths
        step(tracker, people((0, 0), (0, 20)), BLUE, BLUE)
    look = tracker._table.embeddings[tracker._table.rows["id"] == 1][0]
    assert look @ RED > 0.99


def test_an_empty_hour_costs_nothing_and_forgets() -> None:
    tracker = Associator(configured("reentry=new"))
    for _ in range(3):
        step(tracker, people((0, 0)), RED)
    for _ in range(5000):
        step(tracker, people())
    assert len(tracker._table) == 0
    for _ in range(2):
        seen = step(tracker, people((0, 0)), RED)
    assert ids(seen) == [2]


@st.composite
def streams(draw: st.DrawFn) -> list[tuple[np.ndarray, np.ndarray]]:
    """A few frames of random boxes and scores, clustered so that they overlap."""
    frames = []
    for _ in range(draw(st.integers(1, 12))):
        n = draw(st.integers(0, 6))
        cell = st.integers(0, 12)
        corners = np.array([(draw(cell) * 15.0, draw(cell) * 15.0) for _ in range(n)]).reshape(-1, 2)
        scores = np.array([draw(st.sampled_from([0.05, 0.3, 0.55, 0.7, 0.9])) for _ in range(n)])
        frames.append((np.hstack([corners, corners + SIZE]), scores))
    return frames


@settings(max_examples=150, deadline=None)
@given(streams(), st.booleans())
def test_invariants_over_random_streams(stream: list[tuple[np.ndarray, np.ndarray]], looks: bool) -> None:
    first, second = Associator(), Associator()
    random = np.random.default_rng(3)
    gone: set[int] = set()
    highest = 0
    for xyxy, scores in stream:
        detections = Detections(xyxy, scores)
        rows = random.normal(size=(len(xyxy), 8)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        embed = (lambda chosen, rows=rows: rows[chosen]) if looks else None
        tracks, again = first.step(detections, embed=embed), second.step(detections, embed=embed)
        np.testing.assert_array_equal(tracks.ids, again.ids)
        assert len(set(ids(tracks))) == len(tracks)
        behind = tracks.detection_index >= 0
        assert (np.diff(tracks.detection_index[behind]) > 0).all()
        assert (tracks.detection_index[np.cumsum(behind) == behind.sum()][1:] == -1).all()
        seen = tracks[tracks.detection_index >= 0]
        assert (tracks.xyxy[:, 2:] > tracks.xyxy[:, :2]).all()
        np.testing.assert_array_equal(seen.scores, detections.scores[seen.detection_index])
        assert len(seen) or not len(tracks), "nobody is hidden by nobody"
        assert (tracks.scores >= 0.1).all()
        alive = set(first._table.rows["id"][first._table.rows["id"] > 0].tolist())
        assert not alive & gone, "an id came back after it was removed"
        assert all(new == highest + 1 + k for k, new in enumerate(sorted(i for i in alive if i > highest)))
        gone |= set(range(1, highest + 1)) - alive
        highest = max([highest, *alive])


class EachFrame(DetectorRhythm):
    """The detector looks at each frame, whatever comes of it."""

    def looked(self, count: int) -> bool:
        return True


@settings(max_examples=60, deadline=None)
@given(streams())
def test_detections_below_the_floor_change_nothing(stream: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """But for their rhythm, by which a detector that rests is known, and the lowest score of a modest one."""
    with_noise, without = Associator(), Associator()
    with_noise._rhythm, without._rhythm = EachFrame(), EachFrame()
    random = np.random.default_rng(3)
    for xyxy, scores in stream:
        kept = np.flatnonzero(scores >= 0.1)
        looks = random.normal(size=(len(xyxy), 4)).astype(np.float32)
        looks /= np.linalg.norm(looks, axis=1, keepdims=True)
        a = with_noise.step(Detections(xyxy, scores), embed=lambda rows, looks=looks: looks[rows])
        b = without.step(
            Detections(xyxy[kept], scores[kept]), embed=lambda rows, looks=looks[kept]: looks[rows]
        )
        np.testing.assert_array_equal(a.ids, b.ids)
        np.testing.assert_array_equal(a.xyxy, b.xyxy)
        there = b.detection_index >= 0
        expected = np.where(there, kept[b.detection_index] if len(kept) else -1, -1)
        np.testing.assert_array_equal(a.detection_index, expected)
        np.testing.assert_array_equal(with_noise._table.embeddings, without._table.embeddings)
        if with_noise._usual_score.best < 0.6:
            return


def test_embeddings_that_detections_carry_stay_with_their_boxes() -> None:
    """Whoever is below the floor, or not confident, takes no one else's looks away."""
    looks = np.stack([BLUE, RED, BLUE, GREEN])
    scores = [0.05, 0.9, 0.3, 0.9]
    boxes = people((0, 0), (300, 0), (600, 0), (900, 0), scores=scores)
    tracker = Associator()
    assert ids(tracker.step(Detections(boxes.xyxy, boxes.scores, embeddings=looks))) == [1, 2]
    np.testing.assert_allclose(tracker._table.embeddings, [RED, GREEN], atol=1e-6)


def test_a_lost_person_does_not_walk_on_for_ever() -> None:
    """3 pixels a frame for the 60 frames of max_age, no longer: 180 away, not 600."""
    tracker = Associator()
    for frame in range(30):
        step(tracker, people(*CORNERS, (300 + 3.0 * frame, 250)), GREEN, BLUE, RED)
    for _ in range(200):
        step(tracker, people(*CORNERS), GREEN, BLUE)
    assert ids(step(tracker, people(*CORNERS, (500, 250)), GREEN, BLUE, RED)) == [1, 2, 3]


def test_in_the_first_frame_there_is_nobody_whose_looks_one_could_have() -> None:
    """0.7 is enough to start a track, but not in the middle once others are known."""
    seen = step(Associator(), people((0, 0), (300, 0), scores=[0.7, 0.7]), RED, GREEN)
    assert ids(seen) == [1, 2]


def test_a_frame_in_which_nobody_is_asked_about_makes_no_newcomer_convincing() -> None:
    def newcomer(wait: int) -> list[int]:
        tracker = Associator()
        for _ in range(wait):
            step(tracker, people(*CORNERS), GREEN, BLUE)
        for _ in range(2):
            seen = step(tracker, people(*CORNERS, (500, 250), scores=[1, 1, 0.82]), GREEN, BLUE, RED)
        return ids(seen)

    assert [newcomer(wait) for wait in range(60, 70)] == [[1, 2]] * 10


def test_only_who_is_in_view_tells_the_cameras_motion() -> None:
    """Four people are lost and four others turn up a little beside them: those in view stood still."""
    gone = [(200.0 * k, 300.0) for k in range(4)]
    tracker = Associator()
    for _ in range(5):
        step(tracker, people((0, 0), (200, 0), *gone))
    for _ in range(5):
        step(tracker, people((0, 0), (200, 0)))
    others = np.add(gone, (34, 0))
    assert ids(step(tracker, people((0, 0), (200, 0), *others)))[:2] == [1, 2]


def test_weak_detections_do_not_tell_the_cameras_motion() -> None:
    places = [(200.0 * k, 0.0) for k in range(4)]
    tracker = Associator()
    for _ in range(5):
        step(tracker, people((0, 300), *places))
    ghosts = np.add(places, (34, 0))
    seen = step(tracker, people((0, 300), *ghosts, scores=[0.9] + [0.2] * 4))
    assert 1 in ids(seen)


def test_whom_the_camera_found_again_is_a_stranger_once_out_of_the_picture() -> None:
    """What the camera carried counts from the last sight on only (see above)."""
    tracker = Associator(configured("reentry=new"))
    three = people(*CORNERS, (1000, 250))
    for _ in range(6):
        step(tracker, three, GREEN, BLUE, RED)
    away, back = (np.array([[1.0, 0, dx], [0, 1, 0]]) for dx in (500, -500))
    step(tracker, people(), affine=away)
    for affine in (back, *[np.eye(2, 3)] * 5):
        assert ids(step(tracker, three, GREEN, BLUE, RED, affine=affine)) == [1, 2, 3]
    for _ in range(80):
        step(tracker, people(*CORNERS), GREEN, BLUE, affine=np.eye(2, 3))
    for _ in range(2):
        seen = step(tracker, people(*CORNERS, (1000, 300)), GREEN, BLUE, REDDISH, affine=np.eye(2, 3))
    assert ids(seen) == [1, 2, 4]


def test_the_first_look_counts_though_it_is_half_covered() -> None:
    tracker = Associator()
    step(tracker, people((0, 20), (10, 0)), RED, GREEN)
    np.testing.assert_allclose(tracker._table.embeddings, [RED, GREEN], atol=1e-6)
    assert tracker._table.rows["has_embedding"].all()


def test_nobody_hidden_outlasts_the_memory_for_the_lost() -> None:
    tracker = Associator(configured("report.hidden_time=0.27", "lifecycle.lost_time=0.1"))
    for _ in range(30):
        step(tracker, people(*CORNERS, (500, 200), (510, 220)), GREEN, BLUE, RED, GREEN)
    seen = [ids(step(tracker, people(*CORNERS, (510, 220)), GREEN, BLUE, GREEN)) for _ in range(6)]
    assert seen == [[1, 2, 4, 3]] * 3 + [[1, 2, 4]] * 3


@pytest.mark.parametrize(("fps", "frames"), [(None, 12), (30.0, 12), (10.0, 4), (5.0, 2)])
def test_seconds_end_what_is_reported_of_the_hidden(fps: float | None, frames: int) -> None:
    tracker = Associator(configured("report.hidden_time=0.4"), fps=fps)
    for _ in range(30):
        step(tracker, people(*CORNERS, (500, 200), (510, 220)))
    seen = [ids(step(tracker, people(*CORNERS, (510, 220)))) for _ in range(14)]
    assert seen == [[1, 2, 4, 3]] * frames + [[1, 2, 4]] * (14 - frames)


def test_without_revival_a_return_by_overlap_is_as_long_as_ever() -> None:
    tracker = Associator(configured("revive.lost_time=0.17", "lifecycle.lost_time=1.33"))
    for _ in range(5):
        step(tracker, people((500, 250)), RED)
    for _ in range(20):
        step(tracker, people())
    assert ids(step(tracker, people((500, 250)), RED)) == [1]


def test_overlap_brings_nobody_back_once_max_age_is_over() -> None:
    """Looks keep the track, but in this frame nobody looked."""
    tracker = Associator(configured("lifecycle.lost_time=0.33"))
    for _ in range(5):
        step(tracker, people((500, 250)), RED)
    for _ in range(11):
        step(tracker, people())
    assert ids(step(tracker, people((500, 250)))) == []
    assert ids(step(tracker, people((500, 250)))) == [2]


def test_one_of_another_class_is_no_double() -> None:
    """A bicycle and its rider have nearly the same box."""
    tracker, box = Associator(), [0, 0, 40, 100]
    tracker.step(Detections([box], classes=[0]))
    for _ in range(2):
        seen = tracker.step(Detections([box, box], classes=[0, 2]))
    assert (ids(seen), seen.classes.tolist()) == ([1, 2], [0, 2])


def test_looks_bring_nobody_back_who_was_never_confirmed() -> None:
    """A false positive that jumps is not seen twice in one place."""
    tracker = Associator(configured("embedding.share=1"))
    for _ in range(5):
        step(tracker, people((600, 0)), GREEN)
    step(tracker, people((600, 0), (0, 0)), GREEN, RED)
    assert ids(step(tracker, people((600, 0), (80, 20)), GREEN, RED)) == [1]


def test_who_leaves_takes_the_looks_along() -> None:
    """A row that is freed keeps others' looks with them, and a newcomer's look is its own."""
    tracker = Associator(
        configured(
            *("embedding.share=1", "lifecycle.lost_time=0.1", "revive.lost_time=0.1"),
            *("embedding.momentum=0.9", "reentry=new"),
        )
    )
    for _ in range(5):
        step(tracker, people((0, 0), (300, 0), (600, 0)), RED, GREEN, BLUE)
    for _ in range(5):
        step(tracker, people((300, 0), (600, 0)), GREEN, BLUE)
    np.testing.assert_allclose(tracker._table.embeddings, [GREEN, BLUE], atol=1e-6)
    for _ in range(2):
        seen = step(tracker, people((300, 0), (600, 0), (900, 0)), GREEN, BLUE, REDDISH)
    assert ids(seen) == [2, 3, 4]
    np.testing.assert_allclose(tracker._table.embeddings, [GREEN, BLUE, REDDISH], atol=1e-6)


def test_a_crowd_in_the_first_frame_finds_room() -> None:
    crowd = people(*((60.0 * column, 120.0 * row) for row in range(10) for column in range(30)))
    tracker = Associator()
    for _ in range(2):
        assert ids(step(tracker, crowd)) == list(range(1, 301))


def seen_at(tracker: Associator, times: list[float], *places: tuple[float, float]) -> list[int]:
    """The ids of the last of some frames, in all of which people stand at the same places."""
    for time in times:
        tracks = tracker.step(people(*places), np.eye(2, 3), time=time)
    return ids(tracks)


@pytest.mark.parametrize(("pause", "expected"), [(1.5, [1]), (2.5, [2])])
@pytest.mark.parametrize("every", [1 / 30, 0.2, 0.5])
def test_what_was_away_comes_back_by_seconds_not_by_frames(
    pause: float, expected: list[int], every: float
) -> None:
    """2 seconds is the default, whether there were 75 frames in them or 3."""
    tracker = Associator(fps=30)
    seen_at(tracker, [n * every for n in range(8)], (500, 250))
    last = 7 * every
    seen_at(tracker, [last + every * n for n in range(1, int(pause / every + 0.5))])
    assert seen_at(tracker, [last + pause, last + pause + every], (500, 250)) == expected


def test_a_stall_of_the_source_counts_as_time() -> None:
    tracker = Associator(fps=10)
    assert seen_at(tracker, [0, 0.1, 0.2, 0.3], (500, 250)) == [1]
    assert seen_at(tracker, [190.0, 190.1], (500, 250)) == [2]


def test_one_picture_an_hour_is_a_rate_too() -> None:
    """What stands there an hour later is the same: where the rate is not known, the intervals tell it."""
    tracker = Associator()
    assert seen_at(tracker, [3600.0 * n for n in range(8)], (500, 250)) == [1]


def test_frames_at_irregular_times_are_where_motion_says() -> None:
    """Someone at 60 pixels a second, seen at 30 frames/s with every second frame dropped at random."""
    random = np.random.default_rng(3)
    tracker = Associator(fps=30)
    for number in range(200):
        if number < 20 or random.random() < 0.5:
            time = number / 30
            assert ids(tracker.step(people((60 * time, 0)), np.eye(2, 3), time=time)) == [1]
    assert tracker._table.states.velocity[0, 0] == pytest.approx(2, rel=0.02)  # pixels a usual frame


@pytest.mark.parametrize("time", [1.0, 0.5, float("nan"), float("inf")])
def test_time_goes_on(time: float) -> None:
    tracker = Associator()
    seen_at(tracker, [0.9, 1.0], (0, 0))
    with pytest.raises(ValueError, match="time: expected seconds later than 1, got"):
        tracker.step(people((0, 0)), time=time)
    assert seen_at(tracker, [1.1], (0, 0)) == [1]
