"""Corrections of tracks, as identities obey them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from mot_reid.gallery.by_hand import Part
from mot_reid.gallery.calibration import Calibration
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.records import Crop

from .conftest import D, Made, tracklet, unit

CALIBRATION = Calibration("made", "name:made", (20.0, -8.0), (20.0, -1.0, 0.0, -8.0))


class Said:
    """Corrections that are given; other tracks are as they were."""

    def __init__(self, parts: Mapping[int, Sequence[Part]], names: Mapping[int, str] | None = None) -> None:
        self.names = names or {}
        self._parts = parts

    def parts(self, track: int, first: int, last: int) -> Sequence[Part]:
        return self._parts.get(track, [Part(track, first, last, last - first + 1)])


def gallery_of(place: Path, *records: object) -> Gallery:
    gallery = Gallery(place / "shop", Made())
    gallery.add(list(records))  # type: ignore[arg-type]
    gallery.calibrate(CALIBRATION)
    return gallery


def groups(found: object) -> dict[tuple[str, int], int]:
    table = found.table  # type: ignore[attr-defined]
    keys = zip(table.camera.tolist(), table.track_id.tolist(), strict=True)
    return dict(zip(keys, found.numbers.tolist(), strict=True))  # type: ignore[attr-defined]


def test_what_was_merged_is_one_however_different(tmp_path: Path) -> None:
    looks = np.eye(D)
    shop = gallery_of(
        tmp_path, tracklet(looks[0], track_id=1), tracklet(looks[1], track_id=2, start=3, end=4)
    )
    assert len(set(shop.identify().numbers.tolist())) == 2
    found = shop.identify(corrected={"a": Said({2: [Part(1, 76, 101, 25)]})})
    assert len(found) == 1
    assert found.table.track_id.tolist() == [1, 1]


def test_what_was_said_of_one_run_of_a_camera_is_not_said_of_another(tmp_path: Path) -> None:
    looks = np.eye(D)
    shop = gallery_of(
        tmp_path,
        *(tracklet(looks[0], track_id=1, run="monday"), tracklet(looks[1], track_id=2, run="monday")),
        *(tracklet(looks[2], track_id=1, run="tuesday"), tracklet(looks[3], track_id=2, run="tuesday")),
    )
    said = {"tuesday": Said({2: []}, {1: "Ann"}), "monday": Said({}, {2: "Bob"})}
    found = shop.identify(corrected=said)
    assert list(zip(found.table.run, found.table.track_id, strict=True)) == [
        *(("monday", 1), ("monday", 2), ("tuesday", 1))
    ]
    assert [found.names.get(number) for number in found.numbers.tolist()] == [None, "Bob", "Ann"]


def test_what_was_deleted_is_nobody(tmp_path: Path) -> None:
    looks = np.eye(D)
    shop = gallery_of(tmp_path, tracklet(looks[0], track_id=1), tracklet(looks[1], track_id=2))
    found = shop.identify(corrected={"a": Said({2: []})})
    assert found.table.track_id.tolist() == [1]


def test_one_name_in_two_cameras_is_one_person_and_two_names_are_two(tmp_path: Path) -> None:
    looks = np.eye(D)
    shop = gallery_of(
        tmp_path,
        tracklet(looks[0], "a", 1),
        tracklet(looks[1], "b", 5),
        tracklet(looks[0], "b", 6, start=3, end=4),
    )
    assert groups(shop.identify())["a", 1] == groups(shop.identify())["b", 6]
    said = {"a": Said({}, {1: "Ann"}), "b": Said({}, {5: "Ann", 6: "Eve"})}
    found = shop.identify(corrected=said)
    where = groups(found)
    assert where["a", 1] == where["b", 5] != where["b", 6]
    assert found.names == {where["a", 1]: "Ann", where["b", 6]: "Eve"}


def picture(colour: tuple[int, int, int], frame: int) -> Crop:
    jpeg = cv2.imencode(".png", np.full((64, 32, 3), colour, np.uint8))[1].tobytes()
    return Crop(jpeg, frame, frame / 25, 0.5)


def test_a_track_that_was_split_is_embedded_again_from_its_pictures(tmp_path: Path) -> None:
    """Track 1 goes from the red to the blue person in the middle, and its embedding is of both."""
    red, blue = (0, 0, 255), (255, 0, 0)
    looks = {colour: unit(np.resize(np.array(colour) / 255 + 1e-3, D)) for colour in (red, blue)}
    shop = gallery_of(
        tmp_path,
        tracklet(
            looks[red] + looks[blue], "a", 1, start=0, end=4, crops=(picture(red, 10), picture(blue, 90))
        ),
        tracklet(looks[red], "b", 1),
        tracklet(looks[blue], "b", 2),
    )
    found = shop.identify(corrected={"a": Said({1: [Part(1, 1, 50, 50), Part(3, 51, 101, 51)]})})
    where = groups(found)
    assert where["a", 1] == where["b", 1] != where["b", 2]
    assert where["a", 3] == where["b", 2]
    assert found.table.first_frame[found.table.track_id == 3].tolist() == [51]
    assert len(shop.table()) == 3  # the records are as they were
