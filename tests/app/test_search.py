"""The search on the page: what it asks a gallery, and what it shows of the answer."""

import base64
import struct
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from mot_reid.app.people import People
from mot_reid.app.runs import runs_in
from mot_reid.app.search_routes import search_routes
from mot_reid.app.server import make_app
from mot_reid.gallery.finding import Hit, Hits
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.queries import PictureError
from mot_reid.gallery.records import Crop

from .conftest import make_run, walkers
from .pages import Page


def jpeg() -> bytes:
    return cv2.imencode(".jpg", np.full((64, 32, 3), 200, np.uint8))[1].tobytes()


@pytest.fixture
def gallery(tmp_path: Path) -> Any:
    """Answers with one tracklet whatever it is asked; its calls have the real one's signatures."""
    source = str(tmp_path / "yard-pictures")
    hit = Hit("rec", "<yard>", source, 2, 0, 1.0, 2.0, float("nan"), 26, 50, 0.93, 0.8, None, 0)
    made = create_autospec(Gallery, instance=True)
    made.search.return_value = made.describe.return_value = Hits([hit], 0.05, 7)
    made.table.return_value.record = np.array(["other", "rec"], object)
    made.table.return_value.source = np.array(["elsewhere", source], object)
    record = type("Record", (), {"crops": [Crop(jpeg(), 30, 1.2, 0.5), Crop(b"worse", 30, 1.2, 0.1)]})
    made.tracklets.side_effect = lambda rows: [record for row in rows if row == 1]
    return made


@pytest.fixture
def app(tmp_path: Path, gallery: Any) -> Any:
    runs = runs_in([make_run(tmp_path / "yard")])
    return make_app(runs, routes=search_routes(gallery, runs), features=["search"])


def test_a_gallery_is_asked_by_picture_box_track_and_words(app: Any, gallery: Any) -> None:
    client = TestClient(app, base_url="http://127.0.0.1")
    found = client.post("/api/search/picture", content=jpeg()).json()
    assert found["hits"][0]["run"] == "r0"
    assert found["searched"] == 7
    assert gallery.search.call_args.args[0].shape == (64, 32, 3)
    box = [float(value) for value in walkers(10)[0]]
    assert client.post("/api/search", json={"run": "r0", "frame": 10, "box": box}).status_code == 200
    assert gallery.search.call_args.kwargs["box"] == [56, 60, 86, 150]
    client.post("/api/search", json={"track": "door:3"})
    assert gallery.search.call_args.args[0] == "door:3"
    client.post("/api/search", json={"describe": "red top"})
    assert gallery.describe.call_args.args[0] == "red top"
    assert client.get(f"/api/search/crops/{found['hits'][0]['record']}").content == jpeg()
    assert client.get("/api/search/crops/gone").status_code == 404


def test_a_picture_is_of_who_is_asked_for_while_others_search(app: Any, gallery: Any) -> None:
    """A look at the gallery counts its rows anew: whoever asks it meanwhile would get somebody else's."""
    begun, over, asked = threading.Event(), threading.Event(), list[bool]()
    found, records = gallery.search.return_value, gallery.tracklets.side_effect
    gallery.search.side_effect = lambda *_, **__: (begun.set(), over.wait(10), found)[-1]
    gallery.tracklets.side_effect = lambda rows: (asked.append(over.is_set()), records(rows))[-1]
    client = TestClient(app, base_url="http://127.0.0.1")
    with ThreadPoolExecutor(2) as pool:
        pool.submit(client.post, "/api/search", json={"track": "door:3"})
        assert begun.wait(10)
        picture = pool.submit(client.get, "/api/search/crops/rec")
        time.sleep(0.3)
        over.set()
        assert picture.result().content == jpeg()
    assert asked == [True]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"run": "r0", "frame": 10},
        {"run": "r0", "frame": 999, "box": [0, 0, 50, 50]},
        {"run": "r0", "frame": 10, "box": [0, 0, 1, 1]},
        {"run": "r0", "frame": 10, "box": [0, 0, 10**400, 1]},
        {"run": "r7", "frame": 10, "box": [0, 0, 50, 50]},
    ],
)
def test_what_cannot_be_looked_for_is_refused(app: Any, body: Any) -> None:
    client = TestClient(app, base_url="http://127.0.0.1")
    assert client.post("/api/search", json=body).status_code == 422
    assert client.post("/api/search/picture", content=b"no picture").status_code == 422


