"""A gallery of another embedder, embedded again from its pictures."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mot_reid.gallery.embedding_again import embed_again
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.records import Crop, Tracklet
from mot_reid.gallery.store import GalleryError

from .conftest import D, Made, tracklet

RED, BLUE = (0, 0, 250), (250, 0, 0)


def crop(colour: tuple[int, int, int], frame: int = 1) -> Crop:
    picture = np.full((64, 32, 3), colour, np.uint8)
    return Crop(cv2.imencode(".jpg", picture)[1].tobytes(), frame, frame / 25, 0.5)


def record(number: int, *crops: Crop, **rest: Any) -> Tracklet:
    return tracklet(np.eye(D)[0], track_id=number, crops=crops, attributes={"hat": 0.9}, **rest)


@pytest.fixture
def old(make_gallery: Callable[..., Gallery]) -> Gallery:
    """Of an embedder for which everybody is alike."""
    gallery = make_gallery("old", Made("before"))
    gallery.add([record(1, crop(RED)), record(2, crop(BLUE)), record(3), record(4, Crop(b"torn", 1, 0, 0.5))])
    gallery.add([record(5, crop(RED), crop(BLUE, 20), camera="b", epoch=1e9)])
    return gallery


def test_records_are_those_of_their_pictures(old: Gallery, tmp_path: Path) -> None:
    names = dict(zip(old.table().track_id.tolist(), old.table().record.tolist(), strict=True))
    old.say("two", names[1], names[2])
    old.say("one", names[3], names[5])
    identities = old.identify()
    new, told = Gallery(tmp_path / "new", Made("after")), []
    with pytest.raises(GalleryError, match="embed NEW"):
        old.require_embedder(Made("after"))
    assert embed_again(old, new, lambda *done: told.append(done)) == (3, 2)
    assert told == [(5, 5)]
    new = Gallery(tmp_path / "new", Made("after"))
    table = new.table()
    assert table.record.tolist() == [names[1], names[2], names[5]]
    assert (table.camera[2], table.epoch[2], table.views.tolist()) == ("b", 1e9, [1, 1, 2])
    red, blue, both = new.tracklets(np.arange(3))
    assert float(red.mean @ blue.mean) < 0.1
    assert float(both.mean @ red.mean) == pytest.approx(float(both.mean @ blue.mean), abs=0.02)
    assert (len(red.medoids), len(both.medoids), red.attributes) == (1, 2, {})
    assert new.corrections() == {tuple(sorted((names[1], names[2]))): "two"}
    before = {name: number for name, number in old.identities().items() if name in table.record.tolist()}
    assert new.identities() == before
    assert len(identities.table) == 5
    hit = new.search(np.full((64, 32, 3), RED, np.uint8), box=(0, 0, 32, 64))[0]
    assert hit.track_id == 1


def test_what_is_there_stays_and_what_is_missing_comes(old: Gallery, tmp_path: Path) -> None:
    new = Gallery(tmp_path / "new", Made("after"))
    first = old.tracklets([1])[0]
    new.add([replace(first, views=77)])
    new.say("two", "x", "y")
    assert embed_again(old, new) == (2, 2)
    assert embed_again(old, new) == (0, 2)
    assert sorted(new.table().views.tolist()) == [1, 2, 77]
    assert new.corrections() == {("x", "y"): "two"}
    assert len(old.table()) == 5


def test_nothing_is_made_where_there_are_no_pictures(tmp_path: Path) -> None:
    old = Gallery(tmp_path / "old", Made("before"))
    old.add([record(3)])
    new = Gallery(tmp_path / "new", Made("after"))
    assert embed_again(old, new) == (0, 1)
    assert not new.exists()
