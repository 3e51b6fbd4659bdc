"""Who leaves and returns: the same person where looks tell people apart, and nobody where they do not."""

import numpy as np
import pytest

from mot_reid import Detections, Tracks
from mot_reid.association.associator import Associator
from mot_reid.association.reentry import IdChange, Neighbours
from mot_reid.config import load_config

SIZE = np.array([40, 100])
STAY = (0, 0), (1000, 500), (400, 50), (650, 400)
"""Four people; the edges of a picture of 1040 x 600 pixels cut two of them off. They have ids 1 to 4."""
WEST, EAST = (0, 250), (1000, 250)
AXES = np.eye(16, dtype=np.float32)


def look(person: int, other: int | None = None, share: float = 0.0) -> np.ndarray:
    """One person's embedding, and a share of another one's."""
    mixed = AXES[person] if other is None else (1 - share) * AXES[person] + share * AXES[other]
    found: np.ndarray = mixed / np.linalg.norm(mixed)
    return found


def uniform(person: int) -> np.ndarray:
    """The embedding of one in a uniform: nearly the same as everybody's."""
    return look(15, person, 0.25)


def step(tracker: Associator, *seen: tuple[tuple[float, float], np.ndarray]) -> Tracks:
    corners = np.array([place for place, _ in seen], float).reshape(-1, 2)
    embeddings = np.stack([embedding for _, embedding in seen]) if seen else None
    return tracker.step(Detections(np.hstack([corners, corners + SIZE]), embeddings=embeddings))


def staying(looks=look) -> list[tuple[tuple[float, float], np.ndarray]]:  # type: ignore[no-untyped-def]
    return [(place, looks(number)) for number, place in enumerate(STAY)]


def scene(reentry: str = "same", looks=look, frames: int = 60) -> Associator:  # type: ignore[no-untyped-def]
    """Four people who stay, and a fifth at the eastern edge, who has just gone."""
    settings = load_config(None, [f"association.reentry={reentry}"]).association
    tracker = Associator(settings, fps=25)
    for _ in range(frames):
        step(tracker, *staying(looks), (EAST, looks(4)))
    for _ in range(100):
        step(tracker, *staying(looks))
    return tracker


def returned(tracker: Associator, *third: np.ndarray, place=WEST, looks=look) -> list[int]:  # type: ignore[no-untyped-def]
    """The ids of the fifth person, frame by frame, with these embeddings."""
    ids = []
    for embedding in third:
        seen = step(tracker, *staying(looks), (place, embedding))
        ids.append(int(seen.ids[4]) if len(seen) > 4 else 0)
    return ids


def test_who_leaves_and_returns_elsewhere_is_the_same_person() -> None:
    assert returned(scene(), *[look(4, 9, 0.3)] * 3) == [5, 5, 5]


def test_who_returns_is_new_where_that_is_asked_for() -> None:
    assert returned(scene("new"), *[look(4, 9, 0.3)] * 3) == [0, 6, 6]


def test_a_stranger_is_new() -> None:
    assert returned(scene(), *[look(8)] * 3) == [0, 6, 6]


def test_where_all_look_alike_nobody_is_taken_for_somebody_else() -> None:
    tracker = scene(looks=uniform)
    assert returned(tracker, *[uniform(8)] * 3, looks=uniform) == [0, 6, 6]


def test_late_is_not_never() -> None:
    """A minute later; nobody else has come."""
    tracker = scene()
    for _ in range(60 * 25):
        step(tracker, *staying())
    assert returned(tracker, *[look(4)] * 2) == [5, 5]


def test_the_confidence_of_a_return_is_less_the_less_it_looks_like_before() -> None:
    sure, less = scene(), scene()
    a = step(sure, *staying(), (WEST, look(4))).id_confidence[4]
    b = step(less, *staying(), (WEST, look(4, 9, 0.35))).id_confidence[4]
    assert 1 > a > b > 0


def test_who_shows_an_arm_first_is_recognised_afterwards() -> None:
    """The rows up to there are told: they had a new id."""
    tracker = scene()
    assert returned(tracker, *[look(9)] * 2) == [0, 6]
    assert returned(tracker, *[look(4)] * 20)[-1] == 5


