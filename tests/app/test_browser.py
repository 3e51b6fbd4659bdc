"""The page in a real browser: every action, with the mouse and with keys, wide and narrow."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mot_reid.app.runs import runs_in
from mot_reid.app.server import make_app

from .conftest import FRAMES, HEIGHT, WIDTH, make_run, walkers
from .pages import Page

RIGHT, LEFT, DOWN, UP = "\ue014", "\ue012", "\ue015", "\ue013"
ENTER, ESCAPE, TAB, SPACE = "\ue007", "\ue00c", "\ue004", " "
END, HOME, PAGE_UP, PAGE_DOWN = "\ue010", "\ue011", "\ue00e", "\ue00f"
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
    for drawn in ("labels", "trails"):
        before = shown.look()
        shown.click(f"#show-{drawn}")
        assert shown.look() != before, drawn
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
    for text, count in (("person", 2), ("car", 0), ("", 2)):
        shown.write("#filter", text or "\ue003")
        assert shown.text("#track-count") == f"{count} of 2 tracks", text
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
            # Light and dark differ in colours alone.
            assert shown.barriers(*([] if scheme == "light" else ["color-contrast"])) == [], name
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
    shown.click("#counts summary")
    assert "till.entered" in shown.text("#counts details")
    assert shown.barriers() == []
    assert not shown.too_wide()
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
    before = shown.look()
    shown.click("#show-scene")
    assert shown.look() != before
    shown.click("#tab-tracks")
    shown.write("#filter", "till")
    assert shown.text("#track-count") == "1 of 2 tracks"  # the id that both have there
    assert shown.problems() == []


@pytest.mark.parametrize("width", WIDTHS)
def test_lines_are_drawn_with_keys(browser: Any, page: str, width: int) -> None:
    shown = Page(browser, page, width)
    shown.keys("2")  # the panel
    shown.keys(TAB, TAB)
    assert shown.js("return document.activeElement.id") == "draw-line"
    shown.keys(ENTER, PAGE_UP, PAGE_UP, DOWN, DOWN, UP, ENTER, *[PAGE_DOWN] * 4, ENTER)
    shown.until(lambda: "line 1: in" in shown.text("#counts"), "counts of the line")
    counts = shown.js("return [...document.querySelectorAll('#counts td')].map((cell) => cell.textContent)")
    assert counts[1] == counts[4] == "1"
    shown.write("#scene-list .place input:nth-of-type(1)", "door")
    pressed = "return document.getElementById('draw-zone').getAttribute('aria-pressed')"
    shown.js("document.getElementById('draw-zone').focus()")
    shown.keys(ENTER, ENTER)
    assert shown.js(pressed) == "true"
    shown.keys(ESCAPE)
    assert shown.js(pressed) == "false"
    shown.js("document.getElementById('draw-zone').focus()")
    shown.keys(ENTER, HOME, ENTER, PAGE_DOWN, PAGE_DOWN, ENTER, END, ENTER, "e")
    shown.until(lambda: "zone 1" in shown.text("#counts"), "counts of the zone")
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
    shown.until(lambda: "1 of 1 track" in shown.text("#track-count"), "the track to be gone")
    shown.click("#do-export")
    shown.until(lambda: "tracks.csv" in shown.text("#exported"), "the files")
    assert [entry["kind"] for entry in log(run_folder)] == [
        *("swap", "rename", "split", "merge", "delete", "box", "undo", "redo", "swap", "box", "delete"),
    ]
    assert shown.js("return document.querySelector('#log i')") is None
    assert all(
        "422" in problem for problem in shown.problems()
    )  # the merge that was refused, and nothing else


@pytest.mark.parametrize("width", WIDTHS)
def test_every_key(browser: Any, page: str, run_folder: Path, width: int) -> None:
    shown = Page(browser, page, width)
    chosen = "return ['one', 'other'].map((id) => document.getElementById(id).value)"
    shown.keys("n", "n")
    assert shown.js(chosen) == ["2", "1"]
    shown.keys("p")
    assert shown.js(chosen) == ["1", "2"]
    shown.keys("g", "31", ENTER)
    shown.until(lambda: shown.frame == 31, "the frame")
    for key, told in (("x", "1 and 2 swapped from frame 31"), ("s", "1 is 3 from frame 31")):
        shown.keys(key)
        shown.until(lambda: told in shown.text("#log"), told)  # noqa: B023
    shown.keys("u")
    shown.until(lambda: "1 is 3" not in shown.text("#log"), "the split to be undone")
    shown.keys("r")
    shown.until(lambda: "1 is 3" in shown.text("#log"), "the split to be back")
    shown.keys("p")  # before the first is the last
    assert shown.js(chosen) == ["3", "1"]
    shown.keys("m")
    shown.until(lambda: "1 is 3" in shown.text("#log li:last-child"), "the merge")
    shown.keys("e")
    shown.until(lambda: "tracks_kitti.txt" in shown.text("#exported"), "the files")
    assert [entry["kind"] for entry in log(run_folder)] == ["swap", "split", "undo", "redo", "merge"]
    for key, name in zip("bltz", ("boxes", "labels", "trails", "scene"), strict=True):
        shown.keys(key)
        assert not shown.js(f"return document.getElementById('show-{name}').checked"), name
    shown.keys(END)
    shown.until(lambda: shown.frame == FRAMES, "the last frame")
    shown.keys(HOME, RIGHT)
    shown.until(lambda: shown.frame == 2, "the second frame")
    shown.keys("/", "3")
    assert shown.text("#track-count") == "1 of 2 tracks"
    shown.js("document.activeElement.blur()")
    shown.keys(SPACE)
    assert shown.text("#play") == "Pause"
    shown.keys(SPACE, "?")
    assert shown.text("#play") == "Play"
    assert shown.js("return document.getElementById('help').open")
    shown.keys(ESCAPE)
    assert not shown.js("return document.getElementById('help').open")
    for key, panel in zip("12345", ("tracks", "count", "correct", "people", "data"), strict=True):
        shown.keys(key)
        assert not shown.js(f"return document.getElementById('panel-{panel}').hidden"), panel
    assert shown.problems() == []


@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_kept_is_deleted_after_a_question(
    browser: Any, page: str, run_folder: Path, width: int
) -> None:
    (run_folder / "scene.yaml").write_text("lines: {}\n")
    long = run_folder / "tracks_offline.txt"
    long.write_text("")
    os.utime(long, (0, 0))  # a long word of how old it is
    shown = Page(browser, page, width)
    shown.click("#tab-data")
    shown.until(lambda: "scene.yaml" in shown.text("#kept"), "the files")
    assert shown.js(
        "return [...new Set([...document.querySelectorAll('#kept button')].map((one) => one.offsetHeight))]"
    ) == [shown.js("return document.querySelector('#kept button').offsetHeight")]  # no word is broken
    shown.click("[aria-label='Delete scene.yaml']")
    shown.click("#confirm-no")
    assert (run_folder / "scene.yaml").exists()
    shown.click("[aria-label='Delete scene.yaml']")
    shown.click("#confirm-yes")
    shown.until(lambda: "scene.yaml" not in shown.text("#kept"), "the file to be gone")
    assert not (run_folder / "scene.yaml").exists()
    assert shown.problems() == []


def test_names_from_files_are_only_text(browser: Any, tmp_path: Path, serve: Callable[[Any], str]) -> None:
    folder = make_run(tmp_path / "<img src=x onerror=alert(1)>")
    shown = Page(browser, serve(make_app(runs_in([folder]))))
    assert shown.js("return document.getElementById('looks-label').offsetParent") is None  # no gallery
    assert shown.js("return document.querySelectorAll('header img, #run img').length") == 0
    assert "<img" in shown.text("#run")
    assert shown.problems() == []


def test_a_token_lets_a_browser_in_once_and_for_all(
    browser: Any, run_folder: Path, serve: Callable[[Any], str]
) -> None:
    address = serve(make_app(runs_in([run_folder]), token="s3cret"))
    shown = Page(browser, f"{address}?token=s3cret", 400)
    assert browser.current_url == address
    browser.get(address)
    shown.until(lambda: shown.js("return document.body.dataset.ready"), "the page by its cookie")
    browser.delete_all_cookies()
    browser.get(address)
    assert "a token is needed" in browser.page_source
