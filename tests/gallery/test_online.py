"""Identities while sources run: proposals, commitments, merges, and nobody twice in a picture."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mot_reid.gallery.calibration import Calibration
from mot_reid.gallery.documents import IDENTITIES
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.live import online_identities
from mot_reid.gallery.online import IdentityEvent, OnlineIdentities, OnlineSettings
from mot_reid.gallery.opening import StoreKind
from mot_reid.structures import Tracks

from .conftest import D, Made, people, unit

CALIBRATION = Calibration("made", "name:made", (20.0, -8.0), (20.0, -1.0, 0.0, -8.0))


class Scene:
    """Sources that are fed frame by frame."""

    def __init__(self) -> None:
        self.events: list[IdentityEvent] = []
        self.online = OnlineIdentities(CALIBRATION, OnlineSettings(), self.events.append)
        self.random = np.random.default_rng(0)
        self.looks = np.eye(D)

    def see(self, source: str, time: float, tracks: dict[int, int]) -> list[int]:
        """One frame: persons by track id; each is embedded."""
        ids = np.array(list(tracks), np.int64)
        noise = 0.2 * self.random.normal(size=(len(tracks), D)) / np.sqrt(D)
        looks = unit(self.looks[list(tracks.values())] + noise)
        rows = np.arange(len(ids))
        found = self.online.observe(source, source, time, ids, rows, looks, np.ones(len(ids)))
        return [int(number) for number in found]

    def told(self, kind: str) -> list[tuple[str, int, int]]:
        return [(event.camera, event.id, event.identity) for event in self.events if event.event == kind]


def test_who_goes_from_camera_to_camera_keeps_his_number() -> None:
    scene = Scene()
    for time in range(5):
        first = scene.see("door", time, {1: 0, 2: 1})
    scene.online.finish("door", 1)
    scene.online.finish("door", 2)
    for time in range(5):
        second = scene.see("hall", time, {1: 1, 2: 2})
    assert first == [1, 2]
    assert second == [2, 3]
    assert ("hall", 1, 2) in scene.told("committed")
    assert not scene.told("merged")


def test_an_identity_is_proposed_at_the_first_look_and_committed_when_sure() -> None:
    scene = Scene()
    for time in range(5):
        scene.see("door", time, {1: 0})
    scene.online.finish("door", 1)
    assert scene.see("hall", 0.0, {7: 0}) == [1]
    assert scene.told("proposed")[-1] == ("hall", 7, 1)
    assert ("hall", 7, 1) not in scene.told("committed")
    scene.see("hall", 0.2, {7: 0})
    scene.see("hall", 0.4, {7: 0})
    assert ("hall", 7, 1) in scene.told("committed")


def test_nobody_is_twice_in_a_picture() -> None:
    """Twins at the same time are two, whatever they look like."""
    scene = Scene()
    for time in range(6):
        found = scene.see("door", time, {1: 0, 2: 0})
    assert sorted(found) == [1, 2]
    assert not scene.told("merged")


def test_nobody_is_twice_in_a_picture_of_whom_it_was_thought_first() -> None:
    """A glimpse was taken for somebody whom the next track of that picture shows for sure."""
    scene = Scene()
    for time in range(5):
        scene.see("yard", float(time), {1: 0, 2: 1})
    glimpse = unit(0.75 * np.eye(D)[:1] + 0.65 * np.eye(D)[1:2])
    looks = (1, glimpse), (2, np.eye(D)[:1]), (2, np.eye(D)[:1]), (2, np.eye(D)[:1])
    for frame, (track, look) in enumerate(looks):
        ids, row = np.arange(1, track + 1), np.array([track - 1])
        scene.online.observe("door", "door", frame / 25, ids, row, look, np.ones(1))
    for frame in range(4, 100):
        scene.online.observe("door", "door", frame / 25, np.arange(1, 3), row[:0], look[:0], np.zeros(0))
    for time in range(10, 15):  # whoever comes later keeps nobody from anything
        scene.see("door", float(time), {3: 1})
    scene.online.finish("door", 1)
    assert [scene.online.identity("door", track) for track in (1, 2, 3)] == [2, 1, 2]


def test_a_merge_is_told() -> None:
    """Seen from behind first: two numbers, until the same track shows both sides."""
    scene = Scene()
    scene.looks[1] = unit(0.45 * np.eye(D)[0] + np.eye(D)[1])
    for time in range(5):
        scene.see("door", time, {1: 0})
        scene.see("yard", time, {1: 1})
    assert scene.online.identity("door", 1) != scene.online.identity("yard", 1)
    before = scene.online.identity("yard", 1)
    for time in range(5, 40):
        scene.see("yard", time, {1: 0})
    scene.online.finish("yard", 1)
    assert [(event.identity, event.into) for event in scene.events if event.event == "merged"] == [
        (before, 1)
    ]
    assert scene.online.identity("yard", 1) == scene.online.final(before) == 1


def test_the_gallery_knows_who_was_there_before(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    gallery.add(people(4))
    gallery.calibrate(CALIBRATION)
    before = gallery.identify()
    number = dict(zip(before.table.labels(), before.numbers.tolist(), strict=True))
    online = online_identities(gallery)
    recorder = gallery.recorder("d", online=online)
    tracks = Tracks(
        np.array([1, 2]),
        np.array([[0, 0, 10, 30], [50, 0, 60, 30]], np.float32),
        np.ones(2, np.float32),
        np.zeros(2, np.int64),
        np.arange(2),
    )
    stranger = unit(np.random.default_rng(9).normal(size=D))
    looks = np.stack([people(4)[2].mean, stranger])
    for frame in range(1, 6):
        recorder.update(tracks, None, frame, frame / 5, (np.arange(2), looks))
    assert recorder.identities is not None
    assert recorder.identities.tolist() == [number["a:3"], 5]
    recorder.close()
    assert sorted(recorder.numbers.values()) == sorted([number["a:3"], 5])
    after = gallery.identify(online=recorder.numbers)
    assert dict(after) == dict(before) | recorder.numbers


def test_old_tracks_make_way() -> None:
    scene = Scene()
    scene.online = OnlineIdentities(CALIBRATION, OnlineSettings(remembered=3))
    for track in range(1, 9):
        for time in range(3):
            scene.see(f"c{track}", time, {track: track})
        scene.online.finish(f"c{track}", track)
    known = [scene.online.identity(f"c{track}", track) for track in range(1, 9)]
    assert known == [0, 0, 0, 0, 0, 6, 7, 8]
    assert scene.see("c9", 0.0, {1: 8}) == [8]


def test_a_track_that_runs_on_does_not_make_way() -> None:
    scene = Scene()
    scene.online = OnlineIdentities(CALIBRATION, OnlineSettings(remembered=2))
    for time in range(6):
        scene.see("door", float(time), {1: 0, 2 + time: 1 + time})  # one stays, the others come and go
        scene.online.finish("door", 2 + time)
    assert scene.online.identity("door", 1) == 1
    assert scene.online.identity("door", 2) == 0


def test_a_track_that_comes_back_after_its_end_keeps_its_identity() -> None:
    """The tracker knows people again for minutes; nothing waits so long for an end."""
    scene = Scene()
    for time in range(5):
        scene.see("door", float(time), {1: 0})
    scene.online.finish("door", 1)
    assert scene.see("door", 60.0, {1: 0, 2: 0}) == [1, 2]
    scene.online.finish("door", 1)
    assert scene.online.identity("door", 1) == 1


def test_who_is_told_may_ask() -> None:
    scene, said = Scene(), list[int]()
    scene.online = OnlineIdentities(CALIBRATION, tell=lambda e: said.append(scene.online.final(e.identity)))
    thread = threading.Thread(target=scene.see, args=("door", 0.0, {1: 0}), daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert said == [1]


@pytest.mark.parametrize("kind", ["folder", "lance"])
def test_a_gallery_in_which_nobody_is_identified_yet(kind: StoreKind, tmp_path: Path) -> None:
    gallery = Gallery(tmp_path / "shop", Made(), kind)
    gallery.add(people(2))
    online = online_identities(gallery)
    look = unit(np.eye(D)[:1])
    assert online.observe("x", "x", 0.0, np.ones(1, int), np.arange(1), look, np.ones(1)).tolist() == [1]


def test_new_numbers_come_after_those_of_everybody(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    gallery.add(people(3, per_person=1))
    gallery.identify()
    early = gallery.table().record[0]  # who is not compared with has the highest number
    text = gallery.store.read_document(IDENTITIES) or ""
    lines = [f"9,{line.partition(',')[2]}" if early in line else line for line in text.splitlines()]
    gallery.store.write_document(IDENTITIES, "\n".join(lines) + "\n")
    online = online_identities(gallery, settings=OnlineSettings(remembered=2))
    look = unit(np.random.default_rng(9).normal(size=(1, D)))
    assert online.observe("x", "x", 0.0, np.ones(1, int), np.arange(1), look, np.ones(1)).tolist() == [10]


def test_where_everybody_was_new_the_next_one_is_expected_to_be() -> None:
    """Among forty one or another is much like a stranger; that is no ground yet to be him."""
    random, noise = np.random.default_rng(0), 0.4
    who, online = random.normal(size=(40, D)), OnlineIdentities(CALIBRATION)
    numbers = []
    for camera in "ab":
        for person, look in enumerate(unit(who + noise * random.normal(size=(40, D)))):
            source = f"{camera} {person}"
            for time in range(4):
                online.observe(
                    source, camera, float(time), np.ones(1, int), np.arange(1), look[None], np.ones(1)
                )
            online.finish(source, 1)
        numbers.append([online.identity(f"{camera} {person}", 1) for person in range(40)])
    assert len(set(numbers[0])) >= 38
    assert sum(first == second for first, second in zip(*numbers, strict=True)) >= 35


def test_where_strangers_spread_wider_it_takes_more_to_be_one_of_them() -> None:
    """Fitted on strangers who differ about half as much as these do: who is much like one is not he."""
    random = np.random.default_rng(1)
    looks = unit(random.normal(size=(80, 8)))  # in eight dimensions many are alike by chance

    def numbers(calibration: Calibration) -> int:
        online = OnlineIdentities(calibration)
        for row, look in enumerate(looks):
            for time in range(4):
                online.observe(
                    str(row), "a", float(time), np.ones(1, int), np.arange(1), look[None], np.ones(1)
                )
            online.finish(str(row), 1)
        return len({online.identity(str(row), 1) for row in range(80)})

    fitted = replace(CALIBRATION, strangers=(-8.0, 20.0 * 0.2))
    assert numbers(fitted) > 1.5 * numbers(CALIBRATION)