def test_a_recognition_says_which_rows_it_means() -> None:
    tracker, changes = scene(), []
    for embedding in [look(9)] * 2 + [look(4)] * 20:
        returned(tracker, embedding)
        changes += tracker.id_changes
    assert [(change.before, change.now, change.frame, change.undone) for change in changes] == [
        (6, 5, 161, False)
    ]
    assert changes[0].time == pytest.approx(161 / 25)


def test_who_is_recognised_is_not_reported_as_hidden_as_well() -> None:
    """The fifth person goes behind the sixth, and shows an arm beside him at once."""
    tracker, changes = Associator(load_config(None, ["association.reentry=same"]).association, fps=25), []
    front = (600, 270), look(10)
    for _ in range(60):
        step(tracker, *staying(), front, ((595, 250), look(4)))
    for embedding in [look(9)] * 2 + [look(4)]:
        seen = step(tracker, *staying(), front, ((700, 250), embedding))
        changes += tracker.id_changes
    assert [(change.before, change.now) for change in changes] == [(7, 6)]
    assert seen.ids.tolist() == [1, 2, 3, 4, 5, 6]


def test_a_wrong_return_is_undone_by_later_looks() -> None:
    """A stranger comes in who looks like the fifth person at first."""
    tracker, changes, ids = scene(), [], []
    for embedding in [look(4)] + [look(8)] * 12:
        ids += returned(tracker, embedding, place=(400, 250))
        changes += tracker.id_changes
    assert ids[0] == 5
    assert ids[-1] == 6
    assert [(change.before, change.now, change.frame, change.undone) for change in changes] == [
        (5, 6, 161, True)
    ]
    for _ in range(30):
        step(tracker, *staying())
    assert returned(tracker, look(4), place=EAST) == [5]  # whoever it was can still come back


def test_a_wrong_recognition_is_undone_from_its_first_row_on() -> None:
    """A stranger who is known as the fifth person only some frames after his start."""
    tracker, changes = scene(), list[IdChange]()
    for number in range(60):
        embedding = look(9) if number < 2 else look(8) if changes else look(4)
        returned(tracker, embedding, place=(400, 250))
        changes += tracker.id_changes
    assert [(change.before, change.now, change.frame, change.undone) for change in changes] == [
        (6, 5, 161, False),
        (5, 7, 161, True),
    ]


def test_a_right_return_is_left_alone() -> None:
    tracker, changes = scene(), []
    for share in (0.3, 0.2, 0.3, 0.1) * 5:
        returned(tracker, look(4, 9, share))
        changes += tracker.id_changes
    assert changes == []


def test_neighbours_say_how_near_is_near_enough() -> None:
    far, near = (Neighbours().after(np.full(500, mean) + np.tile([-0.1, 0.1], 250)) for mean in (1.1, 0.4))
    assert far.mean == pytest.approx(1.09, abs=0.01)
    assert near.variance**0.5 == pytest.approx(0.13, abs=0.02)
    newcomers = np.array([0, 1, 10, 100])
    assert (np.diff(near.gates(newcomers)) <= 0).all()
    assert (far.gates(newcomers) > near.gates(newcomers) + 0.3).all()
    assert far.gates(newcomers)[0] <= 0.85
    assert Neighbours().after(np.zeros(0)) == Neighbours()


def test_neighbours_are_counted_as_all_at_once_or_one_by_one() -> None:
    distances = np.random.default_rng(0).uniform(0.3, 1.2, 40)
    at_once, singly = Neighbours().after(distances), Neighbours()
    for distance in distances:
        singly = singly.after(np.array([distance]))
    assert at_once.mean == pytest.approx(singly.mean)
    assert at_once.variance == pytest.approx(singly.variance, rel=1e-3)


def test_memory_is_bounded_by_who_may_return() -> None:
    tracker = Associator(fps=25)
    for number in range(700):
        x = 50 + 250 * (number % 4)
        for _ in range(2):
            embedding = np.random.default_rng(number).normal(size=(1, 16))
            tracker.step(Detections([[x, 100, x + 40, 200]], embeddings=embedding))
    assert len(tracker._table) <= 310
