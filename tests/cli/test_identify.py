"""What ``mot-reid identify -o`` draws, and what is said of cameras and clocks that are not known."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.opening import open_store
from mot_reid.gallery.records import Crop, Tracklet
from mot_reid.gallery.store import GalleryInfo

_PEOPLE = 50


def _record(track: int, camera: str) -> Tracklet:
    """Person ``track``: a colour, ``10 + track`` boxes, and his picture in the gallery."""
    mean = np.random.default_rng(track).normal(size=512).astype(np.float32)
    mean /= np.linalg.norm(mean)
    start = 100.0 * track
    jpeg = cv2.imencode(".jpg", np.full((40, 20, 3), (0, 0, 4 * track), np.uint8))[1].tobytes()
    return Tracklet(
        *(camera, f"{camera}.mp4", "run", track, 1, 50, start, start + 2, mean, mean[None]),
        path=np.array([[1, start, 0, 0, 10, 20], [50, start + 2, 0, 0, 10, 20]], np.float32),
        crops=(Crop(jpeg, 1, start, 0.5),),
        boxes=10 + track,
        views=50,
    )


def test_only_the_pictures_that_are_drawn_are_decoded(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path / "shop", GalleryInfo("made", "0123456789abcdef", 512))
    store.append([_record(track, camera) for track in range(_PEOPLE) for camera in ("door", "yard")])
    asked, decoded, whole, decode = [], [], Gallery.tracklets, cv2.imdecode

    def tracklets(gallery: Gallery, rows: Any) -> list[Tracklet]:
        asked.append(len(rows))
        return whole(gallery, rows)

    def imdecode(data: Any, flags: int) -> Any:
        decoded.append(decode(data, flags))
        return decoded[-1]

    monkeypatch.setattr(Gallery, "tracklets", tracklets)
    monkeypatch.setattr(cv2, "imdecode", imdecode)
    done = run("identify", tmp_path / "shop", "-o", tmp_path / "who")
    assert done.code == 0, done.err
    assert f"{_PEOPLE} identities of {2 * _PEOPLE} tracklets" in " ".join(done.out.split())
    assert (asked, len(decoded)) == ([40], 40)
    drawn = cv2.imread(str(tmp_path / "who" / "routes.png"))
    for place, track in enumerate(range(_PEOPLE - 40, _PEOPLE)):  # those with most boxes, each with his face
        face = drawn[48 + 56 * place + 26, 8 + 10]
        assert np.abs(face.astype(int) - (0, 0, 4 * track)).max() < 6


def test_what_is_said_of_cameras_in_vain_is_told(run: Any, tmp_path: Path) -> None:
    store = open_store(tmp_path / "shop", GalleryInfo("made", "0123456789abcdef", 512))
    store.append([_record(track, camera) for track in range(3) for camera in ("door", "yard")])
    ways = tmp_path / "ways.yaml"
    ways.write_text("travel:\n  - {between: [door, gate], least: 10}\ngroups: {north: [yard]}\n")
    strange = f"warning: {ways}: not in the gallery: gate (cameras: door, yard)\n"
    no_clock = f"warning: {ways}: travel and ground do not count, for no clock is known: --synchronised"
    done = run("identify", tmp_path / "shop", "--cameras", ways)
    assert done.code == 0
    assert strange in done.err
    assert no_clock in done.err
    done = run("identify", tmp_path / "shop", "--cameras", ways, "--synchronised")
    assert strange in done.err
    assert no_clock not in done.err
    ways.write_text("groups: {north: [yard], south: [door]}\n")
    assert "warning" not in run("identify", tmp_path / "shop", "--cameras", ways).err


def test_dates_where_no_clock_is_known_find_nobody_and_are_refused(run: Any, tmp_path: Path) -> None:
    store = open_store(tmp_path / "shop", GalleryInfo("made", "0123456789abcdef", 512))
    store.append([_record(track, camera) for track in range(3) for camera in ("door", "yard")])
    asked = ("search", tmp_path / "shop", "--track", "door:1")
    for option in ("--after", "--before"):
        done = run(*asked, option, "2026-11-29T08:00:00")
        assert done.code == 2
        assert f"{option}: {tmp_path / 'shop'}: no record has a date" in done.err
        assert done.err.count("\n") == 1
    assert run(*asked, "--after", "00:00:10").code == 0


def test_an_empty_gallery_says_that_it_is(run: Any, tmp_path: Path) -> None:
    store = open_store(tmp_path / "shop", GalleryInfo("made", "0123456789abcdef", 512))
    store.append([_record(1, "door")])
    assert run("gallery", tmp_path / "shop", "forget", "--keep-days", 0).code == 0
    done = run("gallery", tmp_path / "shop")
    assert done.out.startswith(f"{tmp_path / 'shop'}: 0 tracklets of 0 cameras\n")
