"""People over all runs: lanes, best pictures, what they look like, the first-time user's tasks, scores."""

import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from mot_reid.app.people import People
from mot_reid.app.report import report
from mot_reid.app.runs import runs_in
from mot_reid.app.search_routes import search_routes
from mot_reid.app.server import make_app
from mot_reid.gallery.calibration import Calibration
from mot_reid.gallery.documents import records_of
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.records import Tracklet
from mot_reid.gallery.store import GalleryError

from .conftest import FRAMES, HEIGHT, WIDTH, make_run, walkers
from .pages import Page

ENTER, TAB, PAGE_UP, PAGE_DOWN = "\ue007", "\ue004", "\ue00e", "\ue00f"
RED = (60, 60, 220)


class Colours:
    """An embedder that is only a name: nothing is embedded here."""

    name = "colours"

    def embed(self, frame: np.ndarray, xyxy: np.ndarray) -> np.ndarray:
        raise NotImplementedError


def record(camera: str, source: Path, track: int, red: bool) -> Tracklet:
    mean = np.eye(4, dtype=np.float32)[0 if red else 1]
    return Tracklet(
        camera,
        str(source),
        camera,
        track,
        1,
        FRAMES,
        0.0,
        FRAMES / 25,
        mean,
        mean[None],
        np.zeros((2, 6), np.float32),
        boxes=FRAMES,
        attributes={
            "upper_colour=red": 0.9 if red else 0.05,
            "upper_colour=blue": 0.05 if red else 0.9,
            **dict.fromkeys(
                ("age=teenager", "gender=male", "sleeve=short", "lower_type=pants", "hat=no"), 0.9
            ),
        },
    )


@pytest.fixture
def runs(tmp_path: Path) -> list[Any]:
    """Two cameras: in the second one the ids switch at frame 31."""
    make_run(tmp_path / "out" / "door", videos=tmp_path)
    make_run(tmp_path / "out" / "yard", videos=tmp_path, switched=True)
    return runs_in([tmp_path / "out"])


@pytest.fixture
def gallery(tmp_path: Path, runs: list[Any]) -> Gallery:
    made = Gallery(tmp_path / "shop", Colours())
    places = {run.folder.name: run.pictures.source() for run in runs}
    records = [record(name, place, track, track == 1) for name, place in places.items() for track in (1, 2)]
    made.add(records)
    made.calibrate(Calibration("colours", "name:colours", (20.0, -8.0), (20.0, -1.0, 0.0, -8.0)))
    return made


@pytest.fixture
def client(runs: list[Any], gallery: Gallery) -> TestClient:
    app = make_app(
        runs, people=People(runs, gallery), routes=search_routes(gallery, runs), features=["search"]
    )
    return TestClient(app, base_url="http://127.0.0.1")


def where(found: Any) -> dict[str, set[tuple[str, int]]]:
    return {
        person["label"]: {(span["run"], span["track"]) for span in person["spans"]}
        for person in found["people"]
    }


def test_names_join_runs_without_a_gallery(runs: list[Any]) -> None:
    client = TestClient(make_app(runs), base_url="http://127.0.0.1")
    assert set(where(client.get("/api/people").json())) == {"door:1", "door:2", "yard:1", "yard:2"}
    for run, track in (("r0", 2), ("r1", 1)):
        client.post(f"/api/runs/{run}/corrections", json={"kind": "rename", "id": track, "name": "Ann"})
    found = client.get("/api/people").json()
    assert where(found)["Ann"] == {("r0", 2), ("r1", 1)}
    assert found["people_in_all"] == 3
    assert client.post("/api/people/fits", json={"describe": "red"}).status_code == 422


def test_cameras_that_are_called_alike_are_told_apart(tmp_path: Path) -> None:
    folders = [make_run(tmp_path / name) for name in ("first", "second", "yard")]
    summary = (folders[0] / "summary.json").read_text()
    (folders[1] / "summary.json").write_text(summary)  # the same source, tracked again
    found = People(runs_in(folders)).found()
    assert [camera["name"] for camera in found["cameras"]] == ["first (first)", "first (second)", "yard"]
    assert {"first (second):1", "yard:1"} <= {person["label"] for person in found["people"]}


