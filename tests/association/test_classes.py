"""Several classes: a change of class costs and forbids nothing, and evidence says what a track is."""

import numpy as np
import pytest

from mot_reid import Detections, Tracks
from mot_reid.association.associator import Associator

PERSON, BICYCLE, CAR, BUS, TRUCK = 0, 1, 2, 5, 7


def driven(pattern: list[int], frames: int = 60, **options: float) -> list[Tracks]:
    """One vehicle that drives by, called by these classes in turn."""
    tracker, seen = Associator(fps=25), []
    for f in range(frames):
        box = [100 + 3 * f, 100, 200 + 3 * f, 160]
        score = options.get(str(pattern[f % len(pattern)]), 0.9)
        seen.append(tracker.step(Detections([box], [score], [pattern[f % len(pattern)]])))
    return seen


@pytest.mark.parametrize(
    "pattern",
    [[CAR], [CAR, TRUCK], [TRUCK, CAR, CAR, CAR, CAR], [CAR] * 10 + [TRUCK] * 10, [CAR, BUS, TRUCK]],
)
def test_one_vehicle_is_one_track_whatever_it_is_called(pattern: list[int]) -> None:
    assert [tracks.ids.tolist() for tracks in driven(pattern)] == [[1]] * 60


def test_a_track_is_of_the_class_that_most_of_its_detections_had() -> None:
    seen = driven([TRUCK, CAR, CAR, CAR, CAR])
    assert seen[0].classes.tolist() == [TRUCK]
    assert {int(tracks.classes[0]) for tracks in seen[10:]} == {CAR}


def test_scores_weigh_the_vote() -> None:
    seen = driven([CAR, TRUCK], **{str(CAR): 0.95, str(TRUCK): 0.65})
    assert {int(tracks.classes[0]) for tracks in seen} == {CAR}
    seen = driven([TRUCK, CAR], **{str(CAR): 0.95, str(TRUCK): 0.65})
    assert {int(tracks.classes[0]) for tracks in seen[20:]} == {CAR}


def test_equal_votes_change_nothing_to_and_fro() -> None:
    assert {int(tracks.classes[0]) for tracks in driven([CAR, TRUCK])} == {CAR}


def test_what_a_track_was_called_long_ago_is_forgotten() -> None:
    seen = driven([CAR] * 30 + [TRUCK] * 30)
    changes = [f for f in range(1, 60) if seen[f].classes[0] != seen[f - 1].classes[0]]
    assert len(changes) == 1
    assert 35 < changes[0] < 50


def test_a_person_and_a_bicycle_that_pass_each_other_keep_their_ids() -> None:
    """The detector misses the one behind while they meet."""
    tracker = Associator(fps=25)
    for f in range(60):
        person = [100 + 4 * f, 100, 150 + 4 * f, 220]
        bicycle = [340 - 4 * f, 120, 400 - 4 * f, 220]
        boxes, classes = [person, bicycle], [PERSON, BICYCLE]
        if 25 <= f <= 32:
            boxes, classes = boxes[:1], classes[:1]
        seen = tracker.step(Detections(boxes, classes=classes)).seen
        named = dict(zip(seen.ids.tolist(), seen.classes.tolist(), strict=True))
        assert named == ({1: PERSON} if 25 <= f <= 32 else {1: PERSON, 2: BICYCLE})


def test_a_rider_and_the_bicycle_are_two_though_each_is_missed_at_times() -> None:
    tracker = Associator(fps=25)
    for f in range(60):
        left, right = 100 + 5 * f, 160 + 5 * f
        boxes, classes = [[left, 100, right, 220], [left, 140, right, 220]], [PERSON, BICYCLE]
        missed = {3: [0], 4: [1], 5: [0]}.get(f % 7, []) if f else []
        kept = [n for n in (0, 1) if n not in missed]
        seen = tracker.step(Detections(np.array(boxes)[kept], classes=np.array(classes)[kept]))
        seen = seen.seen
        assert seen.ids.tolist() == [kept_one + 1 for kept_one in kept]
        assert seen.classes.tolist() == [classes[n] for n in kept]


def test_two_names_for_one_vehicle_at_once_are_one_track() -> None:
    """Once the detector has called it both, a second box by the other name starts nothing."""
    tracker, found = Associator(fps=25), set()
    for f in range(40):
        box = [100 + 3 * f, 100, 200 + 3 * f, 160]
        both = f >= 10 and f % 3 == 0
        classes = [CAR, TRUCK] if both else [[CAR, TRUCK][f % 2]]
        seen = tracker.step(Detections([box] * len(classes), [0.9, 0.8][: len(classes)], classes))
        found |= set(seen.ids.tolist())
    assert found == {1}
