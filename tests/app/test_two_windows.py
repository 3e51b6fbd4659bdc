"""Corrections of one run from two windows: what is undone is what the window shows, and nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from mot_reid.app.runs import SCENE, Run
from mot_reid.app.server import make_app

from .pages import Page


def test_an_undo_is_of_the_correction_that_was_seen(run_folder: Path) -> None:
    run = Run("r0", run_folder)
    client = TestClient(make_app([run]), base_url="http://127.0.0.1")
    run.correct({"kind": "rename", "id": 1, "name": "Ann"})
    seen = client.get("/api/runs/r0").json()["logged"]
    run.correct({"kind": "rename", "id": 2, "name": "Bob"})
    for kind in ("undo", "redo"):
        answer = client.post("/api/runs/r0/corrections", json={"kind": kind, "seen": seen})
        assert (answer.status_code, run.names) == (409, {1: "Ann", 2: "Bob"})
        assert answer.json()["error"] == "the tracks were corrected elsewhere meanwhile"
    answer = client.post("/api/runs/r0/corrections", json={"kind": "undo", "seen": seen + 1})
    assert (answer.json()["names"], answer.json()["logged"]) == ({"1": "Ann"}, 3)
    answer = client.post("/api/runs/r0/corrections", json={"kind": "redo", "seen": "3"})
    assert (answer.status_code, run.names) == (422, {1: "Ann"})


@pytest.mark.parametrize("width", [1280, 400])
def test_undo_names_what_it_undoes(
    browser: Any, run_folder: Path, serve: Callable[[Any], str], width: int
) -> None:
    run = Run("r0", run_folder)
    shown = Page(browser, serve(make_app([run])), width)
    shown.click("#tab-correct")
    shown.write("#one", "1")
    shown.write("#name", "Ann")
    shown.click("#do-rename")
    shown.until(lambda: shown.text("#log") == "1 is called Ann", "the name")
    run.correct({"kind": "rename", "id": 2, "name": "<b>Bob</b>"})  # in another window
    shown.click("#do-undo")
    shown.until(
        lambda: 'the last correction is now "2 is called <b>Bob</b>"' in shown.text("#message"), "a word"
    )
    assert run.names == {1: "Ann", 2: "<b>Bob</b>"}
    assert "<b>Bob</b>" in shown.text("#log")
    shown.shot(f"undo-{width}")
    assert shown.one("#do-undo").get_attribute("title") == "2 is called <b>Bob</b>"
    shown.click("#do-undo")
    shown.until(lambda: shown.text("#message") == "Undone: 2 is called <b>Bob</b>.", "what was undone")
    assert run.names == {1: "Ann"}
    shown.click("#do-redo")
    shown.until(
        lambda: shown.text("#message") == "Done again: 2 is called <b>Bob</b>.", "what was done again"
    )
    run.correct({"kind": "undo"})
    run.correct({"kind": "undo"})
    shown.click("#do-undo")
    shown.until(lambda: "no correction is left" in shown.text("#message"), "that nothing is left")
    assert shown.js("return document.getElementById('do-undo').disabled")
    assert all("409" in problem for problem in shown.problems())


def test_a_window_beside_another_shows_what_was_done_there_when_one_comes_back(
    browser: Any, run_folder: Path, serve: Callable[[Any], str]
) -> None:
    run = Run("r0", run_folder)
    shown = Page(browser, serve(make_app([run])))
    shown.click("#tab-correct")
    run.correct({"kind": "rename", "id": 1, "name": "Ann"})
    shown.js("window.dispatchEvent(new Event('focus'))")  # it was in sight all the time
    shown.until(lambda: shown.text("#log") == "1 is called Ann", "the name")
    run.correct({"kind": "rename", "id": 2, "name": "Bob"})
    undone = "document.getElementById('do-undo').click()"  # by the press that came back
    shown.js(f"window.dispatchEvent(new Event('focus')); setTimeout(() => {undone}, 90)")
    shown.until(lambda: "Nothing was done" in shown.text("#message"), "a word")  # it is of what was seen
    assert run.names == {1: "Ann", 2: "Bob"}


@pytest.mark.parametrize("width", [1280, 400])
def test_lines_that_were_kept_in_another_window_are_not_written_over_unasked(
    browser: Any, run_folder: Path, serve: Callable[[Any], str], width: int
) -> None:
    run = Run("r0", run_folder)
    shown = Page(browser, serve(make_app([run])), width)
    shown.click("#tab-count")
    shown.click("#draw-line")
    shown.at(0.2, 0.3)
    shown.at(0.8, 0.3)
    run.keep_scene({"zones": {"their <b>door</b>": {"polygon": [[1, 1], [50, 1], [50, 50]]}}})
    theirs = (run_folder / SCENE).read_text()
    shown.click("#keep-scene")
    shown.until(
        lambda: "has their <b>door</b>. Write over it?" in shown.text("#confirm-text"), "the question"
    )
    shown.shot(f"keep-{width}")
    shown.click("#confirm-no")
    assert (run_folder / SCENE).read_text() == theirs
    shown.click("#keep-scene")
    shown.click("#confirm-yes")
    shown.until(lambda: "Kept in scene.yaml" in shown.text("#message"), "that it is kept")
    assert list(run.scene()["lines"]) == ["line 1"]
    shown.click("#draw-zone")
    for corner in ((0.2, 0.5), (0.8, 0.5), (0.5, 0.9)):
        shown.at(*corner)
    shown.one("#picture").send_keys("e")
    shown.click("#keep-scene")  # its own is not asked about
    shown.until(lambda: list(run.scene()["zones"]) == ["zone 1"], "the zone")