@pytest.mark.parametrize("many", [3, 45])
def test_the_legend_of_many_cameras_is_short(
    browser: Any, tmp_path: Path, serve: Callable[[Any], str], many: int
) -> None:
    first = make_run(tmp_path / "all" / "run0", videos=tmp_path)
    for number in range(1, many):
        shutil.copytree(first, tmp_path / "all" / f"run{number}")
    page = Page(browser, serve(make_app(runs_in([tmp_path / "all"]))))
    page.click("#tab-people")
    page.set("#lanes-of", "all", "change")
    page.until(lambda: page.js("return !document.getElementById('lanes-legend').hidden"), "lanes of people")
    keys = page.js("return document.querySelectorAll('#lanes-legend .key').length")
    assert (keys, "and 5 more" in page.text("#lanes-legend")) == (min(many, 40), many > 40)


@pytest.mark.parametrize("how", ["by a link", "in its folder", "twice"])
def test_a_gallery_knows_a_runs_tracks_however_its_video_was_named(tmp_path: Path, how: str) -> None:
    runs = runs_in([make_run(tmp_path / "door"), make_run(tmp_path / "again")])
    summary = runs[0].folder / "summary.json"
    told = json.loads(summary.read_text())
    source = Path(told["source"]["location"])
    records = [record("door", source, track, track == 1) for track in (1, 2)]
    if how == "by a link":
        (tmp_path / "link").symlink_to(source)
        told["source"]["location"] = str(tmp_path / "link")
    elif how == "in its folder":  # the only video there
        records = [replace(each, source=str(tmp_path)) for each in records]
        told["gallery_run"] = records[0].run
    else:
        records += [
            replace(each, run="later", track_id=each.track_id + 7, record=f"later{each.track_id}")
            for each in records
        ]
        told["gallery_run"] = records[0].run
    summary.write_text(json.dumps(told))
    gallery = Gallery(tmp_path / "shop", Colours())
    gallery.add(records)
    app = make_app(runs, people=People(runs, gallery), routes=search_routes(gallery, runs))
    client = TestClient(app, base_url="http://127.0.0.1")
    people = client.get("/api/people").json()["people"]
    assert [len(one["records"]) for one in people if one["label"].startswith("door")] == [1, 1]
    hits = client.post("/api/search", json={"describe": "red top"}).json()["hits"]
    assert {hit["track_id"]: hit["run"] for hit in hits} == {1: "r0", 2: "r0"} | (
        {8: None, 9: None} if how == "twice" else {}
    )


def test_a_gallery_joins_and_describes_and_obeys_corrections(client: TestClient) -> None:
    assert not client.get("/api/people").json()["identified"]
    found = client.post("/api/people/identify", json={}).json()
    assert sorted(map(sorted, where(found).values())) == [
        [("r0", 1), ("r1", 1)],
        [("r0", 2), ("r1", 2)],
    ]
    assert found["people"][0]["attributes"] == ["red top"]
    tracks = client.post("/api/people/fits", json={"describe": "red top"}).json()["tracks"]
    assert [(entry["run"], entry["track"]) for entry in tracks[:2]] == [("r0", 1), ("r1", 1)]
    assert tracks[0]["probability"] == pytest.approx(0.9, abs=1e-3)
    client.post("/api/runs/r1/corrections", json={"kind": "delete", "id": 1})
    client.post("/api/runs/r1/corrections", json={"kind": "rename", "id": 2, "name": "Eve"})
    found = client.post("/api/people/identify", json={}).json()
    assert where(found)["Eve"] == {("r0", 2), ("r1", 2)}
    assert found["people_in_all"] == 2
    assert client.post("/api/people/fits", json={"describe": "green hat"}).status_code == 422


def test_who_is_forgotten_leaves_what_others_look_like_as_it_was(
    client: TestClient, gallery: Gallery
) -> None:
    def looks() -> dict[str, list[str]]:
        return {
            person["label"]: person["attributes"] for person in client.get("/api/people").json()["people"]
        }

    before = looks()
    assert before["door:2"] == ["blue top"]
    gallery.forget([str(gallery.table().record[0])])
    assert looks() == before | {"door:1": []}


def test_a_gallery_that_is_deleted_meanwhile_is_said_to_be_gone(client: TestClient, gallery: Gallery) -> None:
    assert client.get("/api/people").json()["identified"] is False
    shutil.rmtree(gallery.place)
    assert client.get("/api/people").json()["people_in_all"] == 4
    asked = {
        "/api/people/identify": {},
        "/api/gallery/forget": {"days": 3},
        "/api/search": {"track": "door:1"},
    }
    for address, body in (asked | {"/api/people/fits": {"describe": "red top"}}).items():
        answer = client.post(address, json=body)
        assert answer.status_code == 422, address
        assert "no gallery there" in answer.text or "nobody is remembered yet" in answer.text
    assert not Path(gallery.place).exists()


