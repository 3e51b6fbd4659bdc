"""What the page writes beside the results: torn logs, full disks, scenes of any form, exports at once."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from mot_reid.app import exporting
from mot_reid.app.kept_files import append_line
from mot_reid.app.run_routes import RUN_ROUTES
from mot_reid.app.runs import CORRECTIONS, SCENE, Run, runs_in
from mot_reid.app.server import make_app
from mot_reid.pipeline.counting import read_scene

from .conftest import HEIGHT, WIDTH, make_run

ANN = '{"kind": "rename", "id": 1, "name": "Ann"}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run(tmp_path / "yard")


@pytest.fixture
def client(folder: Path) -> TestClient:
    return TestClient(make_app(runs_in([folder])), base_url="http://127.0.0.1")


@pytest.mark.parametrize("torn", ["", '{"kind": "rename", "id": 2, "na', "{", ANN])
def test_a_correction_after_a_torn_line_is_read_again(folder: Path, torn: str) -> None:
    (folder / CORRECTIONS).write_text(f"{ANN}\n{torn}")  # as after a loss of power
    run = Run("r0", folder)
    run.correct({"kind": "rename", "id": 2, "name": "Bob"})
    assert run.names == Run("r0", folder).names == {1: "Ann", 2: "Bob"}


@pytest.mark.parametrize("room", [0, 5])
def test_a_full_disk_leaves_the_log_as_it_was(tmp_path: Path, room: int) -> None:
    path = tmp_path / "log.jsonl"
    append_line(path, {"name": "whole"})
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, before[1]))
        with pytest.raises(OSError, match=r"too large|No space") as told:
            append_line(path, {"name": "does not fit"})
        assert told.value.filename == str(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, kept)
    assert path.read_text() == '{"name": "whole"}\n'


def test_a_new_track_does_not_inherit_the_name_of_a_deleted_one(client: TestClient) -> None:
    for entry in ({"kind": "rename", "id": 2, "name": "Ann"}, {"kind": "delete", "id": 2}):
        summary = client.post("/api/runs/r0/corrections", json=entry).json()
    assert summary["next_id"] == 3
    assert summary["names"] == {}
    summary = client.post("/api/runs/r0/corrections", json={"kind": "split", "id": 1, "frame": 30}).json()
    assert [lane["id"] for lane in summary["tracks"]] == [1, 3]


def test_what_another_server_corrects_is_seen(folder: Path) -> None:
    """Two servers show one folder: each knew its own corrections alone until it was started again."""
    here, there = (TestClient(make_app(runs_in([folder])), base_url="http://127.0.0.1") for _ in range(2))
    assert [lane["id"] for lane in here.get("/api/runs/r0").json()["tracks"]] == [1, 2]
    for entry in (
        {"kind": "rename", "id": 2, "name": "Ann"},
        {"kind": "split", "id": 1, "frame": 30},
    ):
        assert there.post("/api/runs/r0/corrections", json=entry).status_code == 200
    shown = here.get("/api/runs/r0").json()
    assert ([lane["id"] for lane in shown["tracks"]], shown["names"]) == ([1, 2, 3], {"2": "Ann"})
    shown = here.post("/api/runs/r0/corrections", json={"kind": "split", "id": 2, "frame": 40}).json()
    assert [lane["id"] for lane in shown["tracks"]] == [1, 2, 3, 4]
    assert there.get("/api/runs/r0").json()["held"] == 3
    (folder / CORRECTIONS).unlink()
    assert there.get("/api/runs/r0").json()["held"] == here.get("/api/runs/r0").json()["held"] == 0


def test_pictures_are_those_of_the_tracks_after_corrections_were_deleted(
    client: TestClient, folder: Path
) -> None:
    swap = {"kind": "swap", "ids": [1, 2], "frame": 1}
    assert client.post("/api/runs/r0/corrections", json=swap).status_code == 200
    other = client.get("/api/runs/r0/crops/1").content
    client.delete(f"/api/runs/r0/kept/{CORRECTIONS}")
    client.post("/api/runs/r0/corrections", json={"kind": "rename", "id": 1, "name": "Ann"})
    mine = client.get("/api/runs/r0/crops/1").content
    assert mine == Run("r1", folder).crop(1) != other


def test_a_run_that_is_still_being_read_holds_up_no_other(tmp_path: Path) -> None:
    runs = runs_in([make_run(tmp_path / f"yard{number}") for number in range(5)])
    client = TestClient(make_app(runs), base_url="http://127.0.0.1")
    held, done = threading.Event(), threading.Event()

    def read() -> None:
        with runs[0]._lock:
            held.set()
            done.wait(20)

    threading.Thread(target=read, daemon=True).start()
    held.wait(20)
    answered = threading.Event()

    def look() -> None:  # of the first one no more than its folder is asked for; the fifth pushes it out
        for run in runs:
            client.get(f"/api/runs/{run.key}/export")
        answered.set()

    threading.Thread(target=look, daemon=True).start()
    assert answered.wait(10)
    done.set()


def test_exports_that_are_asked_for_at_once_are_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = next(answer for path, method, answer in RUN_ROUTES if (path, method) == ("/export", "POST"))
    run, ready = Run("r0", folder), threading.Event()
    written = exporting.Export._write_all
    monkeypatch.setattr(exporting.Export, "_write_all", lambda self: ready.wait(20) and written(self))
    monkeypatch.setattr("mot_reid.app.run_routes._AT_ONCE", 0.0)
    found: list[Any] = []

    def ask() -> None:
        try:
            found.append(export(run, None, {"formats": ["mot"]})["working"])  # type: ignore[arg-type]
        except ValueError as error:
            found.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    ready.set()
    assert run.export is not None
    run.export.wait(20)
    assert sorted(found) == ["tracks.txt", *["tracks.txt is still being written"] * 3]
    assert run.export.state()["failed"] == ""


def test_an_export_that_fails_in_whatever_way_says_so(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(exporting, "_frames", fail)
    told = client.post("/api/runs/r0/export", json={"formats": ["mot"]}).json()
    assert (told["failed"], told["files"], told["working"]) == ("no such luck", [], "")


def test_a_scene_in_shares_or_of_another_size_comes_in_the_pixels_of_the_run(
    client: TestClient, folder: Path
) -> None:
    for text in (
        "units: relative\nlines: {door: {from: [0.5, 0], to: [0.5, 1]}}",
        "size: [640, 480]\nlines: {door: {from: [320, 0], to: [320, 480]}}",
    ):
        (folder / SCENE).write_text(text)
        found = client.get("/api/runs/r0/scene").json()
        assert found["lines"]["door"]["from"] == [WIDTH / 2, 0]
        assert found["lines"]["door"]["to"] == [WIDTH / 2, HEIGHT]
        counted = client.post("/api/runs/r0/count", json=found).json()
        assert counted["lines"]["door"]["objects"]


def test_who_is_told_of_events_stays_in_a_scene_file(client: TestClient, folder: Path) -> None:
    events = {"webhook": {"url": "http://127.0.0.1:9/"}}
    text = {"lines": {"door": {"from": [160, 0], "to": [160, 240]}}, "events": events}
    (folder / SCENE).write_text(json.dumps(text))
    found = client.get("/api/runs/r0/scene").json()
    assert "events" not in found
    assert client.post("/api/runs/r0/count", json=found).status_code == 200
    assert client.put("/api/runs/r0/scene", json=found).status_code == 200
    assert read_scene(folder / SCENE).events == events


def test_all_visitors_of_a_zone_are_told_however_many_events_there_are(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mot_reid.app.run_routes._MOST_EVENTS", 1)
    zone = {"polygon": [[100, 0], [220, 0], [220, 240], [100, 240]]}
    found = client.post("/api/runs/r0/count", json={"zones": {"middle": zone}}).json()
    assert (len(found["events"]), found["events_in_all"]) == (1, 4)
    assert sorted(found["visitors"]["middle"]) == [1, 2]


@pytest.mark.parametrize("text", ["made: 2024-01-01", "memory: .inf", "lines: [", "- 1", "cell: .nan"])
def test_a_scene_file_that_is_none_is_named(client: TestClient, folder: Path, text: str) -> None:
    (folder / SCENE).write_text(text)
    answer = client.get("/api/runs/r0/scene")
    assert answer.status_code == 422
    assert SCENE in answer.json()["error"]
    assert client.get("/api/runs/r0").status_code == 200
