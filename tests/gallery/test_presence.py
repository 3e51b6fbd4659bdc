"""Who is in sight beside whom, by the records of a store."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mot_reid.gallery.calibration import Calibration
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.presence import not_to_find, paths_of, seen_at_once
from mot_reid.gallery.records import Tracklet

from .conftest import D, tracklet

Make = Callable[..., Gallery]
CALIBRATION = Calibration("made", "name:made", (20.0, -9.0), (20.0, -1.0, 0.0, -9.0))


def path(*times: np.ndarray) -> np.ndarray:
    rows = np.concatenate(times)
    boxes = np.tile([0.0, 0.0, 10.0, 20.0], (len(rows), 1))
    return np.column_stack([rows * 25 + 1, rows, boxes]).astype(np.float32)


def lost_and_found() -> list[Tracklet]:
    """Track 1 is lost from 10 to 20 s, when track 2 is seen; track 3 is there all the time; 4 elsewhere."""
    looks, step = np.eye(D)[0], 0.5
    whole = np.arange(0, 30.1, step)
    lost = path(np.arange(0, 10, step), np.arange(20, 30.1, step))
    return [
        tracklet(looks, track_id=1, start=0, end=30, boxes=500, path=lost),
        tracklet(looks, track_id=2, start=11, end=19, boxes=201, path=path(np.arange(11, 19.1, step))),
        tracklet(looks, track_id=3, start=0, end=30, boxes=751, path=path(whole)),
        tracklet(looks, camera="b", track_id=4, start=0, end=30, boxes=751, path=path(whole)),
    ]


def test_who_was_lost_is_not_seen_meanwhile(make_gallery: Make) -> None:
    gallery = make_gallery()
    gallery.add(lost_and_found())
    table = gallery.table()
    assert seen_at_once(gallery.store, table).tolist() == [[0, 2], [1, 2]]
    assert seen_at_once(gallery.store, table, np.array([1, 2, 3])).tolist() == [[1, 2]]
    name = dict(zip(table.record, table.track_id, strict=True))

    def gone(row: int) -> set[int]:
        return {name[record] for record in not_to_find(gallery.store, table, np.array([row]))}

    assert [gone(row) for row in range(4)] == [{1, 3}, {2, 3}, {1, 2, 3}, {4}]


def test_a_search_finds_what_was_seen_while_its_track_was_lost(make_gallery: Make) -> None:
    gallery = make_gallery()
    gallery.add(lost_and_found())
    gallery.calibrate(CALIBRATION)
    assert {hit.track_id for hit in gallery.search("a:1")} == {2, 4}
    assert {hit.track_id for hit in gallery.search("a:3")} == {4}


def test_two_runs_of_a_camera_are_compared_by_the_clock(make_gallery: Make) -> None:
    """The second run starts 15 s later and sees what the first one sees; without clocks nobody knows."""
    gallery, looks = make_gallery(), np.eye(D)[0]
    first = tracklet(looks, track_id=1, end=20, epoch=1e9)
    later = tracklet(looks, track_id=1, end=20, epoch=1e9 + 15, run="again")
    much_later = tracklet(looks, track_id=2, start=30, end=50, epoch=1e9 + 15, run="again")
    gallery.add([first, later, much_later])
    table = gallery.table()
    assert seen_at_once(gallery.store, table).tolist() == [[0, 1]]
    assert set(not_to_find(gallery.store, table, np.array([0]))) == {first.record, later.record}
    unknown = replace(table, epoch=np.full(3, np.nan))
    assert seen_at_once(gallery.store, unknown).tolist() == []
    assert not_to_find(gallery.store, unknown, np.array([0])) == [first.record]


def test_parts_of_a_record_have_no_path(make_gallery: Make) -> None:
    """Rows that were made by hand stand for a record of the store, or for none."""
    gallery = make_gallery()
    gallery.add(lost_and_found())
    stored = gallery.table()
    table = stored[np.array([2, 0, 0])]
    places = np.array([2, 0, -1])
    here, paths = paths_of(gallery.store, np.arange(3), places)
    assert here.tolist() == [0, 1]
    assert [len(one) for one in paths] == [61, 41]
    pairs = seen_at_once(gallery.store, table, places=places)
    assert pairs.tolist() == [[0, 1], [0, 2], [1, 2]]


@pytest.mark.parametrize("rows", [[], [3, 0]])
def test_paths_come_in_the_order_asked_for(make_gallery: Make, rows: list[int]) -> None:
    gallery, records = make_gallery(), lost_and_found()
    for record in records:  # four parts
        gallery.add([record])
    gallery.table()
    found = gallery.store.paths(np.array(rows, np.intp))
    for one, row in zip(found, rows, strict=True):
        np.testing.assert_array_equal(one, records[row].path)
