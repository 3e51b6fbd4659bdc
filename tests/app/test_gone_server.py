"""The page while its server is gone, and when it is back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mot_reid.app.runs import runs_in
from mot_reid.app.server import make_app

from .conftest import Served, make_run
from .pages import Page

GONE = "The server does not answer; is mot-reid serve still running?"
AGAIN = "mot-reid serve answers again. What it was asked to do meanwhile was not done."


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    return [make_run(tmp_path / "yard"), make_run(tmp_path / "hall")]


def actions(shown: Page) -> dict[str, Callable[[], Any]]:
    """What a person does who has not noticed, in this order."""

    def draw() -> None:
        shown.click("#draw-line")
        shown.at(0.5, 0.1)
        shown.at(0.5, 0.9)

    def rename() -> None:
        shown.click("#tab-correct")
        shown.write("#one", "1")
        shown.write("#name", "Ann")
        shown.click("#do-rename")

    return {
        "seek": lambda: shown.set("#seek", 50, "input"),
        "play": lambda: shown.click("#play"),
        "run": lambda: shown.set("#run", "r1", "change"),
        "people": lambda: shown.click("#tab-people"),
        "lanes": lambda: shown.set("#lanes-of", "all", "change"),
        "data": lambda: shown.click("#tab-data"),
        "count": lambda: shown.click("#tab-count") or draw(),
        "keep": lambda: shown.click("#keep-scene"),
        "rename": rename,
        "export": lambda: shown.click("#do-export"),
        "come back": lambda: shown.js("document.dispatchEvent(new Event('visibilitychange'))"),
    }


@pytest.mark.parametrize("width", [1280, 400])
def test_each_action_says_that_the_server_is_gone_and_goes_on_when_it_is_back(
    browser: Any, folders: list[Path], width: int
) -> None:
    first = Served(make_app(runs_in(folders)))
    shown = Page(browser, first.url, width)
    first.stop()
    for name, act in actions(shown).items():
        shown.js("document.getElementById('message').textContent = ''")
        act()
        shown.until(lambda: shown.text("#message") == GONE, f"a word after {name}")
        assert shown.text("#play") == "Play", name
        assert shown.js("return document.getElementById('run').value") == "r0", name
    shown.shot(f"gone-{width}")
    assert shown.frame in (50, 51)  # it played a moment
    assert shown.pixel(0.95, 0.02)[0] < 90  # the picture before, dimmed
    second = Served(make_app(runs_in(folders)), first.port)
    try:
        shown.until(lambda: shown.text("#message") == AGAIN, "that it is back")
        shown.until(lambda: shown.boxes == 2 and shown.pixel(0.95, 0.02)[0] == 90, "picture and boxes")
        shown.until(lambda: "line 1: in" in shown.text("#counts"), "counts of the line")
        shown.click("#tab-people")
        shown.until(lambda: shown.text("#people-count") == "4 of 4", "people")
        shown.click("#tab-correct")
        shown.click("#do-rename")
        shown.until(lambda: shown.text("#log") == "1 is called Ann", "the name")
    finally:
        second.stop()


def test_another_server_in_its_place_is_told(browser: Any, folders: list[Path]) -> None:
    server = Served(make_app(runs_in(folders)))
    shown = Page(browser, server.url)
    for app, told in (
        (make_app(runs_in(folders[:1])), "shows other runs: load this page again"),
        (make_app(runs_in(folders), token="s3cret"), "asks for its token"),
    ):
        server.stop()
        shown.click("#tab-people")
        shown.set("#seek", 50, "input")
        shown.until(lambda: shown.text("#message") == GONE, "that it is gone")
        server = Served(app, server.port)
        shown.until(lambda: told in shown.text("#message"), told)  # noqa: B023
    server.stop()


def test_a_server_that_takes_long_is_told(browser: Any, page: str) -> None:
    shown = Page(browser, page)
    shown.js("""
        const [fetched, later] = [window.fetch, window.setTimeout];
        window.setTimeout = (act, wait) => later(act, wait === 10000 ? 50 : wait);
        window.fetch = async (path, options) => {
          if (String(path).endsWith('/kept')) await new Promise((resolve) => { window.answer = resolve; });
          return fetched(path, options);
        };
    """)
    shown.click("#tab-data")
    shown.until(lambda: "has not answered for ten seconds" in shown.text("#message"), "that it takes long")
    shown.click("#next")
    shown.until(lambda: shown.frame == 2, "the next frame")
    assert "has not answered for ten seconds" in shown.text("#message")
    shown.js("window.answer()")
    shown.until(lambda: shown.text("#message") == "", "that it has answered")
    shown.until(lambda: "tracks.csv" in shown.text("#kept"), "the answer")
