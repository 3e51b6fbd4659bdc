"""The page in a browser where answers come late, files are deleted, and another server was there before."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mot_reid.app.runs import CORRECTIONS, SCENE, runs_in
from mot_reid.app.server import make_app

from .conftest import FRAMES, HEIGHT, WIDTH, make_run
from .pages import Page

DELAY = """
    const [part, wait] = arguments, real = window.fetch;
    window.fetch = async (path, options) => {
      const answer = await real(path, options);
      if (String(path).endsWith(part) || String(path).includes(part + '/frames/')) {
        await new Promise((resolve) => setTimeout(resolve, wait));
        window.late = (window.late || 0) + 1;
      }
      return answer;
    };
"""


@pytest.fixture
def shown(browser: Any, tmp_path: Path, serve: Callable[[Any], str]) -> Page:
    """Two runs: a grey one of 60 frames, and a white one of 30."""
    grey, white = make_run(tmp_path / "grey"), make_run(tmp_path / "white")
    for frame in range(1, FRAMES + 1):
        picture = tmp_path / "white-pictures" / f"{frame:06d}.png"
        cv2.imwrite(str(picture), np.full((HEIGHT, WIDTH, 3), 255, np.uint8))
    lines = (white / "tracks.csv").read_text().splitlines(keepends=True)
    (white / "tracks.csv").write_text("".join(lines[:61]))
    summary = json.loads((white / "summary.json").read_text())
    (white / "summary.json").write_text(json.dumps(summary | {"last_frame": 30}))
    return Page(browser, serve(make_app(runs_in([grey, white]))), 1280)


def colour(shown: Page) -> int:
    return shown.pixel(0.9, 0.05)[0]


def test_a_late_picture_of_one_run_is_not_shown_for_another(shown: Page) -> None:
    shown.set("#run", "r1", "change")
    shown.until(lambda: colour(shown) > 240, "the white picture")
    shown.js(DELAY, "/r0", 400)
    shown.set("#run", "r0", "change")
    shown.until(lambda: shown.text("#about").startswith("60 frames"), "the grey run")
    shown.set("#run", "r1", "change")
    shown.until(lambda: (shown.js("return window.late") or 0) >= 2, "the late picture")
    shown.until(lambda: colour(shown) > 240, "the white picture again", 5)


def test_a_late_run_is_not_shown_for_the_one_chosen_since(shown: Page) -> None:
    shown.js(DELAY, "/api/runs/r0", 400)
    shown.set("#run", "r0", "change")
    shown.set("#run", "r1", "change")
    shown.until(lambda: shown.text("#about").startswith("30 frames"), "the white run")
    shown.until(lambda: shown.js("return window.late"), "the late answer")
    shown.js("return new Promise((resolve) => setTimeout(resolve, 300))")
    assert shown.text("#about").startswith("30 frames")


def test_pictures_are_asked_for_under_an_address_of_this_server_alone(shown: Page) -> None:
    script = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    asked = shown.until(lambda: [name for name in shown.js(script) if "/frames/" in name], "the picture")
    session = shown.js("return fetch('/api/runs').then((answer) => answer.json())")["session"]
    assert all(name.endswith(f"&of={session}") for name in asked)


def test_tracks_are_as_they_were_found_when_corrections_are_deleted(
    browser: Any, tmp_path: Path, serve: Callable[[Any], str]
) -> None:
    folder = make_run(tmp_path / "yard")
    (folder / CORRECTIONS).write_text('{"kind": "delete", "id": 2}\n')
    (folder / SCENE).write_text("- no scene")
    shown = Page(browser, serve(make_app(runs_in([folder]))), 1280)
    assert "1 track," in shown.text("#about")  # for all that its scene is broken, which is told
    assert SCENE in shown.text("#message")
    shown.click("#tab-data")
    delete = f'#kept button[aria-label="Delete {CORRECTIONS}"]'
    shown.until(lambda: shown.js("return document.querySelector(arguments[0])", delete), "the files")
    shown.click(delete)
    shown.click("#confirm-yes")
    shown.until(lambda: "2 tracks" in shown.text("#about"), "the tracks as they were found", 5)
    assert shown.js("return document.getElementById('do-undo').disabled")


def test_a_run_that_went_on_is_shown_to_its_end_when_one_comes_back(shown: Page, tmp_path: Path) -> None:
    shown.set("#run", "r1", "change")
    shown.until(lambda: shown.text("#about").startswith("30 frames"), "the run that goes on")
    for name in ("tracks.csv", "summary.json"):
        (tmp_path / "white" / name).write_bytes((tmp_path / "grey" / name).read_bytes())
    shown.js("document.dispatchEvent(new Event('visibilitychange'))")
    shown.until(lambda: shown.text("#about").startswith("60 frames"), "all of it")
    (tmp_path / "grey-pictures" / "000050.png").write_bytes(b"no picture")
    shown.js("document.getElementById('seek').value = 50")
    shown.js("document.getElementById('seek').dispatchEvent(new Event('input'))")
    shown.until(lambda: "ends before frame 50, or is damaged there" in shown.text("#message"), "the message")
    shown.js("document.getElementById('seek').value = 51")
    shown.js("document.getElementById('seek').dispatchEvent(new Event('input'))")
    shown.until(lambda: not shown.text("#message"), "that it is over")


def test_a_run_that_goes_on_says_so_and_where_it_ended_early(
    browser: Any, tmp_path: Path, serve: Callable[[Any], str]
) -> None:
    folder = make_run(tmp_path / "yard")
    summary = folder / "summary.json"
    found = json.loads(summary.read_text()) | {"complete": False, "error": None}
    (folder / "begun.json").write_text(json.dumps(found))
    summary.unlink()
    shown = Page(browser, serve(make_app(runs_in([folder]))), 400)
    assert "the run goes on, or was killed: what it had written by " in shown.text("#about")
    summary.write_text(json.dumps(found | {"error": "no <i>disk</i>"}))
    shown.js("document.dispatchEvent(new Event('visibilitychange'))")
    shown.until(lambda: "the run ended early: no <i>disk</i>" in shown.text("#about"), "why it ended")


def test_people_are_not_said_to_be_read_from_a_server_that_is_gone(shown: Page) -> None:
    shown.js("window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))")
    shown.click("#tab-people")
    shown.until(lambda: "is mot-reid serve still running?" in shown.text("#message"), "what is wrong")
    shown.until(lambda: shown.text("#people-count") == "", "that nothing is being read")
