"""Corrections of one run from two windows: what is undone is what the window shows, and nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from mot_reid.app.runs import Run
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