def test_a_description_finds_somebody(client: TestClient) -> None:
    answer = client.post("/api/search", json={"describe": "red top"}).json()
    assert [hit["track"] for hit in answer["hits"][:2]] == ["door:1", "yard:1"]
    assert answer["hits"][0]["similarity"] is None  # there is no such number in JSON


def test_what_is_wrong_with_a_gallery_is_told_in_one_line(
    client: TestClient, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged() -> Any:
        raise GalleryError("shop: its records cannot be read")

    monkeypatch.setattr(gallery, "table", damaged)
    quiet = TestClient(client.app, base_url="http://127.0.0.1", raise_server_exceptions=False)
    for path in ("people", "gallery", "search/crops/0"):
        answer = quiet.get(f"/api/{path}")
        assert (answer.status_code, answer.json()) == (422, {"error": "shop: its records cannot be read"})


def test_an_empty_number_of_days_forgets_nobody(
    browser: Any, client: TestClient, serve: Callable[[Any], str]
) -> None:
    shown = Page(browser, serve(client.app), 1280)
    shown.click("#tab-data")
    shown.until(lambda: "tracklets" in shown.text("#gallery-told"), "what the gallery keeps")
    shown.set("#forget-days", "", "input")
    shown.click("#forget-now")
    assert not shown.js("return document.getElementById('confirm').open")


def test_a_gallery_knows_a_run_whose_video_has_moved(
    runs: list[Any], gallery: Gallery, tmp_path: Path
) -> None:
    (tmp_path / "moved").mkdir()
    (tmp_path / "door-pictures").rename(tmp_path / "moved" / "door-pictures")
    moved = runs_in([tmp_path / "out"], {"door": tmp_path / "moved" / "door-pictures"})
    found = People(moved, gallery).identify()
    assert [("r0", 1), ("r1", 1)] in [sorted(tracks) for tracks in where(found).values()]


def test_a_tracks_best_picture_is_cut_out(client: TestClient) -> None:
    import cv2

    data = client.get("/api/runs/r0/crops/1").content
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert np.abs(picture.mean(axis=(0, 1)) - RED).max() < 15
    assert client.get("/api/runs/r0/crops/99").status_code == 404


def test_what_the_gallery_keeps_is_told_and_forgotten(client: TestClient, gallery: Gallery) -> None:
    assert client.get("/api/gallery").json()["tracklets"] == 4
    assert client.post("/api/gallery/forget", json={"days": 1}).json()["forgotten"] == 0
    assert client.post("/api/gallery/forget", json={"days": -1}).status_code == 422
    assert client.post("/api/gallery/forget", json={"days": 0}).json()["forgotten"] == 4
    assert len(gallery.table()) == 0


def test_nobody_is_forgotten_while_the_gallery_is_read(
    client: TestClient, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows move when some go: what was read of one would be told of another."""
    begun, over, looked, count = threading.Event(), threading.Event(), list[int](), len(gallery)

    def attributes(*_: object) -> list[dict[str, float]]:
        begun.set()
        over.wait(1)
        looked.append(len(gallery))
        raise ValueError("enough")

    monkeypatch.setattr("mot_reid.app.people.record_attributes", attributes)
    with ThreadPoolExecutor(2) as pool:
        pool.submit(client.get, "/api/people")
        assert begun.wait(10)
        forgotten = pool.submit(client.post, "/api/gallery/forget", json={"days": 0})
        forgotten.add_done_callback(lambda _: over.set())
    assert looked == [count]
    assert forgotten.result().json()["forgotten"] == count


def test_a_damaged_part_of_the_gallery_is_told(
    browser: Any, serve: Callable[[Any], str], runs: list[Any], gallery: Gallery
) -> None:
    (part,) = (Path(gallery.place) / "parts").iterdir()
    (part / "means.npy").write_bytes(b"torn")
    again = Gallery(gallery.place)
    app = make_app(runs, routes=search_routes(again, runs), people=People(runs, again), features=["search"])
    page = Page(browser, serve(app), 1280)
    page.click("#tab-data")
    page.until(lambda: "damaged, its records are left out" in page.text("#gallery-told"), "the damage")
    assert "0 tracklets" in page.text("#gallery-told")


def test_a_person_is_forgotten_also_where_no_run_is_shown(client: TestClient, gallery: Gallery) -> None:
    gallery.add([record("hall", Path("hall.mp4"), 7, red=True)])
    assert [len(one["records"]) for one in client.get("/api/people").json()["people"]] == [1] * 4
    found = client.post("/api/people/identify", json={}).json()
    person = next(one for one in found["people"] if one["attributes"] == ["red top"])
    assert len(person["records"]) == 3
    kept = client.post("/api/gallery/forget", json={"records": person["records"]}).json()
    assert (kept["forgotten"], kept["tracklets"]) == (3, 2)
    assert set(gallery.table().track_id.tolist()) == {2}
    left = client.get("/api/people").json()["people"]
    assert sorted(len(one["records"]) for one in left) == [0, 0, 2]
    for wrong in ({"records": "all"}, {"records": [1]}, {"records": None}, []):
        assert client.post("/api/gallery/forget", json=wrong).status_code == 422
    assert len(gallery.table()) == 2


def test_who_split_tracks_are_is_forgotten_by_number(client: TestClient, gallery: Gallery) -> None:
    client.post("/api/runs/r1/corrections", json={"kind": "split", "id": 1, "frame": 31})
    client.post("/api/people/identify", json={})
    numbers = gallery.identities()
    name = str(gallery.table().record[2])
    parts = {number for part, number in numbers.items() if part.startswith(f"{name}#")}
    assert name not in numbers
    assert all(name in records_of(numbers, number) for number in parts)


def write_truth(path: Path) -> Path:
    """Ground truth of the two walkers."""
    lines = [
        f"{frame},{person},{x1:.1f},{y1:.1f},{x2 - x1:.1f},{y2 - y1:.1f},1,1,1"
        for frame in range(1, FRAMES + 1)
        for person, (x1, y1, x2, y2) in enumerate(walkers(frame).tolist(), start=1)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_scores_before_and_after_corrections(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "yard", switched=True)
    truth = write_truth(tmp_path / "gt.txt")
    client = TestClient(make_app(runs_in([folder], truths={"yard": truth})), base_url="http://127.0.0.1")
    assert client.get("/api/runs/r0").json()["truth"]
    client.post("/api/runs/r0/corrections", json={"kind": "swap", "ids": [1, 2], "frame": 31})
    found = client.get("/api/runs/r0/score").json()
    assert (found["before"]["IDs"], found["after"]["IDs"]) == (2, 0)
    assert found["before"]["IDF1"] == pytest.approx(50)
    assert found["after"]["IDF1"] == found["after"]["HOTA"] == pytest.approx(100)
    bare = TestClient(make_app(runs_in([make_run(tmp_path / "bare")])), base_url="http://127.0.0.1")
    assert not bare.get("/api/runs/r0").json()["truth"]
    assert bare.get("/api/runs/r0/score").status_code == 422


def test_the_report_has_everybody_over_all_runs(runs: list[Any], gallery: Gallery) -> None:
    gallery.identify()
    text = report(runs, None, gallery)
    everybody = text[text.index("People over all cameras") : text.index("<h2>door")]
    assert everybody.count("<rect") == 4  # two people in two cameras
    assert everybody.count("<img") == 4
    assert "person 1: door 00:00.0, yard 00:00.0" in everybody
    for run, track in ((runs[0], 1), (runs[1], 2)):
        run.correct({"kind": "rename", "id": track, "name": "<b>Ann"})
    text = report(runs)
    assert "&lt;b&gt;Ann: door 00:00.0, yard 00:00.0" in text
    assert "<b>Ann" not in text


@pytest.fixture
def shown(
    browser: Any, runs: list[Any], gallery: Gallery, serve: Callable[[Any], str]
) -> Callable[[int], Page]:
    gallery.identify()
    app = make_app(
        runs, people=People(runs, gallery), routes=search_routes(gallery, runs), features=["search"]
    )
    address = serve(app)
    return lambda width: Page(browser, address, width)


def cards(page: Page) -> list[str]:
    return list(
        page.js("return [...document.querySelectorAll('#people-list strong')].map((e) => e.textContent)")
    )


def values(page: Page, *names: str) -> list[str]:
    return list(page.js("return arguments[0].map((id) => document.getElementById(id).value)", list(names)))


@pytest.mark.parametrize("width", [1280, 400])
def test_a_person_is_forgotten_on_the_page(
    shown: Callable[[int], Page], gallery: Gallery, width: int
) -> None:
    page = shown(width)
    page.click("#tab-people")
    page.until(lambda: cards(page) == ["person 1", "person 2"], "the people")
    page.click("[aria-label='Forget person 2']")
    page.until(
        lambda: "Forget person 2 (2 tracklets) for good?" in page.text("#confirm-text"), "the question"
    )
    assert "names given to tracks (in corrections.jsonl) stay" in page.text("#confirm-text")
    page.shot(f"forget-{width}")
    page.click("#confirm-no")
    assert len(gallery.table()) == 4
    page.click("[aria-label='Forget person 2']")
    assert page.text("#confirm-yes") == "Forget"
    page.click("#confirm-yes")
    page.until(lambda: "2 tracklets forgotten." in page.text("#message"), "that it is done")
    assert gallery.table().track_id.tolist() == [1, 1]
    page.until(lambda: cards(page) == ["person 1", "door:2", "yard:2"], "who is left")
    assert page.js("return document.querySelectorAll('[aria-label^=Forget]').length") == 1
    assert not page.too_wide()
    page.js("window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))")  # as of a stopped server
    page.click("#identify")
    page.until(lambda: "is mot-reid serve still running?" in page.text("#message"), "what is wrong")
    assert page.problems() == []


@pytest.mark.parametrize("width", [1280, 400])
def test_people_are_joined_and_parted_by_names_on_the_page(shown: Callable[[int], Page], width: int) -> None:
    page = shown(width)
    page.click("#tab-people")
    page.until(lambda: cards(page) == ["person 1", "person 2"], "the people")

    def name(label: str, called: str) -> None:
        page.click(f"[aria-label='Name {label}']")
        page.one("#naming-name").clear()
        page.one("#naming-name").send_keys(called)
        if ENTER not in called:
            page.click("#naming-yes")

    name("person 1", f"Ann <b>{ENTER}")
    page.until(lambda: cards(page) == ["Ann <b>", "person 2"], "the name")
    assert not page.js("return document.getElementById('naming').open")  # asked once, not again
    name("person 2", "Ann <b>")
    page.until(lambda: cards(page) == ["Ann <b>"], "that both are one")
    page.click("[aria-label='Name Ann <b>']")
    page.shot(f"naming-{width}")
    assert page.barriers() == []
    assert not page.too_wide()
    page.click("#naming-no")
    name("Ann <b>", "")
    page.until(lambda: cards(page) == ["person 1", "person 2"], "that they are two again")
    assert page.problems() == []


def test_another_windows_work_is_seen_when_one_comes_back(
    shown: Callable[[int], Page], runs: list[Any], gallery: Gallery
) -> None:
    page = shown(400)
    page.click("#tab-people")
    page.until(lambda: cards(page) == ["person 1", "person 2"], "the people")
    gallery.forget([str(record) for record in gallery.table().record[gallery.table().track_id == 2]])
    page.js("document.dispatchEvent(new Event('visibilitychange'))")
    page.until(lambda: cards(page) == ["person 1", "door:2", "yard:2"], "who is forgotten")
    runs[0].correct({"kind": "rename", "id": 1, "name": "Ann"})
    page.js("document.dispatchEvent(new Event('visibilitychange'))")
    page.until(lambda: cards(page) == ["Ann", "door:2", "yard:2"], "the name")
    assert page.text("#log") == "1 is called Ann"
    page.click("[aria-label='Forget Ann']")
    page.click("#confirm-yes")
    page.until(lambda: "2 tracklets forgotten." in page.text("#message"), "that it is done")
    top = page.js("scrollTo(0, 1e5); return document.getElementById('message').getBoundingClientRect().top")
    assert page.js("return scrollY") > 0 == top
    assert page.barriers("color-contrast") == page.problems() == []


@pytest.mark.parametrize("width", [1280, 400])
def test_lanes_and_pictures_of_people_over_all_runs(shown: Callable[[int], Page], width: int) -> None:
    from selenium.webdriver import ActionChains

    page = shown(width)
    page.click("#tab-people")
    page.until(lambda: cards(page) == ["person 1", "person 2"], "the people")
    loaded = "return [...document.querySelectorAll('#people-list img')].filter((i) => i.naturalHeight).length"
    page.until(lambda: page.js(loaded) == 4, "their pictures")
    page.set("#lanes-of", "all", "change")
    page.until(lambda: page.js("return !document.getElementById('lanes-legend').hidden"), "lanes of people")
    page.js("document.getElementById('lanes').scrollIntoView({block: 'center'})")
    page.shot(f"people-{width}")
    assert page.barriers() == []
    assert not page.too_wide()
    page.click("#people-list li:nth-child(2) li:nth-child(2) button")
    page.until(lambda: values(page, "run", "one") == ["r1", "2"], "the second camera")
    page.set("#run", "r0", "change")
    page.until(lambda: page.js("return document.getElementById('about').textContent").startswith("60"), "r0")
    lanes = page.one("#lanes")
    page.js("arguments[0].scrollIntoView({block: 'center'})", lanes)
    ActionChains(page.browser).move_to_element_with_offset(lanes, 0, -20).click().perform()
    page.until(lambda: 10 < page.frame < 45, "the lane's frame")
    page.until(lambda: values(page, "one") == ["1"], "the lane's track")
    page.click("#tab-tracks")
    page.write("#filter", "blue top")
    page.until(lambda: page.text("#track-count") == "1 of 2 tracks", "the one who looks so")
    assert page.problems() == []


@pytest.mark.parametrize("width", [1280, 400])
def test_scored_identified_and_forgotten_on_the_page(
    shown: Callable[[int], Page], runs: list[Any], gallery: Gallery, tmp_path: Path, width: int
) -> None:
    runs[1].truth = write_truth(tmp_path / "gt.txt")
    page = shown(width)
    page.set("#run", "r1", "change")
    page.until(lambda: page.js("return !document.getElementById('do-score').hidden"), "the second run")
    page.click("#tab-correct")
    for field, value in (("one", "1"), ("other", "2")):
        page.write(f"#{field}", value)
    page.set("#seek", 31, "input")
    page.click("#do-swap")
    page.until(lambda: "swapped" in page.text("#log"), "the swap")
    page.click("#do-score")
    page.until(lambda: "IDF1" in page.text("#score"), "the scores")
    cells = page.js(
        "return [...document.querySelectorAll('#score tr')].map((row) => row.innerText.split('\\t'))"
    )
    assert ["IDF1", "50", "100"] in cells
    assert ["IDs", "2", "0"] in cells
    page.shot(f"score-{width}")
    page.write("#name", "Eve")
    page.click("#do-rename")
    page.until(lambda: "called Eve" in page.text("#log"), "the name")
    page.click("#tab-people")
    page.click("#identify")
    page.until(lambda: "corrections are obeyed" in page.text("#message"), "who is who")
    assert "Eve" in cards(page)
    page.click("#tab-data")
    page.until(lambda: "4 tracklets" in page.text("#gallery-told"), "what is kept")
    page.write("#forget-days", "0")
    page.click("#forget-now")
    page.click("#confirm-yes")
    page.until(lambda: "0 tracklets" in page.text("#gallery-told"), "the gallery to forget")
    assert len(gallery.table()) == 0
    assert page.barriers() == []
    assert not page.too_wide()
    assert page.problems() == []


@pytest.mark.parametrize("width", [1280, 400])
def test_first_tasks_by_mouse(shown: Callable[[int], Page], runs: list[Any], width: int) -> None:
    """Find the red coat in the second camera, count who went through, repair a switch, export."""
    page = shown(width)
    page.click("#tab-people")
    page.write("#looks", "red coat")
    page.until(lambda: cards(page) == ["person 1 · 90 %"], "the person in red")
    page.click("#people-list li li:nth-child(2) button")
    page.until(lambda: values(page, "run", "one") == ["r1", "1"], "the second camera")
    found = page.steps
    seen = "return document.getElementById('picture').getBoundingClientRect().top > -1"
    page.until(lambda: page.js(seen), "the picture to be in view")
    page.shot(f"task-found-{width}")
    page.click("#tab-count")
    page.click("#draw-line")
    page.at(0.5, 0.1)
    page.at(0.5, 0.95)
    page.until(lambda: "line 1: in" in page.text("#counts"), "the counts")
    counted = page.steps
    page.shot(f"task-counted-{width}")
    page.click("#tab-correct")
    page.set("#seek", 31, "input")  # one drag of the slider
    page.steps += 1
    page.until(lambda: page.frame == 31 and page.boxes == 2, "the switch")
    middle = (walkers(31)[:, :2] + walkers(31)[:, 2:]) / 2 / (WIDTH, HEIGHT)
    page.at(*middle[0].tolist())
    page.at(*middle[1].tolist())
    page.click("#do-swap")
    page.until(lambda: "swapped from frame 31" in page.text("#log"), "the swap")
    repaired = page.steps
    page.click("#do-export")
    page.until(lambda: "tracks.txt" in page.text("#exported"), "the files")
    steps = np.diff([0, found, counted, repaired, page.steps]).tolist()
    page.shot(f"task-done-{width}")
    assert steps == [3, 4, 5, 1]
    check_repair(runs[1].folder)
    assert page.problems() == []


@pytest.mark.parametrize("width", [1280, 400])
def test_first_tasks_with_keys(shown: Callable[[int], Page], runs: list[Any], width: int) -> None:
    """The same with keys alone; a word that is typed is one step."""
    page = shown(width)
    page.keys("4", TAB, TAB, "red coat", ENTER)
    page.until(lambda: cards(page) == ["person 1 · 90 %"], "the person in red")
    for _ in range(20):  # to the second place of the person that is found
        if page.js("return document.activeElement.textContent").startswith("yard"):
            break
        page.keys(TAB)
    page.keys(ENTER)
    page.until(lambda: values(page, "run", "one") == ["r1", "1"], "the second camera")
    found = page.steps
    page.keys("2", TAB, TAB, ENTER, *[PAGE_UP] * 2, ENTER, *[PAGE_DOWN] * 4, ENTER)
    page.until(lambda: "line 1: in" in page.text("#counts"), "the counts")
    counted = page.steps
    page.keys("n", "g", "31", ENTER)
    page.until(lambda: page.frame == 31 and page.boxes == 2, "the switch")
    page.keys("x")
    page.until(lambda: "swapped from frame 31" in page.text("#log"), "the swap")
    repaired = page.steps
    page.keys("e")
    page.until(lambda: "tracks.txt" in page.text("#exported"), "the files")
    steps = np.diff([0, found, counted, repaired, page.steps]).tolist()
    assert steps == [11, 12, 5, 1]
    check_repair(runs[1].folder)
    assert page.problems() == []


def check_repair(folder: Path) -> None:
    log = [json.loads(line) for line in (folder / "corrections.jsonl").read_text().splitlines()]
    assert [(entry["kind"], sorted(entry["ids"]), entry["frame"]) for entry in log] == [("swap", [1, 2], 31)]
    table = np.loadtxt(folder / "corrected" / "tracks.txt", delimiter=",")
    np.testing.assert_allclose(table[table[:, 1] == 2][-1, 2], walkers(FRAMES)[1, 0])


def test_a_run_that_goes_on_leaves_the_others_and_the_search_as_they_are(tmp_path: Path) -> None:
    """It has no summary yet, so that frames have no times."""
    runs = runs_in([make_run(tmp_path / "a"), make_run(tmp_path / "b")])
    (runs[1].folder / "tracks.csv").unlink()
    (runs[1].folder / "summary.json").unlink()
    (runs[1].folder / "tracks.txt").write_text("1,1,10,20,30,60,1,-1,-1,-1\n")
    gallery = Gallery(tmp_path / "shop", Colours())
    gallery.add(
        [record("a", tmp_path / "a-pictures", 1, True), record("b", tmp_path / "b-pictures", 1, True)]
    )
    app = make_app(runs, routes=search_routes(gallery, runs), people=People(runs, gallery))
    client = TestClient(app, base_url="http://127.0.0.1")
    found = client.get("/api/people").json()
    assert [camera["name"] for camera in found["cameras"]] == ["a"]
    assert len(found["people"]) == 2
    (told,) = found["left_out"]
    assert "tracks.txt: it has no times, and no summary.json beside it" in told
    assert 'such as {"source": {"fps": 25}};' in told
    answer = client.post("/api/search", json={"track": "a:1"})
    assert [hit["run"] for hit in answer.json()["hits"]] == [None]
    assert client.post("/api/people/fits", json={"describe": "red top"}).status_code == 200
