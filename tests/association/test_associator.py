"""The stages of a frame on scenes small enough to check by hand, and invariants over random streams."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mot_reid import Detections, Tracks
from mot_reid.association.associator import Associator
from mot_reid.config import AssociationConfig

SIZE = np.array([40, 100])
RED, GREEN, BLUE = np.eye(3, 8, dtype=np.float32)


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
    tracker = Associator(AssociationConfig(max_age=0))
    for frame in range(20):
        assert ids(step(tracker, people((15.0 * frame, 0)))) == [1]
    assert tracker._table.rows["velocity"][0, 0] == pytest.approx(15, abs=1)


def test_a_lost_person_comes_back_elsewhere_by_appearance() -> None:
    """No overlap with where the person was seen last; 80 frames out of sight."""
    tracker = Associator()
    for _ in range(5):
        step(tracker, people((0, 0), (600, 0)), RED, GREEN)
    for _ in range(80):
        step(tracker, people((600, 0)), GREEN)
    assert ids(step(tracker, people((200, 20), (600, 0)), RED, GREEN)) == [1, 2]


def test_a_stranger_does_not_inherit_an_identity() -> None:
    tracker = Associator()
    for _ in range(5):
        step(tracker, people((0, 0)), RED)
    for _ in range(80):
        step(tracker, people())
    for _ in range(2):
        seen = step(tracker, people((150, 20)), BLUE)
    assert ids(seen) == [2]


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
    tracker = Associator(AssociationConfig(max_age=10))
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


def test_classes_are_kept_apart() -> None:
    tracker = Associator()
    box = [[0, 0, 40, 100]]
    first = tracker.step(Detections(box, classes=[0]))
    second = tracker.step(Detections(box, classes=[2]))
    third = tracker.step(Detections(box, classes=[2]))
    assert (ids(first), ids(second), ids(third)) == ([1], [], [2])
    assert third.classes.tolist() == [2]


def test_embeddings_of_another_length_are_refused() -> None:
    tracker = Associator()
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
    tracker = Associator()
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
        assert len(set(tracks.detection_index.tolist())) == len(tracks)
        assert (np.diff(tracks.detection_index) > 0).all()
        np.testing.assert_array_equal(tracks.xyxy, detections.xyxy[tracks.detection_index])
        assert (tracks.scores >= 0.1).all()
        alive = set(first._table.rows["id"][first._table.rows["id"] > 0].tolist())
        assert not alive & gone, "an id came back after it was removed"
        assert all(new == highest + 1 + k for k, new in enumerate(sorted(i for i in alive if i > highest)))
        gone |= set(range(1, highest + 1)) - alive
        highest = max([highest, *alive])


@settings(max_examples=60, deadline=None)
@given(streams())
def test_detections_below_the_floor_change_nothing(stream: list[tuple[np.ndarray, np.ndarray]]) -> None:
    with_noise, without = Associator(), Associator()
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
        np.testing.assert_array_equal(a.detection_index, kept[b.detection_index])
        np.testing.assert_array_equal(with_noise._table.embeddings, without._table.embeddings)
