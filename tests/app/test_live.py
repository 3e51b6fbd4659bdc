"""Live cameras: from files played in real time, gone and back, seen on the page."""

import re
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from mot_reid import Detections, Tracker
from mot_reid.app.live import Camera, CameraSettings, LiveFile, read_cameras
from mot_reid.app.live_routes import live_routes
from mot_reid.app.runs import runs_in
from mot_reid.app.server import make_app
from mot_reid.pipeline.counting import read_scene
from mot_reid.structures import Tracks
from mot_reid.typing import Image
from mot_reid.video.frames import Frame
from mot_reid.video.sources import open_source

from .conftest import make_run
from .pages import Page

ENTER, TAB = "\ue007", "\ue004"


class Blocks:
    """Finds bright blocks on grey ground."""

    name = "blocks"
    class_names = {0: "person"}  # noqa: RUF012

    def detect(self, frames: Sequence[Image]) -> list[Detections]:
        found = []
        for frame in frames:
            b, g, r = cv2.split(frame)
            mask = (cv2.max(cv2.max(b, g), r) - cv2.min(cv2.min(b, g), r) > 60).astype(np.uint8)
            parts = cv2.connectedComponentsWithStats(mask)[2][1:]
            boxes = [[x, y, x + w, y + h] for x, y, w, h, area in parts.tolist() if area > 500]
            found.append(Detections(boxes or np.zeros((0, 4))))
        return found


def make_tracker() -> Tracker:
    return Tracker(detector=Blocks(), embedder="none", camera_motion="none")


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """Kernels may compile at the first frame, which takes longer than these videos."""
    tracker = make_tracker()
    tracker.load()
    for _ in range(3):
        tracker.update(np.zeros((240, 320, 3), np.uint8), Detections([[10, 10, 40, 90]]))


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    path = tmp_path / "scene.yaml"
    path.write_text("lines: {door: {from: [160, 0], to: [160, 240], directions: [left, right]}}\n")
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    make_run(tmp_path / "yard")
    return tmp_path / "yard-pictures"