@pytest.mark.parametrize("side", [50_000, 32_000])
def test_a_picture_of_more_pixels_than_can_be_read_is_refused(
    app: Any, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is decoded, which of 32,000 x 32,000 pixels took three gigabytes."""
    monkeypatch.setattr("cv2.imdecode", None)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(999)))
    client = TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)
    answer = client.post("/api/search/picture", content=data + chunk(b"IEND", b""))
    assert (answer.status_code, answer.json()["error"]) == (422, "the picture is too large")


def test_a_track_of_a_camera_with_blanks_in_its_name_is_looked_for(
    browser: Any, app: Any, gallery: Any, serve: Callable[[Any], str]
) -> None:
    shown = Page(browser, serve(app), 1280)
    shown.click("#tab-search")
    shown.write("#panel-search input[type=text]", "front door:17")
    shown.click("#panel-search > button")
    shown.until(lambda: "93 %" in shown.text("#panel-search"), "the hits")
    assert gallery.search.call_args.args[0] == "front door:17"


def test_who_is_meant_in_a_picture_of_several_is_chosen(
    browser: Any, app: Any, gallery: Any, serve: Callable[[Any], str], tmp_path: Path
) -> None:
    hits = gallery.search.return_value
    people = np.array([[2, 4, 12, 40], [14, 4, 30, 44]], np.float32)

    def search(picture: Any, top: int, box: Any = None) -> Any:
        if box is None:
            raise PictureError(told.pop(0), people[: 2 * len(told)], 1, 1)
        return hits

    told = ["2 people are in it; choose one", "nobody is found in it"]
    gallery.search.side_effect = search
    client = TestClient(app, base_url="http://127.0.0.1")
    for wrong in ("1,2,3", "a,b,c,d", "nan,1,2,3", "1,1,2,2"):
        assert client.post(f"/api/search/picture?box={wrong}", content=jpeg()).status_code == 422
    (tmp_path / "who.jpg").write_bytes(jpeg())
    shown = Page(browser, serve(app), 400)
    shown.click("#tab-search")
    buttons = "#panel-search figure button"
    for chosen in ([14, 4, 30, 44], [0, 0, 32, 64]):
        shown.one("#panel-search input[type=file]").send_keys(str(tmp_path / "who.jpg"))
        shown.until(lambda: "the picture: " in shown.text("#panel-search"), "that one is to be chosen")
        shown.until(lambda: shown.one(buttons), "the choice")
        shown.shot(f"choose-{chosen[0]}")
        assert shown.barriers() == []
        shown.click("#panel-search figure:last-child button")
        shown.until(lambda: "93 %" in shown.text("#panel-search"), "the hits")
        assert gallery.search.call_args.kwargs["box"] == chosen
        shown.js("document.querySelector('#panel-search input[type=file]').value = ''")


def test_a_gallery_alone_is_searched(browser: Any, gallery: Any, serve: Callable[[Any], str]) -> None:
    people = People([], gallery)
    gallery.identities.return_value = {}
    app = make_app([], people=people, routes=search_routes(gallery, []), features=["search"])
    shown = Page(browser, serve(app), 400)
    shown.write("#panel-search input[type=text]", "door:3")
    shown.click("#panel-search > button")
    shown.until(lambda: "93 %" in shown.text("#panel-search"), "the hits")
    tabs = "return [...document.querySelectorAll('[role=tab]:not([hidden])')].map((tab) => tab.textContent)"
    assert shown.js(tabs) == ["Search", "Data"]
    assert shown.barriers() == shown.problems() == []


@pytest.mark.parametrize("width", [1280, 400])
def test_looking_for_somebody(
    browser: Any, app: Any, gallery: Any, serve: Callable[[Any], str], width: int
) -> None:
    shown = Page(browser, serve(app), width)
    shown.click("#tab-search")
    shown.click("#panel-search button")
    shown.drag((0.06, 0.25), (0.16, 0.63))
    shown.until(lambda: "93 %" in shown.text("#panel-search"), "the hits")
    assert "Not among them: 5 %" in shown.text("#panel-search")
    loaded = "return document.querySelector('#panel-search img').naturalWidth"
    shown.until(lambda: shown.js(loaded) == 32, "the picture")
    assert len(gallery.search.call_args.kwargs["box"]) == 4
    assert shown.barriers() == []
    assert not shown.too_wide()
    shown.shot(f"search-{width}")
    shown.click("#panel-search figure button")
    shown.until(lambda: shown.frame == 26, "the hit's frame")
    drop = """
        const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([bytes], 'who.jpg', { type: 'image/jpeg' }));
        const drop = document.querySelector('#panel-search .drop');
        drop.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
    """
    before = gallery.search.call_count
    shown.js(drop, base64.b64encode(jpeg()).decode())
    shown.until(lambda: gallery.search.call_count > before, "the picture that was dropped")
    shown.write("#panel-search > label input", "red top")
    shown.click("#panel-search > button")
    shown.until(lambda: gallery.describe.call_count, "the description")
    assert shown.problems() == []
