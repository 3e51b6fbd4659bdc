"""The page in a real browser: every action, with the mouse and with keys, wide and narrow."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .conftest import FRAMES, HEIGHT, WIDTH, walkers
from .pages import Page

RIGHT, LEFT, ENTER, ESCAPE, TAB, SPACE, END, DOWN, UP = (
    *("\ue014", "\ue012", "\ue007", "\ue00c", "\ue004", " ", "\ue010", "\ue015", "\ue013"),
)
WIDTHS = (1280, 400)


def go(page: Page, frame: int) -> None:
    page.set("#seek", frame, "input")
    page.until(lambda: page.frame == frame and page.boxes >= 0, f"frame {frame}")


def log(folder: Path) -> list[dict[str, Any]]:
    path = folder / "corrections.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize("width", WIDTHS)
def test_looking(browser: Any, page: str, width: int) -> None:
    shown = Page(browser, page, width)
    go(shown, 20)
    assert shown.boxes == 2
    middle = (walkers(20)[0, :2] + walkers(20)[0, 2:]) / 2 / (WIDTH, HEIGHT)
    middle = middle.tolist()
    shown.until(lambda: shown.pixel(*middle)[0] > 200 > 120 > shown.pixel(*middle)[2], "the person's picture")
    corner = (float(walkers(20)[0, 0]) / WIDTH, 0.45)
    before = shown.pixel(*corner)
    shown.shot(f"looking-{width}")
    shown.click("#show-boxes")
    assert shown.pixel(*corner) != before
    shown.click("#next")
    shown.until(lambda: shown.frame == 21, "the next frame")
    shown.click("#play")
    pause = """
        const play = document.getElementById('play');
        if (document.getElementById('picture').dataset.frame < 25) return false;
        if (play.textContent === 'Pause') play.click();  // else it has come to the end
        return true;
    """
    shown.until(lambda: shown.js(pause), "the video to play")
    assert shown.text("#play") == "Play"
    stopped = shown.frame
    assert not shown.too_wide()
    shown.js("document.body.focus()")
    shown.keys(LEFT)
    shown.until(lambda: shown.frame == stopped - 1, "one frame back")
    shown.keys(END)
    shown.until(lambda: shown.frame == FRAMES, "the last frame")
    shown.js("document.getElementById('lanes').scrollIntoView({block: 'center'})")
    lane = shown.one("#lanes")
    from selenium.webdriver import ActionChains

    ActionChains(browser).move_to_element_with_offset(lane, 0, -16).click().perform()
    shown.until(lambda: 15 < shown.frame < 40, "the lane's frame")
    assert shown.js("return document.querySelector('[aria-current]')?.dataset.id") == "1"
    shown.write("#filter", "2")
    assert shown.text("#track-count") == "1 of 2 tracks"
    assert shown.problems() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nobody_is_kept_out(browser: Any, page: str, width: int, scheme: str) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        shown = Page(browser, page, width)
        for name in ("tracks", "count", "correct", "people", "data"):
            shown.click(f"#tab-{name}")
            assert shown.barriers() == [], name
            assert not shown.too_wide(), name
            shown.shot(f"{name}-{scheme}-{width}")
        shown.click("#help-open")
        assert shown.barriers() == []
        shown.click("#help-close")
        assert shown.problems() == []
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.parametrize("width", WIDTHS)
def test_lines_and_zones_are_drawn_and_counted_at_once(
    browser: Any, page: str, run_folder: Path, width: int
) -> None:
    shown = Page(browser, page, width)
    shown.click("#tab-count")
    shown.click("#draw-line")
    shown.at(0.5, 0.1)
    shown.at(0.5, 0.95)
    shown.until(lambda: "line 1: in" in shown.text("#counts"), "counts of the line")
    counts = shown.js("return [...document.querySelectorAll('#counts td')].map((cell) => cell.textContent)")
    assert counts[:6] == ["line 1: in", "1", "1", "line 1: out", "1", "1"]
    shown.click("#draw-zone")
    for corner in ((0.05, 0.5), (0.3, 0.5), (0.3, 0.97), (0.05, 0.97)):
        shown.at(*corner)
    shown.js("document.getElementById('picture').focus()")
    shown.keys("e")
    shown.until(lambda: "zone 1" in shown.text("#counts"), "counts of the zone")
    shown.write("#scene-list .place:nth-child(2) input", "till")
    shown.until(lambda: "till" in shown.text("#counts"), "the zone's new name")
    shown.shot(f"count-{width}")
    shown.set("#heat", "presence", "change")
    grey = shown.until(
        lambda: shown.pixel(0.5, 0.62) if shown.pixel(0.5, 0.62)[:3] != [90, 90, 90] else None, "heat"
    )
    assert len(set(grey[:3])) > 1
    shown.shot(f"heat-{width}")
    shown.click("#keep-scene")
    shown.until(lambda: (run_folder / "scene.yaml").exists(), "the scene to be kept")
    shown.click("#events li:first-child button")
    assert shown.problems() == []


def test_lines_are_drawn_with_keys(browser: Any, page: str) -> None:
    shown = Page(browser, page)
    shown.keys("2")  # the panel
    shown.keys(TAB, TAB)
    assert shown.js("return document.activeElement.id") == "draw-line"
    shown.keys(ENTER, *[UP] * 10, ENTER, *[DOWN] * 22, ENTER)
    shown.until(lambda: "line 1: in" in shown.text("#counts"), "counts of the line")
    counts = shown.js("return [...document.querySelectorAll('#counts td')].map((cell) => cell.textContent)")
    assert counts[1] == counts[4] == "1"
    shown.write("#scene-list .place input:nth-of-type(1)", "door")
    shown.click("#draw-zone")
    shown.keys(ENTER, ESCAPE)
    assert shown.js("return document.getElementById('draw-zone').getAttribute('aria-pressed')") == "false"
    assert shown.problems() == []


@pytest.mark.parametrize("width", WIDTHS)
def test_corrections_by_mouse(browser: Any, page: str, run_folder: Path, width: int) -> None:
    shown = Page(browser, page, width)
    shown.click("#tab-correct")
    go(shown, 31)
    people = walkers(31) / (WIDTH, HEIGHT, WIDTH, HEIGHT)
    for box in people:
        shown.at(float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2)
    assert shown.js(
        "return [document.getElementById('one').value, document.getElementById('other').value]"
    ) == ["1", "2"]
    shown.click("#do-swap")
    shown.until(lambda: len(log(run_folder)) == 1, "the swap")
    shown.write("#name", "Ann <i>")
    shown.click("#do-rename")
    shown.until(lambda: "called Ann <i>" in shown.text("#log"), "the name")
    shown.click("#do-split")
    shown.until(lambda: "1 is 3 from frame 31" in shown.text("#log"), "the split")
    shown.write("#other", "3")
    shown.click("#do-merge")
    shown.until(lambda: "3 is 1" in shown.text("#log"), "the merge")
    shown.write("#one", "2")
    shown.click("#do-delete-box")
    shown.until(lambda: shown.boxes == 1, "one box less")
    shown.click("#draw-box")
    shown.drag((0.05, 0.05), (0.2, 0.4))
    shown.until(lambda: shown.boxes == 2, "the box that was drawn")
    shown.shot(f"correct-{width}")
    shown.click("#do-undo")
    shown.until(lambda: shown.boxes == 1, "the box to be undone")
    shown.click("#do-redo")
    shown.until(lambda: shown.boxes == 2, "the box to be back")
    shown.js("document.querySelector('details').open = true")
    shown.write("#other", "1")
    shown.write("#until", "41")
    shown.click("#do-move")
    shown.until(lambda: "swapped from frame 31 until 41" in shown.text("#log"), "the switch to move")
    shown.write("#box", "10 10 50 90")
    shown.click("#do-box")
    shown.until(lambda: len(log(run_folder)) == 10, "the box by numbers")
    shown.click("#do-merge")
    shown.until(lambda: "both seen in frame" in shown.text("#message"), "what does not fit to be told")
    shown.click("#do-delete")
    shown.until(lambda: "1 of 1 tracks" in shown.text("#track-count"), "the track to be gone")
    shown.click("#do-export")
    shown.until(lambda: "tracks.csv" in shown.text("#exported"), "the files")
    assert [entry["kind"] for entry in log(run_folder)] == [
        *("swap", "rename", "split", "merge", "delete", "box", "undo", "redo", "swap", "box", "delete"),
    ]
    assert shown.js("return document.querySelector('#log i')") is None
    assert all(
        "422" in problem for problem in shown.problems()
    )  # the merge that was refused, and nothing else


def test_a_first_time_user_repairs_counts_and_exports_with_keys(
    browser: Any, page: str, run_folder: Path
) -> None:
    """The task list: find somebody, repair a switch, export; steps are key presses."""
    shown = Page(browser, page)
    shown.keys("n")  # the first track
    shown.until(lambda: shown.js("return document.getElementById('one').value") == "1", "the first track")
    shown.keys("n")
    shown.until(lambda: shown.js("return document.getElementById('other').value") == "1", "both tracks")
    go(shown, 31)
    shown.keys("3")
    shown.js("document.getElementById('do-swap').focus()")
    shown.keys(ENTER)
    shown.until(lambda: len(log(run_folder)) == 1, "the swap")
    shown.js("document.getElementById('do-export').focus()")
    shown.keys(ENTER)
    shown.until(lambda: "tracks.txt" in shown.text("#exported"), "the files")
    assert shown.steps <= 5
    table = np.loadtxt(run_folder / "corrected" / "tracks.txt", delimiter=",")
    np.testing.assert_allclose(table[table[:, 1] == 2][-1, 2], walkers(FRAMES)[1, 0])


def test_what_is_kept_is_deleted_after_a_question(browser: Any, page: str, run_folder: Path) -> None:
    (run_folder / "scene.yaml").write_text("lines: {}\n")
    shown = Page(browser, page, 400)
    shown.click("#tab-data")
    shown.until(lambda: "scene.yaml" in shown.text("#kept"), "the files")
    shown.click("[aria-label='Delete scene.yaml']")
    shown.click("#confirm-no")
    assert (run_folder / "scene.yaml").exists()
    shown.click("[aria-label='Delete scene.yaml']")
    shown.click("#confirm-yes")
    shown.until(lambda: "scene.yaml" not in shown.text("#kept"), "the file to be gone")
    assert not (run_folder / "scene.yaml").exists()
    assert shown.problems() == []


def test_names_from_files_are_only_text(browser: Any, tmp_path: Path, serve: Callable[[Any], str]) -> None:
    from mot_reid.app.runs import runs_in
    from mot_reid.app.server import make_app

    from .conftest import make_run

    folder = make_run(tmp_path / "<img src=x onerror=alert(1)>")
    shown = Page(browser, serve(make_app(runs_in([folder]))))
    assert shown.js("return document.querySelectorAll('header img, #run img').length") == 0
    assert "<img" in shown.text("#run")
    assert shown.problems() == []