def until(happened: Callable[[], Any], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_file_is_played_in_real_time(pictures: Path) -> None:
    with LiveFile(open_source(pictures)) as source:
        assert source.info.live
        start = time.monotonic()
        times = [frame.time for frame in source]
    assert len(times) == 60
    assert time.monotonic() - start >= times[-1] - 0.01  # type: ignore[operator]


def test_a_camera_counts_and_remembers_and_forgets(pictures: Path, scene: Path, tmp_path: Path) -> None:
    settings = CameraSettings("yard", str(pictures), read_scene(scene), tmp_path / "events", loop=True)
    camera = Camera(settings, make_tracker)
    camera.start()
    until(lambda: camera.status()["lines"].get("door", {}).get("left", 0) >= 1)
    camera.stop()
    status = camera.status()
    assert status["number"] > 3
    assert len((tmp_path / "events" / "events.jsonl").read_text().splitlines()) == len(status["events"])
    people = camera.people()
    assert len(people) == status["people"] >= 2
    for data in (camera.picture(), camera.person(people[0]["id"])):
        assert data is not None
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None
    camera.forget()
    assert camera.people() == []
    assert camera.picture() is None


def test_a_camera_that_is_gone_says_so_and_comes_back_with_other_ids(pictures: Path) -> None:
    away = pictures.rename(pictures.with_name("away"))
    camera = Camera(CameraSettings("yard", str(pictures), loop=True), make_tracker)
    camera.start()
    until(lambda: camera.status()["state"] == "gone")
    assert "no such file" in camera.status()["told"]
    away.rename(pictures)
    until(lambda: camera.status()["state"] == "live")
    until(lambda: max((one["id"] for one in camera.people()), default=0) > 2)  # its second round
    camera.stop()
    assert camera.status()["state"] == "stopped"
    ids = [one["id"] for one in camera.people()]
    assert len(ids) == len(set(ids))


def test_a_camera_that_is_started_while_it_is_being_stopped_runs(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = threading.Event()

    def connect(source: str) -> Any:
        connected.wait(20)
        return open_source(source)

    monkeypatch.setattr("mot_reid.app.live.open_source", connect)
    camera = Camera(CameraSettings("yard", str(pictures), loop=True), make_tracker)
    camera.start()
    camera.stop(0.05)  # it waits for its connection for longer
    camera.start()
    connected.set()
    until(lambda: camera.number > 2)
    assert camera.status()["state"] == "live"
    camera.stop()
    until(lambda: camera.status()["state"] == "stopped")


def test_a_camera_may_be_stopped_while_it_is_being_started(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread was there and had not begun: the page was told of a failure, and the camera ran on."""
    camera = Camera(CameraSettings("yard", str(pictures), loop=True), make_tracker)
    begin, starting = threading.Thread.start, threading.Event()

    def slowly(thread: threading.Thread) -> None:
        if thread.name == "yard":
            starting.set()
            time.sleep(0.2)
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", slowly)
    other = threading.Thread(target=camera.start)
    other.start()
    assert starting.wait(10)
    camera.stop()
    assert camera.status()["state"] == "stopped"
    other.join()


def test_a_cameras_file_is_read_and_what_is_wrong_is_named(tmp_path: Path, scene: Path) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_text("cameras: {door: {source: 'rtsp://a/b', scene: scene.yaml}, desk: 0}")
    door, desk = read_cameras(path)
    assert (door.name, door.source, desk.source) == ("door", "rtsp://a/b", "0")
    assert door.scene is not None
    for text, message in (
        ("cameras: []", "expected cameras"),
        ("mqtt: {host: a}\ncameras: {a: 0}", "mqtt does not exist; known: cameras"),
        ("cameras: {a: {}}", "camera a: source is missing"),
        ("cameras: {a: {source: x, scen: y}}", "scen does not exist"),
        ("cameras: {a: {source: x, keep: -1}}", "keep: expected seconds"),
        ("cameras: {a: {source: x, keep: .inf}}", "keep: expected seconds up to 1e[+]09"),
        (f"cameras: {{a: {{source: x, keep: 1{'0' * 400}}}}}", "keep: expected seconds up to"),
        ("cameras: {a: {source: x, scene: nowhere.yaml}}", "scene file not found"),
    ):
        path.write_text(text)
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            read_cameras(path)


@pytest.mark.parametrize("width", [1280, 400])
def test_cameras_on_the_page(
    browser: Any, pictures: Path, scene: Path, serve: Callable[[Any], str], width: int
) -> None:
    settings = CameraSettings("<yard>", str(pictures), read_scene(scene), loop=True)
    away = pictures.with_name("away")
    cameras = [
        Camera(settings, make_tracker),
        Camera(CameraSettings("gone", str(away), loop=True), make_tracker),
    ]
    for camera in cameras:
        camera.start()
    try:
        app = make_app([], routes=live_routes(cameras), features=["live"])
        shown = Page(browser, serve(app), width)
        shown.click("#tab-live")
        shown.until(lambda: re.search("door left [1-9]", shown.text("#panel-live")), "counts")
        shown.until(
            lambda: shown.js("return document.querySelector('#panel-live img').naturalWidth") == 320,
            "a picture",
        )
        first = shown.js("return document.querySelector('#panel-live img').src")
        shown.until(
            lambda: shown.js("return document.querySelector('#panel-live img').src") != first,
            "the next picture",
        )
        shown.until(lambda: "gone: " in shown.text("#panel-live"), "the other to be gone")
        shutil.copytree(pictures, away)
        other = "#panel-live section:nth-of-type(2) .state"
        shown.until(lambda: shown.text(other).startswith("live"), "the other to be back")
        shown.click("#panel-live section details:first-of-type summary")
        events = "return document.querySelectorAll('#panel-live section:first-of-type ol li').length"
        shown.until(lambda: shown.js(events), "what happened")
        people = "return document.querySelectorAll('#panel-live figure').length"
        shown.click("#panel-live section details:last-of-type summary")
        shown.until(lambda: shown.js(people) >= 1, "people")
        assert shown.barriers() == []
        assert not shown.too_wide()
        shown.shot(f"live-{width}")
        shown.click("[aria-label='Stop <yard>']")
        shown.until(lambda: "stopped" in shown.text("#panel-live"), "the camera to stop")
        shown.click("[aria-label='Forget them who was seen by <yard>']")
        shown.until(
            lambda: "0 seen" in shown.text("#panel-live section:first-of-type"), "all to be forgotten"
        )
        shown.until(lambda: shown.js(people) == 0, "their pictures to be gone")
        shown.click("[aria-label='Start <yard>']")
        shown.until(lambda: "live ·" in shown.text("#panel-live"), "the camera to start")
        assert shown.problems() == []
    finally:
        for camera in cameras:
            camera.stop()


def test_cameras_with_a_gallery_open_with_their_pictures(
    browser: Any, pictures: Path, serve: Callable[[Any], str]
) -> None:
    """Not with the search, whose box in the video and chosen track there are none of."""
    cameras = [Camera(CameraSettings("yard", str(pictures)), make_tracker)]
    shown = Page(browser, serve(make_app([], routes=live_routes(cameras), features=["search", "live"])), 1280)
    assert shown.js("return document.querySelector('[aria-selected=true]').id") == "tab-live"
    shown.click("#tab-search")
    assert "drop it here" in shown.text("#panel-search")
    buttons = (
        "return [...document.querySelectorAll('#panel-search button')].filter((one) => one.offsetParent)"
    )
    assert shown.js(f"{buttons}.map((one) => one.textContent)") == ["Look"]


class Bright(Blocks):
    """An embedder of boxes: their mean colour, spread out."""

    name = "bright"

    def embed(self, frame: Image, xyxy: np.ndarray) -> np.ndarray:
        rows = [frame[y1:y2, x1:x2].reshape(-1, 3).mean(axis=0) - 90 for x1, y1, x2, y2 in xyxy.astype(int)]
        found = np.array(rows, np.float32).reshape(-1, 3)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6)


def test_the_clock_of_an_event_is_that_of_its_time(tmp_path: Path) -> None:
    """That somebody was lost is known when he has not been seen for a while."""
    path = tmp_path / "scene.yaml"
    path.write_text("zones: {all: {polygon: [[0, 0], [90, 0], [90, 90], [0, 90]], patience: 2}}")
    camera = Camera(CameraSettings("door", "0", read_scene(path)), Tracker)
    one = np.ones(1, np.int64)
    seen = Tracks(one, np.array([[30, 30, 40, 60]], np.float32), np.ones(1, np.float32), 0 * one, 0 * one)
    image = np.zeros((100, 100, 3), np.uint8)
    for number, tracks in enumerate([seen, seen, *[Tracks.empty()] * 4], start=1):
        camera._count(Frame(number, image, number - 1.0, 1e9 + number - 1), tracks, None)
    events = [(event["kind"], event["time"], event["wall_clock"]) for event in camera.status()["events"]]
    assert events == [("enter", 0, 1e9), ("leave", 1, 1e9 + 1)]


def test_a_picture_is_of_who_was_told_though_others_are_forgotten_meanwhile(tmp_path: Path) -> None:
    from mot_reid.app.live_people import LivePeople
    from mot_reid.gallery.gallery import Gallery
    from mot_reid.gallery.records import Crop, Tracklet

    looks, path = np.eye(3, dtype=np.float32), np.array([[1, 0, 0, 0, 9, 20]], np.float32)
    gallery = Gallery(tmp_path / "seen", Bright())
    for row in range(3):
        seen = {"crops": (Crop(b"%d" % row, 1, 0.0, 0.5),), "epoch": time.time()}
        gallery.add([Tracklet("a", "a", "run", row, 1, 1, 0, 0, looks[row], looks[:1], path, **seen)])
    people = LivePeople(tmp_path / "seen")
    rows = {one["row"] for one in people.today()["people"]}
    assert rows == {0, 1, 2}
    table = gallery.table()
    gallery.forget([str(table.record[0])])
    assert [people.crop(row) for row in range(4)] == [None, b"1", b"2", None]


def test_who_comes_is_told_though_another_one_was_forgotten_just_before(tmp_path: Path) -> None:
    """There are as many records as before."""
    from mot_reid.app.live_people import LivePeople
    from mot_reid.gallery.gallery import Gallery
    from mot_reid.gallery.records import Tracklet

    look, path = np.eye(3, dtype=np.float32)[:1], np.array([[1, 0, 0, 0, 9, 20]], np.float32)
    gallery, people = Gallery(tmp_path / "seen", Bright()), LivePeople(tmp_path / "seen")
    for track in (1, 2):
        seen = Tracklet("a", "a", "run", track, 1, 1, 0, 0, look[0], look, path, epoch=time.time())
        gallery.add([seen])
        gallery.forget([name for name in gallery.table().record.tolist() if name != seen.record])
        people._next = 0.0  # it does not look each time it is asked
        assert [one["records"] for one in people.today()["people"]] == [[seen.record]]


def test_a_gallery_that_a_camera_makes_is_on_the_page_from_the_beginning(
    pictures: Path, tmp_path: Path
) -> None:
    """Its tabs wait for nobody to start the server again."""
    from mot_reid.cli.serve import _application
    from mot_reid.gallery.gallery import Gallery
    from mot_reid.gallery.records import Tracklet

    (tmp_path / "cameras.yaml").write_text(f"cameras:\n  door: {{source: {pictures}}}\n")
    run, place = make_run(tmp_path / "street"), str(tmp_path / "seen")
    app, _ = _application(runs_in([run]), tmp_path / "cameras.yaml", None, place, frozenset(), "")
    client = TestClient(app, base_url="http://127.0.0.1")
    assert client.get("/api/runs").json()["features"] == ["search", "live", "today"]
    kept = {"place": place, "tracklets": 0, "oldest_days": None, "damaged": []}
    assert client.get("/api/gallery").json() == kept
    people = client.get("/api/people").json()
    assert (people["people_in_all"], people["identified"]) == (2, False)
    nobody = client.post("/api/search", json={"track": "a:1"})
    assert (nobody.status_code, nobody.json()["error"]) == (422, f"{place}: nobody is remembered yet")

    look, path = np.eye(3, dtype=np.float32)[:1], np.array([[1, 0, 0, 0, 9, 20]], np.float32)
    for track in (1, 2):
        seen = Tracklet("a", "a", "run", track, 1, 1, 0, 0, look[0], look, path)
        Gallery(place, Bright()).add([seen])
    assert client.get("/api/gallery").json()["tracklets"] == 2
    assert client.post("/api/search", json={"track": "a:1"}).status_code == 200
    picture = cv2.imencode(".png", np.zeros((40, 20, 3), np.uint8))[1].tobytes()
    asked = client.post("/api/search/picture?box=0,0,20,40", content=picture)
    assert "made with the embedder bright" in asked.json()["error"]


def test_who_was_seen_today_is_a_person_over_all_cameras(
    browser: Any, pictures: Path, tmp_path: Path, serve: Callable[[Any], str]
) -> None:
    """Two cameras that see the same two people, who come back under new ids: two people are told."""
    from mot_reid.app.live_people import LivePeople
    from mot_reid.gallery.calibration import Calibration

    people = LivePeople(tmp_path / "seen")

    def embedding_tracker() -> Tracker:
        return Tracker(detector=Blocks(), embedder=Bright(), camera_motion="none")

    cameras = [Camera(CameraSettings(name, str(pictures)), embedding_tracker, people) for name in ("a", "b")]
    for camera in cameras:
        camera.start()
    until(lambda: all(camera.status()["state"] == "ended" for camera in cameras))
    gallery = people._gallery
    assert gallery is not None
    assert len(gallery) >= 4  # who is slow misses frames, and may see somebody twice
    gallery.calibrate(Calibration("bright", "name:bright", (20.0, -8.0), (20.0, -1.0, 0.0, -8.0)))
    found = people.today()
    assert found["in_all"] == 2
    assert all({place["camera"] for place in one["places"]} == {"a", "b"} for one in found["people"])
    app = make_app([], routes=live_routes(cameras, people), features=["live", "today"])
    address = serve(app)
    images = "[...document.querySelectorAll('#panel-live .cards img')]"
    loaded = f"return {images}.filter((image) => image.naturalHeight).length"
    for width in (1280, 400):
        shown = Page(browser, address, width)
        if width == 1280:
            shown.click("#tab-live")
            shown.click("#panel-live details summary")
        else:  # by keys: the tab is the only one, or the first; the summary is behind its panel
            shown.keys("1", TAB, TAB, ENTER)
        shown.until(lambda: shown.js(loaded) == 2, "pictures of both")  # noqa: B023
        assert "2 people" in shown.text("#panel-live")
        assert shown.barriers() == []
        assert not shown.too_wide()
        shown.shot(f"today-{width}")
        assert shown.problems() == []
    left = len(gallery) - len(found["people"][0]["records"])
    shown.click(f"[aria-label='Forget person {found['people'][0]['number']}']")
    shown.click("#confirm-yes")
    shown.until(lambda: "1 person" in shown.text("#panel-live"), "who is left")
    assert len(gallery) == left >= 2
    assert shown.problems() == []
