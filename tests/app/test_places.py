"""Where the page is: kept in its address, so that it can be loaded again, gone back from, and linked to."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mot_reid.app.runs import runs_in
from mot_reid.app.server import make_app

from .conftest import make_run
from .pages import Page


def chosen(page: Page) -> tuple[str, int, str]:
    """The run, the frame and the tab that are shown."""
    script = (
        "return [document.getElementById('run').value, document.querySelector('[aria-selected=true]').id]"
    )
    run, tab = page.js(script)
    return run, page.frame, tab


def test_a_page_is_loaded_again_where_it_was_and_goes_back(
    browser: Any, tmp_path: Path, serve: Callable[[Any], str]
) -> None:
    for name in ("door", "yard"):
        make_run(tmp_path / "out" / name, videos=tmp_path)
    address = serve(make_app(runs_in([tmp_path / "out"])))
    page = Page(browser, address)
    page.set("#seek", 20, "input")
    page.click("#tab-people")
    page.until(lambda: page.js("return location.hash") == "#run=r0&frame=20&tab=people", "the address")
    page.until(
        lambda: page.js("return document.querySelectorAll('#people-list li').length") > 4, "the people"
    )
    page.click("#people-list > li:last-child li button")
    page.until(lambda: chosen(page) == ("r1", 1, "tab-people"), "the other camera")
    page.click("#next")
    page.until(lambda: page.js("return location.hash") == "#run=r1&frame=2&tab=people&track=2", "the address")
    browser.refresh()
    page.until(lambda: page.js("return document.body.dataset.ready"), "the page")
    assert chosen(page) == ("r1", 2, "tab-people")
    assert page.js("return document.querySelector('[aria-current]').dataset.id") == "2"
    assert page.js("return document.getElementById('one').value") == "2"
    browser.back()
    page.until(lambda: chosen(page) == ("r0", 20, "tab-people"), "where one was before")
    linked = Page(browser, f"{address}#run=r7&frame=a&tab=nowhere&track=2")
    assert chosen(linked) == ("r0", 1, "tab-tracks")
    assert linked.problems() == []


def test_frames_between_those_that_were_looked_at_are_passed_over(
    browser: Any, tmp_path: Path, serve: Callable[[Any], str]
) -> None:
    folder = make_run(tmp_path / "yard")
    summary = json.loads((folder / "summary.json").read_text()) | {"stride": 4}
    (folder / "summary.json").write_text(json.dumps(summary))
    page = Page(browser, serve(make_app(runs_in([folder]))))
    page.set("#seek", 20, "input")
    page.until(lambda: page.frame == 17, "the frame that was looked at")
    page.click("#next")
    page.until(lambda: page.frame == 21, "the next one")
    page.click("#previous")
    page.click("#previous")
    page.until(lambda: page.frame == 13, "the one before")
    assert page.text("#where").startswith("13 ")


def test_a_page_opens_at_the_first_frame_that_has_boxes(
    browser: Any, tmp_path: Path, serve: Callable[[Any], str]
) -> None:
    folder = make_run(tmp_path / "yard")
    head, *lines = (folder / "tracks.csv").read_text().splitlines(keepends=True)
    (folder / "tracks.csv").write_text(head + "".join(lines[2 * 30 :]))  # as of track --start 31
    address = serve(make_app(runs_in([folder])))
    page = Page(browser, address)
    assert page.frame == 31
    page.until(
        lambda: page.js("return Number(document.getElementById('picture').dataset.boxes)") == 2, "boxes"
    )
    assert Page(browser, f"{address}#run=r0&frame=20").frame == 20
    assert page.problems() == []


def test_a_run_that_cannot_be_read_keeps_nobody_from_the_others(
    browser: Any, tmp_path: Path, serve: Callable[[Any], str]
) -> None:
    broken, whole = make_run(tmp_path / "a"), make_run(tmp_path / "b")
    (broken / "tracks.csv").write_text("frame,id\n1,2\n")
    address = serve(make_app(runs_in([broken, whole])))
    for asked in ("", "#run=r0&frame=7&tab=data"):
        shown = Page(browser, address + asked)
        assert shown.js("return document.getElementById('run').value") == "r1"
        assert f"{broken / 'tracks.csv'}: no column x1" in shown.text("#message")
        assert (shown.frame, "2 tracks" in shown.text("#about")) == (1, True)
    assert shown.js("return document.getElementById('panel-data').hidden") is False
    shown.set("#run", "r0", "change")
    shown.until(lambda: "no column x1" in shown.text("#message"), "what is wrong")
    assert shown.js("return document.getElementById('run').value") == "r1"


@pytest.mark.parametrize("width", [1280, 400])
def test_long_names_are_not_wider_than_the_page(
    browser: Any, tmp_path: Path, serve: Callable[[Any], str], width: int
) -> None:
    shown = Page(
        browser, serve(make_app(runs_in([make_run(tmp_path / ("Straße 😀 <b>" + 40 * "long"))]))), width
    )
    for tab in ("tracks", "correct", "people", "data"):
        shown.click(f"#tab-{tab}")
        if tab == "data":
            shown.until(lambda: shown.text("#folder"), "the folder's name")
        shown.shot(f"long-{tab}-{width}")
        assert not shown.too_wide(), tab
    shown.js(
        "const legend = document.getElementById('lanes-legend');"
        "legend.hidden = false; legend.textContent = 'camera'.repeat(60)"
    )
    assert not shown.too_wide()
    assert shown.js("return document.getElementById('help-open').getBoundingClientRect().right") <= width


def test_a_page_of_which_no_run_can_be_read_says_why_and_asks_for_nothing(
    browser: Any, tmp_path: Path, serve: Callable[[Any], str]
) -> None:
    folders = [make_run(tmp_path / name) for name in ("a", "b")]
    whole = (folders[1] / "tracks.csv").read_text()
    for folder in folders:
        (folder / "tracks.csv").write_text("frame,id\n1,2\n")
    shown = Page(browser, serve(make_app(runs_in(folders))), 400)
    told = f"{folders[0] / 'tracks.csv'}: no column x1"
    for key in "x1 m":
        shown.keys(key)
    assert told in shown.text("#message")
    assert [shown.one(f"#{name}").is_displayed() for name in ("picture", "tabs", "run")] == [
        False,
        False,
        True,
    ]
    assert all("422" in problem for problem in shown.problems())
    (folders[1] / "tracks.csv").write_text(whole)
    shown.set("#run", "r1", "change")
    shown.until(
        lambda: "2 tracks" in shown.text("#about") and shown.boxes == 2, "the run that is whole by now"
    )
    shown.until(lambda: shown.pixel(0.95, 0.02)[0] == 90, "its picture")
    assert [shown.one(f"#{name}").is_displayed() for name in ("picture", "panel-tracks")] == [True, True]
